"""The fields of a config: its sections and, of those that are no components, what each field may hold."""

from collections.abc import Mapping
from typing import Annotated

from aejax.config.bounds import Choice, Count, Finite, Fraction, Natural, NonNegative, Within
from aejax.config.components import REQUIRED, Parameter

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
        "steps": Parameter(Count, REQUIRED),
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
