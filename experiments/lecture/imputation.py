"""Imputation: a fifth of satimage's values is missing; a net fills it in, beside neighbours, equations, forests.

DOC
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.missing = {"name": "completely_at_random", "rate": 0.2}
    config.model = {"name": "masked.residual", "width": 256, "blocks": 2, "code": 128}
    config.terms = {"likelihood": {"name": "imputation.likelihood", "weight": 1.0}}
    config.corruption = {"name": "holes", "least": 0.05, "most": 0.5, "borrowed": 0.5}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 2e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.05, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 6000
    config.train.evaluate_every = 500
    config.train.checkpoint_every = 2000
    config.task = {"name": "imputation.evaluate"}
    return config


def variants():
    return {
        "letter": {"data.name": "letter"},
        "spambase": {"data.name": "spambase"},
        "digits": {"data.name": "digits", "data.missing": {"name": "square", "size": 3}},
        "half": {"data.missing.rate": 0.5},
        "at_random": {"data.missing": {"name": "at_random", "rate": 0.3}},
        "not_at_random": {"data.missing": {"name": "not_at_random", "rate": 0.2}},
    }
