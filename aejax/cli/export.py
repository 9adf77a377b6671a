"""`aejax export`: a trained net for use without aejax."""

import argparse
from pathlib import Path

from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax export`."""
    parser.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a finished run, or of a saved net")
    about = "numpy: needs NumPy alone; onnx; stablehlo: for JAX on a CPU, CUDA or TPU; huggingface: for the Hub; html"
    parser.add_argument("--format", default="numpy", metavar="FORMAT", help=about)
    parser.add_argument("--output", type=Path, required=True, metavar="PATH", help="a new folder; a new file of html")
    add_option(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, trace, write."""
    from aejax import console, export
    from aejax.runs import apply, exported

    export.check(arguments.output, arguments.format)
    trained = apply.load(arguments.workdir, trust=arguments.trust)
    about = exported.about(arguments.workdir)
    actions = exported.write(trained, arguments.output, arguments.format, about)
    console.say(f"{arguments.output}: {', '.join(actions)}, as {arguments.format}")
