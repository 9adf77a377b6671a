"""How odd rows are to an ensemble of nets, beside training rows; and what has to be kept to score new rows so."""

from math import prod
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.data.scaling import moments
from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.metrics import outliers
from aejax.storage import checkpoint, records
from aejax.storage.records import Whole, Word
from aejax.tasks import crossfit
from aejax.training.context import Rows
from aejax.types import Dataset, Kept, Model, Params

READ = {"neighbours": ("x", "residual"), "error": (), "code": ("codes",), "both": ("codes",)}
"""The scores, and what each of them reads of the training rows."""


INFO = {"score": Word("|".join(READ)), "neighbours": Whole(1), "residual_weight": float}
"""The form of what is kept beside the arrays of a scorer."""


class Reference(NamedTuple):
    """Training rows that others are compared with, as the nets see them; None where a score does not read it.

    Attributes:
        x: (l, n) scaled.
        residual: (l, n) x − x̂ of the net that was trained without the row; 0 where a value is missing.
        codes: (members, l, d).
    """

    x: np.ndarray | None = None
    residual: np.ndarray | None = None
    codes: np.ndarray | None = None


class Scorer(NamedTuple):
    """What gives a row its score, and says from where on it is an alarm.

    Attributes:
        nets: of the ensemble, leaves (members, ...).
        train: the training rows that rows are compared with.
        mean: (n,) float32, in the units of the data, what stands where a value is missing; None where none may be.
        threshold: scores above it are alarms.
        score: one of `READ`.
        neighbours: k.
        residual_weight: w.
    """

    nets: Params
    train: Reference
    mean: np.ndarray | None
    threshold: float
    score: str
    neighbours: int
    residual_weight: float


def reference(train: crossfit.Seen) -> Reference:
    """The training rows that others are compared with."""
    return Reference(train.x, crossfit.unseen(train.residuals, train), train.codes)


def scores(
    seen: crossfit.Seen,
    train: Reference,
    names: tuple[str, ...] = tuple(READ),
    *,
    neighbours: int,
    residual_weight: float,
) -> dict[str, np.ndarray]:
    """The scores of `aejax.tasks.anomaly.evaluate`, (m,) each, larger where a row is odder.

    Args:
        seen: the rows; with folds, they are the training rows themselves, and each is compared with the others only.
        train: the training rows.
        names: of the scores.
        neighbours: k.
        residual_weight: w.
    """

    def near(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return outliers.neighbour_distance(known, rows if seen.fold is None else None, neighbours=neighbours)

    found = {"error": crossfit.unseen(crossfit.errors(seen), seen)}
    if "neighbours" in names:
        sigma, size = outliers.overall(train.x), outliers.spread(train.residual, train.x)
        beside = lambda x, residual: np.concatenate([x / sigma, residual_weight * residual / size[None]], 1)
        residual = crossfit.unseen(seen.residuals, seen)
        found["neighbours"] = near(beside(train.x, train.residual), beside(seen.x, residual))
    if "code" in names or "both" in names:
        deviation = train.codes.std(1, keepdims=True)
        deviation = np.where(deviation > 0, deviation, 1)
        pairs = zip(train.codes / deviation, seen.codes / deviation, strict=True)
        found["code"] = crossfit.unseen(np.stack([near(known, codes) for known, codes in pairs]), seen)
        found["both"] = np.sqrt(found["code"] * np.sqrt(found["error"]))
    return {name: found[name] for name in names}


def scored(model: Model, scorer: Scorer, rows: Rows) -> np.ndarray:
    """The scores of rows that no net was trained on: (m,).

    Args:
        model: of the nets.
        scorer: what gives a row its score.
        rows: unscaled; `Scorer.mean` stands where a value is missing.
    """
    seen = crossfit.look(model, scorer.nets, rows)
    options = {"neighbours": scorer.neighbours, "residual_weight": scorer.residual_weight}
    return scores(seen, scorer.train, (scorer.score,), **options)[scorer.score]


def means(model: Model, dataset: Dataset) -> np.ndarray | None:
    """What stands where a value is missing, the mean of its column, (n,); None where the model takes no such rows."""
    if not model.takes_missing or is_sparse(dataset.train.x):
        return None
    return moments(dataset.train.x, dataset.train.mask)[0].astype(np.float32).reshape(-1)


def kept(scorer: Scorer) -> Kept:
    """A scorer as `read` reads it back: of the training rows only what its score looks at."""
    train = scorer.train._asdict()
    tree = {
        "nets": scorer.nets,
        "train": {name: train[name] for name in READ[scorer.score]},
        "mean": scorer.mean,
        "threshold": np.float64(scorer.threshold),
    }
    return Kept({"scorer": tree}, {name: getattr(scorer, name) for name in ("score", "neighbours", "residual_weight")})


def read(folder: Path, model: Model) -> Scorer:
    """The scorer that a checkpoint holds.

    Args:
        folder: of the checkpoint.
        model: of the nets.

    Raises:
        UserError: it is damaged, or holds nets of another model.
    """
    record, stored = checkpoint.read(folder, say=console.say)
    info = records.check(record["info"], INFO, folder, "info")
    arrays = {name.removeprefix("scorer/"): array for name, array in stored.items()}
    members = {array.shape[:1] for name, array in arrays.items() if name.startswith("nets/")}
    if len(members) != 1 or () in members:
        raise UserError(f"{folder}: is damaged: it holds no ensemble of nets")
    ((members,),) = members
    shapes = jax.eval_shape(lambda: jax.vmap(model.init)(jax.random.split(jax.random.key(0), members)))
    found = checkpoint.restore(folder, shapes, step=record["step"], prefix="scorer/nets", say=console.say)
    train = Reference(*(arrays.get(f"train/{name}") for name in Reference._fields))
    n, rows = prod(model.feature_shape), {np.shape(part)[-2] for part in train if np.ndim(part) > 1}
    wanted = {"x": (*rows, n), "residual": (*rows, n), "codes": (members, *rows, model.code_size), "mean": (n,)}
    needed = {"threshold", *READ[info["score"]]}
    for name, array in {**train._asdict(), "mean": arrays.get("mean"), "threshold": arrays.get("threshold")}.items():
        fits = array is not None and array.dtype.kind == "f" and array.shape == wanted.get(name, ())
        if not fits and (array is not None or name in needed):
            raise UserError(f"{folder}: is damaged: {name} is none of this model")
    if rows and info["neighbours"] > max(rows):
        raise UserError(f"{folder}: is damaged: it compares rows with {info['neighbours']} of {max(rows)}")
    return Scorer(found.tree, train, arrays.get("mean"), float(arrays["threshold"]), **info)
