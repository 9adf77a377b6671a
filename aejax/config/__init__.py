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

from aejax.config.files import config_of, find
from aejax.config.overrides import override, put
from aejax.config.resolving import resolve

__all__ = ["base", "dumps", "load", "resolve", "varied"]


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
                "accumulate": 1,  # steps whose mean gradient makes one update
                "average": None,  # decay of a moving average of the parameters, which is evaluated and kept; None: none
                "precision": None,  # of the net's matrix products: bfloat16, tensorfloat32, float32; None: the device's
                "remat": False,  # compute activations again for the gradient, to save memory
            },
            "devices": {
                "data": None,  # how many share each batch; None: 1, or all of a run of several processes
                "code": 1,  # how many share the parameters of the code's units
            },
            "task": {"name": "reconstruction.evaluate"},
            "report": {"figures": True, "tensorboard": False},
        }
    )


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
