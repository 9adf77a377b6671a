"""`aejax show`: the net of a config or of a run: its layers with shapes, its parameters, the terms of its loss."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax show`."""
    what = "a config, by name or path, or the folder of a finished run or of a saved net"
    parser.add_argument("source", metavar="CONFIG[:VARIANT]|FOLDER", help=what)
    about = "change a field of the config; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help=about)


def run(arguments: argparse.Namespace) -> None:
    """Print the net; that of a config is made for the shape of its data."""
    from aejax import config as configs
    from aejax import console
    from aejax.models.architecture import summary
    from aejax.runs import apply
    from aejax.training.build import build_model, load_data
    from aejax.training.numerics import fixed

    folder = Path(arguments.source)
    if (folder / "config.json").is_file() or (folder / "model").is_dir():
        trained = apply.load(folder)
        config, model, params = trained.config, trained.model, trained.params
    else:
        config = configs.load(arguments.source, arguments.set)
        dataset = load_data(config["data"])
        model, params = build_model(config["model"], dataset.feature_shape, dataset.columns), None
    with fixed():
        described = summary(model, params, terms=config.get("terms"))
    console.say(described)
