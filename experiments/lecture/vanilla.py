"""Vanilla autoencoder: one hidden layer of 8 sigmoid units on digits, with the cross-entropy cost.

Slides: "¿Qué es un autoencoder?", "Vanilla autoencoder", "Función de costo de reconstrucción".
The other cost of the slide is the variant `squared_error`; images of clothes are the variant `fashion`.

    aejax run lecture/vanilla                    # 1 s of training
    aejax run lecture/vanilla:squared_error
    aejax run lecture/vanilla:fashion            # code of 32; 5,000 images, 4 s
    aejax run lecture/vanilla:fashion_mnist      # code of 32; 60,000 images, half a minute

Expect, on the test rows at seed 0: see the table in README.md; `fashion`, over seeds 0-4: .0147 ± .0003, PCA .0155.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.vanilla", "code": 8, "activation": "sigmoid", "output": "sigmoid", "tied": False}
    config.optimizer = {"name": "adam", "learning_rate": 1e-2, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config


def variants():
    squared_error = {"terms.reconstruction.name": "reconstruction.squared_error"}
    images = squared_error | {"model.code": 32, "train.batch_size": 128}
    return {
        "squared_error": squared_error,
        "tied": {"model.tied": True},
        "fashion": images | {"data.name": "fashion"},
        "fashion_mnist": images | {"data.name": "fashion_mnist", "train.steps": 30000},
    }
