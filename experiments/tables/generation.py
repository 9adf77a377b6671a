"""New rows of a table, judged column by column: by a forest that is to tell them from real ones, and as copies.

    aejax run tables/generation --set data.name=file:TABLE.csv
    aejax apply FOLDER sample --rows 100 --given age=40..60 --unique code --output made.csv

Without `data.name` the rows are those of satimage. `aejax init FILE --task generation` and the estimator
`AutoencoderSampler` begin here.

A variational net with little weight on its divergence, and a mixture of normal distributions fitted to its codes; each
column of numbers gets the quantiles of the training rows. Beside it stand a mixture of the scaled rows, the same with
its columns matched alike, one Gaussian, and columns drawn independently. scripts/bench/practice.py measures it on
tables that nothing was chosen on; docs/guide/practice.md has the numbers. Chosen on others (abalone, segment,
winequality, diabetes, fair, one seed): weight of the divergence .002 of {.002, .01, .02, .1, .5}, 10 units of {5, 10,
20}, a component for each 50 rows of {25, 50}, 400 passes through the rows of {100, 400}.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.test = 0.2
    config.model = {
        "name": "variational.dense",
        "widths": (256, 128),
        "code": 10,
        "activation": "silu",
        "output": "linear",
    }
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "divergence": {"name": "latent.kl_standard_normal", "weight": 0.002},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 2e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.05, "final": 0.0},
    }
    config.train.batch_size = 128
    config.train.steps = 5000
    config.train.evaluate_every = 250
    config.train.patience = 10
    config.task = {"name": "generation", "features": "columns", "components": 30}
    return config
