"""Sparse autoencoder, KL divergence: 64-128-64 on digits, every unit at a mean activation of ρ = 0.05."""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.vanilla", "code": 128, "activation": "sigmoid", "output": "sigmoid", "tied": False}
    config.terms.sparsity = {"name": "sparsity.kl_bernoulli", "weight": 1.0, "target_rate": 0.05, "layer": "code"}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config
