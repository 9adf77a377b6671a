"""Anomaly scores of rows by an ensemble of nets and the training rows, and what a run keeps to score new rows."""

from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.scaling import moments
from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.metrics import outliers
from aejax.storage import records
from aejax.storage.records import Whole, Word
from aejax.storage.trees import shaped
from aejax.tasks.anomaly.ensemble import Outputs, errors, held_out, outputs
from aejax.training.context import Rows
from aejax.types import Columns, Dataset, Kept, Model, Params

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


def reference(train: Outputs) -> Reference:
    """The training rows that others are compared with."""
    return Reference(train.x, held_out(train.residuals, train), train.codes)


def scores(
    out: Outputs,
    train: Reference,
    names: tuple[str, ...] = tuple(READ),
    *,
    neighbours: int,
    residual_weight: float,
) -> dict[str, np.ndarray]:
    """The scores of `aejax.tasks.anomaly.evaluate`, (m,) each, larger where a row is odder.

    Args:
        out: of the rows; with folds, they are the training rows themselves, and each is compared with the others only.
        train: the training rows.
        names: of the scores.
        neighbours: k.
        residual_weight: w.
    """

    def near(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return outliers.neighbour_distance(known, rows if out.fold is None else None, neighbours=neighbours)

    by_name = {"error": held_out(errors(out), out)}
    if "neighbours" in names:
        sigma, size = outliers.overall(train.x), outliers.spread(train.residual, train.x)
        beside = lambda x, residual: np.concatenate([x / sigma, residual_weight * residual / size[None]], 1)
        residual = held_out(out.residuals, out)
        by_name["neighbours"] = near(beside(train.x, train.residual), beside(out.x, residual))
    if "code" in names or "both" in names:
        deviation = train.codes.std(1, keepdims=True)
        deviation = np.where(deviation > 0, deviation, 1)
        pairs = zip(train.codes / deviation, out.codes / deviation, strict=True)
        by_name["code"] = held_out(np.stack([near(known, codes) for known, codes in pairs]), out)
        by_name["both"] = np.sqrt(by_name["code"] * np.sqrt(by_name["error"]))
    return {name: by_name[name] for name in names}


def scored(model: Model, scorer: Scorer, rows: Rows) -> np.ndarray:
    """The scores of rows that no net was trained on: (m,).

    Args:
        model: of the nets.
        scorer: what gives a row its score.
        rows: unscaled; `Scorer.mean` stands where a value is missing.
    """
    out = outputs(model, scorer.nets, rows)
    options = {"neighbours": scorer.neighbours, "residual_weight": scorer.residual_weight}
    return scores(out, scorer.train, (scorer.score,), **options)[scorer.score]


def means(model: Model, dataset: Dataset) -> np.ndarray | None:
    """What stands where a value is missing, the mean of its column, (n,); None where the model takes no such rows."""
    if not model.takes_missing or is_sparse(dataset.train.x):
        return None
    return moments(dataset.train.x, dataset.train.mask)[0].astype(np.float32).reshape(-1)


def to_keep(scorer: Scorer) -> Kept:
    """A scorer as `read` reads it back: of the training rows only what its score looks at."""
    train = scorer.train._asdict()
    tree = {
        "nets": scorer.nets,
        "train": {name: train[name] for name in READ[scorer.score]},
        "mean": scorer.mean,
        "threshold": np.float64(scorer.threshold),
    }
    return Kept({"scorer": tree}, {name: getattr(scorer, name) for name in ("score", "neighbours", "residual_weight")})


def read(kept: Kept, model: Model) -> Scorer:
    """The scorer that a run kept.

    Args:
        kept: what the run left, its arrays by their paths.
        model: of the nets.

    Raises:
        UserError: it holds nets of another model.
    """
    info = records.check(kept.info, INFO, "what the run kept", "info")
    arrays = {name.removeprefix("scorer/"): array for name, array in kept.tree.items()}
    members = {array.shape[:1] for name, array in arrays.items() if name.startswith("nets/")}
    if len(members) != 1 or () in members:
        raise UserError("what the run kept is damaged: it holds no ensemble of nets")
    ((members,),) = members
    shapes = jax.eval_shape(lambda: jax.vmap(model.init)(jax.random.split(jax.random.key(0), members)))
    nets = shaped(arrays, shapes, prefix="nets", what="what the run kept")
    train = Reference(*(arrays.get(f"train/{name}") for name in Reference._fields))
    n, rows = prod(model.feature_shape), {np.shape(part)[-2] for part in train if np.ndim(part) > 1}
    wanted = {"x": (*rows, n), "residual": (*rows, n), "codes": (members, *rows, model.code_size), "mean": (n,)}
    needed = {"threshold", *READ[info["score"]]}
    for name, array in {**train._asdict(), "mean": arrays.get("mean"), "threshold": arrays.get("threshold")}.items():
        fits = array is not None and array.dtype.kind == "f" and array.shape == wanted.get(name, ())
        if not fits and (array is not None or name in needed):
            raise UserError(f"what the run kept is damaged: {name} is none of this model")
    if rows and info["neighbours"] > max(rows):
        raise UserError(f"what the run kept is damaged: it compares rows with {info['neighbours']} of {max(rows)}")
    return Scorer(nets, train, arrays.get("mean"), float(arrays["threshold"]), **info)


def score_and_alarm(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The scores of new rows, as the run itself gave them to its test rows, and which of them are alarms.

    They must be new: a row that was trained on finds itself among those that it is compared with, and looks normal.
    See `aejax.types.Task`.
    """
    if kept is None:
        raise UserError("score: the run is older than the scoring of new rows and kept nothing for it; train it again")
    scorer = read(kept, model)
    if rows.mask is not None:
        rows = rows._replace(x=np.where(rows.mask, rows.x, scorer.mean))
    scores = scored(model, scorer, jax.tree.map(jnp.asarray, rows))
    alarms = scores > scorer.threshold
    summary = f"{alarms.sum()} of {len(scores)} rows raise the alarm (threshold {scorer.threshold:.9g})"
    return Columns({"score": scores, "alarm": alarms}, summary)
