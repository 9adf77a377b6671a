"""Data by name: ``load(name) -> Dataset`` with disjoint splits and a scaling from the training rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax.data import corrupt, outliers, synthetic
from aejax.data.arrays import dataset_of, from_arrays
from aejax.data.catalogue import ENTRIES, FAMILIES, FORMS, Row, table
from aejax.data.files import ENDINGS, load_file, read_rows
from aejax.data.frames import from_frame
from aejax.data.missing import hide
from aejax.data.scaling import SCALINGS, scale, unscale
from aejax.data.splits import Raw, split
from aejax.errors import UserError, one_of
from aejax.types import Dataset, Split

__all__ = [
    "SCALINGS",
    "Row",
    "corrupt",
    "from_arrays",
    "from_frame",
    "load",
    "prepare",
    "read_rows",
    "scale",
    "synthetic",
    "table",
    "unscale",
]

_TAKES = {
    "file": ("label_column", "categories"),
    "tfds": ("data_dir",),
    "images": ("data_dir",),
    "text": ("weighting",),
    "table": (),
    "bundled": (),
    "faces": (),
    "synthetic": ("rows", "noise"),
}


def load(
    name: str,
    *,
    scaling: str = "unit",
    validation: float = 0.1,
    test: float | None = None,
    split_seed: int = 0,
    label_column: str | None = None,
    data_dir: str | None = None,
    rows: int | None = None,
    noise: float | None = None,
    weighting: str | None = None,
    normal: outliers.Labels | None = None,
    left_out: outliers.Labels | None = None,
    contamination: float = 0.0,
    categories: str | int | Sequence[str | int] | None = None,
    missing: Mapping[str, Any] = {"name": "none"},
) -> Dataset:
    """A data set by its name, split and with its scaling; values stay as stored until `scale` is called.

    Args:
        name: a name of the catalogue (``aejax data list``), ``file:PATH`` for a .csv, .npy, .npz or .parquet file,
            ``tfds:NAME`` for what tensorflow-datasets has prepared in the array_record format, or ``binary:NAME`` for
            images of any such name with each pixel drawn as 0 or 1; or ``stream:FOLDER``, for rows that do not fit in
            memory, see `aejax.data.stream`.
        scaling: ``"unit"`` to [0, 1], ``"signed"`` to [-1, 1], ``"standard"`` to mean 0 and standard deviation 1,
            ``"none"``. For images the first two use the range of the pixels, for tables the least and greatest
            training value of each column; validation and test rows may then lie outside. Documents stay sparse:
            ``"unit"`` divides them by the greatest training value, ``"standard"`` by the root mean square of all.
        validation: fraction in [0, 1) of the rows that are not test rows.
        test: fraction in [0, 1) of all rows; None keeps the official test rows, and takes 0.2 of the rows where
            there are none. A number pools the official parts and draws again.
        split_seed: the splits are a function of it and of the number of rows.
        label_column: ``file:`` only; the column (in .npz: the array) of the labels.
        data_dir: ``tfds:`` and the published images only; the folder of the prepared records.
        rows: synthetic data only; how many.
        noise: synthetic data only; standard deviation of the noise.
        weighting: documents only; what a word counts for, ``"log"``: log(1 + count), which None stands for too, or
            ``"tfidf"``: that times log((1 + documents) / (1 + documents with the word)) + 1, each document to length 1.
        normal: labels that are normal, all others being anomalies: training rows are then normal ones only, `test` is
            a share of the normal rows (None without an official split: 0.5), and all anomalies are test rows.
        left_out: with `normal` only; labels whose rows are dropped.
        contamination: with `normal` only; share of anomalies among the training rows, in [0, 0.5).
        categories: tables in ``file:`` only; name or names of the columns that hold categories. One of two becomes a
            feature of 0 and 1, any other a feature for each category.
        missing: how values are hidden, to see how well they are imputed: name and hyperparameters of a function of
            `aejax.data.missing`. What is hidden depends on `split_seed`; `Split.truth` remembers it.

    Returns:
        The data set. Images that were decoded once are memory-mapped from the cache, which lies in
        ``AEJAX_CACHE_DIR`` where that environment variable is set.

    Raises:
        UserError: a name or a value is not allowed, the data cannot be had, or an argument does not belong to it.
    """
    if scaling not in SCALINGS:
        raise one_of(scaling, SCALINGS, what="data.scaling")
    options = {"label_column": label_column, "data_dir": data_dir, "rows": rows, "noise": noise}
    named = [categories] if isinstance(categories, str | int) else categories
    options |= {"categories": named and tuple(map(str, named)), "weighting": weighting}
    if str(name).startswith("stream:"):
        unused = options | {"normal": normal, "left_out": left_out, "contamination": contamination or None}
        unused |= {"missing": None if missing["name"] == "none" else missing}
        return _streamed(name, unused, scaling=scaling, validation=validation, test=test, seed=split_seed)
    raw = hide(_raw(name, options), missing, split_seed)
    shares = {"validation": validation, "test": test, "seed": split_seed}
    (train, held_out, tested), label_names = _divided(raw, normal, left_out, contamination, shares)
    return dataset_of(name, raw, (train, held_out, tested), scaling, label_names)


def _divided(
    raw: Raw,
    normal: outliers.Labels | None,
    left_out: outliers.Labels | None,
    contamination: float,
    shares: Mapping[str, Any],
) -> tuple[tuple[Split, Split, Split], tuple[str, ...]]:
    """Training, validation and test rows and the names of their labels: the data's own, or normal and anomaly."""
    if normal is not None:
        dropped = () if left_out is None else left_out
        parts = outliers.split(raw, normal=normal, left_out=dropped, contamination=contamination, **shares)
        return parts, outliers.NAMES
    if left_out is not None or contamination:
        unused = "left_out" if left_out is not None else "contamination"
        raise UserError(f"data.{unused}: needs data.normal, the labels that are normal")
    return split(raw, **shares), raw.label_names


def _streamed(name: str, unused: Mapping[str, Any], **shares: Any) -> Dataset:
    from aejax.data import stream

    unset = {"contamination": "contamination=0", "missing": "missing.name=none"}
    for option, value in unused.items():
        if value is not None:
            allowed = unset.get(option, f"{option}=None")
            raise UserError(f"data.{option}: data that are streamed do not take it; allowed: data.{allowed}")
    return stream.load(name, Path(name.removeprefix("stream:")).expanduser(), **shares)


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
    way = _way(name)
    if way in FAMILIES:
        if data_dir is not None and way != "images":
            raise UserError(f"{name}: is kept in the cache, not in a folder of records; leave --data-dir away")
        return FAMILIES[way].prepare(name, source_dir, data_dir)
    if way == "tfds" and source_dir is None:
        from aejax.data import records

        spec = name.removeprefix("tfds:")
        records.load_prepared(spec, data_dir)
        return Path(records.find(spec, data_dir).data_path)
    if way == "tfds":
        raise UserError(f"{name}: is prepared by tensorflow-datasets, not from a folder; leave --from away")
    published = ", ".join(n for n, e in ENTRIES.items() if e.way in FAMILIES)
    raise UserError(f"{name}: nothing to prepare, it can be loaded as it is; prepared can be {published}")


def _way(name: str) -> str:
    """How a data set is had: a key of `_TAKES`."""
    prefix, colon, rest = str(name).partition(":")
    if colon and prefix in ("file", "tfds") and rest:
        return prefix
    if name in ENTRIES:
        return ENTRIES[name].way
    if Path(str(name)).suffix.lower() in ENDINGS:
        raise UserError(f"data.name: {name!r} looks like a file; write 'file:{name}'")
    raise one_of(name, [*ENTRIES, *FORMS], what="data.name")


def _raw(name: str, options: dict[str, Any]) -> Raw:
    if str(name).startswith("binary:"):
        from aejax.data.bundled import binarised

        base = name.removeprefix("binary:")
        return binarised(_raw(base, options), base)
    way = _way(name)
    for option, value in options.items():
        if value is not None and option not in _TAKES[way]:
            owners = [w for w, taken in _TAKES.items() if option in taken]
            only = f"only {' and '.join(owners)} data do"
            raise UserError(f"data.{option}: {name!r} does not take it; {only}; allowed: data.{option}=None")
    rest = name.partition(":")[2]
    if way == "file":
        return load_file(rest, options["label_column"], options["categories"] or ())
    if way == "synthetic":
        return synthetic.load_synthetic(name, options["rows"], options["noise"])
    if way == "bundled":
        from aejax.data import bundled

        return getattr(bundled, name)()
    if way == "tfds":
        from aejax.data import records

        return records.load_prepared(rest, options["data_dir"])
    return FAMILIES[way].load(name, options)
