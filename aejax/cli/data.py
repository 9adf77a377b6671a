"""`aejax data`: list, show, prepare and pack data sets."""

import argparse
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError

READING = {
    "label_column": "column (in .npz: array) of the labels",
    "labels": "another file with the labels",
    "text": "the column that holds documents",
    "categories": "columns of categories",
    "separator": "comma, semicolon, tab, bar or blank",
    "decimal": "the decimal mark, . or ,",
    "missing_words": "words for a missing value",
    "dates": "columns of dates",
    "ignore": "columns that are left out",
    "key": "columns that name the rows; none after the option: there is no such column",
    "log": "columns of which the logarithm is taken",
    "channels": "first or last, of images in arrays",
    "size": "of photographs: height and width, or one number for both",
    "fit": "of photographs: crop, pad or stretch",
    "colour": "of photographs: grey or colour",
    "bits": "of photographs of 16 bits for each value: how many of these are used, 8 to 16",
}
"""What can be said on how a file is read."""
OF_PHOTOGRAPHS = ("size", "fit", "colour", "bits")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `aejax data` can do, and the options of each."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)
    commands.add_parser("list", help="list the data sets").set_defaults(command=list_names)
    showing = commands.add_parser("show", help="say how a file or a folder of your own is read")
    what = ".csv, .parquet, .xlsx, .npy, .npz, ..., photographs: a folder of them, or images:FILE.csv; texts:DIR"
    showing.add_argument("file", type=Path, metavar="FILE", help=what)
    for option in READING:
        showing.add_argument(f"--{option.replace('_', '-')}", **_form(option))
    showing.set_defaults(command=show)
    preparation = commands.add_parser("prepare", help="build a data set from its original files")
    preparation.add_argument("name", metavar="NAME")
    where = "the original files or their folder; else they are downloaded"
    preparation.add_argument("--from", dest="source", metavar="PATH", help=where)
    preparation.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps what it prepared")
    preparation.set_defaults(command=prepare)
    about = "Write rows, which may be more than fit in memory, as a folder that data.name=stream:FOLDER reads."
    packing = commands.add_parser("pack", help="write rows as a folder to stream from", description=about)
    packing.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help=".npy of any size, .npz, a table, photographs"
    )
    packing.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    packing.add_argument("--label-column", metavar="NAME", help="column (in .npz: array) of the labels")
    packing.add_argument("--labels", nargs="+", type=Path, default=[], metavar="FILE", help="of labels, one a file")
    packing.add_argument("--channels", choices=("first", "last"), help="where those of images stand")
    for option in OF_PHOTOGRAPHS:
        packing.add_argument(f"--{option}", **_form(option))
    packing.set_defaults(command=pack)


def _form(option: str) -> dict[str, Any]:
    """How an option of `READING` is written."""
    many = option in ("categories", "missing_words", "dates", "ignore", "key", "log", "size")
    kind = {"type": int, "metavar": "N"} if option in ("size", "bits") else {"metavar": "WORD"}
    return kind | {"nargs": "*" if many else None, "help": f"as data.{option}: {READING[option]}"}


def list_names(arguments: argparse.Namespace) -> None:
    """`aejax data list`."""
    from aejax.data import catalogue

    rows = [tuple("" if cell is None else str(cell) for cell in row) for row in catalogue.table()]
    console.listing(rows, header=tuple(name.replace("_", " ") for name in catalogue.Row._fields))


def show(arguments: argparse.Namespace) -> None:
    """`aejax data show`."""
    from aejax.data.catalogue import TAKES
    from aejax.data.images import path_of
    from aejax.data.preview import FACTS, preview
    from aejax.data.tables import reading_of

    options, kind = vars(arguments), "images:" if path_of(arguments.file) else "file"
    kind = "texts:" if str(arguments.file).startswith("texts:") else kind
    for option in READING:
        if options[option] is not None and option not in TAKES[kind]:
            others = ", ".join(each for each in READING if each in TAKES[kind])
            raise UserError(f"data.{option}: {arguments.file} does not take it; allowed: {others}")
    reading = reading_of({name: options[name] for name in READING})
    categories, labels = tuple(arguments.categories or ()), arguments.labels
    others = {"labels": labels, "text": arguments.text, "log": tuple(arguments.log or ())}
    shown = preview(arguments.file, arguments.label_column, categories, reading, **others)
    for line in shown.lines:
        console.say(f"{arguments.file}: {line}")
    if shown.columns:
        console.listing(shown.columns, header=FACTS)
    console.say(f"the first {len(shown.rows)} rows as they are understood:")
    console.listing(shown.rows, header=shown.names)


def prepare(arguments: argparse.Namespace) -> None:
    """`aejax data prepare`."""
    from aejax import data

    console.say(str(data.prepare(arguments.name, arguments.source, arguments.data_dir)))


def pack(arguments: argparse.Namespace) -> None:
    """`aejax data pack`."""
    import numpy as np

    from aejax.data import stream
    from aejax.data.encoding import counted_from
    from aejax.data.tables import reading_of

    options = {"labels": arguments.labels, "channels": arguments.channels}
    options["photographs"] = reading_of({option: vars(arguments)[option] for option in OF_PHOTOGRAPHS})
    packed = stream.pack(arguments.files, arguments.output, arguments.label_column, **options)
    for line in counted_from(np.array(packed.get("origin", ())), packed["feature_names"]):
        console.say(f"{arguments.output}: {line}")
    rows, shape = sum(file["rows"] for file in packed["files"].values()), "x".join(map(str, packed["shape"]))
    console.say(f"{arguments.output}: {rows} rows of {shape} values; --set data.name=stream:{arguments.output}")
