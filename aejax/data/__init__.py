"""Data by name: ``load(name) -> Dataset`` with disjoint splits and a scaling from the training rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.config.fields import SCALINGS
from aejax.config.resolving import data_settings
from aejax.data import corrupt, outliers, published, synthetic
from aejax.data.arrays import dataset_of, from_arrays, from_frame, from_texts
from aejax.data.catalogue import ENTRIES, FAMILIES, TAKES, Row, table, way
from aejax.data.documents import load_documents
from aejax.data.files import load_file, read_rows
from aejax.data.images import load_images
from aejax.data.inspection import OWN
from aejax.data.missing import hide
from aejax.data.scaling import original, scale, unscale
from aejax.data.splits import Raw, numbered, split
from aejax.data.tables import OPTIONS, names_of, reading_of
from aejax.errors import UserError
from aejax.types import Dataset

__all__ = [
    "SCALINGS",
    "Row",
    "corrupt",
    "from_arrays",
    "from_frame",
    "from_texts",
    "load",
    "original",
    "prepare",
    "read_rows",
    "scale",
    "synthetic",
    "table",
    "unscale",
]

_OPTIONS = (
    "label_column", "labels", "data_dir", "rows", "noise", "categories", "log", "text", "weighting", *OPTIONS
)  # fmt: skip
_OF_OUTLIERS = ("normal", "left_out", "contamination")


def load(
    name: str,
    *,
    scaling: str = "unit",
    validation: float = 0.1,
    test: float | None = None,
    split_seed: int = 0,
    label_column: str | None = None,
    labels: str | None = None,
    data_dir: str | None = None,
    rows: int | None = None,
    noise: float | None = None,
    weighting: str | None = None,
    text: str | None = None,
    normal: outliers.Labels | None = None,
    left_out: outliers.Labels | None = None,
    contamination: float = 0.0,
    categories: str | int | Sequence[str | int] | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing_words: str | Sequence[str] | None = None,
    dates: str | Sequence[str] | None = None,
    ignore: str | int | Sequence[str | int] | None = None,
    key: str | int | Sequence[str | int] | None = None,
    channels: str | None = None,
    size: int | Sequence[int] | None = None,
    fit: str | None = None,
    colour: str | None = None,
    bits: int | None = None,
    log: str | int | Sequence[str | int] | None = None,
    missing: Mapping[str, Any] = {"name": "none"},
) -> Dataset:
    """A data set by its name, split and with its scaling; values stay as stored until `scale` is called.

    Args:
        name: a name of the catalogue (``aejax data list``), ``file:PATH`` for a table (.csv, .parquet, .xlsx, …) or
            arrays (.npy, .npz),
            ``images:DIR`` for the photographs in a folder, or ``images:FILE.csv`` for those that a table names,
            ``texts:DIR`` for the .txt files in a folder, whose classes are its subfolders, or those of its two parts
            ``train`` and ``test``,
            ``tfds:NAME`` for what tensorflow-datasets has prepared in the array_record format, or ``binary:NAME`` for
            images of any such name with each pixel drawn as 0 or 1; or ``stream:FOLDER``, for rows that do not fit in
            memory, see `aejax.data.stream`.
        scaling: ``"unit"`` to [0, 1], ``"signed"`` to [-1, 1], ``"standard"`` to mean 0 and standard deviation 1,
            ``"robust"``, of heavy tails, to median 0 and the quartiles of a standard deviation of 1, ``"none"``. For
            images the first two use the range of the pixels, for tables the least and greatest training value of each
            column; validation and test rows may then lie outside. Documents stay sparse: ``"unit"`` divides them by the
            greatest training value, ``"standard"`` by the root mean square of all.
        validation: fraction in [0, 1) of the rows that are not test rows.
        test: fraction in [0, 1) of all rows; None keeps the official test rows, and takes 0.2 of the rows where
            there are none. A number pools the official parts and draws again.
        split_seed: the splits are a function of it and of the number of rows.
        label_column: ``file:`` and tables of photographs only; the column (in .npz: the array) of the labels.
        labels: ``file:`` only; path of another file (.npy, .npz, .csv, …) with the labels, one for each row in their
            order; `label_column` is then a column or an array of that file. Of photographs
            and of texts in a folder ``"no"``: folders are no classes.
        data_dir: ``tfds:`` and the published images only; the folder of the prepared records.
        rows: synthetic data only; how many.
        noise: synthetic data only; standard deviation of the noise.
        weighting: documents only; what a word counts for, ``"log"``: log(1 + count), which None stands for too, or
            ``"tfidf"``: that times log((1 + documents) / (1 + documents with the word)) + 1, each document to length 1.
        text: ``file:`` only; the column of a table that holds documents, which become counts of their words. No other
            columns are read but those of labels and keys, and one called ``split`` that says train and test.
        normal: labels that are normal, all others being anomalies: training rows are then normal ones only, `test` is
            a share of the normal rows (None without an official split: 0.5), and all anomalies are test rows.
        left_out: with `normal` only; labels whose rows are dropped.
        contamination: with `normal` only; share of anomalies among the training rows, in [0, 0.5).
        categories: tables in ``file:`` only; name or names of the columns that hold categories. One of two becomes a
            feature of 0 and 1, any other a feature for each category.
        separator: tables in ``file:`` only, as all down to `key`: what stands between the cells of a line, ``","``,
            ``";"``, ``"tab"``, ``"bar"`` or ``"blank"``; None: what the first lines show.
        decimal: ``"."`` or ``","``; the other one stands between thousands. None: what the numbers show.
        missing_words: words for a missing value in either case, besides the empty cell; None:
            `aejax.data.tables.MISSING_WORDS`.
        dates: columns of dates or times, which become days since 1970, month, weekday (0: Monday) and, where
            there are times, hour; ``name=%d/%m/%Y``
            says how they are written.
        ignore: columns that are left out; here, in `key`, `categories` and `log` a pattern such as ``"raw_*"`` stands
            for all names that it matches.
        key: columns that name or count the rows, and are left out; None: those that look so, ``()``: none. Tables of
            results have them.
        channels: images in ``file:`` only; ``"first"`` or ``"last"``, where they stand in the array. None: last, and a
            shape that looks otherwise is refused.
        size: photographs only, as `fit`, `colour` and `bits`; the height and width of a row, or one number for both.
            None: their own, where all are alike and no side has more than 64 pixels, else 64 by 64.
        fit: how a photograph becomes as large: ``"crop"`` takes the largest part in the middle that has these
            proportions, ``"pad"`` the whole image with black beside it, ``"stretch"`` changes its proportions. None:
            ``"crop"``.
        colour: ``"grey"`` or ``"colour"``; None: grey where all files are.
        bits: of grey photographs of 16 bits for each value, how many of these are used, as 12 of many cameras and
            microscopes; None: the fewest of 8, 10, 12, 14 and 16 that hold the greatest value of all files.
        log: ``file:`` only; columns of numbers above 0, such as prices, whose logarithm is stored and scaled in their
            place: `original` gives back the values of `Split.x`, and ``aejax apply`` takes and gives them.
        missing: how values are hidden, to see how well they are imputed: name and hyperparameters of a function of
            `aejax.data.missing`. What is hidden depends on `split_seed`; `Split.truth` remembers it.

    Returns:
        The data set. Images that were decoded once are memory-mapped from the cache, which lies in
        ``AEJAX_CACHE_DIR`` where that environment variable is set.

    Raises:
        UserError: a name or a value is not allowed, the data cannot be had, or an argument does not belong to it.
    """
    arguments = dict(locals())
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in arguments.items()}
    settings = data_settings(plain)
    if settings["categories"] is not None:
        listed = settings["categories"] if isinstance(settings["categories"], tuple) else (settings["categories"],)
        settings["categories"] = tuple(map(str, listed))
    shares = {"validation": settings["validation"], "test": settings["test"], "seed": settings["split_seed"]}
    if name.startswith("stream:"):
        return _streamed(settings, shares)
    raw = _raw(name, settings)
    raw = hide(numbered(raw) if name.startswith(OWN) else raw, settings["missing"], settings["split_seed"])
    if settings["normal"] is None:
        for option in ("left_out", "contamination"):
            if settings[option] not in (None, 0):
                raise UserError(f"data.{option}: needs data.normal, the labels that are normal")
        return dataset_of(name, raw, split(raw, **shares), scaling)
    labels = {option: settings[option] for option in _OF_OUTLIERS}
    parts = outliers.split(raw, **labels, **shares)
    return dataset_of(name, raw._replace(label_names=outliers.NAMES), parts, scaling)


def _streamed(settings: Mapping[str, Any], shares: Mapping[str, Any]) -> Dataset:
    from aejax.data import stream

    none = {"contamination": (0, "contamination=0"), "missing": ({"name": "none"}, "missing.name=none")}
    for option in (*_OPTIONS, *_OF_OUTLIERS, "missing"):
        value, allowed = none.get(option, (None, f"{option}=None"))
        if settings[option] != value:
            raise UserError(f"data.{option}: data that are streamed do not take it; allowed: data.{allowed}")
    return stream.load(settings["name"], scaling=settings["scaling"], **shares)


def _raw(name: str, settings: Mapping[str, Any]) -> Raw:
    if name.startswith("binary:"):
        from aejax.data.bundled import binarised

        base = name.removeprefix("binary:")
        return binarised(_raw(base, settings), base)
    kind = way(name)
    for option in _OPTIONS:
        if settings[option] is not None and option not in TAKES[kind]:
            *others, last = (other for other, taken in TAKES.items() if option in taken)
            owners = f"{', '.join(others)} and {last}" if others else last
            raise UserError(
                f"data.{option}: {name!r} does not take it; only {owners} data do; allowed: data.{option}=None"
            )
    if settings["text"] is not None or kind == "texts:":
        return load_documents(name, settings, reading_of(settings))
    if kind == "file":
        if settings["weighting"] is not None:
            raise UserError("data.weighting: is of documents; allowed: with data.text, the column that holds some")
        reading, categories = reading_of(settings), settings["categories"] or ()
        path, label_column = name.removeprefix("file:"), settings["label_column"]
        return load_file(path, label_column, categories, reading, settings["labels"], names_of(settings["log"]))
    if kind == "images:":
        return load_images(
            name.removeprefix("images:"), settings["label_column"], reading_of(settings), settings["labels"]
        )
    if kind == "synthetic":
        return synthetic.load_synthetic(name, settings["rows"], settings["noise"])
    if kind == "bundled":
        from aejax.data import bundled

        return getattr(bundled, name)()
    return published.load(FAMILIES[kind], name, settings)


def prepare(name: str, source_dir: str | None = None, data_dir: str | None = None) -> Path:
    """Makes a data set ready, so that `load` needs neither network nor decoding.

    Args:
        name: one of the published images or tables, ``faces``, ``newsgroups``, or ``tfds:NAME``.
        source_dir: folder with the published files, for all but images also one file; downloaded where None.
        data_dir: folder for the prepared records of images; beside the cache where None.

    Returns:
        The folder that holds the data set now.

    Raises:
        UserError: there is nothing to prepare, or files are missing or damaged.
    """
    kind = way(name)
    if kind not in FAMILIES:
        names = ", ".join(n for n, e in ENTRIES.items() if e.way in FAMILIES)
        raise UserError(f"{name}: nothing to prepare, it can be loaded as it is; prepared can be {names}")
    if data_dir is not None and "data_dir" not in FAMILIES[kind].takes:
        raise UserError(f"{name}: is kept in the cache, not in a folder of records; leave --data-dir away")
    if source_dir is not None and kind == "tfds":
        raise UserError(f"{name}: is prepared by tensorflow-datasets, not from a folder; leave --from away")
    return published.prepare(FAMILIES[kind], name, source_dir, {"data_dir": data_dir})
