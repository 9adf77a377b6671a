"""From a resolved config and its data to the parts of a run: the one place where names become functions."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from aejax import losses, optimizers
from aejax.config import components, guards
from aejax.config import optimizers as optimizer_fields
from aejax.data.corrupt import HIDING
from aejax.data.splits import with_rows
from aejax.errors import UserError
from aejax.models import contract
from aejax.models.links import mixed
from aejax.optimizers import schedules
from aejax.training import compilation, devices
from aejax.training.context import Corruption, Objective, Rows
from aejax.training.evaluate import Relations, make_losses, target_range
from aejax.training.step import in_training, make_run
from aejax.types import Column, Dataset, Hparams, Model, Range, Run


class Parts(NamedTuple):
    """A run and what it is made of.

    Attributes:
        model: the autoencoder.
        objective: ``(ctx, hparams["terms"], progress) -> (loss, {term: value})``.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``.
        run: the run as pure functions.
        losses: of a split, from `aejax.training.evaluate.make_losses`.
        hparams: every float of the terms, the optimiser and the corruption, as float32 scalars.
        key: of the whole run.
        relations: by name, functions of the scaled rows of a split.
        layout: where each leaf of the state lies, from `aejax.training.devices.layout`; None on one device.
        known_as: what the functions follow from; None of those that are made afresh each time.
    """

    model: Model
    objective: Objective
    corrupt: Corruption
    run: Run
    losses: Callable[..., Mapping[str, float]]
    hparams: Hparams
    key: jax.Array
    relations: Relations
    layout: Any = None
    known_as: str | None = None


def load_data(settings: Mapping[str, Any]) -> Dataset:
    """The data set of a config's `data` section."""
    from aejax import data

    return data.load(settings["name"], **_arguments(settings))


def build_model(settings: Mapping[str, Any], feature_shape: tuple[int, ...], columns: tuple[Column, ...] = ()) -> Model:
    """The model of a config's `model` section for rows of that shape, in those columns where some are categories."""
    function = components.resolve(settings["name"], "aejax.models", what="model.name")
    return mixed(contract.made(function, settings["name"], feature_shape, _arguments(settings)), columns)


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
    known_as = None if mesh is not None else _known_as(config, dataset)
    if known_as is not None and (known := _checked(known_as)):
        _check_fit(config, known[0].model, dataset)
        relations = {name: _relation(name, component) for name, component in config["relations"].items()}
        return known[0]._replace(key=jax.random.key(config["seed"]), relations=relations)
    model, train = build_model(config["model"], dataset.feature_shape, dataset.columns), config["train"]
    _check_fit(config, model, dataset)
    terms, factors, term_hparams = {}, {}, {}
    for name, component in config["terms"].items():
        term, term_hparams[name] = _bind(component, "aejax.losses", f"terms.{name}.name", keep=("weight",))
        terms[name] = guards.scalar(term, f"terms.{name}")
        if "schedule" in component:
            factors[name], term_hparams[name]["schedule"] = _schedule(component["schedule"])
    corrupt, corruption_hparams = _bind(config["corruption"], "aejax.data.corrupt", "corruption.name")
    corrupt = guards.same_shape(corrupt, f"corruption.name: {config['corruption']['name']}")
    optimizer, optimizer_hparams = optimizer_of(config["optimizer"])
    if train.get("accumulate", 1) > 1:
        optimizer = optimizers.accumulated(optimizer, train["accumulate"])
    objective, data_range = losses.weighted_sum(terms, factors), target_range(dataset)
    run = make_run(
        in_training(model, precision=train.get("precision"), remat=train.get("remat", False)),
        objective,
        corrupt,
        optimizer,
        steps=train["steps"],
        batch_size=batch_size_of(train, dataset),
        data_range=data_range,
        cut=None if mesh is None else devices.cut_batch(mesh),
        average=train.get("average"),
    )
    relations = {name: _relation(name, component) for name, component in config["relations"].items()}
    hparams = {"terms": term_hparams, "corruption": corruption_hparams, "optimizer": optimizer_hparams}
    key, hparams = jax.random.key(config["seed"]), jax.tree.map(jnp.float32, hparams)
    layout = None if mesh is None else devices.layout(mesh, jax.eval_shape(run.init, key, hparams), model.code_size)
    look = make_losses(model, objective, corrupt, data_range)
    return Parts(model, objective, corrupt, run, look, hparams, key, relations, layout, known_as)


@lru_cache(maxsize=8)
def _checked(known_as: str) -> list[Parts]:
    """The parts that passed `check` under that name, or none so far: as equal functions they share their programs."""
    return []


compilation.FORGETTING.append(_checked.cache_clear)


def _known_as(config: Mapping[str, Any], dataset: Dataset) -> str | None:
    """All that the functions of a run follow from, if they are aejax's own, as text.

    Of the range of the data it has what terms may ask before they refuse it: whether it is in [0, 1], or below 0.
    """
    sections = {name: config[name] for name in ("model", "terms", "corruption", "optimizer")}
    train = {name: config["train"].get(name) for name in ("steps", "precision", "remat", "accumulate", "average")}
    try:
        components.check_own(sections, "config")
        text = json.dumps([sections, train], sort_keys=True)
    except (UserError, TypeError):
        return None
    values, targets = target_range(dataset), dataset.train.target
    asked = values.within(0, 1), values.low < 0, values == Range()
    shapes = dataset.feature_shape, None if targets is None else targets.shape[1:]
    return f"{text} {batch_size_of(config['train'], dataset)} {shapes} {dataset.columns} {asked}"


def _check_fit(config: Mapping[str, Any], model: Model, dataset: Dataset) -> None:
    """Refuse what model, data and settings ask of each other in vain."""
    name, hides = config["model"]["name"], config["corruption"]["name"]
    if hides in HIDING and not model.takes_missing:
        raise UserError(
            f"corruption.name: {hides} hides values, and this {name} takes no missing ones; "
            "allowed: a model that takes missing values, or a corruption that hides none, such as masking"
        )
    shape = None if dataset.train.target is None else dataset.train.target.shape[1:]
    if shape != (None if model.target_shape is None else tuple(model.target_shape)):
        asked = "its input" if model.target_shape is None else f"targets of shape {tuple(model.target_shape)}"
        has = "no targets" if shape is None else f"targets of shape {shape}"
        raise UserError(f"model.name: {name} reconstructs {asked}, and {dataset.name} has {has}; allowed: what fits")
    if optimizer_fields.needs_line_search(config["optimizer"]["name"]):
        line = "optimizer.name: lbfgs searches along a line, and"
        if model.settle is not None:
            raise UserError(f"{line} {name} changes its parameters after each update; allowed: another, such as adam")
        if config["train"].get("accumulate", 1) > 1:
            raise UserError(f"{line} train.accumulate takes gradients of several points; allowed: train.accumulate=1")
    _check_batch(config, dataset)


def _check_batch(config: Mapping[str, Any], dataset: Dataset) -> None:
    """Refuse a batch of all streamed rows, or of more than there are, and relations between them."""
    batch_size, rows = config["train"]["batch_size"], training_rows(dataset)
    if dataset.stream is not None:
        if batch_size is None:
            raise UserError("train.batch_size: null takes all rows, which are streamed; allowed: a number of rows")
        for name in config["relations"]:
            raise UserError(f"relations.{name}: needs all training rows in memory, and they are streamed")
        if batch_size > rows:
            raise UserError(
                f"train.batch_size: {batch_size} is more than the {rows} training rows; allowed: 1 to {rows}"
            )


def batch_size_of(train: Mapping[str, Any], dataset: Dataset) -> int | None:
    """How many rows are in a step, never more than there are; None for all."""
    return train["batch_size"] and min(train["batch_size"], training_rows(dataset))


def batch_remark(train: Mapping[str, Any], dataset: Dataset) -> list[str]:
    """A line on a batch that would be larger than the data."""
    asked, rows = train["batch_size"], training_rows(dataset)
    if not asked or asked <= rows:
        return []
    others = ", ".join(f"{len(part.x)} {name}" for name, part in with_rows(dataset).items() if name != "train")
    line = f"train.batch_size: {asked} is more than the {rows} training rows, so each step takes all of them"
    return [f"{line} (beside them are {others} rows)" if others else line]


def training_rows(dataset: Dataset) -> int:
    """How many rows are trained on."""
    return len(dataset.train.x) if dataset.stream is None else dataset.stream.rows


def check(parts: Parts, rows: Rows) -> None:
    """Trace one step without computing anything, so that terms, model and data refuse each other before training.

    Raises:
        UserError: from a term or the model, or the machine's memory is too small.
    """
    state = jax.eval_shape(parts.run.init, parts.key, parts.hparams)
    guards.enough_memory(state, 1 if parts.layout is None else parts.layout.step.mesh.shape[devices.CODE])
    jax.eval_shape(partial(parts.run.advance, n=1), state, parts.key, parts.hparams, rows)
    if parts.known_as is not None and not (known := _checked(parts.known_as)):
        known.append(parts._replace(relations={}))


def _arguments(component: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in component.items() if key not in ("name", "schedule")}


def _bind(
    component: Mapping[str, Any], package: str, what: str, keep: tuple[str, ...] = ()
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A component as a function of its hyperparameters alone, and those; `keep` are no arguments of the function."""
    function = components.resolve(component["name"], package, what=what)
    parameters = {**components.parameters(function), **dict.fromkeys(keep)}
    static, swept = components.split(_arguments(component), parameters)
    function = guards.one_line(function, what.removesuffix(".name"))
    return (partial(function, **static) if static else function), swept


def _relation(name: str, component: Mapping[str, Any]) -> Callable[..., Any]:
    """A relation as a function of rows; nothing of it is swept."""
    function, numbers = _bind(component, "aejax.relations", f"relations.{name}.name")
    return partial(function, **numbers)


def _schedule(component: Mapping[str, Any]) -> tuple[Callable[..., jax.Array], dict[str, Any]]:
    schedule, numbers = _bind(component, "aejax.optimizers.schedules", "schedule.name")
    factor = lambda *args, **numbers: 1.0 * value if type(value := schedule(*args, **numbers)) is int else value
    return guards.scalar(factor, f"schedule ({component['name']})"), numbers


def optimizer_of(component: Mapping[str, Any]) -> tuple[optimizers.Optimizer, dict[str, Any]]:
    """The optimiser of a resolved component, and its numbers, which may be swept."""
    static, swept = components.split(_arguments(component), optimizer_fields.parameters(component["name"]))
    schedule = schedules.constant
    if "schedule" in component:
        schedule, swept["schedule"] = _schedule(component["schedule"])
    return optimizers.build(component["name"], static, schedule), swept
