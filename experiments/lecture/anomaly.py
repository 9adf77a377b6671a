"""Anomaly detection."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.validation = 0.0
    config.data.test = 0.5
    config.data.normal = ("red soil", "grey soil", "very damp grey soil")
    config.model = {
        "name": "dense.multilayer",
        "widths": (64,),
        "code": 8,
        "activation": "silu",
        "code_activation": "linear",
        "output": "linear",
    }
    config.terms = {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}}
    config.corruption = {"name": "gaussian", "scale": 0.3}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 3e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 32
    config.train.steps = 4000
    config.train.evaluate_every = 200
    config.task = {
        "name": "anomaly.evaluate",
        "score": "neighbours",
        "members": 4,
        "neighbours": 3,
        "residual_weight": 0.3,
        "threshold": "quantile",
        "level": 0.95,
        "most_rows": 5000,
    }
    return config


def variants():
    return {
        "shuttle": {"data.name": "shuttle", "data.normal": "Rad.Flow", "data.left_out": "High"},
        "ionosphere": {"data.name": "ionosphere", "data.normal": "good"},
        "letter": {"data.name": "letter", "data.normal": "U"},
        "contaminated": {"data.contamination": 0.05},
        "lorenz": {"data.name": "lorenz", "data.normal": None, "data.test": None},
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "data.scaling": "unit",
            "data.normal": "Trouser",
            "data.test": None,
            "model.widths": (256,),
            "model.code": 32,
            "train.batch_size": 128,
        },
    }
