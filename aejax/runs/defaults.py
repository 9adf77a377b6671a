"""Settings that follow from the table at hand, for estimators and first configs: fields of a config by their paths.

More follows from it in training: early stopping by validation rows (`patience`), and the shares of what stands beside
the net in imputation (`aejax.tasks.imputation.methods.shares`).
"""

from math import log2, sqrt
from typing import Any

NARROWEST, WIDEST = 32, 256  # units of the blocks of an imputer


def imputation(rows: int) -> dict[str, Any]:
    """About 3 √rows units of a block, a power of 2, and a code of half as many.

    >>> imputation(500)
    {'model.width': 64, 'model.code': 32}
    """
    width = min(max(2 ** round(log2(3 * sqrt(rows))), NARROWEST), WIDEST)
    return {"model.width": width, "model.code": width // 2}


def anomaly(*, labelled: bool) -> dict[str, Any]:
    """The score: where nobody says which rows are normal, one that expects anomalies among the training rows.

    How it compares with kNN and an isolation forest is measured by ``scripts/bench/practice.py unlabelled``.

    >>> anomaly(labelled=False)
    {'task.score': 'trimmed'}
    """
    return {} if labelled else {"task.score": "trimmed"}
