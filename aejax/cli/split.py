"""`aejax split`: the encoder of a run as a file for anyone, and its decoder as one sealed with a passphrase."""

import argparse
from pathlib import Path

from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax split`."""
    parser.add_argument("workdir", type=Path, metavar="WORKDIR", help="folder of a finished run")
    parser.add_argument("--encoder", type=Path, metavar="FILE", help="else encoder.aejax in the folder")
    parser.add_argument("--decoder", type=Path, metavar="FILE", help="else decoder.sealed in the folder")
    add_option(parser)
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="else AEJAX_PASSPHRASE, or asked")


def run(arguments: argparse.Namespace) -> None:
    """Write both files."""
    from aejax import console
    from aejax.cli import passphrase
    from aejax.runs import apply

    encoder = arguments.encoder or arguments.workdir / "encoder.aejax"
    decoder = arguments.decoder or arguments.workdir / "decoder.sealed"
    apply.check_files(encoder, decoder)
    trained = apply.load(arguments.workdir, trust=arguments.trust)  # before a person types anything
    apply.split(trained, encoder, decoder, passphrase.new(arguments.passphrase_file))
    console.say(f"{encoder}: encodes; anyone may have it")
    console.say(f"{decoder}: decodes; opens with the passphrase only")
