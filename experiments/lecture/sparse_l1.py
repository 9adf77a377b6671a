"""Sparse autoencoder, L1: 64-128-64 on digits, an overcomplete code of which a row uses a few units."""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.vanilla", "code": 128, "activation": "relu", "output": "sigmoid", "tied": False}
    config.terms.sparsity = {"name": "sparsity.l1", "weight": 0.1, "layer": "code"}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config
