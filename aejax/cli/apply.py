"""`aejax apply`: rows in, what a trained run makes of them out."""

import argparse
from pathlib import Path

from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax apply`."""
    add = parser.add_argument
    add("workdir", type=Path, metavar="WORKDIR", help="folder of a run, or a file of `aejax split`")
    what = (
        "encode, decode or reconstruct, or what the task of the run does with new rows: fill what is missing, by a "
        "model that takes that, or the intervals of it, by a run of lecture/imputation; score how odd each row is and "
        "whether it is an alarm, by a run of lecture/anomaly; classify by a run of lecture/aeknn; assign to clusters "
        "by one of lecture/clustering; hash, or neighbours, the nearest training rows, by one of lecture/hashing"
    )
    add("action", metavar="ACTION", help=what)
    add("--input", type=Path, required=True, metavar="FILE", help=".csv, .npy, .npz, .parquet, .xlsx, ...")
    add("--output", type=Path, required=True, metavar="FILE", help=".csv or .npy")
    add(
        "--strict", action="store_true", help="refuse a file with a row that cannot be answered; else it gets no output"
    )
    add("--passphrase-file", type=Path, metavar="FILE", help="its first line opens a sealed decoder")
    add_option(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, apply, write."""
    import numpy as np

    from aejax import console
    from aejax.cli import passphrase
    from aejax.data.files import is_table
    from aejax.data.tables import are_numbered
    from aejax.runs import apply, artifact, rows
    from aejax.types import Column, Columns

    action, source, output = arguments.action, arguments.input, arguments.output
    trained = apply.load(arguments.workdir, lambda: passphrase.known(arguments.passphrase_file), trust=arguments.trust)
    apply.task_action(trained, action)  # refused before anything is read
    rows.check_output(output, source)
    reading = artifact.reading_of(trained.info)
    columns, features = artifact.columns_of(trained.info), trained.info["feature_names"]
    known = () if action == "decode" else (trained.info.get("label_column"), columns, features, reading)
    faults = None if arguments.strict else {}
    x, names = rows.read(source, *known, faults=faults)
    if known and features and names and are_numbered(features) != are_numbered(names):
        without = source if are_numbered(names) else "the training data"
        console.say(f"{source}: columns are taken by their place, since {without} has no names of them")
    if arguments.strict:
        out, lines = apply.apply(trained, action, x, names, source), ()
    else:
        out, lines = apply.apply_each(trained, action, x, names, source, faults)
    for line in lines:
        console.say(line)
    if isinstance(out, Columns):
        stacked = np.stack(list(out.values.values()), axis=1)
        single = output.suffix.lower() == ".npy"  # an array of scores is float32, as all that nets put out
        rows.write(output, stacked.astype(np.float32) if single else stacked, tuple(out.values))
        console.say(f"{output}: {out.summary or f'{len(x)} rows of ' + ', '.join(out.values)}")
        return
    if action == "fill" and is_table(source) and output.suffix.lower() == ".csv":
        columns = columns or tuple(Column(name, at) for at, name in enumerate(names))
        heads, lines = rows.filled_table(source, out, columns, reading)
        rows.write_table(output, heads, lines)
        size = f"{len(lines[0])} columns"
    else:
        if x.ndim == out.ndim == 4 and reading.channels == "first":
            out = np.moveaxis(out, 3, 1)
        rows.write(output, out, [f"code{unit}" for unit in range(out.shape[1])] if action == "encode" else features)
        size = f"{'x'.join(map(str, out.shape[1:]))} values"
    console.say(f"{output}: {len(out)} rows of {size}")
