"""How far rows lie from known ones, where to draw the line between them, and what that line gets right."""

import math

import numpy as np

RULES = ("quantile", "deviations", "false_alarm_rate")
FLOOR = 0.02  # of the spread of all values; so that a feature that is always rebuilt exactly weighs no more than finite


def neighbour_distance(
    reference: np.ndarray, rows: np.ndarray | None = None, *, neighbours: int = 5, algorithm: str = "auto"
) -> np.ndarray:
    """Mean Euclidean distance from each row to its k nearest reference rows.

    Args:
        reference: (l, n).
        rows: (m, n); None for the reference rows themselves, each without itself.
        neighbours: k, at most l; less than l for the reference rows themselves.
        algorithm: of scikit-learn's search.

    Returns:
        (m,) float64.

    References:
        Angiulli & Pizzuti 2002, Fast outlier detection in high dimensional spaces, definition 1 (there the sum).
    """
    return nearest(reference, rows, neighbours=neighbours, algorithm=algorithm)[0].mean(1)


def nearest(
    reference: np.ndarray, rows: np.ndarray | None = None, *, neighbours: int, algorithm: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """The distances to the k nearest reference rows, and the places of these, (m, k) each; see `neighbour_distance`."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=neighbours, algorithm=algorithm).fit(reference.astype(np.float64))
    return finder.kneighbors(None if rows is None else rows.astype(np.float64))


def spread(residual: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The size of each feature's residual: s_i = √(mean_j r_ij²) + 0.02 σ, σ the standard deviation of all of x.

    Args:
        residual: (m, n) of training rows.
        x: (m, n) those rows.

    Returns:
        (n,) above 0.
    """
    return np.sqrt(np.square(residual, dtype=np.float64).mean(0)) + FLOOR * overall(x)


def overall(x: np.ndarray) -> float:
    """The standard deviation of all values about the means of their features; 1 for constant rows."""
    size = float(np.sqrt(x.var(0, dtype=np.float64).mean()))
    return size if size > 0 else 1.0


def threshold(scores: np.ndarray, *, rule: str, level: float) -> float:
    """Where an alarm begins, from the scores of rows that are taken for normal; no label is looked at.

    - ``"quantile"``: the `level` quantile of the scores.
    - ``"deviations"``: their mean plus `level` standard deviations (divided by m).
    - ``"false_alarm_rate"``: the ⌈(1 − level)(m + 1)⌉-th smallest of them. A further row of the same distribution, none
      of which was trained on, lies above it with a probability of at most `level`.

    Args:
        scores: (m,), larger where a row is odder.
        rule: one of `RULES`.
        level: what the rule says.

    Returns:
        The threshold; infinite where m scores are too few for so low a rate of false alarms.

    References:
        Vovk, Gammerman & Shafer 2005, Algorithmic learning in a random world, section 2.2 (the last rule).
    """
    if rule == "quantile":
        return float(np.quantile(scores, level))
    if rule == "deviations":
        return float(scores.mean() + level * scores.std())
    rank = math.ceil((1 - level) * (len(scores) + 1) - 1e-9)  # 0.95 · 20 is 19.000000000000004
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def judge(labels: np.ndarray | None, scores: np.ndarray, limit: float) -> dict[str, float]:
    """What scores are worth, and the alarms above a limit.

    Args:
        labels: (m,) 1 for an anomaly, 0 for a normal row, with some of each; None where nobody knows.
        scores: (m,), larger where a row is odder.
        limit: from `threshold`.

    Returns:
        ``threshold``, and with labels ``roc_auc``, ``average_precision``, ``false_alarm_rate`` (share of the normal
        rows above the limit) and ``detection_rate`` (share of the anomalies above it); else ``alarm_rate``.
    """
    alarm = scores > limit
    if labels is None:
        return {"threshold": limit, "alarm_rate": float(alarm.mean())}
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {
        "roc_auc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "false_alarm_rate": float(alarm[labels == 0].mean()),
        "detection_rate": float(alarm[labels == 1].mean()),
        "threshold": limit,
    }
