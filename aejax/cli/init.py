"""`aejax init`: a first config for a file of one's own."""

import argparse
from pathlib import Path

TASKS = ("anomaly", "imputation", "aeknn", "clustering", "hashing", "generation", "reduction")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax init`."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help=".csv, .parquet, .xlsx, .npy, .npz, ...")
    add("--task", default="reduction", metavar="TASK", help=f"{', '.join(TASKS)}; else reduction")
    add("--label-column", metavar="NAME", help="column (in .npz: array) of the labels")
    add("--output", type=Path, metavar="CONFIG.py", help="the config; else FILE_TASK.py in this folder")


def run(arguments: argparse.Namespace) -> None:
    """Look at the file, write the config."""
    from aejax import console
    from aejax.errors import UserError
    from aejax.files import write_atomic
    from aejax.runs.first_config import first_config

    output = arguments.output or Path(f"{arguments.file.name.partition('.')[0]}_{arguments.task}.py")
    if output.suffix != ".py":
        raise UserError(f"--output {output}: is no Python file; allowed: a name that ends in .py")
    if output.exists():
        raise UserError(f"--output {output}: is there already; allowed: a new file")
    try:
        text = first_config(arguments.file, arguments.task, arguments.label_column)
    except UserError as error:
        raise UserError(str(error).replace("data.label_column", "--label-column")) from None
    write_atomic(output, text)
    console.say(text)
    console.say(f"{output}: run it with: aejax run {output}")
