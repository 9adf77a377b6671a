"""Semantic grouping: a code of four bits is the name of a group, and similar rows get the same code.

aejax run lecture/grouping
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "digits"
    config.model = {
        "name": "binary.noisy",
        "widths": (256, 128),
        "code": 4,
        "noise": 0.6,
        "activation": "relu",
        "output": "linear",
        "decoder_widths": (),
    }
    config.relations = {"walks": {"name": "graph.walks", "neighbours": 5, "steps": 8}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 0.01},
        "neighbours": {"name": "neighbours.same_code", "weight": 1.0, "flip": 0.05, "relation": "walks"},
        "binary": {"name": "binary.quantized", "weight": 1.0, "layer": "code"},
        "balanced": {"name": "binary.balanced", "weight": 1.0, "layer": "code"},
    }
    config.corruption = {"name": "dropout", "probability": 0.5}
    config.optimizer = {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "cosine", "final": 0.0}}
    config.train.batch_size = 256
    config.train.steps = 600
    config.train.evaluate_every = 100
    config.task = {"name": "grouping.evaluate", "nets": 5, "shown": 10}
    return config


def variants():
    documents = {"data.name": "newsgroups", "data.weighting": "tfidf", "data.scaling": "standard"}
    documents |= {"terms.reconstruction.weight": 1e-3, "relations.walks.steps": 2, "model.code": 5}
    clothes = {"data.name": "fashion_mnist", "relations.walks.components": 32}
    return {"newsgroups": documents, "fashion_mnist": clothes}
