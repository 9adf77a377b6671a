"""Configs: load a Python file, apply overrides, resolve every name, check every value.

A config file defines ``get_config()``, which returns `base()` with what it changes, and may define ``variants()``, a
dict from a variant's name to its overrides. The resolved config is a plain nested dict with every default filled in.
"""

import ast
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any

from aejax import components
from aejax.bounds import Choice, Count, Finite, Fraction, Natural, NonNegative, Within
from aejax.components import REQUIRED, Parameter
from aejax.config_files import config_of, find, literal
from aejax.errors import UserError, one_of, shown

SECTIONS = (
    "seed",
    "data",
    "model",
    "relations",
    "terms",
    "corruption",
    "optimizer",
    "train",
    "devices",
    "task",
    "report",
)
SCALINGS = ("unit", "standard", "signed", "none")
WEIGHTINGS = ("log", "tfidf")

FIELDS: dict[str, dict[str, Parameter]] = {
    "data": {
        "name": Parameter(str, REQUIRED),
        "scaling": Parameter(Annotated[str, Choice(SCALINGS)], REQUIRED),
        "validation": Parameter(Fraction, REQUIRED),
        "test": Parameter(Fraction | None, REQUIRED),
        "split_seed": Parameter(Natural, REQUIRED),
        "label_column": Parameter(str | None, REQUIRED),
        "data_dir": Parameter(str | None, REQUIRED),
        "rows": Parameter(Count | None, REQUIRED),
        "noise": Parameter(NonNegative | None, REQUIRED),
        "weighting": Parameter(Annotated[str, Choice(WEIGHTINGS)] | None, REQUIRED),
        "normal": Parameter(str | int | tuple[str | int, ...] | None, REQUIRED),
        "left_out": Parameter(str | int | tuple[str | int, ...] | None, REQUIRED),
        "contamination": Parameter(Annotated[float, Within(0, 0.5, open_high=True)], REQUIRED),
        "categories": Parameter(str | int | tuple[str | int, ...] | None, REQUIRED),
        "missing": Parameter(Mapping, REQUIRED),
    },
    "train": {
        "steps": Parameter(Annotated[int, Within(1, 2**31 - 1)], REQUIRED),
        "batch_size": Parameter(Count | None, REQUIRED),
        "evaluate_every": Parameter(Count, REQUIRED),
        "patience": Parameter(Count | None, REQUIRED),
        "checkpoint_every": Parameter(Count, REQUIRED),
        "keep": Parameter(Count, REQUIRED),
    },
    "devices": {
        "data": Parameter(Count | None, REQUIRED),
        "code": Parameter(Count, REQUIRED),
    },
    "report": {
        "figures": Parameter(bool, REQUIRED),
        "tensorboard": Parameter(bool, REQUIRED),
    },
}
"""The sections whose keys are fixed; all others are components."""

SEED = Annotated[int, Within(0, 2**32 - 1)]
RESERVED = ("loss", "mse")
"""Columns of ``metrics.csv`` beside those of the terms."""
TERM = {"weight": Parameter(Finite, REQUIRED)}


def base() -> Any:
    """The config that experiments start from, as an `ml_collections.ConfigDict` of literals: every key is present.

    Returns:
        A fresh config: digits, a 64-64-32-8 net, cross-entropy, Adam.
    """
    from ml_collections import ConfigDict

    return ConfigDict(
        {
            "seed": 0,
            "data": {
                "name": "digits",  # `aejax data list` prints what there is
                "scaling": "unit",  # unit: [0, 1]; standard: z-scores; signed: [-1, 1]; none
                "validation": 0.1,  # share of the training rows
                "test": None,  # None: the official split, or 0.2 where there is none
                "split_seed": 0,
                "label_column": None,  # of a table of your own
                "data_dir": None,  # where tensorflow-datasets keeps what it prepared
                "rows": None,  # of synthetic data
                "noise": None,  # standard deviation, of synthetic data
                "weighting": None,  # of documents, log or tfidf
                "normal": None,  # labels that are normal; the others are anomalies, and not trained on
                "left_out": None,  # labels whose rows are dropped, beside data.normal
                "contamination": 0.0,  # share of anomalies among the training rows, beside data.normal
                "categories": None,  # columns of a table of your own that hold categories
                "missing": {"name": "none"},  # how values are hidden, to see how well they are imputed
            },
            "model": {"name": "dense.multilayer", "widths": (64, 32), "code": 8},
            "relations": {},  # what loss terms are to know of the rows beforehand, such as their neighbours
            "terms": {"reconstruction": {"name": "reconstruction.cross_entropy", "weight": 1.0}},
            "corruption": {"name": "none"},
            "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "constant"}},
            "train": {
                "steps": 2000,
                "batch_size": 64,  # None: all rows in each step
                "evaluate_every": 100,
                "patience": None,  # stop after so many evaluations without a better validation loss
                "checkpoint_every": 1000,
                "keep": 2,  # checkpoints
            },
            "devices": {
                "data": None,  # how many share each batch; None: 1, or all of a run of several processes
                "code": 1,  # how many share the parameters of the code's units
            },
            "task": {"name": "reconstruction.evaluate"},
            "report": {"figures": True, "tensorboard": False},
        }
    )


def load(spec: str, overrides: Iterable[str] = (), *, seed: int | None = None) -> dict[str, Any]:
    """The resolved config of an experiment.

    Args:
        spec: a shipped experiment (``"lecture/vanilla"``) or the path of a config file, with ``:variant`` after it.
        overrides: ``"path=value"``, such as ``"optimizer.learning_rate=3e-4"``; applied in order.
        seed: replaces the config's.

    Raises:
        UserError: whatever is wrong with it, in one line.
    """
    config, changes = config_of(*find(spec))
    for path, value in changes.items():
        put(config, path, value)
    override(config, overrides)
    if seed is not None:
        put(config, "seed", seed)
    return resolve(config)


def override(config: dict[str, Any], overrides: Iterable[str]) -> None:
    """Set fields of a config, in place, from texts such as ``"optimizer.learning_rate=3e-4"``.

    Where one names another function for a component, what the config held for the old one and the new one does not
    take is dropped; what the texts themselves set stays, in whatever order they come.

    Raises:
        UserError: a text without ``=``, or from `put`.
    """
    before, chosen = deepcopy(config), []
    for given in overrides:
        key, equals, text = given.partition("=")
        if not equals:
            raise UserError(f"--set {given}: expected path=value, such as optimizer.learning_rate=3e-4")
        chosen.append(key.strip())
        put(config, chosen[-1], parse(text.strip()))
    for path in chosen:
        if path.endswith(".name") and path != "data.name":
            _drop_left_over(config, before, path.removesuffix(".name"), chosen)


HOMES = {"model": "models", "relations": "relations", "terms": "losses", "corruption": "data.corrupt", "task": "tasks"}
"""The packages of the components of each section."""


def _drop_left_over(config: dict[str, Any], before: dict[str, Any], path: str, chosen: list[str]) -> None:
    """Drop from a component what it held for the function of before, unless it is one of the `chosen` fields."""
    group, old = _group(config, path), _group(before, path)
    name = group.get("name")
    if not old or name == old.get("name"):
        return
    for key in old.keys() - _taken(path, name):
        here = f"{path}.{key}."
        if not any(f"{own}.".startswith(here) or here.startswith(f"{own}.") for own in chosen):
            del group[key]


def _group(config: dict[str, Any], path: str) -> dict[str, Any]:
    """The group of fields at a path; empty where there is none."""
    for name in path.split("."):
        config = config.get(name, {}) if isinstance(config, dict) else {}
    return config if isinstance(config, dict) else {}


def _taken(path: str, name: Any) -> set[str]:
    """The fields that the component at a path may have with the function of that name."""
    from aejax import optimizers

    if path == "optimizer":
        return {"name", *optimizers.parameters(name), *([] if optimizers.needs_line_search(name) else ["schedule"])}
    section = path.partition(".")[0]
    home = {"schedule": "schedules", "missing": "data.missing"}.get(path.rpartition(".")[2]) or HOMES[section]
    function = components.resolve(name, f"aejax.{home}", what=f"{path}.name")
    return {"name", *components.parameters(function), *((*TERM, "schedule") if section == "terms" else ())}


def parse(text: str) -> Any:
    """The Python literal that a text spells; anything else is a string. true, false and null may be spelled so.

    ``none`` stays a word, which some fields take; others read it as None.
    """
    words = {"null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # a backslash in a path is no mistake
            warnings.simplefilter("ignore", DeprecationWarning)
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def put(config: dict[str, Any], path: str, value: Any) -> None:
    """Set one value of a config by its dotted path, in place.

    Raises:
        UserError: there is no such field, or it is a group of fields and the value is none.
    """
    *parents, leaf = path.split(".")
    group = config
    for depth, name in enumerate(parents):
        here = ".".join(parents[: depth + 1])
        if name not in group:
            grows = (here.count(".") == 1 and parents[0] in ("terms", "relations")) or name == "schedule"
            if not grows:
                raise one_of(here, _siblings(config, parents[:depth]), what="config field")
            group[name] = {}
        group = group[name]
        if not isinstance(group, dict):
            raise UserError(f"{path}: {here} is a value, not a group of fields")
    fixed = not parents or ".".join(parents) in FIELDS
    if leaf not in group and (fixed or not leaf.isidentifier()):
        raise one_of(path, _siblings(config, parents), what="config field")
    old = group.get(leaf)
    if isinstance(old, dict) and not isinstance(value, Mapping):
        fields = ", ".join(f"{path}.{key}" for key in old)
        raise UserError(f"{path}: is a group of fields, got {shown(value)}; allowed: {fields}")
    group[leaf] = literal(value, what=path)


def _siblings(config: Mapping[str, Any], parents: list[str]) -> list[str]:
    group = config
    for name in parents:
        group = group[name]
    return [".".join([*parents, key]) for key in group]


def varied(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config with some values changed, by their dotted paths.

    Raises:
        UserError: a field that does not exist, or a value that does not fit it.
    """
    changed = deepcopy(dict(config))
    for path, value in changes.items():
        put(changed, path, value)
    return resolve(changed)


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every key checked and every default filled in.

    Raises:
        UserError: an unknown, missing, wrongly typed or out-of-range field.
    """
    sections = SECTIONS
    for key in config:
        if key not in sections:
            raise one_of(key, sections, what="config field")
    for key in sections:
        if key not in config:
            raise UserError(f"{key}: is missing; start from aejax.config.base()")
        if key != "seed" and not isinstance(config[key], Mapping):
            raise UserError(f"{key}: expected a group of fields, got {shown(config[key])}")
    resolved = {"seed": components.check(config["seed"], SEED, what="seed")}
    for section, fields in FIELDS.items():
        resolved[section] = components.complete(config[section], fields, what=section, name=section)
    resolved["data"]["missing"] = component(resolved["data"]["missing"], "aejax.data.missing", what="data.missing")
    if not config["terms"]:
        raise UserError("terms: there is no loss term; allowed: reconstruction.cross_entropy, sparsity.l1, …")
    for name in config["terms"]:
        if not name.isidentifier() or name in RESERVED:
            raise UserError(
                f"terms: a term cannot be named {shown(name)}; allowed: a word of letters, digits and _, "
                f"other than {', '.join(RESERVED)}"
            )
    resolved["model"] = component(config["model"], "aejax.models", what="model")
    resolved["terms"] = {
        name: component(term, "aejax.losses", what=f"terms.{name}", extra=TERM)
        for name, term in config["terms"].items()
    }
    resolved["relations"] = {
        name: component(given, "aejax.relations", what=f"relations.{name}")
        for name, given in config["relations"].items()
    }
    resolved["corruption"] = component(config["corruption"], "aejax.data.corrupt", what="corruption")
    resolved["optimizer"] = _optimizer(config["optimizer"])
    resolved["task"] = component(config["task"], "aejax.tasks", what="task")
    check_together(resolved)
    return {key: resolved[key] for key in sections}


def component(given: Any, package: str, *, what: str, extra: Mapping[str, Parameter] | None = None) -> dict[str, Any]:
    """A component, checked, every default filled in; a term (`extra`: its weight) may also have a schedule."""
    if not isinstance(given, Mapping):
        raise UserError(f"{what}: expected a group of fields with a name, got {shown(given)}")
    if "name" not in given:
        raise UserError(f"{what}.name: is missing; allowed: the name of a function, such as those in {package}")
    function = components.resolve(given["name"], package, what=f"{what}.name")
    allowed = dict(extra or {}) | components.parameters(function)
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    resolved = {"name": given["name"], **components.complete(arguments, allowed, what=what, name=given["name"])}
    if "schedule" in given:
        if not extra:
            raise one_of("schedule", allowed, what=f"{what} ({given['name']})")
        resolved["schedule"] = component(given["schedule"], "aejax.schedules", what=f"{what}.schedule")
    return resolved


def _optimizer(given: Mapping[str, Any]) -> dict[str, Any]:
    from aejax import optimizers

    if "name" not in given:
        raise UserError(f"optimizer.name: is missing; allowed: {', '.join(optimizers.NAMES)}")
    name = given["name"]
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    allowed = optimizers.parameters(name)
    resolved = {"name": name, **components.complete(arguments, allowed, what="optimizer", name=name)}
    if optimizers.needs_line_search(name):
        if "schedule" in given:
            raise UserError(f"optimizer.schedule: {name} finds its step by line search; allowed: leave it out")
        return resolved
    if "schedule" not in given:
        raise UserError("optimizer.schedule: is missing; allowed: {'name': 'constant'}, …")
    return resolved | {"schedule": component(given["schedule"], "aejax.schedules", what="optimizer.schedule")}


def check_together(config: Mapping[str, Any]) -> None:
    """Refuse fields that are fine one by one and not together.

    Raises:
        UserError: naming the field to change.
    """
    from aejax import optimizers

    optimizers.check_effective(config["optimizer"])
    optimizers.check_full_batch(config["optimizer"]["name"], config["train"]["batch_size"])
    words = {value for term in config["terms"].values() for value in term.values() if isinstance(value, str)}
    for name in config["relations"]:
        if name not in words:
            raise UserError(f"relations.{name}: no loss term reads it; allowed: leave it out, or name it in a term")
    if config["train"]["patience"] is not None and config["data"]["validation"] == 0:
        raise UserError("train.patience: there are no validation rows; allowed: None, or data.validation > 0")


def dumps(config: Mapping[str, Any]) -> str:
    """The resolved config as JSON."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """What differs between two configs: ``"train.steps: 100 -> 200"``, one line a field."""
    lines = []
    for key in dict.fromkeys([*old, *new]):
        here = f"{path}{key}"
        before, after = (side.get(key, "(absent)") for side in (old, new))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{here}.")
        elif _as_json(before) != _as_json(after):
            lines.append(f"{here}: {shown(before)} -> {shown(after)}")
    return lines


def first_of(lines: Sequence[str], most: int = 3) -> str:
    """The first differences, and how many more there are."""
    more = len(lines) - most
    return "; ".join(lines[:most]) + (f"; and {more} more" if more > 0 else "")


def changed(begun: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """What differs between the config of a run that was begun and another; a run may go on with other devices."""
    return differences(*({k: v for k, v in each.items() if k != "devices"} for each in (begun, config)))


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
