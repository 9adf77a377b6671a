"""What flows between the parts of aejax: named tuples without logic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

Params = Any
Hparams = Mapping[str, Any]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Range:
    """The closed interval in which the values of an array lie; static, known before anything runs."""

    low: float = float("-inf")
    high: float = float("inf")

    def within(self, low: float, high: float) -> bool:
        """Whether every value lies in [low, high]."""
        return low <= self.low and self.high <= high

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"


@jax.tree_util.register_static
@dataclass(frozen=True)
class Column:
    """A column of a table and the features that it became: static, known before anything runs.

    Attributes:
        name: of the column.
        start: its first feature.
        size: how many features it takes: 1, or, with three categories or more, one for each.
        categories: their names; empty for numbers. Of two, the single feature says whether it is the second one.
    """

    name: str
    start: int
    size: int = 1
    categories: tuple[str, ...] = ()


class Split(NamedTuple):
    """Rows of a data set, as stored: unscaled.

    Attributes:
        x: (rows, *feature_shape), uint8 images or float32 values; a missing value
            holds the mean of its column over the training rows. Documents are an `aejax.data.sparse.SparseRows`.
        mask: (rows, *feature_shape) bool, True where a value was observed; None where all were.
        labels: (rows,) int32, an index into `Dataset.label_names`; None without labels.
        coordinates: (rows, k) float32, where each row lies on the flat sheet it was made from, in the units of x;
            None where nobody knows, as with all data that are not synthetic.
        truth: (rows, *feature_shape) float32, x before values were hidden for an experiment (`aejax.data.missing`), NaN
            where the truth is missing too; None where nothing was hidden.
        target: (rows, *target_shape) float32, what is to be reconstructed where it is not x, as the loss sees it: it is
            not scaled; None where it is x.
        source_index: (rows,) int64, the place of each row in the person's own file that it is from; None of others.
        weight: (rows,) float64, not negative, in proportion to which rows are drawn in training; None for all alike.
    """

    x: np.ndarray
    mask: np.ndarray | None = None
    labels: np.ndarray | None = None
    coordinates: np.ndarray | None = None
    truth: np.ndarray | None = None
    target: np.ndarray | None = None
    source_index: np.ndarray | None = None
    weight: np.ndarray | None = None


class Dataset(NamedTuple):
    """Disjoint splits of one data set and how its values are scaled.

    The network sees ``(x - shift) * scale``; both come from the training rows only.

    Attributes:
        name: as given to `aejax.data.load`.
        train: the rows that are trained on.
        validation: the rows that settings are chosen on; may have no rows.
        test: the rows that results are reported on.
        feature_shape: shape of one row: ``(features,)`` or ``(height, width, channels)``.
        kind: ``"image"``, ``"table"``, ``"text"`` or ``"synthetic"``.
        range: where the scaled training values lie.
        shift: float32, broadcastable to `feature_shape`.
        scale: float32, broadcastable to `feature_shape`.
        label_names: one name for each class; empty without labels.
        feature_names: one name for each feature; empty where there are none (images).
        licence: the licence of the data.
        source: where it comes from, in one line.
        scaling: the rule that made `shift` and `scale` from the training rows, one of `aejax.data.SCALINGS`.
        columns: of a table with categories; empty where every feature is a column of numbers.
        stream: an `aejax.data.stream.Stream` of the rows that are trained on, where they are streamed; the splits are
            then bounded samples, `train` of those rows, `validation` and `test` of the others. Else None.
        understood: how a file was read, a line for each thing, for people to see what was taken for what.
        reading: an `aejax.data.tables.Reading` that reads other rows alike; None where there was no table.
        origin: float64, broadcastable to `feature_shape`, what was subtracted from the values before they became
            float32: 0, but of columns such as seconds since 1970, whose values float32 could not tell apart. Rows,
            `shift` and `range` are counted from there; ``dataset.train.x + dataset.origin`` are as in the file.
        log: bool, broadcastable to `feature_shape`, the columns whose natural logarithm stands in the rows, from where
            `origin` counts: `aejax.data.original` gives the values of the file.
        documents: an `aejax.data.documents.Documents` that makes rows of other documents; None of other data.
        means: float32 of `feature_shape`, the training rows' means, which stand in holes; None where there are none.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    feature_shape: tuple[int, ...]
    kind: str
    range: Range
    shift: np.ndarray
    scale: np.ndarray
    label_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    licence: str
    source: str
    scaling: str = "none"
    columns: tuple[Column, ...] = ()
    stream: Any = None
    understood: tuple[str, ...] = ()
    reading: Any = None
    origin: Any = np.zeros(())
    log: Any = np.zeros((), bool)
    documents: Any = None
    means: np.ndarray | None = None

    def __repr__(self) -> str:
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        counts = ", ".join(f"{len(part.x)} {name}" for name, part in parts.items() if part is not None)
        numbers = f"scaling {self.scaling!r}, values in [{self.range.low:.4g}, {self.range.high:.4g}]"
        return f"<Dataset {self.name!r}: {counts or 'no'} rows of shape {tuple(self.feature_shape)}, {numbers}>"


class Rows(NamedTuple):
    """Rows on the device, as stored, and the numbers that scale them inside the step.

    Attributes:
        x: (rows, n) uint8 or float32; an array, or what hands out rows of one, as `aejax.data.sparse.SparseRows` does.
        mask: (rows, n) bool or None.
        shift: (n,) or ().
        scale: (n,) or ().
        labels: (rows,) int32 or None.
        relations: by name, what is known of each row beforehand; leaves (rows, ...).
        used: how many rows there are, where others that are never drawn stand after them (`aejax.training.members`);
            None where there are none of those.
        first: where the rows are streamed, the step of the first of the batches that `x`, (batches, batch_size, n),
            and `labels` hold; else None.
        target: (rows, t) float32, what is to be reconstructed where it is not x, as the loss sees it; else None.
        ends: (rows,) float32, `aejax.data.batches.ends_of` their weights, where rows are drawn by weight; else None.
    """

    x: jax.Array
    mask: jax.Array | None
    shift: jax.Array
    scale: jax.Array
    labels: jax.Array | None = None
    relations: Mapping[str, Any] = {}
    used: jax.Array | None = None
    first: jax.Array | None = None
    target: jax.Array | None = None
    ends: jax.Array | None = None


class Context(NamedTuple):
    """All that a loss term or a metric may look at, for a batch of m rows of n values.

    Rows are flat here, images too: `Model.feature_shape` says how to fold them.

    Attributes:
        x: (m, n) clean, scaled target; (m, t) of a model with another `Model.target_shape`.
        x_in: (m, n) what the encoder saw.
        code: (m, d).
        x_hat: (m, n) the reconstruction.
        hidden: every named activation; ``"code"`` is always among them.
        log_odds: z of ``"x_hat"`` and of each hidden activation that is sigmoid(z); others are absent.
        params: the model's parameters.
        ranges: where the values of ``"x"``, ``"x_hat"`` and of each hidden activation lie.
        mask: (m, n) bool, True where observed; None where everything is.
        index: (m,) int32, the rows' places among the training rows; None outside training, and of streamed rows.
        labels: (m,) int32, or None without labels.
        relations: by name, what a config's `relations` say of these rows; leaves (m, ...).
        encode: ``x -> code`` with these parameters, for terms that need derivatives of the code, or other rows' codes.
        rows: ``index -> (k, n)``, any rows of the same split, clean and scaled, by their places (k,); None of streamed
            rows.
        key: of this batch, for terms that are estimates; None outside a run.
        extra: what a family of models adds (mean and log-variance, indices).
        columns: `Dataset.columns`.
        decode: ``code -> x_hat`` with these parameters.
        again: ``(key, params=params) -> Context``, another training pass of the same rows: what the model draws, it
            draws anew. `encode`, `decode`, `again`, `rows` and `key` are None there, so that
            ``jax.vmap(ctx.again)(keys)`` makes many passes at once, leaves (keys, ...).
        progress: the share of the run that is done, in [0, 1).
    """

    x: jax.Array
    x_in: jax.Array
    code: jax.Array
    x_hat: jax.Array
    hidden: Mapping[str, jax.Array]
    log_odds: Mapping[str, jax.Array]
    params: Params
    ranges: Mapping[str, Range]
    mask: jax.Array | None = None
    index: jax.Array | None = None
    labels: jax.Array | None = None
    relations: Mapping[str, Any] = {}
    encode: Callable[[jax.Array], jax.Array] | None = None
    rows: Callable[[jax.Array], jax.Array] | None = None
    key: jax.Array | None = None
    extra: Mapping[str, jax.Array] = {}
    columns: tuple[Column, ...] = ()
    decode: Callable[[jax.Array], jax.Array] | None = None
    again: Callable[..., "Context"] | None = None
    progress: jax.Array | float = 0.0


class Model(NamedTuple):
    """An autoencoder as pure functions; any (init, apply) pair can stand behind it.

    What is not trained but changes in training, such as moving averages and counters, lies in ``params["kept"]``: it
    gets no gradient and no update from the optimiser, and `settle` sets it.

    Attributes:
        init: ``key -> params``.
        encode: ``(params, x) -> code``, deterministic; x is (m, n), scaled.
        decode: ``(params, code) -> x_hat``, (m, n).
        apply: ``(params, x, x_in, key) -> Context``, the training pass.
        feature_shape: shape of one row before it was laid flat; n is its product.
        code_size: number of units of the code.
        takes_missing: whether `encode` and `apply` read NaN as a value that is missing; other models see the column's
            mean there.
        settle: ``(params, extra, key) -> params``, called after every update with `Context.extra` of the step: sets
            moving averages and counters in ``params["kept"]``, projects parameters, starts dead units anew. None where
            there is nothing to do. L-BFGS and `settle` exclude each other.
        prior: ``(params, key, count) -> codes``, (count, d), where the model says itself where new codes come from.
        target_shape: of a row of the target and of x_hat, where it is not `feature_shape` or the target is not the
            input; the data then hold targets. None where the input is reconstructed.
        decoder_layers: ``params -> [(kernel, bias, activation), ...]`` where `decode` is a chain of dense layers,
            f(z W + b), and nothing else: W, (inputs, units), b, (units,), and the name of f. None for other decoders.
        made: ``(model, name, arguments)``: this model without `made`, and the component of aejax and its arguments that
            made it, so that a folder in which it is saved can be opened alone. None of one's own models.
    """

    init: Callable[[jax.Array], Params]
    encode: Callable[[Params, jax.Array], jax.Array]
    decode: Callable[[Params, jax.Array], jax.Array]
    apply: Callable[[Params, jax.Array, jax.Array, jax.Array], Context]
    feature_shape: tuple[int, ...]
    code_size: int
    takes_missing: bool = False
    settle: Callable[[Params, Mapping[str, jax.Array], jax.Array], Params] | None = None
    prior: Callable[[Params, jax.Array, int], jax.Array] | None = None
    target_shape: tuple[int, ...] | None = None
    decoder_layers: Callable[[Params], list[tuple[jax.Array, jax.Array, str]]] | None = None
    made: tuple["Model", str, tuple[tuple[str, Any], ...]] | None = None

    def __repr__(self) -> str:
        _, name, arguments = self.made or (None, "of one's own", ())
        words = ", ".join(f"{key}={value!r}" for key, value in arguments)
        name = f"{name}({words})" if self.made else name
        return f"<Model {name}: rows of shape {tuple(self.feature_shape)}, code of {self.code_size}>"


class Sampler(NamedTuple):
    """Where new codes are drawn from.

    It is made by a function ``(key, model, params, codes, *, hyperparameters) -> Sampler``, fitted to the codes of
    training rows, (m, d); those of aejax are in `aejax.tasks.samplers`.

    Attributes:
        draw: ``(key, count) -> codes``, (count, d) float32; key is a typed key.
        log_prob: ``codes -> nats``, (k, d) -> (k,), the logarithm of the density; None where it is not known.
        normals: weights (j,), means (j, d) and covariances (j, d, d), where it is a mixture of j normal distributions:
            what a run keeps of it. None of any other.
    """

    draw: Callable[[Any, int], Any]
    log_prob: Callable[[Any], Any] | None = None
    normals: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


class Averaged(NamedTuple):
    """What a run that averages its weights keeps as its `State.opt_state`.

    Attributes:
        opt_state: of the optimiser.
        average: of the parameters over the steps; without those in ``params["kept"]``.
    """

    opt_state: Any
    average: Params


class State(NamedTuple):
    """Just what the next step needs. No key: randomness is a function of (seed, step)."""

    params: Params
    opt_state: Any
    step: jax.Array


class Run(NamedTuple):
    """A run as two pure functions.

    Attributes:
        init: ``(key, hparams) -> State``.
        advance: ``(state, key, hparams, data, n, capacity=None) -> (State, history)``: n steps as one loop.
    """

    init: Callable[..., State]
    advance: Callable[..., tuple[State, dict[str, jax.Array]]]


class Kept(NamedTuple):
    """What a task leaves in the folder of its run, for `aejax apply`.

    Attributes:
        tree: of arrays.
        info: small and JSON-able.
    """

    tree: Any
    info: Mapping[str, Any]


class Reasons(NamedTuple):
    """What made each row what it is said to be.

    Attributes:
        shares: (m, n) how much each feature has to do with it, 0 or above.
        expected: (m, n) what was expected of each, in the units of the rows.
    """

    shares: np.ndarray
    expected: np.ndarray


class Columns(NamedTuple):
    """One or more values for each row, as a task's `apply` may return them.

    Attributes:
        values: by the name of a column, (m,) numbers or text.
        summary: what to say of them, in a few words.
        reasons: of the first of them; None where nobody asks why.
    """

    values: Mapping[str, np.ndarray]
    summary: str = ""
    reasons: Reasons | None = None


class Evaluation(NamedTuple):
    """What a task found.

    Attributes:
        metrics: by split, then name: ``metrics["test"]["mse"]``.
        baselines: by name, then metric: ``baselines["pca"]["mse"]``.
        arrays: what figures are drawn from.
        kept: what is to be used on new rows, beside the net; None where that is all.
        files: texts for the folder of the run, by the name of the file.
        rows: by an action of the task, then by split, what it says of the rows of that split, where it is more honest
            than what the action says of them, as of rows that the net was trained on.
    """

    metrics: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, float]]
    arrays: Mapping[str, Any]
    kept: Kept | None = None
    files: Mapping[str, str] = {}
    rows: Mapping[str, Mapping[str, Columns]] = {}


class Figures(NamedTuple):
    """The figures of a task, whose contents are kept in the folder of a run and can be drawn in any language.

    Attributes:
        keep: ``(evaluation, dataset, model, params, config) -> Kept``: small arrays and numbers in nested mappings, and
            texts as JSON. Where both are empty, nothing is drawn.
        draw: ``(kept, words) -> {name: figure}``: figures of matplotlib; `words` is an `aejax.figures.words.Words`.
    """

    keep: Callable[..., Kept]
    draw: Callable[[Kept, Any], Mapping[str, Any]]


class Task(NamedTuple):
    """What an autoencoder is for: what is measured of a trained net, beside which baselines, in which figures.

    A config names it by the file under `aejax.tasks` that holds it as ``TASK``, such as ``"anomaly"``, or by an import
    path, such as ``"my_module.my_task"``. All but the first two may be left out.

    Attributes:
        options: a frozen dataclass, the one place where the options of a config have their names, bounds
            (`aejax.config.bounds`) and defaults.
        evaluate: ``(key, model, params, dataset, retrain, options) -> Evaluation``. `retrain` trains the config's net
            again, for a comparison, folds or an ensemble (`aejax.training.retrain`).
        needs: ``(dataset, model, config, options)``, called before training; raises a `UserError` for what the task
            cannot serve. `aejax.tasks.needs` has the usual ones. The model is None where it does not fit the data, so
            that what is wrong with these is said first.
        validated: names of the metrics that `evaluate` may give for validation rows, by which a sweep may choose; None
            where that is not known before.
        baselines: ``(dataset, options) -> {metric: {baseline: value}}`` of validation rows, without a net; a sweep
            shows the first baseline of a metric beside it. It has PCA's of ``mse`` by itself.
        members: ``(model, params, dataset, options, together) -> {split: {metric: (members,)}}``, the metrics of
            `evaluate` for many nets, leaves (members, ...), of which `together` see a batch at once. Without it a sweep
            calls `evaluate` net by net.
        figures: those that only this task has.
        apply: by name, what ``aejax apply FOLDER NAME`` does with new rows: ``(model, params, rows, kept) ->`` rows in
            the units of the data, (m, n), or `Columns`. `rows` are flat and unscaled (`aejax.training.context.Rows`),
            NaN where ``mask`` is False, which only a model that takes missing values gets. `kept` is what `evaluate`
            left, its ``tree`` as arrays by their paths (``"centre"``, ``"net/kernel"``); None where it left nothing.
        keep: ``(key, model, params, dataset, retrain, options) -> Kept``, what `evaluate` leaves for new rows with the
            same key, without its comparisons: for who has rows in memory and no baselines to look at.
        keep_needs: as `needs`, of what `keep` cannot serve; None: of the same.
        sample: ``(key, model, params, (shift, scale), kept, count, *, given, noise) -> (count, n)``, new rows in the
            units of the data, by what `evaluate` left; see `aejax.tasks.synthesis.sample`.
        results: by the name of a table, without its ending, the action that says of every row of a person's own file
            what stands in it: ``{"scores": "score"}``.
        imports: modules that `evaluate` imports and that take long to; a thread does so while the net trains.
    """

    options: type
    evaluate: Callable[..., Evaluation]
    needs: Callable[..., None] | None = None
    validated: tuple[str, ...] | None = None
    baselines: Callable[..., Mapping[str, Mapping[str, float]]] | None = None
    members: Callable[..., Mapping[str, Mapping[str, np.ndarray]]] | None = None
    figures: Figures | None = None
    apply: Mapping[str, Callable[..., Any]] = {}
    keep: Callable[..., Kept] | None = None
    keep_needs: Callable[..., None] | None = None
    sample: Callable[..., np.ndarray] | None = None
    results: Mapping[str, str] = {}
    imports: tuple[str, ...] = ()


class Members(NamedTuple):
    """Nets that were trained together.

    Attributes:
        model: of all of them.
        params: leaves (members, ...).
    """

    model: Model
    params: Params


Retrain = Callable[..., Members]
"""``(keys, changes={}, datasets=None) -> Members``: how a task trains nets again; see `aejax.training.retrain`."""
