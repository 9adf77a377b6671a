"""An ensemble of nets, the anomaly scores of rows by it, and what a run keeps to score new rows."""

from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.scaling import moments
from aejax.data.sparse import is_sparse
from aejax.data.splits import permutation, take
from aejax.errors import UserError
from aejax.metrics import outliers
from aejax.storage import records
from aejax.storage.records import Whole, Word
from aejax.storage.trees import shaped
from aejax.tasks import trees
from aejax.tasks.common import Arrays, seed_of
from aejax.tasks.trees import Trees
from aejax.training.evaluate import encode_and_reconstruct
from aejax.types import Columns, Dataset, Kept, Model, Params, Reasons, Retrain, Rows

# The scores, and what each of them reads of the training rows.
OF_TREES = Trees._fields
READ = {
    "neighbours": ("x", "residual"),
    "trimmed": ("x", "residual", "usual", *OF_TREES, "marks"),
    "error": (),
    "code": ("codes",),
    "both": ("codes",),
}
USUAL = 0.8  # of the training rows, the share that an isolation forest finds most usual
ISOLATION_TREES, ISOLATION_ROWS, ISOLATION_DEPTH = 200, 256, 8
OF_FOREST = 2.0  # its weight beside the neighbours
TINY = 1e-12  # of a distance whose logarithm is taken

# The form of what is kept beside the arrays of a scorer.
INFO = {"score": Word("|".join(READ)), "neighbours": Whole(1), "residual_weight": float}

KEPT = "what the run kept"


class Ensemble(NamedTuple):
    """Nets of one config, each trained without one fold of the training rows.

    Attributes:
        params: leaves (members, ...).
        fold: (rows,) the net that was trained without this row.
    """

    params: Params
    fold: np.ndarray


class EnsembleOutputs(NamedTuple):
    """What the nets of an ensemble make of rows.

    Attributes:
        x: (m, n) scaled.
        residuals: (members, m, n) x − x̂; 0 where a value is missing.
        codes: (members, m, d).
        share: (m,) of the values of a row that were observed.
        fold: (m,) of training rows, the net that was trained without them; None of rows that no net was trained on.
    """

    x: np.ndarray
    residuals: np.ndarray
    codes: np.ndarray
    share: np.ndarray
    fold: np.ndarray | None


def train_ensemble(key: jax.Array, dataset: Dataset, retrain: Retrain, members: int) -> Ensemble:
    """Train nets of different seeds as one program, each without one of as many folds of the training rows."""
    for_nets, for_folds = jax.random.split(key)
    rows = len(dataset.train.x)
    order = permutation(seed_of(for_folds), rows)
    fold = np.empty(rows, int)
    fold[order] = np.arange(rows) % members
    training = [order[fold[order] != number][: rows - -(-rows // members)] for number in range(members)]
    datasets = [dataset._replace(train=take(dataset.train, rows_of_fold)) for rows_of_fold in training]
    return Ensemble(retrain(jax.random.split(for_nets, members), datasets=datasets).params, fold)


def outputs(model: Model, nets: Params, rows: Rows) -> EnsembleOutputs:
    """What nets, leaves (members, ...), make of unscaled rows that none of them was trained on."""
    observed = np.ones((rows.x.shape[0], 1), bool) if rows.mask is None else np.asarray(rows.mask)
    members = range(jax.tree.leaves(nets)[0].shape[0])
    parts = [encode_and_reconstruct(model, jax.tree.map(lambda leaf, n=n: leaf[n], nets), rows) for n in members]
    residuals = np.stack([np.where(observed, x - x_hat, 0) for x, _, x_hat in parts])
    share = np.maximum(observed.mean(1), 1 / observed.shape[1])
    return EnsembleOutputs(parts[0][0], residuals, np.stack([code for _, code, _ in parts]), share, None)


def held_out(values: np.ndarray, out: EnsembleOutputs) -> np.ndarray:
    """Of (members, m, ...), what the one net says of a row that was trained without it, or the mean over all nets."""
    return values.mean(0) if out.fold is None else values[out.fold, np.arange(len(out.fold))]


def errors(out: EnsembleOutputs) -> np.ndarray:
    """Squared errors summed over features, as large as if every value had been observed: (members, m)."""
    return np.square(out.residuals).sum(2) / out.share[None]


class Reference(NamedTuple):
    """Training rows that others are compared with, as the nets see them; None where a score does not read it.

    Attributes:
        x: (l, n) scaled.
        residual: (l, n) x − x̂ of the net that was trained without the row; 0 where a value is missing.
        codes: (members, l, d).
        usual: (l,) bool, the rows that are usual, which others are compared with by ``"trimmed"``.
        roots: (trees,) int32 of `aejax.tasks.trees.Trees`, as the five that follow: an isolation forest of these rows.
        feature: (nodes,) int32.
        threshold: (nodes,) float32.
        left: (nodes,) int32.
        right: (nodes,) int32.
        value: (nodes,) float32, how long the path of a row to a leaf is.
        marks: (4,) mean and standard deviation over all rows, of the logarithm of the distance to usual neighbours and
            of the mean length of the paths.
    """

    x: np.ndarray | None = None
    residual: np.ndarray | None = None
    codes: np.ndarray | None = None
    usual: np.ndarray | None = None
    roots: np.ndarray | None = None
    feature: np.ndarray | None = None
    threshold: np.ndarray | None = None
    left: np.ndarray | None = None
    right: np.ndarray | None = None
    value: np.ndarray | None = None
    marks: np.ndarray | None = None

    @property
    def trees(self) -> Trees:
        """The isolation forest."""
        return Trees(*(getattr(self, name) for name in OF_TREES))


def reference(
    train: EnsembleOutputs, *, neighbours: int, residual_weight: float, seed: int, score: str | None = None
) -> Reference:
    """The training rows that others are compared with.

    Args:
        train: what nets make of them.
        neighbours: k.
        residual_weight: w.
        seed: of the isolation forest.
        score: the one that is wanted; None for all.
    """
    from sklearn.ensemble import IsolationForest

    rows = Reference(train.x, held_out(train.residuals, train), train.codes)
    if score not in (None, "trimmed"):
        return rows
    settings = {"n_estimators": ISOLATION_TREES, "random_state": seed}
    grow = lambda x: IsolationForest(max_samples=min(ISOLATION_ROWS, len(x)), **settings).fit(x)
    oddness = -grow(train.x).score_samples(train.x)
    rows = rows._replace(usual=oddness <= np.quantile(oddness, USUAL))
    forest = grow(train.x[rows.usual])
    pairs = zip(forest.estimators_, forest.estimators_features_, strict=True)
    grown = trees.as_arrays([(tree.tree_, features) for tree, features in pairs], _path_lengths)
    rows = rows._replace(**grown._asdict())
    distance, length = _log_distance(train, rows, neighbours, residual_weight), _length(train, rows)
    return rows._replace(marks=np.array([distance.mean(), distance.std() or 1, length.mean(), length.std() or 1]))


def _path_lengths(tree: Any) -> np.ndarray:
    """Of the nodes of a tree, how many steps lead there, and would lead on if the rows there were told apart.

    References:
        Liu, Ting & Zhou 2008, Isolation forest, equation 1.
    """
    depth, rows = np.zeros(tree.node_count), tree.n_node_samples
    for node in np.flatnonzero(tree.children_left >= 0):  # a node comes before those below it
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    harmonic = np.log(np.maximum(rows - 1, 1)) + np.euler_gamma
    return depth + np.select([rows > 2, rows == 2], [2 * harmonic - 2 * (rows - 1) / rows, 1.0], 0.0)


def _length(out: EnsembleOutputs, train: Reference) -> np.ndarray:
    """The mean length of the paths of rows through the isolation forest: (m,)."""
    return trees.leaves(out.x, train.trees, ISOLATION_DEPTH).mean(1, dtype=np.float64)


def _log_distance(out: EnsembleOutputs, train: Reference, k: int, weight: float) -> np.ndarray:
    """The logarithm of the mean distance of rows to usual neighbours: (m,)."""
    return np.log(np.maximum(_near_usual(out, train, k, weight)[0].mean(1), TINY))


def _near_usual(out: EnsembleOutputs, train: Reference, k: int, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """The distances to the k nearest usual rows and their places among the training rows, (m, k) each.

    A row that equals one of them is that row, and not compared with itself.
    """
    known, rows = _beside(out, train, weight)
    places = np.flatnonzero(train.usual)
    k = min(k, len(places) - 1)
    apart, index = outliers.nearest(known[places], rows, neighbours=k + 1)
    equal = (train.x[places[index]] == out.x[:, None]).all(2)
    last = np.where(equal.any(1), equal.argmax(1), k)
    others = np.arange(k + 1)[None] != last[:, None]
    return apart[others].reshape(-1, k), places[index[others]].reshape(-1, k)


def scores(
    out: EnsembleOutputs,
    train: Reference,
    itself: np.ndarray | None = None,
    *,
    neighbours: int,
    residual_weight: float,
    score: str | None = None,
) -> Arrays:
    """The scores of `aejax.tasks.anomaly.evaluate`, (m,) each, larger where a row is odder.

    Args:
        out: of the rows; with folds, they are the training rows themselves, and each is compared with the others only.
        train: the training rows.
        itself: (m,) where some of the rows are training rows, their places in `train`, -1 of others.
        neighbours: k.
        residual_weight: w.
        score: the one that is wanted; None for all.
    """
    names = READ if score is None else (score,)

    def near(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if itself is not None:
            return _nearest(known, rows, neighbours, itself)[0].mean(1)
        return outliers.neighbour_distance(known, rows if out.fold is None else None, neighbours=neighbours)

    by_name = {"error": held_out(errors(out), out)}
    if "neighbours" in names:
        by_name["neighbours"] = near(*_beside(out, train, residual_weight))
    if "trimmed" in names:
        distance, length = _log_distance(out, train, neighbours, residual_weight), _length(out, train)
        mean, deviation = train.marks[::2], train.marks[1::2]
        of_distance, of_length = (np.stack([distance, length]) - mean[:, None]) / deviation[:, None]
        by_name["trimmed"] = of_distance - OF_FOREST * of_length
    if "code" in names or "both" in names:
        deviation = train.codes.std(1, keepdims=True)
        deviation = np.where(deviation > 0, deviation, 1)
        pairs = zip(train.codes / deviation, out.codes / deviation, strict=True)
        by_name["code"] = held_out(np.stack([near(known, codes) for known, codes in pairs]), out)
        by_name["both"] = np.sqrt(by_name["code"] * np.sqrt(by_name["error"]))
    return {name: by_name[name] for name in names}


def _beside(out: EnsembleOutputs, train: Reference, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Training rows and others, (l, 2n) and (m, 2n): a row and beside it what the nets cannot explain of it."""
    sigma, size = outliers.overall(train.x), outliers.spread(train.residual, train.x)
    join = lambda x, residual: np.concatenate([x / sigma, weight * residual / size[None]], 1)
    return join(train.x, train.residual), join(out.x, held_out(out.residuals, out))


def _nearest(known: np.ndarray, rows: np.ndarray, k: int, itself: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The distances to the k nearest known rows and the places of these, (m, k) each; no row is its own neighbour."""
    apart, index = outliers.nearest(known, rows, neighbours=k if itself is None else min(k + 1, len(known)))
    if itself is None:
        return apart, index
    order = np.argsort(np.where(index == itself[:, None], np.inf, apart), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(apart, order, axis=1), np.take_along_axis(index, order, axis=1)


def explained(
    out: EnsembleOutputs, train: Reference, itself: np.ndarray | None = None, **info: Any
) -> tuple[np.ndarray, Reasons]:
    """The score of rows, (m,), and its reasons, in scaled units.

    Those of ``"neighbours"`` and ``"trimmed"`` are the shares of the squared distances to the neighbours, whose mean is
    expected; those of the other scores are the squared residuals, and the reconstruction is expected.

    Args:
        out: of the rows.
        train: the training rows.
        itself: (m,) of rows that were trained on, their places in `train`, or -1; None of new rows.
        info: the fields of `INFO`.
    """
    k, n = info["neighbours"], out.x.shape[1]
    if info["score"] not in ("neighbours", "trimmed"):
        residual = held_out(out.residuals, out)
        return scores(out, train, itself, **info)[info["score"]], Reasons(np.square(residual), out.x - residual)
    known, rows = _beside(out, train, info["residual_weight"])
    if info["score"] == "trimmed":
        values = scores(out, train, itself, **info)["trimmed"]
        index = _near_usual(out, train, k, info["residual_weight"])[1]
    else:
        apart, index = _nearest(known, rows, k, itself)
        values = apart.mean(1)
    shares, expected = np.zeros(out.x.shape), np.zeros(out.x.shape)
    for near in index.T:
        squares = np.square(rows - known[near])
        shares += (squares[:, :n] + squares[:, n:]) / index.shape[1]
        expected += train.x[near] / index.shape[1]
    return values, Reasons(shares, expected)


def means(model: Model, dataset: Dataset) -> np.ndarray | None:
    """What stands where a value is missing, the mean of its column, (n,); None where the model takes no such rows."""
    if not model.takes_missing or is_sparse(dataset.train.x):
        return None
    return moments(dataset.train.x, dataset.train.mask)[0].astype(np.float32).reshape(-1)


def to_keep(nets: Params, train: Reference, mean: np.ndarray | None, threshold: float, **info: Any) -> Kept:
    """What `read` reads back: of the training rows only what the score looks at.

    Args:
        nets: of the ensemble, leaves (members, ...).
        train: the training rows that rows are compared with.
        mean: (n,) float32, in the units of the data, what stands where a value is missing; None where none may be.
        threshold: scores above it are alarms.
        info: the fields of `INFO`.
    """
    part = {name: getattr(train, name) for name in READ[info["score"]]}
    return Kept({"scorer": {"nets": nets, "train": part, "mean": mean, "threshold": np.float64(threshold)}}, info)


def read(kept: Kept, model: Model) -> Kept:
    """What `to_keep` left, as a tree again.

    Args:
        kept: of a run, its arrays by their paths.
        model: of the nets.

    Raises:
        UserError: its arrays are not those of a scorer of this model.
    """
    info = records.check(kept.info, INFO, KEPT, "info")
    shapes = {name.removeprefix("scorer/"): array.shape for name, array in kept.tree.items()}
    first = lambda part, axis: next((s[axis] for name, s in shapes.items() if name.startswith(part) and len(s) > 1), 0)
    members, rows, n = first("nets/", 0), first("train/", -2), prod(model.feature_shape)
    if not members:
        raise UserError(f"{KEPT} is damaged: it holds no ensemble of nets")
    like = lambda *shape: np.broadcast_to(np.float32(0), shape)
    train = {"x": like(rows, n), "residual": like(rows, n), "codes": like(members, rows, model.code_size)}
    nodes, roots = (next(iter(shapes.get(f"train/{name}", ())), 0) for name in ("value", "roots"))
    train |= {"usual": np.zeros(rows, bool), "marks": np.zeros(4)}
    train |= {name: np.zeros(nodes, array.dtype) for name, array in trees.NONE._asdict().items()}
    train["roots"] = np.zeros(roots, np.int32)
    train = {name: train[name] for name in READ[info["score"]]}
    if train and info["neighbours"] > rows:
        raise UserError(f"{KEPT} is damaged: it compares rows with {info['neighbours']} of {rows}")
    nets = jax.eval_shape(lambda: jax.vmap(model.init)(jax.random.split(jax.random.key(0), members)))
    mean = like(n) if "mean" in shapes else None
    tree = {"scorer": {"nets": nets, "train": train, "mean": mean, "threshold": np.float64(0)}}
    scorer = shaped(kept.tree, tree, prefix="", what=KEPT)["scorer"]
    if info["score"] == "trimmed":
        known = Reference(**scorer["train"])
        if not trees.is_whole(known.trees, n) or not len(known.roots) or known.usual.sum() < 2:
            raise UserError(f"{KEPT} is damaged: its trees lead nowhere")
    return Kept(scorer, info)


def score_and_alarm(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The scores of new rows, as the run itself gave them to its test rows, and which of them are alarms.

    They must be new: a row that was trained on finds itself among those that it is compared with, and looks normal.
    See `aejax.types.Task`.
    """
    if kept is None:
        raise UserError("score: the run is older than the scoring of new rows and kept nothing for it; train it again")
    scorer, info = read(kept, model)
    if rows.mask is not None and scorer["mean"] is not None:  # of another net the mean stands there already
        rows = rows._replace(x=np.where(rows.mask, rows.x, scorer["mean"]))
    out = outputs(model, scorer["nets"], jax.tree.map(jnp.asarray, rows))
    return columns(*explained(out, Reference(**scorer["train"]), **info), float(scorer["threshold"]), rows)


def columns(values: np.ndarray, reasons: Reasons, threshold: float, rows: Rows) -> Columns:
    """The score and the alarm of rows, and their reasons in the units of the rows; a value that is missing is none."""
    shares = reasons.shares if rows.mask is None else np.where(rows.mask, reasons.shares, 0)
    alarms = values > threshold
    summary = f"{alarms.sum()} of {len(values)} rows raise the alarm (threshold {threshold:.9g})"
    expected = reasons.expected / np.asarray(rows.scale) + np.asarray(rows.shift)
    return Columns({"score": values, "alarm": alarms}, summary, Reasons(shares, expected))
