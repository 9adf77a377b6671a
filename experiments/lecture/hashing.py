"""Semantic hashing: rows become a few bits, and those with nearly the same bits are of the same kind.

aejax run lecture/hashing
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "digits"
    config.model = {
        "name": "binary.noisy",
        "widths": (500, 500),
        "code": 32,
        "noise": 0.6,
        "activation": "relu",
        "output": "linear",
        "decoder_widths": (),
    }
    config.relations = {"neighbours": {"name": "nearest.cosine", "neighbours": 10}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 0.01},
        "neighbours": {
            "name": "neighbours.contrastive",
            "weight": 1.0,
            "temperature": 0.2,
            "relation": "neighbours",
        },
    }
    config.corruption = {"name": "dropout", "probability": 0.5}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 1e-3,
        "schedule": {"name": "cosine", "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 600
    config.train.evaluate_every = 100
    config.task = {"name": "hashing.evaluate", "retrieved": 100, "radius": 2}
    return config


def variants():
    documents = {"data.name": "newsgroups", "data.weighting": "tfidf", "data.scaling": "standard"}
    documents |= {"terms.reconstruction.weight": 1e-3}
    sizes = {f"newsgroups{bits}": documents | {"model.code": bits} for bits in (16, 20, 64, 128)}
    sizes["newsgroups20"] |= {"task.radius": 4}
    return {"newsgroups": documents, **sizes, "fashion_mnist": {"data.name": "fashion_mnist"}}
