"""Two dimensions of a table of any size: a net that begins as a linear one, and stops by held-out rows.

    aejax run tables/reduction --set data.name=file:TABLE.csv --set data.label_column=COLUMN

Without `data.name` the rows are those of satimage. `aejax init FILE --task reduction` and the estimator `Autoencoder`
begin here. A net as wide as that of lecture/reduction learns 569 rows by heart where nothing stops it. Beside the
layers of this one there is a linear way, which finds the plane of principal components within a few hundred steps; what
the layers add to it is kept for as long as the error of the validation rows falls. scripts/bench/unlabelled.py measures
it on tables that nothing was chosen on; docs/guide/estimators.md has the numbers. Chosen on others: learning rate 3e-3
of {1e-3, 3e-3, 1.2e-2}.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.test = 0.2
    config.model = {"name": "dense.shortcut", "widths": (128, 64), "code": 2}
    config.terms = {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}}
    config.corruption = {"name": "gaussian", "scale": 0.3}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 3e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 4000
    config.train.evaluate_every = 50
    config.train.patience = 20
    config.task = {"name": "reduction", "neighbours": 5, "folds": 5}
    return config
