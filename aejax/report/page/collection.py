"""The page of a collection: a chapter for each slide of the lecture, or, of any other, for each config."""

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.config import files as config_files
from aejax.report.page import experiment, folders, render, sweeps, verdicts, words
from aejax.report.page.experiment import Beside, Shown
from aejax.report.page.folders import Reproduction
from aejax.report.page.render import Page
from aejax.report.page.verdicts import Verdict
from aejax.report.page.words import Words

LECTURE = "lecture"
PLAIN_FIGURES = 3  # of an experiment that nobody chose figures for
MOST_OF_ONE, MOST_OF_ALL = 1_000_000, 5_000_000  # bytes of things to touch, so that figures have room on the page


class Formula(NamedTuple):
    """MathML and what its letters mean."""

    math: str
    legend: str


class Entry(NamedTuple):
    """An experiment of a chapter: its name, commands, verdict, and what is shown of it; None where nothing ran."""

    id: str
    name: str
    command: str
    verdict: Verdict
    shown: Shown | None


class Chapter(NamedTuple):
    """A slide, or a config: what is told and shown. `absent` was not asked for; the sweeps in `lost` failed.

    `finding` is what the recorded numbers of the first experiment say; "" unless these came out again.
    """

    kind: str
    id: str
    slide: str
    title: str
    idea: tuple[str, ...]
    formulas: tuple[Formula, ...]
    entries: tuple[Entry, ...]
    absent: tuple[Entry, ...]
    lost: tuple[tuple[str, Verdict], ...]
    sweeps: tuple[Any, ...]
    published: str
    finding: str


class _Plan(NamedTuple):
    """What a chapter is made of before its runs are read."""

    id: str
    slide: str
    title: str
    idea: tuple[str, ...]
    formulas: tuple[Formula, ...]
    names: tuple[str, ...]
    figures: tuple[str, ...]
    published: str = ""
    finding: str = ""


def page(found: Reproduction, collection: Path, language: str, widest: int) -> Page:
    """The page of a reproduction.

    Args:
        found: its folder, read.
        collection: the folder of the configs.
        language: ``"en"`` or ``"es"``.
        widest: of pictures, in pixels.
    """
    text = words.catalogue(language)
    ours = is_lecture(collection)
    plans = _lecture(text, found) if ours else _plain(collection, found)
    chapters = _affordable([_chapter(plan, found, collection, language, widest) for plan in plans])
    judged = {entry.name: entry.verdict for chapter in chapters for entry in chapter.entries}
    own = text["page"]
    name = collection.resolve().name
    scripts = [f.script for c in chapters for e in c.entries if e.shown for f in e.shown.fragments]
    scripts += [f.script for c in chapters for s in c.sweeps for f in s.fragments]
    return Page(
        title=own["lecture_title"] if ours else own["collection_title"].format(name=name),
        lead=own["lecture_lead"] if ours else own["collection_lead"],
        counts={
            text["verdicts"][kind]: (kind, count) for kind, count in verdicts.counts(list(judged.values())).items()
        },
        parts=chapters,
        sources=tuple(words.shared("lecture")["sources"].items()) if ours else (),
        environment=environment(found.report["environment"], text, machine=found.report["machine"]),
        scripts=render.once(scripts),
    )


def _affordable(chapters: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """The chapters, with things to touch at their first place only, and as long as they are not too large in all."""
    touched, total, kept = set(), 0, []
    for chapter in chapters:
        entries = []
        for entry in chapter.entries:
            pieces = entry.shown.fragments if entry.shown else ()
            size = sum(len(piece.html) for piece in pieces)
            fits = size <= MOST_OF_ONE and total + size <= MOST_OF_ALL and entry.name not in touched
            if pieces and fits:
                touched.add(entry.name)
                total += size
            elif pieces:
                entry = entry._replace(shown=entry.shown._replace(fragments=()))
            entries.append(entry)
        kept.append(chapter._replace(entries=tuple(entries)))
    return tuple(kept)


def is_lecture(collection: Path) -> bool:
    """Whether a collection is the shipped one that the catalogues have chapters for."""
    return collection.resolve() == (config_files.experiments_folder() / LECTURE).resolve()


def _lecture(text: Words, found: Reproduction) -> list[_Plan]:
    """The chapters of the catalogue; a variant that is listed in none is in the first one of its config."""
    plans, told = [], {name for given in words.shared("lecture")["chapters"] for name in given["experiments"]}
    for given in words.shared("lecture")["chapters"]:
        own = text["chapters"][given["id"]]
        formulas = [Formula(words.shared("formulas")[name], text["legends"][name]) for name in given["formulas"]]
        more = [name for name in verdicts.experiments(found.report) if name not in told and _of(name, given)]
        told.update(more)
        names = (*given["experiments"], *more)
        told_of = (own["slide"], own["title"], (own["idea"],), tuple(formulas), names, tuple(given.get("figures", ())))
        plans.append(_Plan(given["id"], *told_of, own.get("published", ""), own["finding"]))
    return plans


def _of(name: str, chapter: Mapping[str, Any]) -> bool:
    stem = lambda experiment: experiment.partition(":")[0]
    return stem(name) in map(stem, chapter["experiments"])


def _plain(collection: Path, found: Reproduction) -> list[_Plan]:
    """A chapter for each config, from its docstring: the first line is the title, the rest the idea."""
    names: dict[str, list[str]] = {}
    for name in verdicts.experiments(found.report):
        names.setdefault(name.partition(":")[0], []).append(name)
    plans = []
    for stem, own in names.items():
        first, paragraphs = docstring(collection / f"{stem}.py")
        plans.append(_Plan(stem, "", first or stem, paragraphs, (), tuple(own), ()))
    return plans


def docstring(path: Path) -> tuple[str, tuple[str, ...]]:
    """The first line of a config's docstring and the paragraphs after it; nothing where it has none."""
    try:
        found = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError, ValueError):  # a config that cannot be read has failed, which its chapter says
        return "", ()
    first, _, rest = found.partition("\n")
    return first, tuple(textwrap.dedent(part) for part in rest.strip("\n").split("\n\n") if part.strip())


def _chapter(plan: _Plan, found: Reproduction, collection: Path, language: str, widest: int) -> Chapter:
    entries = [_entry(name, plan, found, collection, language, widest) for name in plan.names]
    absent = [entry for entry in entries[1:] if entry.verdict.kind == verdicts.ABSENT]
    places = {name: found.folder / "sweeps" / name.replace(":", "-") for name in plan.names}
    shown = [
        sweeps.section(folders.read_sweep(place), name.replace(":", "-"), language, widest)
        for name, place in places.items()
        if (place / "summary.json").exists()
    ]
    finding = plan.finding if entries[0].verdict.kind in verdicts.AS_RECORDED else ""
    return Chapter(
        *("chapter", plan.id, plan.slide, plan.title, plan.idea, plan.formulas),
        *(tuple(entries), tuple(absent), _lost(plan, found, language), tuple(shown), plan.published, finding),
    )


def _lost(plan: _Plan, found: Reproduction, language: str) -> tuple[tuple[str, Verdict], ...]:
    """The sweeps that failed or have no data."""
    text, trouble = words.catalogue(language), {*found.report["failed"], *found.report["not_run"]}
    names = [f"{verdicts.SWEEP}{name}" for name in plan.names]
    return tuple((name, verdicts.verdict(name, found.report, text, ran=False)) for name in names if name in trouble)


def _entry(name: str, plan: _Plan, found: Reproduction, collection: Path, language: str, widest: int) -> Entry:
    text, data = words.catalogue(language), words.shared("lecture")
    runs = folders.seeds(found.folder / name.replace(":", "-"), trust=found.trust)
    verdict = verdicts.verdict(name, found.report, text, ran=bool(runs))
    shown = None
    if runs:
        task = experiment.task_of(runs[0])
        own = plan.figures if name == plan.names[0] else ()
        pictures = own or data["figures_of"].get(name) or data["figures"].get(task) or _some(runs[0].folder)
        measures = data["measures"].get(task) or experiment.every_measure(runs[0])
        shown = experiment.show(
            runs, measures, pictures, text, language, widest=widest, published=_published(name, collection, text)
        )
    return Entry(f"{plan.id}--{name.replace(':', '-')}", name, command(name, collection), verdict, shown)


def _some(folder: Path) -> list[str]:
    names = [name for name in folders.figures(folder) if name != "loss"]
    return names[:PLAIN_FIGURES] or ["loss"]


def _published(name: str, collection: Path, text: Words) -> dict[str, list[Beside]]:
    if not is_lecture(collection):
        return {}
    found: dict[str, list[Beside]] = {}
    for each in words.shared("lecture")["published"]:
        if each["experiment"] == name:
            value = words.number(each["value"], text)
            found.setdefault(each["metric"], []).append(
                Beside(words.method(each["method"], text), value, each["source"])
            )
    return found


def command(name: str, collection: Path) -> str:
    """What makes an experiment again."""
    stem, colon, variant = name.partition(":")
    ours = collection.resolve().parent == config_files.experiments_folder().resolve()
    config = f"{collection.name}/{stem}" if ours else str(collection / f"{stem}.py")
    return f"aejax run {config}{colon}{variant} --seed 0"


def environment(given: Mapping[str, Any], text: Words, *, machine: str = "") -> tuple[tuple[str, str], ...]:
    """The machine and the versions, as pairs of a name and a value."""
    own = text["environment"]
    packages: Iterable[str] = (f"{name} {version}" for name, version in given.get("packages", {}).items() if version)
    pairs: Sequence[tuple[str, str]] = (
        (own["machine"], machine),
        (own["processor"], str(given.get("processor") or "")),
        (own["devices"], ", ".join(map(str, given.get("devices", ())))),
        (own["platform"], str(given.get("platform") or "")),
        (own["python"], str(given.get("python") or "")),
        (own["packages"], ", ".join(packages)),
        (own["commit"], str(given.get("git_commit") or "")),
    )
    return tuple(pair for pair in pairs if pair[1])
