"""Dimension reduction: satimage from 36 features to 2, beside PCA with two components."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.test = 0.2
    config.model = {
        "name": "dense.multilayer",
        "widths": (128, 64),
        "code": 2,
        "activation": "silu",
        "code_activation": "linear",
        "output": "linear",
    }
    config.terms = {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}}
    config.corruption = {"name": "gaussian", "scale": 0.3}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 1.2e-2,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 20000
    config.train.evaluate_every = 500
    config.train.checkpoint_every = 5000
    config.task = {"name": "reduction.evaluate", "neighbours": 5, "folds": 5}
    return config


def variants():
    net = {
        "model.widths": (8,),
        "model.activation": "relu",
        "optimizer.learning_rate": 2e-2,
        "train.batch_size": 64,
        "train.steps": 40000,
    }
    return {
        "paper": net | {"corruption.scale": 0.1},
        "contractive": net
        | {"corruption.scale": 0.1, "terms.contractive": {"name": "structure.contractive", "weight": 1e-3}},
    }
