"""Configs: load a Python file, apply overrides, resolve every name, check every value.

A config file defines ``get_config()``, which returns `base()` with what it changes, and may define ``variants()``, a
dict from a variant's name to its overrides. The resolved config is a plain nested dict with every default filled in.

`files` runs a config file, `overrides` changes fields by their paths, `fields` says which there are, `resolving` checks
them and fills in the defaults, `differences` compares two configs.
"""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from aejax.config.fields import COMPONENTS, FIELDS, SECTIONS
from aejax.config.files import config_of, find
from aejax.config.overrides import override, put
from aejax.config.resolving import resolve

__all__ = ["base", "dumps", "load", "resolve", "shipped", "varied"]


def base() -> Any:
    """The config that experiments start from, as an `ml_collections.ConfigDict` of literals: every key is present.

    Returns:
        A fresh config: digits, a 64-64-32-8 net, cross-entropy, Adam.
    """
    from ml_collections import ConfigDict

    fixed = {section: {key: field.default for key, field in fields.items()} for section, fields in FIELDS.items()}
    values = {"seed": 0, **fixed, **COMPONENTS}
    return ConfigDict({section: values[section] for section in SECTIONS})


def load(spec: str, overrides: Iterable[str] = (), *, seed: int | None = None, trust: bool = False) -> dict[str, Any]:
    """The resolved config of an experiment.

    Args:
        spec: a shipped experiment (``"lecture/vanilla"``) or the path of a config file, with ``:variant`` after it.
        overrides: ``"path=value"``, such as ``"optimizer.learning_rate=3e-4"``; applied in order.
        seed: replaces the config's.
        trust: whether a config in JSON may name functions from outside aejax; one in Python always may.

    Raises:
        UserError: whatever is wrong with it, in one line.
    """
    config, changes = config_of(*find(spec), trust=trust)
    for path, value in changes.items():
        put(config, path, value)
    override(config, overrides)
    if seed is not None:
        put(config, "seed", seed)
    return resolve(config)


def shipped(spec: str) -> Any:
    """The config of a shipped experiment, or of one of its variants, as an `ml_collections.ConfigDict` to change.

    Args:
        spec: such as ``"lecture/anomaly"`` or ``"lecture/clustering:satimage"``.

    Raises:
        UserError: there is no such experiment or variant.
    """
    from ml_collections import ConfigDict

    config, changes = config_of(*find(spec))
    for path, value in changes.items():
        put(config, path, value)
    return ConfigDict(config)


def varied(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config with some values changed, by their dotted paths.

    Raises:
        UserError: a field that does not exist, or a value that does not fit it.
    """
    changed = deepcopy(dict(config))
    for path, value in changes.items():
        put(changed, path, value)
    return resolve(changed)


def dumps(config: Mapping[str, Any]) -> str:
    """The resolved config as JSON."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"
