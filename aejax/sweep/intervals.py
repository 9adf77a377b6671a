"""How far a mean over the runs of a setting can be trusted: 95 % intervals over seeds, or over the folds of one seed.

The folds of a cross-validation share most of their training rows, so that they are no independent repetitions: with
several seeds each counts once, by the mean over its folds; with one seed the variance over its folds is corrected.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.training.loop import BROKEN

SEEDS, FOLDS = "seeds", "folds"


def of_point(rows: Sequence[Mapping[str, Any]], name: str, folds: int | None) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval of a metric over the runs of one setting.

    Args:
        rows: of the table; what is not finite is left out, and of a cross-validation every seed with such a fold, as
            folds are not equally hard, unless there is no other.
        name: of the metric.
        folds: of the cross-validation; None without.

    Returns:
        ``n``, ``mean``, ``sd``, ``low``, ``high``: of the seeds, or of the folds where there is one seed (`counted`);
        the last three None for fewer than two. Of one seed's folds only metrics of validation rows have an interval:
        no correction is known for folds that are all judged on the same rows.
    """
    values = {row["seed"]: [] for row in rows}
    for row in rows:
        values[row["seed"]].append(row[name] if row["status"] != BROKEN else math.nan)
    if folds is None:
        return interval([value for numbers in values.values() for value in numbers])
    whole = [numbers for numbers in values.values() if all(map(_is_finite, numbers))]
    if len(values) == 1 and whole:
        summary = interval(whole[0], shared=1 / (folds - 1))
        return summary if name.startswith("validation/") else summary | {"low": None, "high": None}
    parts = [list(filter(_is_finite, numbers)) for numbers in values.values()]
    summary = interval([float(np.mean(numbers)) for numbers in whole or parts if numbers])
    return summary if whole else summary | {"sd": None, "low": None, "high": None}


def counted(rows: Sequence[Mapping[str, Any]], folds: int | None) -> str:
    """What the spread of a setting is over: `SEEDS`, or `FOLDS` where a cross-validation has one seed."""
    return FOLDS if folds is not None and len({row["seed"] for row in rows}) == 1 else SEEDS


def interval(values: Sequence[float], *, shared: float = 0.0) -> dict[str, Any]:
    """Mean, standard deviation (n − 1) and 95 % interval of the mean, mean ± t · sd · √(1/n + shared), by Student's t.

    Args:
        values: one for each repetition; those that are not finite are left out.
        shared: 0 for independent repetitions; of the folds of a cross-validation, the corrected resampled t-test's
            rows judged on ÷ rows trained on, 1 / (K − 1), as their training rows overlap.

    Returns:
        ``n``, ``mean``, ``sd``, ``low``, ``high``; the last three None for fewer than two values.

    References:
        Nadeau & Bengio 2003, Inference for the generalization error, section 3, on the corrected resampled t-test;
        Bouckaert & Frank 2004, Evaluating the replicability of significance tests for comparing learning algorithms,
        on the same for repeated cross-validation.
    """
    from scipy.special import stdtrit

    finite = np.array(list(filter(_is_finite, values)))
    count = len(finite)
    if count < 2:
        return {"n": count, "mean": float(finite[0]) if count else None, "sd": None, "low": None, "high": None}
    mean, sd = float(finite.mean()), float(finite.std(ddof=1))
    half = float(stdtrit(count - 1, 0.975)) * sd * math.sqrt(1 / count + shared)
    return {"n": count, "mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
