"""`aejax report`: what its options mean, and what stands on its page."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aejax.errors import UserError
from aejax.report.words import LANGUAGES, Words, catalogue
from aejax.storage.trust import add_option

if TYPE_CHECKING:
    from aejax.report.folders import Reproduction, Run, Runs, Sweep
    from aejax.report.page.render import Page

FILE = "report.html"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax report`."""
    add = parser.add_argument
    what = "folder of a run, a sweep or a reproduction, or one with runs and sweeps; several are put side by side"
    add("workdirs", nargs="+", type=Path, metavar="WORKDIR", help=what)
    add_languages(parser)
    add_option(parser)
    add("--output", type=Path, metavar="FILE", help=f"else {FILE} in the folder, or here where there are several")


def add_language(parser: argparse.ArgumentParser) -> None:
    """`--lang`."""
    parser.add_argument("--lang", default="en", metavar="LANG", help=f"of the page: {' or '.join(LANGUAGES)}")


def add_languages(parser: argparse.ArgumentParser) -> None:
    """`--lang` of one or more pages."""
    several = f"of the page: {' or '.join(LANGUAGES)}; {','.join(LANGUAGES)} makes one in each, linked"
    parser.add_argument("--lang", default="en", metavar="LANG", help=several)


def languages(names: str) -> list[Words]:
    """What pages say in the languages of `--lang`.

    Raises:
        UserError: there is no catalogue of one.
    """
    return [catalogue(name) for name in dict.fromkeys(names.split(","))]


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    several = languages(arguments.lang)
    from aejax import console

    for path in write(arguments.workdirs, arguments.output, several, trust=arguments.trust):
        console.say(str(path))
    return 0


def write(paths: Sequence[Path], output: Path | None, languages: Sequence[Words], *, trust: bool = False) -> list[Path]:
    """Write the page of some folders.

    Args:
        paths: of runs and sweeps, or of one reproduction.
        output: the file; else ``report.html`` in the folder, or here where there are several.
        languages: what pages say: the first one's is `output`, the others have their language in their name.
        trust: whether runs may name functions from outside aejax, where no run of this user left them there.
    """
    from aejax.report import folders
    from aejax.report.page import render
    from aejax.training.numerics import fixed

    read = partial(folders.read, trust=trust)
    sources = [read(paths[0])] if len(paths) == 1 else folders.whole(paths, read)
    if len(paths) > 1:
        parts = [source.contents if isinstance(source, folders.Runs) else [source] for source in sources]
        sources = [each for part in parts for each in part]
    if not sources:
        raise UserError("report: none of the folders can be shown; allowed: those of finished runs and sweeps")
    output = output or (paths[0] / FILE if len(paths) == 1 else Path(FILE))
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; allowed: a file, such as {output / FILE}")
    names = [output.name, *(f"{output.stem}.{words.language}{output.suffix}" for words in languages[1:])]
    pages = dict(zip(names, languages, strict=True))
    with fixed():
        return [
            render.write(output.with_name(name), partial(_page, sources, output, words), words, pages)
            for name, words in pages.items()
        ]


def _page(sources: "Sequence[Run | Sweep | Reproduction | Runs]", output: Path, words: Words, widest: int) -> "Page":
    from aejax.report.folders import Reproduction, Run, Runs, Sweep
    from aejax.report.page import collection, comparison, experiment, index, sweeps
    from aejax.report.page.render import Page

    text, one = words.text["page"], len(sources) == 1
    if isinstance(sources[0], Runs):
        return index.page(sources[0], output, FILE, words)
    if one and isinstance(sources[0], Reproduction):
        return collection.page(sources[0], words, widest)
    for source in sources:
        if isinstance(source, Reproduction):
            why = "is a reproduction, which has a page of its own; allowed: runs and sweeps"
            raise UserError(f"{source.folder}: {why}")
    names = comparison.labels([source.folder for source in sources])
    runs = {name: source for name, source in zip(names, sources, strict=True) if isinstance(source, Run)}
    parts = [comparison.section(list(runs.values()), list(runs), words, widest)] if len(runs) > 1 else []
    for name, source in zip(names, sources, strict=True):
        section = experiment.section if isinstance(source, Run) else sweeps.section
        opening = collection.opening(source.config, words) if isinstance(source, Run) else {}
        parts.append(opening | section(source, name, words, widest))
    lead = "several_lead" if not one else "sweep_lead" if isinstance(sources[0], Sweep) else "single_lead"
    return Page(
        title=parts[0]["title"] if one else text["several_title"].format(count=len(sources)),
        lead=text[lead],
        parts=parts,
        environment=collection.environment(sources[0].environment, words),
    )
