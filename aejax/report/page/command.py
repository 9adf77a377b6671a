"""`aejax report`: what its options mean, and the page that ends a reproduction."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aejax.errors import UserError
from aejax.report.page.words import LANGUAGES, catalogue, check_language
from aejax.storage.trust import add_option

if TYPE_CHECKING:
    from aejax.report.page.folders import Reproduction
    from aejax.report.page.render import Page

FILE = "report.html"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax report`."""
    add = parser.add_argument
    what = "folder of a run, a sweep or a reproduction; several are put side by side"
    add("workdirs", nargs="+", type=Path, metavar="WORKDIR", help=what)
    add_language(parser)
    add_option(parser)
    add("--output", type=Path, metavar="FILE", help=f"else {FILE} in the folder, or here where there are several")


def add_language(parser: argparse.ArgumentParser) -> None:
    """`--lang`."""
    parser.add_argument("--lang", default="en", metavar="LANG", help=f"of the page: {' or '.join(LANGUAGES)}")


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    language = check_language(arguments.lang)
    from aejax import console
    from aejax.report.page import folders, render

    found = [folders.read(folder, trust=arguments.trust) for folder in arguments.workdirs]
    output = arguments.output or (arguments.workdirs[0] / FILE if len(found) == 1 else Path(FILE))
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; allowed: a file, such as {output / FILE}")
    make = lambda widest: _page(found, language, widest)
    console.say(str(render.write(output, make, catalogue(language), language)))
    return 0


def write_reproduction(place: Path, collection: Path, language: str, *, trust: bool = False) -> Path:
    """Write ``report.html`` into the folder of a reproduction.

    Args:
        place: the folder, with its ``reproduce.json``.
        collection: the folder of the configs.
        language: ``"en"`` or ``"es"``.
        trust: whether its runs may name functions from outside aejax, where no run of this user left them there.
    """
    from aejax.report.page import collection as collections
    from aejax.report.page import folders, render

    found = folders.read(place, trust=trust)
    make = lambda widest: collections.page(found, collection, language, widest)
    return render.write(place / FILE, make, catalogue(language), language)


def _page(found: Sequence[Any], language: str, widest: int) -> "Page":
    from aejax.report.page import collection, comparison, folders, render, single, sweeps

    if len(found) == 1 and isinstance(found[0], folders.Reproduction):
        return collection.page(found[0], _collection(found[0]), language, widest)
    text, parts = catalogue(language), []
    names = comparison.labels([each.folder for each in found])
    runs = [place for place, each in enumerate(found) if isinstance(each, folders.Run)]
    if len(runs) > 1:
        own = [names[place] for place in runs]
        parts.append(comparison.section([found[place] for place in runs], own, language, widest))
    for name, each in zip(names, found, strict=True):
        if isinstance(each, folders.Reproduction):
            raise UserError(f"{each.folder}: is a reproduction, which has a page of its own; allowed: runs and sweeps")
        parts.append((single if isinstance(each, folders.Run) else sweeps).section(each, name, language, widest))
    fragments = [f for part in parts for f in getattr(part, "fragments", ())]
    fragments += [f for part in parts if part.kind == "run" for f in part.shown.fragments]
    own, one = text["page"], "sweep_lead" if isinstance(found[0], folders.Sweep) else "single_lead"
    lead = one if len(found) == 1 else "several_lead"
    return render.Page(
        title=parts[0].title if len(found) == 1 else own["several_title"].format(count=len(found)),
        lead=own[lead],
        counts={},
        parts=tuple(parts),
        sources=(),
        environment=collection.environment(found[0].environment, text),
        scripts=render.once(fragment.script for fragment in fragments),
    )


def _collection(found: "Reproduction") -> Path:
    """The folder of the configs that a reproduction ran.

    Raises:
        UserError: the report does not say, or it is no longer there.
    """
    from aejax.config import files as config_files

    name = found.report.get("collection")
    if name is None:
        raise UserError(f"{found.folder}: does not say which collection it reproduces; run aejax reproduce again")
    shipped = config_files.experiments_folder() / name
    folder = shipped if shipped.is_dir() else Path(name)
    if not folder.is_dir():
        raise UserError(f"{found.folder}: reproduces {name}, and there is no such folder any more")
    return folder
