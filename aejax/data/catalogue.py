"""The data sets that have a name: how many rows, which shape, which licence, how to get them."""

from pathlib import Path
from typing import NamedTuple

from aejax.data import cache, records
from aejax.data.files import ENDINGS
from aejax.data.image_files import is_image
from aejax.data.published import faces, mnist, newsgroups, uci
from aejax.data.table_files import ending
from aejax.data.tables import OF_PHOTOGRAPHS, OPTIONS
from aejax.errors import UserError, one_of

FAMILIES = {
    "tfds": records.PREPARED,
    "images": mnist.MNIST,
    "table": uci.UCI,
    "faces": faces.FACES,
    "text": newsgroups.NEWSGROUPS,
}
"""Those that are kept in the cache, by how they are had."""

TAKES = {
    "file": (
        "label_column",
        "labels",
        "categories",
        "log",
        "text",
        "weighting",
        *sorted({*OPTIONS} - {*OF_PHOTOGRAPHS}),
    ),
    "images:": ("label_column", "labels", *OF_PHOTOGRAPHS),
    "texts:": ("labels", "weighting"),
    **{way: family.takes for way, family in FAMILIES.items()},
    "bundled": (),
    "synthetic": ("rows", "noise"),
}
"""The options of `aejax.data.load` that only some data have, by how these are had."""


class Entry(NamedTuple):
    """A data set that `aejax.data.load` knows by name.

    Attributes:
        rows: how many, in all splits together.
        shape: of one row.
        licence: of the data.
        way: how it is had, a key of `TAKES`.
        title: what it is, in a few words.
    """

    rows: int
    shape: tuple[int, ...]
    licence: str
    way: str
    title: str


class Row(NamedTuple):
    """A line of ``aejax data list``; `rows` and `shape` are None where they depend on the person's data."""

    name: str
    rows: int | None
    shape: tuple[int, ...] | None
    licence: str
    status: str
    title: str


ENTRIES = {
    "digits": Entry(1797, (8, 8, 1), "CC BY 4.0", "bundled", "handwritten digits"),
    "fashion": Entry(5000, (28, 28, 1), "MIT", "bundled", "pictures of clothes, a part of Fashion-MNIST"),
    "satimage": Entry(6435, (36,), "CC BY 4.0", "bundled", "Landsat pixels and the ground under them"),
    "natural_patches": Entry(10_000, (8, 8, 1), "CC BY 2.0", "bundled", "whitened patches of two photographs"),
    "photographs": Entry(
        6500, (32, 32, 1), "public domain, CC BY 2.0", "bundled", "grey patches of eight photographs, two to test on"
    ),
    **{
        name: Entry(sum(mnist.ROWS.values()), (28, 28, 1), p.licence, "images", p.title)
        for name, p in mnist.PUBLISHED.items()
    },
    "newsgroups": Entry(
        18_846, (newsgroups.WORDS,), newsgroups.LICENCE, "text", "posts to 20 newsgroups, as counts of words"
    ),
    **{name: Entry(t.rows, (len(t.features),), uci.LICENCE, "table", t.title) for name, t in uci.TABLES.items()},
    "faces": Entry(faces.SHAPE[0], (*faces.SHAPE[1:], 1), "research use", "faces", "the Olivetti faces of 40 people"),
    "swiss_roll": Entry(2000, (3,), "none needed", "synthetic", "a sheet rolled up in 3-D"),
    "s_curve": Entry(2000, (3,), "none needed", "synthetic", "a sheet bent into an S in 3-D"),
    "bars": Entry(2000, (8, 8, 1), "none needed", "synthetic", "images of bars, Földiák 1990"),
    "clusters": Entry(2000, (8,), "none needed", "synthetic", "four Gaussian clusters in 8-D"),
    "lorenz": Entry(1000, (25,), "none needed", "synthetic", "a chaotic series in 25-D, of which a tenth is shuffled"),
}

FORMS = {
    "tfds:NAME": "any image or vector data prepared by tensorflow-datasets as array_record",
    "binary:NAME": "images of that name, each pixel drawn once as 0 or 1",
    "stream:FOLDER": "more rows than fit in memory, of a folder that aejax data pack wrote",
    "images:DIR": "your own photographs, of a folder or a table of their paths",
    "texts:DIR": "your own documents, the .txt files of a folder",
    "file:PATH": "your own .csv, .npy, .npz, .parquet, .xlsx, ...",
}


def way(name: str) -> str:
    """How a data set is had: a key of `TAKES`.

    Raises:
        UserError: there is none of that name.
    """
    prefix, _, rest = name.partition(":")
    if prefix in ("file", "tfds") and rest:
        return prefix
    if prefix in ("images", "texts") and rest:
        return f"{prefix}:"
    if name in ENTRIES:
        return ENTRIES[name].way
    if ending(Path(name)) in ENDINGS:
        raise UserError(f"data.name: {name!r} looks like a file; write 'file:{name}'")
    if is_image(Path(name)) or Path(name).is_dir():
        raise UserError(f"data.name: {name!r} looks like images; write 'images:{name}'")
    raise one_of(name, [*ENTRIES, *FORMS], what="data.name")


def table() -> list[Row]:
    """What ``aejax data list`` prints.

    Returns:
        One row for each name, with status ``"bundled"``, ``"cached"``, ``"needs download"`` or ``"synthetic"``, and
        one for each form of name that reads a person's own data, with status ``"yours"``.
    """
    rows = [Row(name, e.rows, e.shape, e.licence, _status(name, e), e.title) for name, e in ENTRIES.items()]
    return rows + [Row(form, None, None, "its own", "yours", title) for form, title in FORMS.items()]


def _status(name: str, entry: Entry) -> str:
    if entry.way not in FAMILIES:
        return entry.way
    key = FAMILIES[entry.way].key(name, {"data_dir": None})
    return "cached" if cache.exists(key) else "needs download"
