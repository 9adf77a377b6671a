"""`aejax apply`: rows in, what a trained run makes of them out."""

import argparse
from pathlib import Path
from typing import Any

from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax apply`."""
    parser.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a run, or a file of `aejax split`")
    parser.add_argument(
        "action",
        metavar="ACTION",
        help="encode, decode or reconstruct, or what the task of the run does with new rows: fill what is missing, by "
        "a model that takes that; score how odd each row is and whether it is an alarm, by a run of lecture/anomaly",
    )
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help=".csv, .npy, .npz or .parquet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .npy")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line opens a sealed decoder")
    add_option(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, apply, write."""
    import numpy as np

    from aejax import console
    from aejax.cli import passphrase
    from aejax.data.files import TABLES
    from aejax.runs import apply, rows
    from aejax.types import Columns

    trained = apply.load(arguments.workdir, lambda: passphrase.known(arguments.passphrase_file), trust=arguments.trust)
    apply.task_action(trained, arguments.action)  # refused before anything is read
    given, names = _given(arguments, trained)
    out = apply.apply(trained, arguments.action, given, names, arguments.input)
    if isinstance(out, Columns):
        rows.write(arguments.output, np.stack(list(out.values.values()), axis=1), tuple(out.values))
        console.say(f"{arguments.output}: {out.summary or f'{len(given)} rows of ' + ', '.join(out.values)}")
        return
    if (
        arguments.action == "fill"
        and arguments.input.suffix.lower() in TABLES
        and arguments.output.suffix.lower() == ".csv"
    ):
        columns = apply.columns(trained) or rows.numbered(names)
        heads, lines = rows.filled_table(arguments.input, out, columns)
        rows.write_table(arguments.output, heads, lines)
        size = f"{len(heads)} columns"
    else:
        encoded = arguments.action == "encode"
        rows.write(arguments.output, out, rows.code_names(out.shape[1]) if encoded else trained.info["feature_names"])
        size = f"{'x'.join(map(str, out.shape[1:]))} values"
    console.say(f"{arguments.output}: {len(out)} rows of {size}")


def _given(arguments: argparse.Namespace, trained: Any) -> tuple[Any, tuple[str, ...]]:
    """The input's rows and the names of its columns; the output is checked as well."""
    from aejax.runs import apply, rows

    known = (apply.label_column(trained), apply.columns(trained), trained.info["feature_names"])
    rows.check_output(arguments.output, arguments.input)
    return rows.read(arguments.input, *(() if arguments.action == "decode" else known))
