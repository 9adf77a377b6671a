"""Sparse autoencoder, L1: 64-128-64 on digits, a code larger than the row of which each row uses a few units.

Slide: "Autoencoder regularizado", L1 regularization: + λ Σ_i |a_i|; λ is `terms.sparsity.weight`.

    aejax run lecture/sparse_l1                          # 1 s of training
    aejax run lecture/sparse_l1 --set terms.sparsity.weight=1
    aejax run lecture/sparse_l1:fashion                  # code of 256; 5,000 images, 9 s
    aejax run lecture/sparse_l1:fashion_mnist
    aejax sweep lecture/sparse_l1                    # nine weights, two seeds each

Expect, on the test rows at seed 0: see the table in README.md. The baseline `pca_N` is PCA with as many components as
a row uses units in the mean: a sparse code of a row is no longer than that. `fashion`, over seeds 0-4: .0123 ± .0001
with .090 ± .003 of the units active; `pca_24` .0177.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.vanilla", "code": 128, "activation": "relu", "output": "sigmoid", "tied": False}
    config.terms.sparsity = {"name": "sparsity.l1", "weight": 0.3, "layer": "code"}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    return config


def variants():
    images = {"model.code": 256, "train.batch_size": 128}
    return {
        "fashion": images | {"data.name": "fashion", "train.steps": 5000},
        "fashion_mnist": images | {"data.name": "fashion_mnist"},
    }


def sweep():
    return {"terms.sparsity.weight": "log(0.003,30,9)", "seed": "0:2"}
