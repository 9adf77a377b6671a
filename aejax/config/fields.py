"""The fields of a config: its sections, the packages of its components, and the types and defaults of all others."""

from collections.abc import Mapping
from typing import Annotated, Any

from aejax.config.bounds import Choice, Count, Finite, Fraction, Natural, NonNegative, Rate, Within
from aejax.config.components import REQUIRED, Parameter

SCALINGS = ("unit", "standard", "signed", "none", "robust")
Side = Annotated[int, Within(1, 4096)]  # pixels
Labels = str | int | tuple[str | int, ...] | None

FIELDS: dict[str, dict[str, Parameter]] = {
    "data": {
        "name": Parameter(str, "digits"),  # `aejax data list` prints what there is
        "scaling": Parameter(
            Annotated[str, Choice(SCALINGS)], "unit"
        ),  # [0, 1]; z-scores; [-1, 1]; none; median and quartiles
        "validation": Parameter(Fraction, 0.1),  # share of the training rows
        "test": Parameter(Fraction | None, None),  # None: the official split, or 0.2 where there is none
        "split_seed": Parameter(Natural, 0),
        "label_column": Parameter(str | None, None),  # of a table of your own
        "data_dir": Parameter(str | None, None),  # where tensorflow-datasets keeps what it prepared
        "rows": Parameter(Count | None, None),  # of synthetic data
        "noise": Parameter(NonNegative | None, None),  # standard deviation, of synthetic data
        "weighting": Parameter(Annotated[str, Choice(("log", "tfidf"))] | None, None),  # of documents
        "text": Parameter(str | None, None),  # the column of a table of your own that holds documents
        "normal": Parameter(Labels, None),  # labels that are normal; the others are anomalies, and not trained on
        "left_out": Parameter(Labels, None),  # labels whose rows are dropped, beside data.normal
        # the share of anomalies among the training rows, beside data.normal
        "contamination": Parameter(Annotated[float, Within(0, 0.5, open_high=True)], 0.0),
        "categories": Parameter(Labels, None),  # columns of a table of your own that hold categories
        # how a file of your own is read, where it does not show: `aejax.data.load`
        "labels": Parameter(str | None, None),
        "separator": Parameter(str | None, None),
        "decimal": Parameter(Annotated[str, Choice((".", ","))] | None, None),
        "missing_words": Parameter(str | tuple[str, ...] | None, None),
        "dates": Parameter(str | tuple[str, ...] | None, None),
        "ignore": Parameter(Labels, None),
        "key": Parameter(Labels, None),
        "log": Parameter(Labels, None),  # columns of which the logarithm is taken
        "channels": Parameter(Annotated[str, Choice(("first", "last"))] | None, None),
        # of photographs: the height and width of a row, or one number for both, how they become as large, whether they
        # are grey, and how many bits of 16 are used
        "size": Parameter(Side | tuple[Side, ...] | None, None),
        "fit": Parameter(Annotated[str, Choice(("crop", "pad", "stretch"))] | None, None),
        "colour": Parameter(Annotated[str, Choice(("grey", "colour"))] | None, None),
        "bits": Parameter(Annotated[int, Within(8, 16)] | None, None),
        "missing": Parameter(Mapping, {"name": "none"}),  # how values are hidden, to see how well they are imputed
    },
    "train": {
        "steps": Parameter(Count, 2000),
        "batch_size": Parameter(Count | None, 64),  # None: all rows in each step
        "evaluate_every": Parameter(Count, 100),
        "patience": Parameter(Count | None, None),  # stop after so many evaluations without a better validation loss
        "checkpoint_every": Parameter(Count, 1000),
        "keep": Parameter(Count, 2),  # checkpoints
        "accumulate": Parameter(Count, 1),  # steps whose mean gradient makes one update
        # decay of a moving average of the parameters, which is evaluated and kept; None: none
        "average": Parameter(Rate | None, None),
        # of the net's matrix products; None: the device's
        "precision": Parameter(Annotated[str, Choice(("bfloat16", "tensorfloat32", "float32"))] | None, None),
        "remat": Parameter(bool, False),  # compute activations again for the gradient, to save memory
        # validation and test values beyond the range of the training rows; None: cut to it where the loss needs it
        "outside": Parameter(Annotated[str, Choice(("keep", "clip", "refuse"))] | None, None),
    },
    "devices": {
        "data": Parameter(Count | None, None),  # how many share each batch; None: 1, or all of a run of processes
        "code": Parameter(Count, 1),  # how many share the parameters of the code's units
    },
    "report": {"figures": Parameter(bool, True), "tensorboard": Parameter(bool, False)},
}
"""The sections whose keys are fixed; all others are components."""
OPTIONAL = (
    "accumulate", "average", "precision", "remat", "outside",
    "separator", "decimal", "missing_words", "dates", "ignore", "key", "labels", "channels", "log",
    "text",
    "size", "fit", "colour", "bits",
)  # fmt: skip
"""A resolved config holds these only where they are not at their defaults, as configs of before there were any."""

COMPONENTS: dict[str, Any] = {
    "model": {"name": "dense.multilayer", "widths": (64, 32), "code": 8},
    "relations": {},  # what loss terms are to know of the rows beforehand, such as their neighbours
    "terms": {"reconstruction": {"name": "reconstruction.cross_entropy", "weight": 1.0}},
    "corruption": {"name": "none"},
    "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "constant"}},
    "task": {"name": "reconstruction.evaluate"},
}
"""The sections that hold components, with their defaults."""
PACKAGES = {
    "model": "aejax.models",
    "relations": "aejax.relations",
    "terms": "aejax.losses",
    "corruption": "aejax.data.corrupt",
    "task": "aejax.tasks",
    "schedule": "aejax.optimizers.schedules",
    "missing": "aejax.data.missing",
}
"""Where the names of components are looked up, by the section or the last part of the field."""

SECTIONS = (
    "seed", "data", "model", "relations", "terms", "corruption", "optimizer", "train", "devices", "task", "report"
)  # fmt: skip
SEED = Annotated[int, Within(0, 2**32 - 1)]
RESERVED = ("loss", "mse")
"""Columns of ``metrics.csv`` beside those of the terms."""
TERM = {"weight": Parameter(Finite, REQUIRED)}
