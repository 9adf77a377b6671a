"""From the files of a published table to arrays in the cache, the same from whatever form of it."""

import hashlib
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np

from aejax.data import cache
from aejax.data.published import downloads
from aejax.data.published.tables import LICENCE, TABLES, Table
from aejax.data.published.tabular import Cells, read_table, split_lines, to_arrays
from aejax.data.splits import Raw, permutation
from aejax.errors import UserError
from aejax.storage import records
from aejax.types import Split

OPENML = "https://www.openml.org/api/v1/json/data/{}"
DESCRIPTION = {"data_set_description": {"url": str, "md5_checksum": str}}
"""The form of what lies there."""

VERSION = 1  # of the arrays in the cache

Arrays = tuple[np.ndarray, np.ndarray]


def table_key(name: str) -> str:
    """The name of the cache entry."""
    return f"table-{name}-{VERSION}"


def load_table(name: str) -> Raw:
    """The rows of a published table: from the cache, else from the internet.

    Args:
        name: a key of `TABLES`.

    Returns:
        The rows, float32. Official parts are pooled, since most forms of the tables do not tell them apart.

    Raises:
        UserError: it is not prepared and there is no internet.
    """
    found = cache.read(table_key(name))
    if found is None:
        prepare_table(name, None)
        found = cache.read(table_key(name))
    if found is None:
        raise UserError(f"{name}: the cache in {cache.root()} changes while it is read; try again")
    arrays, table = found[0], TABLES[name]
    return Raw(
        train=Split(arrays["x"], labels=arrays["labels"]),
        test=None,
        kind="table",
        licence=LICENCE,
        source=table.citation,
        label_names=tuple(c.name for c in table.classes),
        feature_names=table.features,
    )


def prepare_table(name: str, source: str | None) -> Path:
    """Writes a published table into the cache.

    Args:
        name: a key of `TABLES`.
        source: a file or a folder with one of its published forms; it is downloaded where None and where nothing is
            prepared.

    Returns:
        The folder of the cache that holds it.

    Raises:
        UserError: the files are missing or hold something else, or there is no internet; what was prepared stays.
    """
    key = table_key(name)
    if source is not None or cache.read(key) is None:
        path = None if source is None else Path(source).expanduser()
        found = _download(name) if path is None else read_table(path, name, TABLES[name])
        x, labels = _in_order(*_checked(*found, name, path))
        cache.drop(key)
        cache.build(key, lambda target: _write(target, x, labels))
    return cache.root() / key


def _write(target: Path, x: np.ndarray, labels: np.ndarray) -> Mapping[str, Any]:
    np.save(target / "x.npy", x)
    np.save(target / "labels.npy", labels)
    return {}


def _checked(x: np.ndarray, labels: np.ndarray, name: str, path: Path | None) -> Arrays:
    table, where = TABLES[name], path or "what was downloaded"
    if len(x) != table.rows:
        raise UserError(f"{where}: has {len(x)} rows; {name} has {table.rows}")
    for number, known in enumerate(table.classes):
        count = int(np.sum(labels == number))
        if count != known.rows:
            raise UserError(f"{where}: has {count} rows of class {known.name!r}; {name} has {known.rows}")
    return x, labels


def _in_order(x: np.ndarray, labels: np.ndarray) -> Arrays:
    """Sorted and then shuffled once and for all, so that splits do not depend on the order of the source."""
    order = np.lexsort((labels, *x.T[::-1]))[permutation(0, len(x))]
    return x[order], labels[order]


def _download(name: str) -> Arrays:
    table = TABLES[name]
    place = "openml.org" if table.url is None else table.url
    cache.say(f"downloading {name} ({table.title}) from {place}")
    try:
        cells = _from_openml(table) if table.url is None else _from_url(table.url)
    except UserError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        forms = ", or ".join(" and ".join(form) for form in table.files)
        raise UserError(
            f"{name}: not prepared, and {place} does not answer ({getattr(error, 'reason', error)}); with the files at"
            f" hand ({forms}, or {name}.csv): aejax data prepare {name} --from PATH"
        ) from error
    return to_arrays(cells, place, table)


def _from_openml(table: Table) -> Cells:
    where = OPENML.format(table.openml)
    told = records.check(records.parse(downloads.fetch(where), where), DESCRIPTION, where)["data_set_description"]
    url = told["url"].replace("http://", "https://", 1)
    content = downloads.fetch(url)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != told["md5_checksum"]:
        raise UserError(f"{url}: was cut short or changed; try again")
    return split_lines(content.decode("utf-8-sig").splitlines(), url)


def _from_url(url: str) -> Cells:
    return split_lines(downloads.fetch(url).decode("utf-8-sig").splitlines(), url)
