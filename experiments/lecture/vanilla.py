"""Vanilla autoencoder: one hidden layer."""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.vanilla", "code": 8, "activation": "sigmoid", "output": "sigmoid", "tied": False}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    return config
