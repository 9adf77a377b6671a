"""`aejax apply`: rows in, what a trained run makes of them out."""

import argparse
from pathlib import Path

from aejax.errors import UserError
from aejax.storage.trust import add_option

SAMPLE = "sample"  # the one action without rows that come in


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax apply`."""
    add = parser.add_argument
    add("workdir", type=Path, metavar="WORKDIR", help="folder of a run, or a file of `aejax split`")
    what = (
        "encode, decode or reconstruct; or what the task of the run does with new rows: fill what is missing, by a "
        "model that takes that, or the intervals of it, by a run of lecture/imputation; score how odd each row is, "
        "whether it is an alarm, and why, by one of lecture/anomaly; classify (aeknn); assign (clustering); hash, or "
        "neighbours, the nearest training rows (hashing); group (grouping); denoise (denoising); sample (generation)"
    )
    add("action", metavar="ACTION", help=what)
    add(
        "--input",
        type=Path,
        metavar="FILE",
        help=".csv, .npy, .npz, .parquet, .xlsx, ..., or a folder of photographs or of .txt files",
    )
    add(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help=".csv, .parquet, .npy or .npz; or a folder, of photographs",
    )
    add("--rows", type=int, metavar="N", help="of sample: how many new rows")
    given = "of sample: what every row has there, or LOW..HIGH, between which its number lies"
    add("--given", action="append", default=[], metavar="COLUMN=VALUE", help=given)
    add("--unique", action="append", default=[], metavar="COLUMN", help="of sample: no two rows are alike there")
    add("--seed", type=int, metavar="N", help="of sample; else 0")
    add(
        "--strict", action="store_true", help="refuse a file with a row that cannot be answered; else it gets no output"
    )
    add("--passphrase-file", type=Path, metavar="FILE", help="its first line opens a sealed decoder")
    add_option(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, apply, write."""
    import jax

    from aejax import console
    from aejax.cli import passphrase
    from aejax.data.images import FILE
    from aejax.runs import apply, artifact, pictures, results, rows

    action, source, output = arguments.action, arguments.input, arguments.output
    _check(arguments)
    trained = apply.load(arguments.workdir, lambda: passphrase.known(arguments.passphrase_file), trust=arguments.trust)
    into_folder = not output.suffix and artifact.reading_of(trained.info).size is not None  # of photographs
    check = pictures.check_folder if into_folder else rows.check_output
    if action == SAMPLE:
        check(output)
        given = dict(each.split("=", 1) for each in arguments.given)
        values, columns = results.sampled(
            trained, jax.random.key(arguments.seed or 0), arguments.rows, given, arguments.unique
        )
        if into_folder:
            pictures.write(output, values.reshape(-1, *trained.model.feature_shape))
        else:
            rows.write(output, values, columns)
        console.say(f"{output}: {len(values)} new rows")
        return
    apply.task_action(trained, action)  # refused before anything is read
    check(output, source)
    said = results.answer(trained, action, source, strict=arguments.strict)
    for line in said.remarks:
        console.say(line)
    if into_folder:
        if said.pictures is None:
            raise UserError(f"--output {output}: {action} gives no images for a folder; allowed: .csv, .npy")
        written = pictures.write(output, said.pictures(slice(None)), said.keys.get(FILE, ()))
        console.say(f"{output}: {written} images")
        return
    rows.write(output, said.values, said.columns, said.keys)
    console.say(f"{output}: {said.summary}")


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    from aejax.config.components import check
    from aejax.config.fields import SEED

    is_sample = arguments.action == SAMPLE
    if (arguments.input is None) != is_sample:
        raise UserError(
            "sample: takes no --input" if is_sample else f"{arguments.action}: needs --input, a file of rows"
        )
    if (arguments.rows is None) == is_sample:
        raise UserError(
            "sample: needs --rows, how many" if is_sample else f"--rows: is of sample, not {arguments.action}"
        )
    if not is_sample and (arguments.given or arguments.unique or arguments.seed is not None):
        raise UserError(f"--given, --unique and --seed: are of sample, not {arguments.action}")
    check(arguments.seed, SEED | None, what="--seed")
    for each in arguments.given:
        if "=" not in each:
            raise UserError(f"--given {each}: allowed: COLUMN=VALUE")
