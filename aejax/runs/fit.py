"""Training from Python: a model, a loss and data in memory in, a trained net out."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import losses, optimizers
from aejax.config import guards
from aejax.config.bounds import Within
from aejax.config.components import check
from aejax.config.fields import FIELDS
from aejax.config.resolving import optimizer as resolved_optimizer
from aejax.data import from_arrays
from aejax.data.corrupt import none
from aejax.errors import UserError, shown
from aejax.losses import Loss, Term
from aejax.models.dense import multilayer
from aejax.models.links import mixed
from aejax.runs import workdir
from aejax.runs.fitted import Fitted
from aejax.runs.training import train
from aejax.storage import checksums
from aejax.storage.lock import alone
from aejax.training import build
from aejax.training.build import Parts, optimizer_of
from aejax.training.context import outline
from aejax.training.evaluate import make_losses, on_device, target_range
from aejax.training.held_out import within_range
from aejax.training.numerics import fixed
from aejax.training.step import EVALUATION_STREAM, make_run
from aejax.training.windows import Windows
from aejax.types import Dataset, Model, Params, Range, Rows

ADAM = {"name": "adam", "learning_rate": 1e-3}
PASSES, FEWEST, MOST = 100, 500, 5000  # over the data, and steps, where nobody says how many
EVALUATIONS = 50
WIDEST, LONGEST_CODE = 256, 32  # of the net that is trained where nobody names one


@fixed()
def fit(
    model: Any = None,
    loss: Loss | Term | None = None,
    data: Any = None,
    *,
    optimizer: Any = ADAM,
    corruption: Callable[[jax.Array, jax.Array], jax.Array] = none,
    steps: int | None = None,
    batch_size: int | None = 64,
    key: jax.Array | None = None,
    evaluate_every: int | None = None,
    patience: int | None = None,
    average: float | None = None,
    folder: str | Path | None = None,
    outside: str | None = None,
    on_chunk: Callable[[int, Mapping[str, np.ndarray], float], Any] | None = None,
    on_evaluation: Callable[[int, dict[str, float], Params], Any] | None = None,
) -> Fitted:
    """Train an autoencoder on data in memory.

    >>> import numpy as np
    >>> import aejax
    >>> x = np.random.default_rng(0).normal(size=(200, 10))
    >>> fitted = aejax.fit(x, steps=20)
    >>> fitted.encode(x[:3]).shape
    (3, 3)

    ``fit(x)`` alone trains a net of two hidden layers that narrows to a third of the features, on the squared error of
    standardised values; of a table with categories, on the likelihood of numbers and categories
    (`aejax.losses.missing_likelihood`), with probabilities in the place of linear outputs. The same arguments and key
    give the same parameters, bit for bit, on the same machine.

    Args:
        model: an `aejax.types.Model`, such as ``aejax.models.multilayer(data.feature_shape, widths=(64,), code=8)``, or
            one of your own; None for a net that narrows; or, where it is the only argument, the data.
        loss: from `aejax.losses.compose`, or a single term or function of a `Context`; None for the squared error, or
            the likelihood where the data have categories.
        data: an `aejax.types.Dataset`, such as from `aejax.data.from_arrays` or `aejax.data.load`; an array of rows; or
            an iterator of batches, arrays (m, *feature_shape) of equal size that are used as they are, once.
        optimizer: any `optax.GradientTransformation`; or, as in a config, a name, or a dict with ``name``, its numbers
            and perhaps a ``schedule``.
        corruption: ``(key, x) -> x_in`` of scaled rows (m, *feature_shape), such as
            ``functools.partial(aejax.data.corrupt.gaussian, scale=0.1)``.
        steps: of training; None for 100 passes over the data, but 500 to 5000 steps.
        batch_size: rows in a step, at most those there are; None for all of them.
        key: of everything random; None for ``jax.random.key(0)``.
        evaluate_every: steps between evaluations on the validation rows; None for 50 evaluations.
        patience: evaluations without a lower validation loss after which training stops and the parameters of the
            lowest one are kept; None trains to the end.
        average: decay of a moving average of the parameters, which evaluation reads and the result keeps; None for
            none.
        folder: for checkpoints, ``metrics.csv`` and at last the net, which `aejax.open` reads. After a kill, the same
            call with the same folder goes on from the newest checkpoint, to the same parameters bit for bit; of a
            finished run it reads the net. None writes nothing.
        outside: what is done with validation and test values beyond the range of the training rows: ``"keep"``,
            ``"clip"`` or ``"refuse"``; None cuts them to it, with a warning, where the loss cannot be computed there.
        on_chunk: ``(step, history, seconds)``, called after each compiled chunk of steps; the history is by name an
            array with a value for each step of it.
        on_evaluation: ``(step, metrics, params)``, called after each evaluation; `params` are valid during the call.

    Raises:
        UserError: data that are none, a model or a loss that does not fit them, a loss that is not finite, or the
            folder of another run.
        InterruptedRunError: SIGINT or SIGTERM came, and what was done is in the folder.
    """
    if loss is None and data is None and not isinstance(model, Model):
        model, data = None, model
    hooks = {"on_chunk": on_chunk, "on_evaluation": on_evaluation}
    for name, hook in (hooks | {"corruption": corruption}).items():
        if not (callable(hook) or (hook is None and name in hooks)):
            raise UserError(f"{name}: expected a function, got {shown(hook)}")
    for name, value in {"average": average, "outside": outside}.items():
        check(value, FIELDS["train"][name].annotation, what=name)
    if folder is not None and isinstance(data, Iterator):
        raise UserError("folder: batches of an iterator are used once; allowed: rows in memory, or no folder")
    dataset, batches = loaded(data)
    as_loaded = dataset
    settings = settings_of(dataset, steps, None if batches else batch_size, evaluate_every, patience)
    parts = parts_of(model, loss, dataset, optimizer, corruption, settings, key=key, average=average)
    rows = on_device(dataset.train, dataset) if batches is None else batches
    if batches is None:
        again = lambda data: parts_of(parts.model, loss, data, optimizer, corruption, settings)
        dataset = within_range(dataset, outside, lambda data: build.check(again(data), rows), warnings.warn)
    if folder is not None:
        if not isinstance(folder, str | Path):
            raise UserError(f"folder: expected a path, got {shown(folder)}")
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise UserError(f"{folder}: is a file, not a folder; allowed: another folder") from None
        except OSError as error:
            raise UserError(f"{folder}: {error.strerror}; allowed: a folder that can be written") from None
    with nullcontext() if folder is None else alone(folder, workdir.WAIT_SECONDS):
        if folder is not None:
            _begin(folder, parts, as_loaded, {**settings, "average": average, "outside": outside})
        params, evaluations, _ = train(parts, dataset, rows, settings, folder, **hooks)
        names = evaluations[0] if evaluations else ()
        history = {name: np.array([each[name] for each in evaluations]) for name in names}
        fitted = fitted_of(parts, dataset, params, history)
        if folder is not None:
            fitted.write(folder)
    return fitted


def _begin(folder: Path, parts: Parts, dataset: Dataset, settings: Mapping[str, Any]) -> None:
    """Write down the numbers and the data that a run begins with, or refuse to go on with others."""
    numbers = {"key": jax.random.key_data(parts.key), **parts.hparams}
    record = {"settings": settings, **jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), numbers)}
    workdir.check(folder, record, workdir.FIT)
    checksums.check(folder, *workdir.BEGUN, workdir.METRICS)
    workdir.begin(folder, record, workdir.FIT)
    workdir.same_data(folder, dataset)


def fitted_of(parts: Parts, dataset: Dataset, params: Params, history: Mapping[str, np.ndarray]) -> Fitted:
    """A trained net with all that it needs on new rows."""
    key = jax.random.fold_in(parts.key, EVALUATION_STREAM)
    measured = lambda rows: parts.losses(params, key, parts.hparams, rows, 1.0)
    return Fitted(parts.model, params, dataset._replace(train=None, validation=None, test=None), history, measured)


def loaded(data: Any) -> tuple[Dataset, Windows | None]:
    """Data in memory as a `Dataset`; of an iterator of batches its first one, and all of them for the loop.

    Raises:
        UserError: no data.
    """
    if data is None:
        raise UserError("fit: there are no data; allowed: fit(x), or fit(model, loss, data)")
    if isinstance(data, Dataset):
        return data, None
    return _streamed(data) if isinstance(data, Iterator) else (from_arrays(data, scaling="standard"), None)


def settings_of(
    dataset: Dataset, steps: int | None, batch_size: int | None, evaluate_every: int | None, patience: int | None
) -> dict[str, Any]:
    """The numbers of a run with every default filled in, as the `train` section of a config has them.

    Raises:
        UserError: a number that is none of steps or rows, or early stopping without validation rows.
    """
    numbers = {"steps": steps, "batch_size": batch_size, "evaluate_every": evaluate_every, "patience": patience}
    numbers = {name: int(n) if isinstance(n, np.integer) else n for name, n in numbers.items() if n is not None}
    for name, value in numbers.items():
        check(value, Annotated[int, Within(1)], what=name)
    if patience is not None and not len(dataset.validation.x):
        raise UserError("patience: there are no validation rows to stop by; allowed: None, or data with some")
    rows = len(dataset.train.x)
    size = min(numbers["batch_size"], rows) if "batch_size" in numbers else None
    steps = numbers.get("steps", int(np.clip(PASSES * rows // (size or rows), FEWEST, MOST)))
    evaluate_every = numbers.get("evaluate_every", min(steps, max(10, steps // EVALUATIONS)))
    every = {"evaluate_every": evaluate_every, "checkpoint_every": evaluate_every, "keep": 2}
    return {"steps": steps, "batch_size": size, "patience": numbers.get("patience"), **every}


def parts_of(
    model: Model | None,
    loss: Loss | Term | None,
    dataset: Dataset,
    optimizer: Any,
    corruption: Callable[[jax.Array, jax.Array], jax.Array],
    settings: Mapping[str, Any],
    *,
    key: jax.Array | None = None,
    average: float | None = None,
) -> Parts:
    """The parts of a run from values, as `aejax.training.build.build` makes them from a config.

    Raises:
        UserError: a value that is no model, loss or optimiser, or a model of other rows than the data's.
    """
    model = _linked(_narrowing(dataset) if model is None else _of_these_rows(model, dataset), dataset)
    usual = losses.missing_likelihood() if "natural" in (outline(model).extra if dataset.columns else ()) else None
    made = losses.compose(reconstruction=usual or losses.squared_error()) if loss is None else loss
    made = losses.compose(reconstruction=made) if isinstance(made, Term) or callable(made) else made
    if not isinstance(made, Loss):
        allowed = "such as aejax.losses.squared_error()"
        raise UserError(
            f"loss: expected a loss from aejax.losses.compose, or a term, got {shown(loss)}; allowed: {allowed}"
        )
    named = {"name": optimizer} if isinstance(optimizer, str) else optimizer
    if isinstance(named, Mapping):
        rule, numbers = optimizer_of(resolved_optimizer(named))
    else:
        rule, numbers = optimizers.as_optimizer(named), {}
    key = _one_key(key)
    corrupt = guards.same_shape(guards.guarded(corruption, "corruption, a function of (key, x)"), "corruption")
    sizes = {"steps": settings["steps"], "batch_size": settings["batch_size"], "data_range": target_range(dataset)}
    run = make_run(model, made.objective, corrupt, rule, **sizes, average=average)
    hparams = jax.tree.map(jnp.float32, {"terms": dict(made.hparams), "corruption": {}, "optimizer": numbers})
    look = make_losses(model, made.objective, corrupt, sizes["data_range"])
    return Parts(model, made.objective, corrupt, run, look, hparams, key, {})


def _one_key(key: Any) -> jax.Array:
    """The key of a run, (), typed; that of seed 0 where there is none."""
    if key is None:
        return jax.random.key(0)
    if isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ():
        return key
    got = shown(key) if not hasattr(key, "dtype") else f"an array {tuple(key.shape)} of {key.dtype}"
    raise UserError(f"key: expected one typed key of JAX, got {got}; allowed: such as jax.random.key(0)")


def _narrowing(dataset: Dataset) -> Model:
    """A net of two hidden layers that narrows to a third of the features, a code of at most 32 units."""
    features = prod(dataset.feature_shape)
    code = int(np.clip(features // 3, 1, LONGEST_CODE))
    widths = (int(np.clip(2 * features, 16, WIDEST)), int(np.clip(features, 8, WIDEST // 2)))
    return multilayer(dataset.feature_shape, widths=widths, code=code, activation="relu", output="linear")


def _linked(model: Model, dataset: Dataset) -> Model:
    """A model whose outputs are values of the columns of a table with categories, where they are linear.

    They become probabilities of the categories, as in `aejax.models.links.mixed`; others stay as they are.
    """
    if not dataset.columns or model.target_shape is not None:
        return model
    ctx = outline(model)
    if "natural" in ctx.extra or ctx.ranges["x_hat"] != Range():
        return model
    linked = mixed(model, dataset.columns)._replace(made=None)
    return linked if model.made is None else linked._replace(made=(linked, *model.made[1:]))


def _of_these_rows(model: Any, dataset: Dataset) -> Model:
    if not isinstance(model, Model):
        raise UserError(f"model: expected an aejax Model, got {shown(model)}; allowed: such as aejax.models.multilayer")
    if tuple(model.feature_shape) != tuple(dataset.feature_shape):
        raise UserError(
            f"model: takes rows of shape {tuple(model.feature_shape)}, and the data have {tuple(dataset.feature_shape)}"
        )
    return model


WINDOW = 20  # batches of an iterator that are on the device at a time


def _streamed(batches: Iterator[Any]) -> tuple[Dataset, Windows]:
    """A data set of the first batch of an iterator, and windows of `WINDOW` batches for the loop."""
    try:
        first = [np.asarray(batch, np.float32) for batch in islice(batches, 1)]
    except (ValueError, TypeError):
        raise UserError("data: a batch of the iterator is no array of numbers; allowed: (rows, features)") from None
    if not first or first[0].ndim < 2:
        raise UserError("data: the iterator gives no batch (rows, features); allowed: arrays of equal shape")
    batches, shape, window = chain(first, batches), (WINDOW, len(first[0]), first[0][0].size), {}
    dataset = from_arrays(first[0], scaling="none", validation=0, test=0)

    def at(step: int) -> Rows:
        start = step - step % WINDOW
        if start not in window:
            x = [np.asarray(batch, np.float32) for batch in islice(batches, WINDOW)]
            if len(x) < WINDOW and (not x or start == 0):
                raise UserError(f"data: the iterator ended after {start + len(x)} batches; allowed: one a step")
            x += [x[-1]] * (WINDOW - len(x))
            if any(batch.shape != first[0].shape for batch in x):
                raise UserError(f"data: batches of other shapes follow {first[0].shape}; allowed: equal shapes")
            window.clear()
            rows = Rows(np.stack(x).reshape(shape), None, np.float32(0), np.float32(1), first=np.int32(start))
            window[start] = jax.tree.map(jnp.asarray, rows)
        return window[start]

    return dataset, Windows(WINDOW, at(0), at)
