"""`aejax apply`: rows in, what a trained run makes of them out."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax apply`."""
    parser.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a run, or a file of `aejax split`")
    parser.add_argument("action", choices=("encode", "decode", "reconstruct", "fill"))
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help=".csv, .npy, .npz or .parquet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .npy")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line opens a sealed decoder")


def run(arguments: argparse.Namespace) -> None:
    """Read, apply, write."""
    from aejax import apply, console, passphrase, rows

    trained = apply.load(arguments.workdir, lambda: passphrase.known(arguments.passphrase_file))
    codes, columns = arguments.action == "decode", apply.columns(trained)
    told = () if codes else (apply.label_column(trained), columns, trained.info["feature_names"])
    given, names = rows.read(arguments.input, *told)
    rows.check_output(arguments.output, arguments.input)
    out = apply.apply(trained, arguments.action, given, names)
    if arguments.action == "fill" and rows.is_table(arguments.input) and arguments.output.suffix.lower() == ".csv":
        rows.write_table(arguments.output, *rows.filled_table(arguments.input, out, columns or rows.numbered(names)))
    else:
        encoded = arguments.action == "encode"
        rows.write(arguments.output, out, rows.code_names(out.shape[1]) if encoded else trained.info["feature_names"])
    console.say(f"{arguments.output}: {len(out)} rows of {'x'.join(map(str, out.shape[1:]))} values")
