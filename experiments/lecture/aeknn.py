"""A better kNN: nearest neighbours on codes of a quarter of the features, beside all features, PCA and LDA."""

from aejax.config import base

FEATURES = {"satimage": 36, "letter": 16, "spambase": 57, "musk": 166, "segment": 19, "optdigits": 64, "penbased": 16}


def get_config():
    config = base()
    config.model = {
        "name": "dense.multilayer",
        "widths": (96,),
        "code": 16,
        "activation": "tanh",
        "code_activation": "linear",
        "output": "linear",
    }
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "neighbours": {"name": "structure.stochastic_neighbours", "weight": 10.0, "bandwidth": 0.01},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 1e-2,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 128
    config.train.steps = 1500
    config.train.evaluate_every = 100
    config.task = {"name": "aeknn.evaluate", "neighbours": 5, "folds": 5, "repeats": 2, "seeds": 1}
    return config


def variants():
    classes = {"name": "supervised.soft_nearest_neighbour", "weight": 100.0, "temperature": 0.1}
    found = {"supervised": {"terms.classes": classes}}
    for name, features in FEATURES.items():
        net = {"model.widths": (round(1.5 * features),), "model.code": round(0.25 * features)}
        found[name] = {"data.name": name} | net
    return found
