"""From a resolved config and its data to the parts of a run: the one place where names become functions."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from aejax import losses, optimizers
from aejax.config import components, guards
from aejax.config import optimizers as optimizer_fields
from aejax.data.corrupt import HIDING
from aejax.errors import UserError
from aejax.models import contract
from aejax.models.links import mixed
from aejax.optimizers import schedules
from aejax.training import devices
from aejax.training.context import Rows
from aejax.training.evaluate import Relations, target_range
from aejax.training.step import make_run
from aejax.types import Column, Dataset, Hparams, Model, Run


class Parts(NamedTuple):
    """A run and what it is made of.

    Attributes:
        model: the autoencoder.
        objective: ``(ctx, hparams["terms"], progress) -> (loss, {term: value})``.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``.
        run: the run as pure functions.
        hparams: every float of the terms, the optimiser and the corruption, as float32 scalars.
        key: of the whole run.
        relations: by name, functions of the scaled rows of a split.
        layout: where each leaf of the state lies, from `aejax.training.devices.layout`; None on one device.
    """

    model: Model
    objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
    corrupt: Callable[..., jax.Array]
    run: Run
    hparams: Hparams
    key: jax.Array
    relations: Relations
    layout: Any = None


def load_data(settings: Mapping[str, Any]) -> Dataset:
    """The data set of a config's `data` section."""
    from aejax import data

    return data.load(settings["name"], **{key: value for key, value in settings.items() if key != "name"})


def build_model(settings: Mapping[str, Any], feature_shape: tuple[int, ...], columns: tuple[Column, ...] = ()) -> Model:
    """The model of a config's `model` section for rows of that shape, in those columns where some are categories."""
    function = components.resolve(settings["name"], "aejax.models", what="model.name")
    made = guards.one_line(function, "model")(feature_shape, **{k: v for k, v in settings.items() if k != "name"})
    model = guards.model_or_raise(made, settings["name"])
    return mixed(model if guards.is_own(function) else contract.sound(model, settings["name"], feature_shape), columns)


def build(config: Mapping[str, Any], dataset: Dataset, mesh: Mesh | None = None) -> Parts:
    """The parts of a run.

    Args:
        config: resolved, from `aejax.config.load`.
        dataset: what it is to be trained on.
        mesh: from `aejax.training.devices.make_mesh`; None for one device.

    Raises:
        UserError: the model does not fit the data or the mesh, or the batch is larger than the data. Whether terms,
            model and data fit each other is for `check` to find out.
    """
    model = build_model(config["model"], dataset.feature_shape, dataset.columns)
    terms, factors, term_hparams = {}, {}, {}
    for name, given in config["terms"].items():
        term, term_hparams[name] = _bind(given, "aejax.losses", f"terms.{name}.name", keep=("weight",))
        terms[name] = guards.scalar(term, name)
        if "schedule" in given:
            factors[name], term_hparams[name]["schedule"] = _schedule(given["schedule"])
    corrupt, corruption_hparams = _bind(config["corruption"], "aejax.data.corrupt", "corruption.name")
    _check_hiding(config, model)
    _check_target(config, model, dataset)
    corrupt = guards.same_shape(corrupt, config["corruption"]["name"])
    optimizer, optimizer_hparams = _optimizer(config["optimizer"])
    objective = losses.weighted_sum(terms, factors)
    hparams = {"terms": term_hparams, "corruption": corruption_hparams, "optimizer": optimizer_hparams}
    batch_size, rows = config["train"]["batch_size"], training_rows(dataset)
    if dataset.stream is not None:
        _check_streamable(config)
    if batch_size is not None and batch_size > rows:
        raise _too_large(batch_size, dataset, config["data"])
    if model.settle is not None and optimizer_fields.needs_line_search(config["optimizer"]["name"]):
        raise UserError(
            f"optimizer.name: lbfgs searches along a line, and {config['model']['name']} changes its parameters after "
            "each update; allowed: another optimiser, such as adam"
        )
    run = make_run(
        model,
        objective,
        corrupt,
        optimizer,
        steps=config["train"]["steps"],
        batch_size=batch_size,
        data_range=target_range(dataset),
        cut=None if mesh is None else devices.cut_batch(mesh),
    )
    relations = {name: _bound(given, f"relations.{name}.name") for name, given in config["relations"].items()}
    key, hparams = jax.random.key(config["seed"]), jax.tree.map(jnp.float32, hparams)
    layout = None if mesh is None else devices.layout(mesh, jax.eval_shape(run.init, key, hparams), model.code_size)
    return Parts(model, objective, corrupt, run, hparams, key, relations, layout)


def _too_large(batch_size: int, dataset: Dataset, given: Mapping[str, Any]) -> UserError:
    """The batch is larger than the data, which are few where most rows are held out."""
    rows = training_rows(dataset)
    line = f"train.batch_size: {batch_size} is more than the {rows} training rows; allowed: 1 to {rows}"
    held_out = len(dataset.validation.x) + len(dataset.test.x)
    if dataset.stream is None and held_out > rows:
        shares = f"data.validation={given['validation']} and data.test={given['test']}"
        line += f", or a smaller share of other rows: {shares} take {held_out} of {held_out + rows}"
    return UserError(line)


def training_rows(dataset: Dataset) -> int:
    """How many rows are trained on."""
    return len(dataset.train.x) if dataset.stream is None else dataset.stream.rows


def _check_hiding(config: Mapping[str, Any], model: Model) -> None:
    """Refuse a corruption that makes values missing, where the model takes no missing ones."""
    hides = config["corruption"]["name"]
    if hides in HIDING and not model.takes_missing:
        raise UserError(
            f"corruption.name: {hides} hides values, and this {config['model']['name']} takes no missing ones; "
            "allowed: model.name=masked.residual, unet.unet with model.holes=true, or corruption.name=masking"
        )


def _check_target(config: Mapping[str, Any], model: Model, dataset: Dataset) -> None:
    """Refuse a model of targets without targets of that shape, and targets that a model does not look at."""
    there, name = dataset.train.target, config["model"]["name"]
    shape = None if there is None else there.shape[1:]
    if shape != (None if model.target_shape is None else tuple(model.target_shape)):
        asked = "its input" if model.target_shape is None else f"targets of shape {tuple(model.target_shape)}"
        has = "no targets" if shape is None else f"targets of shape {shape}"
        raise UserError(f"model.name: {name} reconstructs {asked}, and {dataset.name} has {has}; allowed: what fits")


def _check_streamable(config: Mapping[str, Any]) -> None:
    """Refuse what needs all training rows at once."""
    if config["train"]["batch_size"] is None:
        raise UserError("train.batch_size: null takes all rows, which are streamed; allowed: a number of rows")
    for name in config["relations"]:
        raise UserError(f"relations.{name}: needs all training rows in memory, and they are streamed")


def check(parts: Parts, rows: Rows) -> None:
    """Trace one step without computing anything, so that terms, model and data refuse each other before training.

    Raises:
        UserError: from a term or the model, or the machine's memory is too small.
    """
    state = jax.eval_shape(parts.run.init, parts.key, parts.hparams)
    guards.enough_memory(state, 1 if parts.layout is None else parts.layout.step.mesh.shape[devices.CODE])
    jax.eval_shape(partial(parts.run.advance, n=1), state, parts.key, parts.hparams, rows)


def _bind(
    given: Mapping[str, Any], package: str, what: str, keep: tuple[str, ...] = ()
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A component as a function of its hyperparameters alone, and those; `keep` are no arguments of the function."""
    function = components.resolve(given["name"], package, what=what)
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    static, swept = components.split(arguments, {**components.parameters(function), **dict.fromkeys(keep)})
    function = guards.one_line(function, what.removesuffix(".name"))
    return (partial(function, **static) if static else function), swept


def _bound(given: Mapping[str, Any], what: str) -> Callable[..., Any]:
    """A component that nothing is swept of, as a function of its positional arguments."""
    function = components.resolve(given["name"], "aejax.relations", what=what)
    function = guards.one_line(function, what.removesuffix(".name"))
    return partial(function, **{key: value for key, value in given.items() if key != "name"})


def _schedule(given: Mapping[str, Any]) -> tuple[Callable[..., jax.Array], dict[str, Any]]:
    return _bind(given, "aejax.optimizers.schedules", "schedule.name")


def _optimizer(given: Mapping[str, Any]) -> tuple[optimizers.Optimizer, dict[str, Any]]:
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    static, swept = components.split(arguments, optimizer_fields.parameters(given["name"]))
    if "schedule" not in given:
        return optimizers.build(given["name"], static, schedules.constant), swept
    schedule, swept["schedule"] = _schedule(given["schedule"])
    return optimizers.build(given["name"], static, schedule), swept
