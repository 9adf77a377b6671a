"""Denoising: a net with skip connections takes noise away that it gets anew at every step; beside filters.

aejax run lecture/denoising
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "unet.unet", "channels": (32, 64), "patch": 1}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.corruption = {"name": "gaussian", "scale": 0.2}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "warmup_cosine"}}
    config.train.steps = 2000
    config.train.batch_size = 32
    config.task = {
        "name": "denoising.evaluate",
        "corruption": "gaussian",
        "strength": 0.2,
        "strengths": (0.05, 0.1, 0.3, 0.4),
        "rows": 1000,
        "tuning": 50,
        "plain_steps": 2000,
    }
    return config


def variants():
    photographs = {
        "data.name": "photographs",
        "model.patch": 2,
        "corruption": {"name": "masking", "probability": 0.1},
        "train.steps": 1500,
        "train.batch_size": 16,
        "task.corruption": "masking",
        "task.strength": 0.1,
        "task.strengths": (0.05, 0.2, 0.3, 0.5),
    }
    return {
        "photographs": photographs,
        "photographs_masked": photographs
        | {
            "model.holes": True,
            "train.steps": 4000,
            "corruption": {"name": "missing", "probability": 0.1},
            "task.corruption": "missing",
        },
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.channels": (32, 64, 64),
            "model.patch": 2,
            "train.steps": 20000,
            "train.batch_size": 16,
            "train.evaluate_every": 2000,
        },
        "dropout": {
            "data.name": "fashion_mnist",
            "data.scaling": "signed",
            "model": {
                "name": "dense.vanilla",
                "code": 500,
                "activation": "tanh",
                "output": "tanh",
            },
            "corruption": {"name": "dropout", "probability": 0.5},
            "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "constant"}},
            "train.batch_size": 256,
            "task.corruption": "dropout",
            "task.strength": 0.5,
            "task.strengths": (0.1, 0.3, 0.7),
        },
    }
