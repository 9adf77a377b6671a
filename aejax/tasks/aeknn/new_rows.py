"""Classes of new rows, by the votes of their nearest neighbours among the codes of rows whose class is known."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from aejax.data.splits import every_row
from aejax.errors import UserError
from aejax.storage import records
from aejax.storage.records import Many, Whole
from aejax.tasks import needs
from aejax.training.evaluate import encoded, on_device
from aejax.types import Columns, Dataset, Kept, Model, Params, Rows

INFO = {"neighbours": Whole(1), "classes": Many(str, 2)}
KEPT = "what the run kept"


def keep_needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Any) -> None:
    """Refuse rows without labels, of one class, or fewer than the neighbours that vote."""
    rows = every_row(dataset)
    needs.has_labels("aeknn", dataset, "to classify by", splits=[rows], instead="task.name=reconstruction")
    needs.has_classes("aeknn", dataset, rows.labels)
    count = len(dataset.train.x) + len(dataset.validation.x)
    needs.at_most("neighbours", options.neighbours, count, f"{count} rows")


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Any) -> Kept:
    """What `aejax.tasks.aeknn.evaluate` keeps: codes and classes of training and validation rows, and k."""
    parts = [part for part in (dataset.train, dataset.validation) if len(part.x)]
    codes = np.concatenate([encoded(model, params, on_device(part, dataset)) for part in parts])
    labels = np.concatenate([part.labels for part in parts]).astype(np.int32)
    info = {"neighbours": int(options.neighbours), "classes": list(dataset.label_names)}
    return Kept({"codes": codes, "labels": labels}, info)


def classify(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The class of new rows, by its number and its name, and the share of the votes that each class has.

    The votes are those of the k nearest codes, all equal; ties go to the first class. See `aejax.types.Task`.
    """
    if kept is None:
        raise UserError("classify: the run is older than the classes of new rows and kept nothing; train it again")
    info, codes, labels = records.check(kept.info, INFO, KEPT, "info"), *map(kept.tree.get, ("codes", "labels"))
    classes, k = info["classes"], info["neighbours"]
    fits = np.shape(codes)[1:] == (model.code_size,) and np.shape(labels) == np.shape(codes)[:1] and k <= len(labels)
    if not fits or labels.min() < 0 or labels.max() >= len(classes):
        raise UserError(f"{KEPT} is damaged: its codes, classes and neighbours do not fit each other")
    return _votes(kept, encoded(model, params, rows))


def of_known(kept: Kept, dataset: Dataset) -> dict[str, Columns]:
    """The classes of training and validation rows by split, each by the votes of other rows than itself."""
    if kept.info["neighbours"] >= len(kept.tree["labels"]):
        return {}  # a row has no such number of others
    votes, first, by_split = _votes(kept, None), 0, {}
    for name in ("train", "validation"):
        last = first + len(getattr(dataset, name).x)
        by_split[name] = Columns({column: values[first:last] for column, values in votes.values.items()})
        first = last
    return by_split


def _votes(kept: Kept, new: np.ndarray | None) -> Columns:
    """The votes of the nearest codes that were kept on codes (m, d); None: on those, each without its own vote."""
    from sklearn.neighbors import KNeighborsClassifier

    classes, k = kept.info["classes"], kept.info["neighbours"]
    voting = KNeighborsClassifier(k).fit(kept.tree["codes"], kept.tree["labels"])
    votes = voting.predict_proba(new)
    shares = np.zeros((len(votes), len(classes)))
    shares[:, voting.classes_] = votes
    of_class = {f"share of {name}": shares[:, number] for number, name in enumerate(classes)}
    counts = np.bincount(shares.argmax(1), minlength=len(classes))
    said = ", ".join(f"{count} of {name}" for count, name in zip(counts, classes, strict=True) if count)
    chosen = shares.argmax(1)
    named = {"class": chosen, "class_name": np.array(classes, object)[chosen]}
    return Columns({**named, **of_class}, f"{len(votes)} rows, by {k} neighbours: {said}")
