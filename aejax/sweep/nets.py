"""A sweep from Python: a model, a loss and data in memory at many settings and seeds, trained as one program."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.components import check
from aejax.config.fields import SEED
from aejax.data.corrupt import none
from aejax.errors import UserError, one_of, shown
from aejax.losses import Loss, Term
from aejax.runs.fit import ADAM, fitted_of, loaded, parts_of, settings_of
from aejax.runs.fitted import Fitted
from aejax.sweep import axes as spelled
from aejax.sweep import table
from aejax.sweep.block import Options, compile_fastest, result_of, stacked_params, train_block
from aejax.sweep.evaluation import losses_of
from aejax.sweep.plan import Block, Member, Plan
from aejax.sweep.prepared import Prepared, prepared_of
from aejax.training.build import Parts
from aejax.training.evaluate import on_device
from aejax.training.numerics import fixed
from aejax.types import Dataset, Hparams, Params


@dataclass(frozen=True)
class Nets:
    """The nets of a sweep.

    Attributes:
        rows: the table, a dict for each run: ``run``, the axes, ``seed``, ``validation/…``, ``train/…``, ``test/…``,
            ``status`` (``finished``, ``stopped early`` or ``not finite``), ``step`` and ``parameters_digest``.
        params: of all runs, leaves (runs, ...).
        summary: mean, standard deviation and 95 % interval of every metric over the seeds of each setting, and the
            ``best`` setting, see `aejax.sweep.table.summarise`.
    """

    rows: list[dict[str, Any]]
    params: Params = field(repr=False)
    summary: Mapping[str, Any] = field(repr=False)
    parts: Parts = field(repr=False)
    data: Dataset = field(repr=False)

    def __repr__(self) -> str:
        return f"<Nets: {len(self.rows)} runs of {len(self.summary['points'])} settings: show(), best()>"

    def fitted(self, run: int) -> Fitted:
        """The trained net of one run, by its number in the table."""
        if not 0 <= run < len(self.rows):
            raise UserError(f"run {run}: allowed: 0 to {len(self.rows) - 1}")
        row = self.rows[run]
        history = {"step": np.array([row["step"]])}
        history |= {
            n.replace("/", "_"): np.array([v]) for n, v in row.items() if n.startswith(("train/", "validation/"))
        }
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf[run]), self.params)
        return fitted_of(self.parts, self.data, params, history)

    def best(self) -> Fitted:
        """The net of the best setting, of its seeds the one with the best metric.

        Raises:
            UserError: the metric is finite for no setting.
        """
        best, metric = self.summary["best"], self.summary["metric"]
        if best is None:
            raise UserError(f"sweep: no setting has a finite {metric}; allowed: data with validation rows")
        chosen = self.summary["points"][best]["axes"]
        runs = [row for row in self.rows if all(row[path] == value for path, value in chosen.items())]
        sign = -1 if self.summary["maximise"] else 1
        return self.fitted(min(runs, key=lambda row: sign * np.nan_to_num(row[metric], nan=sign * np.inf))["run"])

    def show(self) -> None:
        """Print the settings, the best first, with their intervals over seeds, as ``aejax sweep`` does."""
        table.say(self.summary)


@fixed()
def sweep(
    model: Any,
    loss: Loss | Term | None = None,
    data: Any = None,
    *,
    axes: Mapping[str, Any],
    seeds: Iterable[int] = (0,),
    optimizer: Any = ADAM,
    corruption: Callable[[jax.Array, jax.Array], jax.Array] = none,
    steps: int | None = None,
    batch_size: int | None = 64,
    evaluate_every: int | None = None,
    patience: int | None = None,
    average: float | None = None,
    metric: str = "validation/mse",
    maximise: bool = False,
) -> Nets:
    """Train a model at many settings and seeds as one compiled program.

    >>> import aejax, numpy as np
    >>> data = aejax.data.from_arrays(np.random.default_rng(0).normal(size=(60, 6)))
    >>> model = aejax.models.multilayer(data.feature_shape, widths=(), code=2)
    >>> loss = aejax.losses.compose(error=aejax.losses.squared_error(), sparsity=aejax.losses.l1())
    >>> nets = aejax.sweep(model, loss, data, axes={"sparsity.weight": [0.1, 1.0]}, seeds=range(2), steps=20)
    >>> [(row["sparsity.weight"], row["seed"]) for row in nets.rows]
    [(0.1, 0), (0.1, 1), (1.0, 0), (1.0, 1)]

    A run has the parameters that `aejax.fit` gives with these numbers and ``key=jax.random.key(seed)``, up to rounding.

    Args:
        model: as in `aejax.fit`, like all arguments but these.
        loss: likewise.
        data: likewise, in memory.
        axes: by the name of a number its values, an array or a text of `aejax.sweep.axes`: ``TERM.weight`` or
            ``TERM.HYPERPARAMETER`` of a term of the loss, ``optimizer.learning_rate`` and the other numbers of an
            optimiser that is named or a dict. All combinations are trained.
        seeds: of the keys, ``jax.random.key(seed)``.
        optimizer: likewise.
        corruption: likewise.
        steps: likewise.
        batch_size: likewise.
        evaluate_every: likewise.
        patience: likewise, for each run by itself.
        average: likewise.
        metric: the column of validation rows that chooses the best setting.
        maximise: whether more of it is better.

    Raises:
        UserError: a number that the run does not have, or as in `aejax.fit`.
    """
    if loss is None and data is None:
        model, data = None, model
    dataset, batches = loaded(data)
    if batches is not None:
        raise UserError("sweep: holds its rows in memory; allowed: arrays or a data set")
    settings = settings_of(dataset, steps, batch_size, evaluate_every, patience)
    parts = parts_of(model, loss, dataset, optimizer, corruption, settings, average=average)
    if not isinstance(axes, Mapping):
        allowed = "such as {'sparsity.weight': [0.1, 1.0]}"
        raise UserError(f"axes: expected values by their paths, got {shown(axes)}; allowed: {allowed}")
    made = tuple(spelled.make(path, values) for path, values in axes.items())
    points, seeds = spelled.points(made) if made else [{}], _seeds(seeds)
    prepared = prepared_of(parts, dataset, settings["batch_size"])
    block = _block(parts.hparams, {**settings, "checkpoint_every": settings["steps"]}, points, seeds)
    outcomes, _ = train_block(compile_fastest(block, prepared, Options(devices=1)), block, prepared)
    params = stacked_params(outcomes)
    columns = _losses(block, dataset, prepared, params)
    done = {}
    for run, each in enumerate(outcomes):
        metrics = {f"train/{name}": value for name, value in each.means.items()}
        done[run] = result_of(each, metrics | {name: float(values[run]) for name, values in columns.items()})
    plan = Plan({"terms": parts.hparams["terms"]}, made, None, block.members, (block.members,))
    rows = table.rows_of(plan, done)
    table.check_column(metric, rows[0])
    return Nets(rows, params, table.summarise(plan, rows, metric, maximise=maximise), parts, dataset)


def _seeds(seeds: Any) -> tuple[int, ...]:
    """Seeds as Python's numbers."""
    listed = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes) else []
    if not listed:
        raise UserError(f"seeds: expected one or more whole numbers, got {shown(seeds)}; allowed: such as range(5)")
    return tuple(check(seed.item() if hasattr(seed, "item") else seed, SEED, what="seeds") for seed in listed)


def _block(
    hparams: Hparams, train: Mapping[str, Any], points: Sequence[Mapping[str, Any]], seeds: Sequence[int]
) -> Block:
    """All runs as one block; in the order of the table the seeds of a setting follow each other."""
    settings = [(point, {"train": train, **_hparams(hparams, point)}) for point in points]
    runs = [(point, config | {"seed": seed}) for point, config in settings for seed in seeds]
    members = tuple(Member(run, *each) for run, each in enumerate(runs))
    return Block(members, tuple((seed, None) for seed in seeds), np.arange(len(runs)).reshape(-1, len(seeds)).T)


def _losses(block: Block, dataset: Dataset, prepared: Prepared, params: Params) -> dict[str, np.ndarray]:
    """The losses of the validation rows and of the test rows, (runs,) each."""
    test = prepared._replace(validation=[on_device(dataset.test, dataset) if len(dataset.test.x) else None])
    ended = np.ones(len(block.members))
    validation, tested = (losses_of(block.members, each, params, ended) for each in (prepared, test))
    return validation | {name.replace("validation", "test", 1): values for name, values in tested.items()}


def _hparams(hparams: Hparams, point: Mapping[str, Any]) -> Hparams:
    """The hyperparameters of a setting; a path begins with the name of a term, or with ``optimizer``."""
    changed = jax.tree.map(np.float32, hparams)
    for path, value in point.items():
        group: Any = {**changed["terms"], "optimizer": changed["optimizer"]}
        *names, last = path.removeprefix("terms.").split(".")
        for name in names:
            if not isinstance(group.get(name), Mapping):
                raise one_of(name, group, what=f"axis {path}")
            group = group[name]
        if names == ["optimizer"] and not group:
            allowed = 'optimizer={"name": "adam", "learning_rate": 1e-3}, whose numbers are'
            raise UserError(f"axis {path}: the numbers of an optax optimizer cannot be swept; allowed: {allowed}")
        if last not in group or isinstance(group[last], Mapping):
            raise one_of(last, group.get(last, group), what=f"axis {path}")
        if not isinstance(value, int | float):
            raise UserError(f"axis {path}: expected numbers, got {shown(value)}")
        group[last] = np.float32(value)
    return changed
