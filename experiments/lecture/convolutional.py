"""Convolutional autoencoder: two strided convolutions to a code of 8 on digits, and their mirror image.

Slide: "Autoencoder convolucional".

    aejax run lecture/convolutional                    # 3 s of training
    aejax run lecture/convolutional:fashion            # code of 32; 5,000 images, 18 s
    aejax run lecture/convolutional:fashion_mnist      # code of 32; 60,000 images, about a minute

Expect, on the test rows at seed 0: see the table in README.md; `fashion`, over seeds 0-4: .0111 ± .0002, PCA .0155.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "conv.convolutional",
        "channels": (16, 32),
        "kernel_size": 3,
        "stride": 2,
        "code": 8,
        "activation": "silu",
        "code_activation": "linear",
        "output": "sigmoid",
    }
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 5000
    config.train.evaluate_every = 200
    return config


def variants():
    images = {"model.code": 32, "train.batch_size": 128}
    return {
        "fashion": images | {"data.name": "fashion", "train.steps": 2000},
        "fashion_mnist": images | {"data.name": "fashion_mnist", "train.steps": 5000},
    }
