"""Runs side by side: what differs between their configs, their numbers, their nets and the figures that all have."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.report.page import experiment, folders, words
from aejax.report.page.experiment import Drawing, Figure
from aejax.report.page.folders import Run
from aejax.report.page.words import Words


class Line(NamedTuple):
    """A row of a table: its name, a cell for each run, and the position of the best one; -1 for none."""

    name: str
    better: str
    cells: tuple[str, ...]
    best: int


class Together(NamedTuple):
    """A figure that several runs have: a name, and the runs' pictures with their names."""

    name: str
    figures: tuple[tuple[str, Figure], ...]


class Section(NamedTuple):
    """Runs side by side."""

    kind: str
    id: str
    title: str
    lead: str
    names: tuple[str, ...]
    changes: tuple[Line, ...]
    numbers: tuple[Line, ...]
    drawings: tuple[tuple[str, Drawing], ...]
    together: tuple[Together, ...]


def section(runs: Sequence[Run], names: Sequence[str], language: str, widest: int) -> Section:
    """What is to be shown of two or more runs.

    Args:
        runs: read.
        names: of the runs.
        language: ``"en"`` or ``"es"``.
        widest: of pictures, in pixels.
    """
    text, own = words.catalogue(language), words.catalogue(language)["compare"]
    drawn = [(name, experiment.draw(run, text)) for name, run in zip(names, runs, strict=True)]
    return Section(
        kind="compare",
        id="compare",
        title=own["title"],
        lead=own["lead" if _same_data(runs) else "lead_other_data"].format(count=len(runs)),
        names=tuple(names),
        changes=tuple(_changes(runs, text)),
        numbers=tuple(_numbers(runs, text)),
        drawings=tuple(pair for pair in drawn if pair[1] is not None),
        together=tuple(_together(names, runs, text, widest)),
    )


def labels(places: Sequence[Path]) -> list[str]:
    """A short name for each folder: its folder's, with as many of the folders above as tell them apart."""
    parts = [place.resolve().parts for place in places]
    longest = max(map(len, parts))
    for count in range(1, longest + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def _flat(config: Mapping[str, Any], path: str = "") -> dict[str, str]:
    found = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{path}{key}.")
        else:
            found[f"{path}{key}"] = json.dumps(value, ensure_ascii=False)
    return found


def _changes(runs: Sequence[Run], text: Words) -> list[Line]:
    """The fields of the configs that are not the same in all."""
    flat = [_flat(run.config) for run in runs]
    nothing = text["labels"]["nothing"]
    lines = []
    for name in dict.fromkeys(name for own in flat for name in own):
        cells = tuple(own.get(name, nothing) for own in flat)
        if len(set(cells)) > 1:
            lines.append(Line(name, "", cells, -1))
    return lines


def _numbers(runs: Sequence[Run], text: Words) -> list[Line]:
    """Every number, the best of its row marked where it is known whether more or less is better, on the same data."""
    better, same = words.shared("lecture")["better"], _same_data(runs)
    lines = []
    for name in dict.fromkeys(name for run in runs for name in experiment.every_measure(run)):
        part, _, metric = name.rpartition("/")
        values = [run.summary["metrics"].get(part, {}).get(metric) for run in runs]
        cells = tuple(words.number(value, text) or text["labels"]["nothing"] for value in values)
        best = _best(values, better.get(metric)) if same else -1
        lines.append(Line(words.measure(name, text), better.get(metric, ""), cells, best))
        if part not in ("train", "validation") and better.get(metric):
            lines += _baselines(runs, metric, lines[-1].name, text)
    return lines


def _baselines(runs: Sequence[Run], metric: str, measure: str, text: Words) -> list[Line]:
    """What baselines have in a metric, a line for each."""
    every = [run.summary["baselines"] for run in runs]
    lines = []
    for name in dict.fromkeys(name for own in every for name in own if metric in own[name]):
        cells = tuple(words.number(own.get(name, {}).get(metric), text) or text["labels"]["nothing"] for own in every)
        lines.append(Line(f"{measure}: {words.method(name, text)}", "", cells, -1))
    return lines


def _same_data(runs: Sequence[Run]) -> bool:
    """Whether the runs had the same rows, scaled alike; by their configs where one does not know the digest."""
    digests = {run.data.get("sha256") for run in runs}
    fields = ["scaling"] if None not in digests else list(runs[0].config["data"])
    settings = {json.dumps([run.config["data"].get(field) for field in fields]) for run in runs}
    return len(digests) == len(settings) == 1


def _best(values: Sequence[Any], better: str | None) -> int:
    known = [(float(value), place) for place, value in enumerate(values) if value is not None]
    known = [pair for pair in known if pair[0] == pair[0]]
    if better is None or len({value for value, _ in known}) < 2:
        return -1
    return (max if better == "more" else min)(known)[1]


def _together(names: Sequence[str], runs: Sequence[Run], text: Words, widest: int) -> list[Together]:
    """The figures that several runs have."""
    there = [list(folders.figures(run.folder)) for run in runs]
    shared = [figure for figure, count in Counter(itertools.chain(*there)).items() if count > 1]
    drawn = [dict(experiment.figures(run, shared, text, widest)) for run in runs]
    beside = lambda figure: [(name, each[figure]) for name, each in zip(names, drawn, strict=True) if figure in each]
    return [Together(figure.replace("_", " "), tuple(beside(figure))) for figure in shared]
