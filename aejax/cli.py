"""The `aejax` command: arguments in, one call out; heavy packages load when a command needs them."""

import argparse
import io
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from aejax import __version__
from aejax.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments; None takes those of the process.

    Returns:
        The exit code: 0, 2 after a mistake of the user, 130 when a run was asked to stop.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(spelled(sys.argv[1:] if argv is None else argv))
    try:
        return arguments.command(arguments) or 0
    except UserError as error:
        return complain(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left: nothing to tell it
        return 141
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}")
    except MemoryError as error:
        return complain(f"out of memory: {error}")
    except KeyboardInterrupt:
        return complain("interrupted", 130)


def complain(line: str, code: int = 2) -> int:
    """Print one line to standard error and return the exit code."""
    print("aejax: " + " ".join(line.split()), file=sys.stderr, flush=True)
    return code


class _Parser(argparse.ArgumentParser):
    """Argparse, with its errors in one line, which names the command that they belong to."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        found, more = super().parse_known_args(args, namespace)
        if more:
            self.error(f"unrecognized arguments: {' '.join(more)}")
        return found, more

    def error(self, message: str) -> None:
        raise SystemExit(complain(f"{message} (see {self.prog} --help)"))


def spelled(argv: Sequence[str]) -> list[str]:
    """``--config.path=value`` and ``--config.path value`` are ``--set path=value``."""
    words, out = iter(argv), []
    for word in words:
        if not word.startswith("--config."):
            out.append(word)
            continue
        path, equals, value = word.removeprefix("--config.").partition("=")
        out += ["--set", f"{path}={value if equals else next(words, '')}"]
    return out


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(prog="aejax", description="Autoencoders on JAX: train, compare, and get the same result again.")
    top.add_argument("--version", action="version", version=f"aejax {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="train an experiment", description="Train an experiment into a folder.")
    run.add_argument(
        "config",
        nargs="?",
        metavar="CONFIG[:VARIANT]",
        help="a name that `aejax list` prints, or the path of a config; may be left out with --workdir",
    )
    run.add_argument(
        "--workdir", type=Path, metavar="DIR", help="folder of the run; that of an unfinished one continues it"
    )
    run.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="change a field; may be repeated")
    run.add_argument("--seed", type=int, metavar="N", help="the same as --set seed=N")
    run.add_argument("--print-config", action="store_true", help="print the resolved config and stop")
    run.add_argument("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")
    several = run.add_argument_group(
        "one run of several processes, on one host or many; SLURM and TPUs need the first only"
    )
    several.add_argument("--distributed", action="store_true", help="this is one process of them; needs --workdir")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="of process 0; else JAX_COORDINATOR_ADDRESS")
    several.add_argument("--processes", type=int, metavar="N", help="how many there are; else JAX_NUM_PROCESSES")
    several.add_argument("--process-id", type=int, metavar="I", help="which this is, from 0; else JAX_PROCESS_ID")
    run.set_defaults(command=command_run)

    from aejax.sweep import command as sweeps

    about = "Train an experiment at many settings and seeds as few compiled programs."
    sweep = commands.add_parser("sweep", help="train many settings at once", description=about)
    sweeps.add_options(sweep)
    sweep.set_defaults(command=sweeps.run)

    from aejax.reproduce import command as reproduction

    about = "Run the experiments of a collection again and compare every number with the recorded one."
    reproduce = commands.add_parser("reproduce", help="check recorded numbers", description=about)
    reproduction.add_options(reproduce)
    reproduce.set_defaults(command=reproduction.run)

    from aejax.report.page import command as pages

    about = "Write one page, without network, of runs, sweeps or a reproduction."
    report = commands.add_parser("report", help="write a page of what was run", description=about)
    pages.add_options(report)
    report.set_defaults(command=pages.run)

    listing = commands.add_parser("list", help="list the shipped experiments")
    listing.set_defaults(command=command_list)

    apply = commands.add_parser("apply", help="use a trained run on new rows")
    apply.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a run, or a file of `aejax split`")
    apply.add_argument("action", choices=("encode", "decode", "reconstruct", "fill"))
    apply.add_argument("--input", type=Path, required=True, metavar="FILE", help=".csv, .npy, .npz or .parquet")
    apply.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .npy")
    apply.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line opens a sealed decoder")
    apply.set_defaults(command=command_apply)

    about = "Write the encoder of a run as a file for anyone, and its decoder as one sealed with a passphrase."
    split = commands.add_parser("split", help="part encoder and decoder, and seal the decoder", description=about)
    split.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a finished run")
    split.add_argument("--encoder", type=Path, metavar="FILE", help="else encoder.aejax in the folder")
    split.add_argument("--decoder", type=Path, metavar="FILE", help="else decoder.sealed in the folder")
    split.add_argument("--passphrase-file", type=Path, metavar="FILE", help="else AEJAX_PASSPHRASE, or asked")
    split.set_defaults(command=command_split)

    data = commands.add_parser("data", help="list or prepare data sets").add_subparsers(metavar="WHAT", required=True)
    names = data.add_parser("list", help="list the data sets")
    names.set_defaults(command=command_data_list)
    prepare = data.add_parser("prepare", help="build a data set from its original files")
    prepare.add_argument("name", metavar="NAME")
    prepare.add_argument(
        "--from", dest="source", metavar="PATH", help="the original files or their folder; else they are downloaded"
    )
    prepare.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps what it prepared")
    prepare.set_defaults(command=command_data_prepare)
    about = "Write rows, which may be more than fit in memory, as a folder that data.name=stream:FOLDER reads."
    pack = data.add_parser("pack", help="write rows as a folder to stream from", description=about)
    pack.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".npy of any size, .npz, .csv or .parquet")
    pack.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    pack.add_argument("--label-column", metavar="NAME", help="column (in .npz: array) of the labels")
    pack.set_defaults(command=command_data_pack)
    return top


def command_run(arguments: argparse.Namespace) -> int:
    """`aejax run`."""
    from aejax import config as configs
    from aejax import distributed

    config = settings(arguments)
    if arguments.print_config:
        print(configs.dumps(config), end="", flush=True)
        return 0
    with distributed.joined(distributed.place(arguments), arguments.workdir):
        return train(arguments, config)


def train(arguments: argparse.Namespace, config: dict[str, Any]) -> int:
    """Train a config, in this process or in this and others."""
    from aejax import compilation, config_files, console, experiment, interruption, workdir

    if not arguments.no_compile_cache:
        compilation.enable_cache()
    folder = arguments.workdir or workdir.fresh(config_files.find(arguments.config)[0].stem)
    try:
        summary = experiment.run(config, folder)
    except interruption.InterruptedRunError as stop:
        return complain(str(stop), 130)
    if not summary:  # in a process that does not write
        return 0
    console.results(summary)
    console.say("")
    for picture in sorted((folder / workdir.FIGURES).glob("*.png")):
        console.say(str(picture))
    console.say(str(folder / "summary.json"))
    return 0


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The config that was named; without one, that of the run in the folder."""
    from aejax import config as configs

    if arguments.config is not None:
        return configs.load(arguments.config, arguments.set, seed=arguments.seed)
    if arguments.workdir is None:
        raise UserError("run: name a config, or give the --workdir of a run to go on with it")
    from aejax import workdir

    begun = configs.resolve(workdir.read_json(arguments.workdir / "config.json"))
    config = deepcopy(begun)
    configs.override(config, arguments.set)  # where it goes on with more or fewer devices
    if arguments.seed is not None:
        configs.put(config, "seed", arguments.seed)
    config = configs.resolve(config)
    if changed := configs.changed(begun, config):
        option = "--seed" if arguments.seed is not None and not arguments.set else "--set"
        raise UserError(
            f"run: {option} changes the run in {arguments.workdir} ({configs.first_of(changed)}), which goes on as it "
            "was begun; allowed: --set devices.…=N, or a config by name and another --workdir"
        )
    return config


def command_list(arguments: argparse.Namespace) -> None:
    """`aejax list`."""
    import ast

    from aejax import config_files, console

    rows = []
    for name, path in config_files.shipped().items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        variants = config_files.variants(path)
        rows.append((name, docstring.partition("\n")[0]))
        rows += [(f"  :{variant}", "") for variant in variants]
    console.listing(rows)


def command_apply(arguments: argparse.Namespace) -> None:
    """`aejax apply`."""
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


def command_split(arguments: argparse.Namespace) -> None:
    """`aejax split`."""
    from aejax import apply, console, passphrase

    encoder = arguments.encoder or arguments.workdir / "encoder.aejax"
    decoder = arguments.decoder or arguments.workdir / "decoder.sealed"
    apply.check_files(encoder, decoder)
    apply.load(arguments.workdir)  # before a person types anything
    apply.split(arguments.workdir, encoder, decoder, passphrase.new(arguments.passphrase_file))
    console.say(f"{encoder}: encodes; anyone may have it")
    console.say(f"{decoder}: decodes; opens with the passphrase only")


def command_data_list(arguments: argparse.Namespace) -> None:
    """`aejax data list`."""
    from aejax import console
    from aejax.data import catalogue

    rows = [tuple("" if cell is None else str(cell) for cell in row) for row in catalogue.table()]
    console.listing(rows, header=tuple(name.replace("_", " ") for name in catalogue.Row._fields))


def command_data_prepare(arguments: argparse.Namespace) -> None:
    """`aejax data prepare`."""
    from aejax import console, data

    console.say(str(data.prepare(arguments.name, arguments.source, arguments.data_dir)))


def command_data_pack(arguments: argparse.Namespace) -> None:
    """`aejax data pack`."""
    from aejax import console
    from aejax.data import packing

    packed = packing.pack(arguments.files, arguments.output, arguments.label_column)
    rows, shape = sum(own["rows"] for own in packed["files"].values()), "x".join(map(str, packed["shape"]))
    console.say(f"{arguments.output}: {rows} rows of {shape} values; --set data.name=stream:{arguments.output}")
