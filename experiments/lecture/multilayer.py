"""Multilayer autoencoder: 64-64-32-8 and its mirror on digits, at less than half of PCA's error.

Slide: "Autoencoder multicapa". This is the main command.

    aejax run lecture/multilayer                    # 2 s of training
    aejax run lecture/multilayer:fashion            # 784-128-64-32, 5,000 images, 9 s
    aejax run lecture/multilayer:fashion_mnist      # 784-512-256-32, 60,000 images, about a minute

Expect, on the test rows at seed 0: see the table in README.md; `fashion`, over seeds 0-4: .0133 ± .0002, PCA .0155
(784-512-256-32 in 3,000 steps, seed 0: .0121). `silu` was chosen over `relu` on the validation rows.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "dense.multilayer",
        "widths": (64, 32),
        "code": 8,
        "activation": "silu",
        "code_activation": "linear",
        "output": "sigmoid",
    }
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config


def variants():
    images = {
        "model.code": 32,
        "model.activation": "relu",
        "terms.reconstruction.name": "reconstruction.squared_error",
        "optimizer.learning_rate": 1e-3,
        "train.batch_size": 128,
    }
    return {
        "fashion": images | {"data.name": "fashion", "model.widths": (128, 64), "train.steps": 8000},
        "fashion_mnist": images | {"data.name": "fashion_mnist", "model.widths": (512, 256), "train.steps": 8000},
    }
