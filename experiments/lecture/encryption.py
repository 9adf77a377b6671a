"""Codes that the decoder's owner can read: what three attackers rebuild from codes, and how a net is split in two.

Slide: "Encriptación y seguridad".

    aejax run lecture/encryption
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.multilayer", "widths": (128, 64), "code": 16, "activation": "relu"}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    config.task = {"name": "encryption.evaluate", "pairs": (10, 30, 100, 300, 1000)}
    return config


def variants():
    return {
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.widths": (512, 256),
            "model.code": 32,
            "train.batch_size": 128,
            "train.steps": 20000,
            "train.evaluate_every": 2000,
            "train.checkpoint_every": 10000,
            "task.pairs": (10, 30, 100, 300, 1000, 3000, 10000),
        }
    }
