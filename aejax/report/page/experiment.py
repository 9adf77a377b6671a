"""What a page shows of an experiment: its net, figures, numbers beside the baselines, things to touch, and its time."""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.config.components import resolve
from aejax.errors import UserError
from aejax.figures import run as pictures
from aejax.report import explorer
from aejax.report.page import diagram, folders, images, words
from aejax.report.page.folders import Run
from aejax.report.page.network import network
from aejax.report.page.words import Words
from aejax.runs import workdir

COUNT, SOME = re.compile(r"_\d+$"), "_#"


class Figure(NamedTuple):
    """A picture with its alternative text and what to see in it."""

    picture: images.Picture
    alt: str
    caption: str


class Drawing(NamedTuple):
    """A net: its SVG, its sizes and number of parameters in words, and what is special about it."""

    svg: str
    caption: str
    traits: tuple[str, ...]


class Beside(NamedTuple):
    """A number of another method: its name, the value, and where it was published."""

    name: str
    value: str
    source: str = ""


class Row(NamedTuple):
    """A measure: what it is, whether more or less is better, this net's value, and others'."""

    measure: str
    better: str
    value: str
    baselines: tuple[Beside, ...]
    published: tuple[Beside, ...]


class Shown(NamedTuple):
    """All that a page shows of the runs of an experiment, one for each seed."""

    drawing: Drawing | None
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]
    fragments: tuple[Any, ...]
    facts: tuple[tuple[str, str], ...]


def task_of(run: Run) -> str:
    """The name of a task's module, such as ``"reduction"``."""
    return run.config["task"]["name"].partition(".")[0]


def show(
    runs: Sequence[Run],
    measures: Sequence[str],
    names: Sequence[str],
    text: Words,
    language: str,
    *,
    widest: int,
    published: Mapping[str, Sequence[Beside]],
) -> Shown:
    """What is to be shown.

    Args:
        runs: of the seeds, in order; one or more.
        measures: which numbers, such as ``"test/mse"``.
        names: which figures, by name; those that there are not are left out.
        text: the catalogue.
        language: of it.
        widest: of pictures, in pixels.
        published: values by measure.
    """
    first = runs[0]
    return Shown(
        drawing=draw(first, text),
        figures=tuple(figure for _, figure in figures(first, names, text, widest)),
        rows=tuple(row(name, runs, text, published.get(name, ())) for name in measures if has(first, name)),
        fragments=tuple(explorer.fragments(first.folder, language, trust=first.trust)),
        facts=facts(runs, text),
    )


def draw(run: Run, text: Words) -> Drawing | None:
    """The net of a run as SVG; None where it cannot be built here."""
    found = network(run)
    if found is None:
        return None
    own = text["network"]
    caption = own["caption"].format(path=diagram.path(found, text), parameters=words.number(found.parameters, text))
    traits = tuple(own["traits"][name].format(centres=found.centres) for name in found.traits)
    return Drawing(diagram.svg(found, text), caption, traits)


def figures(run: Run, names: Sequence[str], text: Words, widest: int) -> list[tuple[str, Figure]]:
    """Those of the figures of a run that there are, by name: drawn in the language, or else as in its folder."""
    there, task = folders.figures(run.folder), task_of(run)
    names = [name for name in names if name in there]
    drawn = pictures.drawn(run.folder / workdir.FIGURES, _figures_of_task(run), text["figures"], names)
    return [(name, figure(name, there[name], drawn.get(name), task, text, widest)) for name in names]


def _figures_of_task(run: Run) -> Any:
    """The figures that only the task of a run has; None where it has none, or is not at hand."""
    try:
        return resolve(run.config["task"]["name"], "aejax.tasks", what="task.name").figures
    except UserError:
        return None


def figure(name: str, path: Path, drawn: Any, task: str, text: Words, widest: int) -> Figure:
    """A figure with its caption: that of the task, or that of every run; one without a caption says its name.

    Args:
        name: of the figure.
        path: of its PNG file.
        drawn: the figure in the language of the page; None shows the file.
        task: the name of the task.
        text: the catalogue.
        widest: of the picture, in pixels.
    """
    captions = text["captions"]
    plain = {"alt": text["labels"]["picture"].format(name=name), "see": name.replace("_", " ")}
    caption = captions.get(f"{task}-{name}") or captions.get(name) or plain
    picture = images.of_file(path, widest) if drawn is None else images.of_figure(drawn, widest)
    return Figure(picture, caption["alt"], caption["see"])


def has(run: Run, measure: str) -> bool:
    """Whether a run has that number."""
    part, _, name = measure.rpartition("/")
    return name in run.summary["metrics"].get(part, {})


def row(measure: str, runs: Sequence[Run], text: Words, published: Sequence[Beside] = ()) -> Row:
    """A measure over the seeds that have it, beside that of the baselines that do."""
    part, _, name = measure.rpartition("/")
    value = words.spread([run.summary["metrics"][part][name] for run in runs if has(run, measure)], text)
    # baselines are of test rows, where there are any
    again = part in ("train", "validation") and name in runs[0].summary["metrics"].get("test", {})
    beside = [] if again else _beside(name, runs, text)
    better = words.shared("lecture")["better"].get(name, "")
    return Row(words.measure(measure, text), better, value, tuple(beside), tuple(published))


def _beside(name: str, runs: Sequence[Run], text: Words) -> list[Beside]:
    """The baselines that have a number for every seed, those whose size depends on the seed (``pca_15``) together."""
    every = [run.summary["baselines"] for run in runs]
    stem = lambda other: other if all(other in own for own in every) else COUNT.sub(SOME, other)
    found: dict[str, list[tuple[str, Any]]] = {}
    for own in every:
        for other, numbers in own.items():
            if name in numbers:
                found.setdefault(stem(other), []).append((other, numbers[name]))
    beside = []
    for other, pairs in found.items():
        if len(pairs) == len(runs):
            value = words.spread([value for _, value in pairs], text).removesuffix(" ± 0")  # most are equal in all
            names = sorted({words.method(own, text) for own, _ in pairs})
            shown = names[0] if len(names) == 1 else f"{words.method(other.removesuffix(SOME), text)} ({_sizes(pairs)})"
            beside.append(Beside(shown, value))
    return beside


def _sizes(pairs: Sequence[tuple[str, Any]]) -> str:
    sizes = [int(other.rpartition("_")[2]) for other, _ in pairs]
    return f"{min(sizes)}–{max(sizes)}"


def every_measure(run: Run) -> list[str]:
    """All numbers of a run, those of test rows first."""
    parts = sorted(
        run.summary["metrics"], key=lambda part: ("test", "all").index(part) if part in ("test", "all") else 2
    )
    return [f"{part}/{name}" for part in parts for name in run.summary["metrics"][part]]


def facts(runs: Sequence[Run], text: Words) -> tuple[tuple[str, str], ...]:
    """Data, task, seeds and time, as pairs of a name and a value."""
    own, first = text["facts"], runs[0]
    rows = first.data.get("rows", {})
    parts = [(rows.get(part, 0), phrase) for part, phrase in own["split"].items()]
    split = ", ".join(phrase.format(count=words.number(count, text)) for count, phrase in parts if count)
    seeds = ", ".join(str(run.summary["seed"]) for run in runs)
    train = statistics.fmean(float(run.summary["timing"]["train_seconds"]) for run in runs)
    steps = words.number(first.summary["timing"].get("steps", first.config["train"]["steps"]), text)
    compiled = statistics.fmean(float(run.summary["timing"].get("compile_seconds", 0.0)) for run in runs)
    time = own["time_value"].format(
        train=words.seconds(train, text), compile=words.seconds(compiled, text), steps=steps
    )
    data = f"{first.config['data']['name']} ({split})" if rows else first.config["data"]["name"]
    return ((own["data"], data), (own["seeds"], seeds), (own["time"], time))
