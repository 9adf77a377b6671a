"""One class against the rest: which labels are normal, and which rows are trained on; all before any training."""

from collections.abc import Sequence

import numpy as np

from aejax.data import splits
from aejax.data.splits import Raw, take
from aejax.errors import UserError, one_of
from aejax.types import Split

NAMES = ("normal", "anomaly")
"""`Dataset.label_names` of such a data set: label 0 is normal, label 1 an anomaly."""
DEFAULT_TEST = 0.5  # of the normal rows, where a data set has no test rows of its own
LEAST = 2  # training rows

Labels = str | int | Sequence[str | int]


def split(
    raw: Raw,
    *,
    normal: Labels,
    left_out: Labels | None = None,
    contamination: float = 0.0,
    validation: float = 0.0,
    test: float | None = None,
    seed: int = 0,
) -> tuple[Split, Split, Split]:
    """Training rows that are normal, or nearly all so, and test rows that hold the anomalies.

    The test rows are the official ones, of every label, where there are any and `test` is None. Otherwise the official
    parts are pooled: round(test · rows) of the normal rows, and all anomalies, are test rows. With contamination c, c
    of the rows that are no test rows are anomalies: round(c / (1 − c) · normal rows) of them are drawn, and are then no
    test rows. Of the rest round(validation · rest) are drawn to validate on.

    Args:
        raw: the data set, with labels.
        normal: the labels that are normal; all others are anomalies.
        left_out: labels whose rows are dropped first.
        contamination: share of anomalies among the training and validation rows, in [0, 0.5).
        validation: share of the rows that are not test rows, in [0, 1).
        test: share of the normal rows, in [0, 1); None for the official split, or 0.5 where there is none.
        seed: of what is drawn, a whole number that is not negative.

    Returns:
        Three splits without a common row, as from `aejax.data.splits.split`; label 0 is normal, label 1 an anomaly.

    Raises:
        UserError: no labels, a label that does not exist, or too few rows.

    References:
        Ruff et al. 2021, A unifying review of deep and shallow anomaly detection, section II (both settings).
    """
    keep, normal_labels = _chosen(raw, normal, left_out)
    official = raw.test is not None and test is None
    rows = raw.train if official else splits.pooled(raw)
    shuffled = lambda indices: indices[splits.permutation(seed, len(indices))]
    odd, wanted = ~np.isin(rows.labels, normal_labels), np.isin(rows.labels, keep)
    good, bad = shuffled(np.flatnonzero(wanted & ~odd)), shuffled(np.flatnonzero(wanted & odd))
    held_out = 0 if official else splits.count(DEFAULT_TEST if test is None else test, len(good))
    polluting = _polluting(contamination, len(good) - held_out, len(bad) if official else len(bad) - 1)
    order = shuffled(np.concatenate([good[held_out:], bad[:polluting]]))
    drawn = splits.count(validation, len(order))
    if len(order) - drawn < LEAST:
        raise UserError(
            f"data.normal: of {len(good)} normal rows {len(order) - drawn} are left to train on; allowed: labels with "
            f"more rows, or smaller data.test and data.validation, for {LEAST} training rows or more"
        )
    if seed and official and not drawn and not polluting:
        raise UserError("data.split_seed: nothing is drawn; allowed: 0, or a data.test or data.validation above 0")
    if official:
        test_rows = take(raw.test, np.flatnonzero(np.isin(raw.test.labels, keep)))
    else:
        test_rows = take(rows, np.concatenate([good[:held_out], bad[polluting:]]))
    parts = (take(rows, order[drawn:]), take(rows, order[:drawn]), test_rows)
    return tuple(p._replace(labels=(~np.isin(p.labels, normal_labels)).astype(np.int32)) for p in parts)


def _chosen(raw: Raw, normal: Labels, left_out: Labels | None) -> tuple[np.ndarray, np.ndarray]:
    """The labels, as numbers, that are kept, and those of them that are normal."""
    names = raw.label_names
    if raw.train.labels is None:
        allowed = "data.label_column of a file, or data.normal=None"
        raise UserError(f"data.normal: the data has no labels; allowed: {allowed}")
    good, dropped = _numbers(normal, names, "data.normal"), _numbers(left_out or (), names, "data.left_out")
    keep = set(range(len(names))) - dropped
    if good & dropped:
        both = names[min(good & dropped)]
        raise UserError(f"data.left_out: {both!r} is in data.normal too; allowed: other labels")
    if not good:
        raise UserError(f"data.normal: no label is named, so no row is normal; allowed: {', '.join(names)}")
    if good == keep:
        raise UserError("data.normal: every label is normal, so there is no anomaly to find; allowed: fewer labels")
    return np.array(sorted(keep)), np.array(sorted(good))


def _numbers(labels: Labels, names: Sequence[str], what: str) -> set[int]:
    wanted = [labels] if isinstance(labels, str | int) else labels
    for label in wanted:
        if str(label) not in names:
            raise one_of(str(label), names, what=what)
    return {names.index(str(label)) for label in wanted}


def _polluting(contamination: float, normal_rows: int, most: int) -> int:
    """How many anomalies are `contamination` of the training rows."""
    wanted = splits.count(contamination / (1 - contamination), normal_rows)
    if wanted > most:
        raise UserError(
            f"data.contamination: {contamination} of the training rows are {wanted} anomalies, and there are {most} "
            f"to spare; allowed: 0 to {most / (most + normal_rows):.3f}"
        )
    return wanted
