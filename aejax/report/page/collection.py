"""The page of a collection: a chapter for each slide of the lecture, or, of any other, for each config."""

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax.config import load
from aejax.config.files import experiments_folder
from aejax.report import folders
from aejax.report.folders import Reproduction
from aejax.report.page import code, experiment, sweeps, verdicts
from aejax.report.page.experiment import Other
from aejax.report.page.render import Page
from aejax.report.words import Words, shared

PLAIN_FIGURES = 3  # of an experiment that nobody chose figures for
AS_RECORDED = (verdicts.SAME, verdicts.HELD, verdicts.RECORDED)
GOOD = (*AS_RECORDED, verdicts.UNRECORDED)
OPENING = ("slide", "idea", "formulas")
MOST_OF_ONE, MOST_OF_ALL = 1_000_000, 5_000_000  # bytes of things to touch, so that figures have room on the page


def page(reproduction: Reproduction, words: Words, widest: int) -> Page:
    """The page of a reproduction.

    Args:
        reproduction: its folder, read.
        words: of the language.
        widest: of pictures, in pixels.
    """
    ours, text, report = is_lecture(reproduction.collection), words.text["page"], reproduction.report
    recorded = folders.recorded(reproduction.collection)
    names = verdicts.experiments(report, *([recorded.report] if recorded else []))
    plans = _lecture(names, words) if ours else _plain(names, reproduction.collection)
    chapters = [_chapter(plan, reproduction, recorded, words, widest) for plan in plans]
    entries = [entry for chapter in chapters for entry in chapter["entries"]]
    _drop_fragments(entries)
    judged = {entry["name"]: entry["verdict"] for entry in entries}
    same_kind = len({verdict.kind for verdict in judged.values()}) == 1
    for entry in entries:
        entry["marked"] = not (same_kind and entry["verdict"].kind in GOOD)
    name, kind = reproduction.collection.resolve().name, "lecture" if ours else "collection"
    return Page(
        title=text[f"{kind}_title"].format(name=name),
        lead=text[f"{kind}_lead"],
        parts=chapters,
        environment=environment(report["environment"], words, report["machine"]),
        counts=verdicts.counts(list(judged.values())),
        verdicts=judged,
        sources=shared("lecture")["sources"] if ours else {},
    )


def _drop_fragments(entries: Sequence[Mapping[str, Any]]) -> None:
    """Leave things to touch at their first place only, and as long as they are not too large in all."""
    touched, total = set(), 0
    for entry in entries:
        piece = entry["shown"] and entry["shown"]["fragment"]
        if not piece:
            continue
        size = len(str(piece.data))
        if size > MOST_OF_ONE or total + size > MOST_OF_ALL or entry["name"] in touched:
            entry["shown"]["fragment"] = None
        else:
            touched.add(entry["name"])
            total += size


def is_lecture(collection: Path) -> bool:
    """Whether a collection is the shipped one that the catalogues have chapters for."""
    return collection.resolve() == (experiments_folder() / "lecture").resolve()


def _lecture(names: Sequence[str], words: Words) -> list[dict[str, Any]]:
    """The chapters of the catalogue; a variant that is listed in none is in the first one of its config."""
    chapters = shared("lecture")["chapters"]
    listed = {name for chapter in chapters for name in chapter["experiments"]}
    plans = []
    for chapter in chapters:
        configs = {_config(name) for name in chapter["experiments"]}
        more = [name for name in names if name not in listed and _config(name) in configs]
        listed.update(more)
        plan = {"names": [*chapter["experiments"], *more], "figures": chapter.get("figures")}
        plan["unfolded"] = chapter.get("unfolded", ())
        plans.append(_opening(chapter, words) | plan)
    return plans


def _opening(chapter: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """What a chapter of the lecture begins with: its slide, its idea and its formulas."""
    text, legends = words.text["chapters"][chapter["id"]], words.text["legends"]
    formulas = [(shared("formulas")[name], legends[name]) for name in chapter["formulas"]]
    return {"published": "", **text, "id": chapter["id"], "idea": [text["idea"]], "formulas": formulas}


def opening(config: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """What the chapter of a run by itself begins with: the last one whose experiment has its data, net, terms and task.

    Nothing of runs that are none of the lecture's.
    """
    chapters = [chapter for chapter in shared("lecture")["chapters"] for name in chapter["experiments"]
                if _kind(load(f"lecture/{name}")) == _kind(config)]  # fmt: skip
    return {name: value for name, value in _opening(chapters[-1], words).items() if name in OPENING} if chapters else {}


def _kind(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells the experiments of the lecture apart."""
    names = [config[part]["name"] for part in ("data", "model", "task", "corruption")]
    return *names, bool(config["model"].get("tied")), *sorted(term["name"] for term in config["terms"].values())


def _config(name: str) -> str:
    return name.partition(":")[0]


def _plain(experiments: Sequence[str], collection: Path) -> list[dict[str, Any]]:
    """A chapter for each config, from its docstring: the first line is the title, the rest the idea."""
    names: dict[str, list[str]] = {}
    for name in experiments:
        names.setdefault(_config(name), []).append(name)
    nothing = {"slide": "", "formulas": [], "figures": None, "unfolded": (), "published": "", "finding": ""}
    plans = []
    for config, variants in names.items():
        first, paragraphs = docstring(collection / f"{config}.py")
        plans.append({"id": config, "title": first or config, "idea": paragraphs, "names": variants, **nothing})
    return plans


def docstring(path: Path) -> tuple[str, list[str]]:
    """The first line of a config's docstring and the paragraphs after it; nothing where it has none."""
    try:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError, ValueError):  # a config that cannot be read has failed, which its chapter says
        return "", []
    first, _, rest = text.partition("\n")
    return first, [textwrap.dedent(part) for part in rest.strip("\n").split("\n\n") if part.strip()]


def _chapter(
    plan: Mapping[str, Any], reproduction: Reproduction, recorded: Reproduction | None, words: Words, widest: int
) -> dict[str, Any]:
    """What is shown of a plan: its experiments and their sweeps; the finding where the first came out as recorded."""
    report = reproduction.report
    entries = [_entry(name, plan, reproduction, recorded, words, widest) for name in plan["names"]]
    names = {name.replace(":", "-"): f"{verdicts.SWEEP}{name}" for name in plan["names"]}
    return {
        **plan,
        "kind": "chapter",
        "finding": plan["finding"] if entries[0]["verdict"].kind in AS_RECORDED else "",
        "entries": [entries[0], *(entry for entry in entries[1:] if entry["verdict"].kind != verdicts.ABSENT)],
        "lost": [
            (name, verdicts.verdict(name, report, words, ran=False))
            for name in names.values()
            if name in report["failed"] or name in report["not_run"]
        ],
        "sweeps": [
            sweeps.section(sweep, sweep.folder.name, words, widest)
            for sweep in folders.whole(_sweeps(names, reproduction, recorded), folders.read_sweep)
        ],
    }


def _sweeps(names: Iterable[str], reproduction: Reproduction, recorded: Reproduction | None) -> list[Path]:
    """The folders of the sweeps of some experiments: those of now, or else the recorded ones."""
    parts = [part.folder / "sweeps" for part in (reproduction, recorded) if part]
    finished = [[part / name for part in parts if (part / name / "summary.json").exists()] for name in names]
    return [paths[0] for paths in finished if paths]


def _entry(
    name: str,
    plan: Mapping[str, Any],
    reproduction: Reproduction,
    recorded: Reproduction | None,
    words: Words,
    widest: int,
) -> dict[str, Any]:
    """An experiment of a chapter: its verdict, what is shown of its runs, if there are any, and its command."""
    data, stem, shown = shared("lecture"), name.replace(":", "-"), None
    runs = folders.seeds(reproduction.folder / stem, trust=reproduction.trust)
    verdict = verdicts.verdict(name, reproduction.report, words, ran=bool(runs))
    if recorded and verdict.kind in (verdicts.ABSENT, verdicts.NOT_RUN):
        runs = folders.seeds(recorded.folder / stem)
        verdict = verdicts.recorded(verdict, recorded.report["environment"], words) if runs else verdict
    if runs:
        task = runs[0].task
        pictures = (plan["figures"] if name == plan["names"][0] else None) or data["figures_of"].get(name)
        pictures = pictures or data["figures"].get(task) or experiment.names_of_figures(runs[0], words)[:PLAIN_FIGURES]
        measures = data["measures"].get(task) or list(runs[0].measures)
        published = _published(name, words) if is_lecture(reproduction.collection) else {}
        shown = experiment.show(runs, measures, pictures, words, widest, published)
    return {
        "id": f"{plan['id']}--{stem}",
        "name": name,
        "unfolded": name in plan["unfolded"],
        "command": command(name, reproduction.collection),
        "config_code": code.of_config(reproduction.collection / f"{_config(name)}.py", name.partition(":")[2]),
        "verdict": verdict,
        "shown": shown,
    }


def _published(name: str, words: Words) -> dict[str, list[Other]]:
    """What others published of an experiment, by measure."""
    published: dict[str, list[Other]] = {}
    for each in shared("lecture")["published"]:
        if each["experiment"] == name:
            other = Other(words.method(each["method"]), words.number(each["value"]), each["source"])
            published.setdefault(each["metric"], []).append(other)
    return published


def command(name: str, collection: Path) -> str:
    """What makes an experiment again."""
    config, colon, variant = name.partition(":")
    shipped = collection.resolve().parent == experiments_folder().resolve()
    config = f"{collection.name}/{config}" if shipped else str(collection / f"{config}.py")
    return f"aejax run {config}{colon}{variant} --seed 0"


def environment(values: Mapping[str, Any], words: Words, machine: str = "") -> list[tuple[str, str]]:
    """The machine and the versions, as pairs of a name and a value."""
    facts = {
        "machine": machine,
        "processor": values.get("processor"),
        "devices": ", ".join(map(str, values.get("devices", ()))),
        "platform": values.get("platform"),
        "python": values.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in values.get("packages", {}).items() if version),
        "commit": values.get("git_commit"),
    }
    return [(words.text["environment"][name], str(value)) for name, value in facts.items() if value]
