"""Manifold learning: unroll a swiss roll by keeping distances along it, where a plain autoencoder does not."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "swiss_roll"
    config.data.scaling = "standard"
    config.data.rows = 2000
    config.data.noise = 0.3
    config.model = {
        "name": "dense.multilayer",
        "widths": (128, 128),
        "code": 2,
        "activation": "silu",
        "code_activation": "linear",
        "output": "linear",
    }
    config.relations = {"geodesics": {"name": "graph.geodesics", "neighbours": 10}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "strain": {"name": "structure.strain", "weight": 100.0, "relation": "geodesics"},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 3e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 4000
    config.train.evaluate_every = 200
    config.task = {"name": "manifold.evaluate", "neighbours": 10, "plain_steps": 4000}
    return config


def variants():
    return {
        "s_curve": {"data.name": "s_curve", "data.noise": 0.05},
        "digits": {
            "data": base().data.to_dict(),
            "model": {"name": "dense.multilayer", "widths": (256, 128), "code": 10, "activation": "silu"},
            "relations": {},
            "terms": base().terms.to_dict(),
            "corruption": {"name": "masking", "probability": 0.3},
            "train.batch_size": 64,
            "train.steps": 6000,
            "task": {"name": "walk.evaluate", "walks": 200, "steps": 9},
        },
    }
