"""Sparse autoencoder of the UFLDL tutorial: 64-25-64 on photographs, L-BFGS; its filters are edges."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "natural_patches"
    config.data.validation = 0.0
    config.data.test = 0.1
    config.model = {"name": "dense.vanilla", "code": 25, "activation": "sigmoid", "output": "sigmoid", "tied": False}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "weight_decay": {"name": "weights.weight_decay", "weight": 1e-4},
        "sparsity": {"name": "sparsity.kl_bernoulli", "weight": 3.0, "target_rate": 0.01, "layer": "code"},
    }
    config.optimizer = {"name": "lbfgs", "memory_size": 20}
    config.train.steps = 400
    config.train.batch_size = None
    config.train.evaluate_every = 20
    config.train.checkpoint_every = 100
    return config
