"""Denoising: a net with skip connections takes noise away that it gets anew at every step; beside filters.

aejax run lecture/denoising
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "unet.unet", "channels": (32, 64), "patch": 1}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.corruption = {"name": "gaussian", "scale": 0.2}
    config.optimizer = {"name": "adam", "learning_rate": 4e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 2000
    config.train.batch_size = 32
    config.task = {
        "name": "denoising.evaluate",
        "corruption": "gaussian",
        "strength": 0.2,
        "strengths": (0.05, 0.1, 0.3, 0.4),
    }
    return config
