"""Latent space: a 2-D code of digits as a map to move on: a grid, walks, random points, class to class.

aejax run lecture/latent
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "variational.dense",
        "widths": (256, 128),
        "code": 2,
        "activation": "silu",
        "output": "sigmoid",
    }
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "divergence": {"name": "latent.kl_standard_normal", "weight": 0.02},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 2e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.05, "final": 0.0},
    }
    config.train.batch_size = 128
    config.train.steps = 5000
    config.train.evaluate_every = 500
    config.task = {"name": "latent.evaluate", "walks": 200, "steps": 9, "side": 15}
    return config


def variants():
    return {
        "faces": {
            "data.name": "faces",
            "model": {
                "name": "variational.convolutional",
                "channels": (16, 32, 64),
                "code": 32,
                "activation": "silu",
            },
            "terms.divergence.weight": 0.2,
            "train.batch_size": 32,
            "train.steps": 3000,
        },
    }
