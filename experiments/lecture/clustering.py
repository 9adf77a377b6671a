"""Clustering: digits in ten groups without a label, by a code drawn together along the graph of neighbours.

aejax run lecture/clustering
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.validation = 0.0
    config.data.test = 0.0
    config.model = {"name": "clustered.dense", "clusters": 10, "widths": (128, 64), "code": 10}
    config.relations = {"walks": {"name": "graph.walks", "neighbours": 5, "steps": 8}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.cross_entropy", "weight": 1.0},
        "neighbours": {"name": "clustering.neighbours", "weight": 30.0, "relation": "walks"},
        "centres": {"name": "clustering.centres", "weight": 1.0, "schedule": {"name": "before", "end": 0.6}},
        "joint": {"name": "clustering.joint", "weight": 10.0, "schedule": {"name": "after", "start": 0.6}},
    }
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.batch_size = 256
    config.train.steps = 2000
    config.task = {"name": "clustering.evaluate"}
    return config


def variants():
    terms = get_config().terms.to_dict()
    reconstruction = {"name": "reconstruction.squared_error", "weight": 1.0}
    table = {"data.scaling": "standard", "model.output": "linear", "terms.reconstruction": reconstruction}
    return {
        "code": {
            "model": {"name": "dense.multilayer", "widths": (128, 64), "code": 10},
            "relations": {},
            "terms": {"reconstruction": terms["reconstruction"]},
        },
        "joint": {"relations": {}, "terms": {name: term for name, term in terms.items() if name != "neighbours"}},
        "held_out": {"data.test": 0.2},
        "satimage": table | {"data.name": "satimage", "model.clusters": 6},
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.widths": (256, 128),
            "relations.walks.components": 50,
            "train.steps": 6000,
            "task.restarts": 3,
        },
    }
