"""Multilayer autoencoder: 64-64-32-8 and its mirror on digits, at about half of PCA's error."""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "dense.multilayer",
        "widths": (64, 32),
        "code": 8,
        "activation": "relu",
        "code_activation": "linear",
        "output": "sigmoid",
    }
    return config
