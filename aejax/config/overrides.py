"""Overrides: texts such as ``"optimizer.learning_rate=3e-4"``, and what they change in a config."""

import ast
import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from aejax.config import components, optimizers
from aejax.config.fields import FIELDS, PACKAGES, TERM
from aejax.config.files import literal
from aejax.errors import UserError, one_of, shown


def override(config: dict[str, Any], overrides: Iterable[str]) -> None:
    """Set fields of a config, in place, from texts such as ``"optimizer.learning_rate=3e-4"``.

    Where one names another function for a component, what the config held for the old one and the new one does not
    take is dropped; what the texts themselves set stays, in whatever order they come.

    Raises:
        UserError: a text without ``=``, or from `put`.
    """
    before, chosen = deepcopy(config), []
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: expected path=value, such as optimizer.learning_rate=3e-4")
        chosen.append(path.strip())
        put(config, chosen[-1], parse(value.strip()))
    for path in chosen:
        if path.endswith(".name") and path != "data.name":
            _drop_left_over(config, before, path.removesuffix(".name"), chosen)


def _drop_left_over(config: dict[str, Any], before: dict[str, Any], path: str, chosen: list[str]) -> None:
    """Drop from a component what it held for the function of before, unless it is one of the `chosen` fields."""
    group, old = _group(config, path.split(".")), _group(before, path.split("."))
    name = group.get("name")
    if not old or name == old.get("name"):
        return
    for key in old.keys() - _taken(path, name):
        here = f"{path}.{key}."
        if not any(f"{each}.".startswith(here) or here.startswith(f"{each}.") for each in chosen):
            del group[key]


def _group(config: Any, path: Sequence[str]) -> dict[str, Any]:
    """The group of fields at a path; empty where there is none."""
    for name in path:
        config = config.get(name) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}


def _taken(path: str, name: Any) -> set[str]:
    """The fields that the component at a path may have with the function of that name."""
    if path == "optimizer":
        return {"name", *optimizers.parameters(name), *([] if optimizers.needs_line_search(name) else ["schedule"])}
    section, last = path.partition(".")[0], path.rpartition(".")[2]
    package = PACKAGES[last if last in ("schedule", "missing") else section]
    function = components.resolve(name, package, what=f"{path}.name")
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
    fields = FIELDS.get(".".join(parents))
    known = leaf in group or (leaf in fields if fields else parents and leaf.isidentifier())
    if not known:
        raise one_of(path, _siblings(config, parents), what="config field")
    old = group.get(leaf)
    if isinstance(old, dict) and not isinstance(value, Mapping):
        fields = ", ".join(f"{path}.{key}" for key in old)
        raise UserError(f"{path}: is a group of fields, got {shown(value)}; allowed: {fields}")
    group[leaf] = literal(value, what=path)


def _siblings(config: dict[str, Any], parents: Sequence[str]) -> list[str]:
    return [".".join([*parents, key]) for key in _group(config, parents)]
