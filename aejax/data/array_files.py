"""Array files: the rows or images in a .npy or .npz file, and what a published set keeps beside them."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.labels import Labels, as_labels
from aejax.data.splits import rows_or_images
from aejax.data.unpacking import check_archive
from aejax.errors import UserError, one_of

_FEATURE_ARRAYS = ("x", "X", "images", "data")
_LABEL_ARRAYS = ("y", "labels", "Y", "label")  # taken from an .npz file where no label column is named
_PARTS = {"train": ("train", "val", "valid", "validation"), "test": ("test",)}
_WORDS = tuple(word for words in _PARTS.values() for word in words)
MAGIC = b"\x93NUMPY"
_DEPTHS = (8, 10, 12, 14, 16)  # bits of a pixel


class Arrays(NamedTuple):
    """What an array file holds: rows, perhaps labels, a mask and official test rows, and the names of other arrays."""

    x: np.ndarray
    labels: Labels | None = None
    mask: np.ndarray | None = None
    train_rows: int | None = None
    not_read: tuple[str, ...] = ()


def read_arrays(
    path: Path, label_array: str | None, left_out: str | None = None, channels: str | None = None
) -> Arrays:
    """Rows or images, and what an .npz file has beside them.

    Args:
        path: of the file.
        label_array: of the labels in an .npz file.
        left_out: the array of labels, where it may be there and is not read.
        channels: of images, as in `rows_or_images`.
    """
    try:
        content = load_arrays(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if isinstance(content, dict):
        content.pop(left_out, None)
        arrays = _from_npz(content, label_array, path)
    else:
        arrays = Arrays(content)
    x, mask = as_rows_or_images(arrays.x, path, channels), arrays.mask
    if mask is None:
        return arrays._replace(x=x)
    if mask.size != x.size:
        raise UserError(f"{path}: 'mask' has the shape {mask.shape}; allowed: that of the rows, {arrays.x.shape}")
    return arrays._replace(x=x, mask=as_rows_or_images(mask.reshape(arrays.x.shape), path, channels))


def load_arrays(path: Path, mapped: bool = False) -> np.ndarray | dict[str, np.ndarray]:
    """The array in a .npy file, left on the disk where `mapped`, or those in an .npz file by name.

    Raises:
        UserError: it is damaged, or holds Python objects.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as source:
            if source.read(len(MAGIC)) == MAGIC:  # a mapped array is no larger than its file, whatever its header says
                content = np.load(path, mmap_mode="r", allow_pickle=False)
                return content if mapped else np.array(content)
            if zipfile.is_zipfile(path):
                check_archive(path)
            source.seek(0)
            content = np.load(source, allow_pickle=False)
            return {name: content[name] for name in content.files}
    except (OSError, UserError):
        raise
    except Exception as error:  # damaged headers and archives raise whatever their parsers do
        objects = "Object arrays" in str(error) or "Python objects" in str(error)
        reason = "it holds Python objects" if objects else "it is damaged or something else"
        reason = "it asks for more memory than there is" if isinstance(error, MemoryError) else reason
        raise UserError(f"{path}: not a NumPy file of numbers: {reason}") from error


def as_rows_or_images(x: np.ndarray | dict[str, np.ndarray], path: Path, channels: str | None) -> np.ndarray:
    """An array of numbers, (rows, features) or images with their channels last."""
    if isinstance(x, dict):
        raise UserError(f"{path}: holds several arrays; numbers are needed")
    return rows_or_images(x, str(path), channels=channels)


def _from_npz(arrays: dict[str, np.ndarray], label_column: str | None, path: Path) -> Arrays:
    """The rows, ``x`` or the only array with two or more axes, or the parts of a published set, and what is beside."""
    mask = arrays.pop("mask", None) if label_column != "mask" else None
    if mask is not None and (mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all()):
        raise UserError(f"{path}: 'mask' holds values of type {mask.dtype}; allowed: true where a value was observed")
    if parts := _published(arrays, label_column, path):
        return parts if mask is None else parts._replace(mask=mask.astype(bool))
    if label_column is not None and label_column not in arrays:
        raise one_of(label_column, arrays, what=f"data.label_column, an array of {path}")
    label = label_column or next((n for n in _LABEL_ARRAYS if n in arrays), None)
    wide = [n for n, a in arrays.items() if a.ndim >= 2 and n != label]
    name = "x" if "x" in arrays and label != "x" else wide[0] if len(wide) == 1 else None
    if name is None:
        raise UserError(f"{path}: needs an array 'x' of features; it has {', '.join(arrays) or 'no array'}")
    mask = None if mask is None else mask.astype(bool)
    not_read = tuple(other for other in arrays if other not in (name, label))
    if label is None:
        return Arrays(arrays[name], mask=mask, not_read=not_read)
    labels = _labels(arrays[label], label, len(np.atleast_1d(arrays[name])), name, path)
    return Arrays(arrays[name], labels, mask, not_read=not_read)


def label_array(arrays: dict[str, np.ndarray], name: str | None, path: Path) -> np.ndarray:
    """The labels in an .npz file of labels: an array of a name, ``y``, the only one, or those of all parts."""
    if name is not None and name not in arrays:
        raise one_of(name, arrays, what=f"data.label_column, an array of {path}")
    parts = [n for part in _WORDS for k in _LABEL_ARRAYS for n in (f"{k}_{part}", f"{part}_{k}") if n in arrays]
    names = [n for n in (name, *_LABEL_ARRAYS) if n in arrays][:1] or parts or list(arrays)
    if len(names) > 1 and not parts:
        raise UserError(f"{path}: holds {', '.join(names)}; allowed: one array of labels, or data.label_column")
    return np.concatenate([arrays[each].reshape(len(np.atleast_1d(arrays[each])), -1) for each in names])


def _labels(values: np.ndarray, label: str, rows: int, name: str, path: Path) -> Labels:
    """Labels, (rows,) or (rows, 1)."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    labels = as_labels(values, f"{path}: array {label!r}")
    if len(labels.values) != rows:
        raise UserError(f"{path}: {len(labels.values)} labels in {label!r}, but {rows} rows in {name!r}")
    return labels


def _published(arrays: Mapping[str, np.ndarray], label: str | None, path: Path) -> Arrays | None:
    """The rows of a file with arrays such as x_train, y_train, x_test, y_test; None of another one.

    A label that is asked for is that of all parts, by its name there or without that of a part: y_train, or y.
    """
    named = lambda kinds, part: [n for k in kinds for n in (f"{k}_{part}", f"{part}_{k}") if n in arrays]
    parts = {part: [named(_FEATURE_ARRAYS, word) for word in words] for part, words in _PARTS.items()}
    if not parts["train"][0]:
        return None
    chosen = {part: [names[0] for names in parts[part] if names] for part in parts}
    names = [*chosen["train"], *chosen["test"]]
    for name in names[1:]:
        if arrays[name].shape[1:] != arrays[names[0]].shape[1:] or arrays[name].dtype != arrays[names[0]].dtype:
            raise UserError(f"{path}: {names[0]!r} and {name!r} hold rows of different shapes or types")
    x = np.concatenate([arrays[name] for name in names])
    words = "|".join(_WORDS)
    kinds = _LABEL_ARRAYS if label is None else (re.sub(rf"\A(?:{words})_|_(?:{words})\Z", "", label),)
    labelled = [named(kinds, word)[:1] for word in _WORDS if named(_FEATURE_ARRAYS, word)]
    if label is not None and not all(labelled):
        raise one_of(
            label, [n for n in arrays if n not in names], what=f"data.label_column, labels of each part of {path}"
        )
    cut = sum(len(arrays[name]) for name in chosen["train"]) if chosen["test"] else None
    masks = [named(("mask",), word)[:1] for word in _WORDS if named(_FEATURE_ARRAYS, word)]
    mask = np.concatenate([arrays[each].astype(bool) for (each,) in masks]) if all(masks) else None
    used = [*names, *(each for part in (labelled if all(labelled) else []) for each in part)]
    used += [each for part in (masks if all(masks) else []) for each in part]
    known = {"mask": mask, "train_rows": cut, "not_read": tuple(each for each in arrays if each not in used)}
    if not all(labelled):
        return Arrays(x, **known)
    flat = [arrays[label].reshape(len(arrays[label]), -1) for (label,) in labelled]
    if any(each.shape[1] != 1 for each in flat):
        raise UserError(f"{path}: {labelled[0][0]!r} has the shape {arrays[labelled[0][0]].shape}; allowed: (rows,)")
    y = np.concatenate(flat)
    return Arrays(x, _labels(y, labelled[0][0], len(x), names[0], path), **known)


def pixel_bounds(x: np.ndarray) -> tuple[float, float] | None:
    """The least and greatest value that pixels can have, by a look at those that are there; None where unclear.

    Whole numbers of any type are 0 and 1, where no other is there, or have the least of 8, 10, 12, 14 and 16 bits that
    holds them; bytes of at most 31 end where their greatest does. Fractions up to 255, far above 1, are bytes too.

    Args:
        x: (rows, height, width, channels).
    """
    low, high = (float(np.nanmin(x)), float(np.nanmax(x))) if x.size and not np.isnan(x).all() else (0.0, 0.0)
    if low < 0 or not np.isfinite(high):
        return None
    if x.dtype == bool or (x.dtype.kind in "iu" and high <= 1):
        return 0, 1
    if x.dtype == np.uint8 and high < 32:
        return 0, high
    if x.dtype.kind == "f" and (high <= 1 or not (np.isnan(x) | (x == np.round(x))).all()):
        return (0, 255) if 127 < high <= 255 else None
    return next(((0, 2**depth - 1) for depth in _DEPTHS if high < 2**depth), None)


def described_pixels(x: np.ndarray, bounds: tuple[float, float] | None) -> str:
    """One line on the values of images, and what range they are taken to have."""
    least, greatest = (np.nanmin(x), np.nanmax(x)) if x.size else (0, 0)
    taken = "their own range counts" if bounds is None else f"taken as {bounds[0]:g} to {bounds[1]:g}"
    return f"pixels from {least:g} to {greatest:g}, {taken}"
