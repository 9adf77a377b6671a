"""Groups in a table: k-means on the code of a net that draws neighbours together, or on the columns.

    aejax run tables/clustering --set data.name=file:TABLE.csv                # as many groups as the code shows
    aejax run tables/clustering --set data.name=file:TABLE.csv --set task.clusters=4

Without `data.name` the rows are those of satimage, whose classes say how many clusters there are. `aejax init FILE
--task clustering` and `aejax.estimators.AutoencoderClusterer` begin here.

The net is that of lecture/clustering without centres, which share the rows equally while they are placed, so that
groups of unlike size need not be cut to one size. scripts/bench/unlabelled.py measures it; docs/guide/estimators.md has
the numbers. Chosen on tables that are not reported on: k-means of the scaled columns takes the place of that of the
code where its silhouette there is .2 or more and the code's clusters have under four fifths of it.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.validation = 0.0
    config.data.test = 0.0
    config.model = {"name": "dense.multilayer", "widths": (128, 64), "code": 10, "output": "linear"}
    config.relations = {"walks": {"name": "graph.walks", "neighbours": 5, "steps": 8}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "neighbours": {"name": "clustering.neighbours", "weight": 30.0, "relation": "walks"},
    }
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.batch_size = 256
    config.train.steps = 2000
    config.task = {"name": "clustering", "space": "either"}
    return config
