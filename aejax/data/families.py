"""Families of published data sets: how each is loaded, prepared from its original files, and named in the cache."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aejax.data.published import faces, newsgroups, prepare, prepare_tables
from aejax.data.splits import Raw


class Family(NamedTuple):
    """What is done with the data sets of a family.

    Attributes:
        load: ``(name, options) -> Raw``.
        prepare: ``(name, source, data_dir) -> folder``; `source` None downloads.
        key: ``name -> entry of the cache``.
    """

    load: Callable[[str, Mapping[str, Any]], Raw]
    prepare: Callable[[str, str | None, str | None], Path]
    key: Callable[[str], str]


FAMILIES = {
    "images": Family(
        lambda name, options: prepare.load_published(name, options["data_dir"]),
        prepare.prepare_published,
        lambda name: prepare.key_of(name, None),
    ),
    "table": Family(
        lambda name, options: prepare_tables.load_table(name),
        lambda name, source, data_dir: prepare_tables.prepare_table(name, source),
        prepare_tables.table_key,
    ),
    "faces": Family(
        lambda name, options: faces.load_faces(),
        lambda name, source, data_dir: faces.prepare_faces(source),
        lambda name: faces.KEY,
    ),
    "text": Family(
        lambda name, options: newsgroups.load_newsgroups(options["weighting"] or "log"),
        lambda name, source, data_dir: newsgroups.prepare_newsgroups(source),
        lambda name: newsgroups.KEY,
    ),
}
