"""Published data sets: families of entries of the cache, made from the internet or from files at hand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data import cache
from aejax.data.splits import Raw

Options = Mapping[str, Any]
"""Those of `aejax.data.load`."""


class Family(NamedTuple):
    """Data sets that are read alike.

    Attributes:
        key: ``(name, options) -> key`` of the entry in the cache.
        make: ``(name, source, options, target) -> details``: writes the arrays into the folder `target`, from the file
            or folder `source`, or from the internet where that is None.
        raw: ``(name, arrays, details, options) -> Raw``.
        takes: the options that these data sets have.
        folder: ``(name, options) -> folder`` of what is kept beside the entry; None where the entry is all.
    """

    key: Callable[[str, Options], str]
    make: Callable[[str, Path | None, Options, Path], Mapping[str, Any]]
    raw: Callable[[str, cache.Arrays, Mapping[str, Any], Options], Raw]
    takes: tuple[str, ...] = ()
    folder: Callable[[str, Options], Path] | None = None


def load(family: Family, name: str, options: Options) -> Raw:
    """The rows of a data set: from the cache, else from the internet.

    Raises:
        UserError: it is not prepared and there is no internet.
    """
    entry = cache.build(family.key(name, options), lambda target: family.make(name, None, options, target))
    return family.raw(name, *entry, options)


def prepare(family: Family, name: str, source: str | None, options: Options) -> Path:
    """The folder of a data set, which is made of the files in `source`, or from the internet where it is not there.

    Raises:
        UserError: the files are missing, damaged or something else, or there is no internet; what was prepared stays.
    """
    path, key = source and Path(source).expanduser(), family.key(name, options)
    folder = cache.root() / key if family.folder is None else family.folder(name, options)
    anew = source is not None or not folder.exists()
    cache.build(key, lambda target: family.make(name, path, options, target), anew=anew)
    return folder


def save(target: Path, **arrays: np.ndarray) -> None:
    """Write arrays into the folder of an entry."""
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array)
