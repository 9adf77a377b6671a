"""New data: decode codes drawn from a mixture fitted to those of real rows, and measure what comes out.

aejax run lecture/generation
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "variational.dense",
        "widths": (256, 128),
        "code": 10,
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
    config.task = {"name": "generation.evaluate", "components": 20, "samples": 2000}
    return config


def variants():
    return {
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.widths": (512, 256),
            "model.code": 32,
            "task.components": 50,
            "task.samples": 5000,
            "train.steps": 4000,
        },
        "satimage": {
            "data.name": "satimage",
            "data.scaling": "standard",
            "model.output": "linear",
            "task.components": 30,
        },
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
            "task.components": 5,
        },
        "binary": {
            "data.name": "binary:digits",
            "model": {
                "name": "variational.dense",
                "widths": (400,),
                "code": 20,
                "activation": "relu",
                "kernel_scale": 0.4,
            },
            "terms.reconstruction.name": "reconstruction.cross_entropy",
            "terms.divergence.weight": 1.0,
            "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "constant"}},
            "train.steps": 4690,
            "train.evaluate_every": 469,
            "task": {"name": "likelihood.evaluate", "draws": 50},
        },
    }
