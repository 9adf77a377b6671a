"""Runs side by side: what differs between their configs, their numbers, their nets and the figures that all have."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.figures import canvas
from aejax.figures.panels import learning_curves
from aejax.report import folders
from aejax.report.folders import Run
from aejax.report.page import experiment, net
from aejax.report.words import Words, shared
from aejax.runs import workdir


class Line(NamedTuple):
    """A row of a table: its name, a cell for each run, and the position of the best one; -1 for none."""

    name: str
    cells: Sequence[str]
    better: str = ""
    best: int = -1


def section(runs: Sequence[Run], names: Sequence[str], words: Words, widest: int) -> dict[str, Any]:
    """What is shown of two or more runs.

    Args:
        runs: read.
        names: of the runs.
        words: of the language.
        widest: of pictures, in pixels.
    """
    text = words.text["compare"]
    nets = {name: experiment.trained_net(run) for name, run in zip(names, runs, strict=True)}
    return {
        "kind": "compare",
        "id": "compare",
        "title": text["title"],
        "lead": text["lead" if same_data(runs) else "lead_other_data"].format(count=len(runs)),
        "names": names,
        "changes": _changes(runs, words),
        "numbers": numbers(runs, words),
        "drawings": [(name, net.drawing(net.network(trained), words)) for name, trained in nets.items() if trained],
        "curves": _curves(runs, names, words, widest),
        "figures": _figures(runs, names, words, widest),
    }


def labels(paths: Sequence[Path]) -> list[str]:
    """A short name for each folder: its folder's, with as many of the folders above as tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(names[-count:]) for names in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def _flat(config: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """The fields of a config as JSON, by their paths."""
    fields = {}
    for key, value in config.items():
        inside = isinstance(value, Mapping)
        fields |= _flat(value, f"{path}{key}.") if inside else {path + key: json.dumps(value, ensure_ascii=False)}
    return fields


def _changes(runs: Sequence[Run], words: Words) -> list[Line]:
    """The fields of the configs that are not the same in all."""
    configs = [_flat(run.config) for run in runs]
    lines = [
        Line(name, [config.get(name, words.number(None)) for config in configs])
        for name in dict.fromkeys(itertools.chain(*configs))
    ]
    return [line for line in lines if len(set(line.cells)) > 1]


def numbers(runs: Sequence[Run], words: Words) -> list[Line]:
    """Every number, the best of its row marked where it is known whether more or less is better, on the same data.

    Below a number of test rows is what baselines have in it, a line for each.
    """
    same, lines = same_data(runs), []
    for measure in dict.fromkeys(name for run in runs for name in run.measures):
        part, _, metric = measure.rpartition("/")
        name, better = words.measure(measure), shared("lecture")["better"].get(metric, "")
        values = [run.measures.get(measure) for run in runs]
        best = _best(values, better) if same else -1
        lines.append(Line(name, [words.number(value) for value in values], better, best))
        if part not in ("train", "validation") and better:
            tables = [run.summary["baselines"] for run in runs]
            methods = dict.fromkeys(method for table in tables for method in table if metric in table[method])
            for method in methods:
                cells = [words.number(table.get(method, {}).get(metric)) for table in tables]
                lines.append(Line(f"{name}: {words.method(method)}", cells))
    return lines


def same_data(runs: Sequence[Run]) -> bool:
    """Whether the runs had the same rows, scaled alike; by their configs where one does not know the digest."""
    digests = {run.data.get("sha256") for run in runs}
    fields = ["scaling"] if None not in digests else list(runs[0].config["data"])
    settings = {json.dumps([run.config["data"].get(field) for field in fields]) for run in runs}
    return len(digests) == len(settings) == 1


def _best(values: Sequence[Any], better: str) -> int:
    """The position of the best value; -1 where that is not known, or where all are equal."""
    known = [(float(value), number) for number, value in enumerate(values) if value is not None]
    known = [pair for pair in known if pair[0] == pair[0]]
    if not better or len({value for value, _ in known}) < 2:
        return -1
    return (max if better == "more" else min)(known)[1]


def _curves(runs: Sequence[Run], names: Sequence[str], words: Words, widest: int) -> experiment.Figure | None:
    """The validation error of all runs over their steps, on common axes; None where their data differ."""
    curves = {}
    for name, run in zip(names, runs, strict=True):
        rows = [row for row in workdir.read_metrics(run.folder) if "validation_mse" in row]
        if rows:
            curves[name] = [row["step"] for row in rows], [row["validation_mse"] for row in rows]
    if len(curves) < 2 or not same_data(runs):
        return None
    draw = lambda: {"": canvas.finish(learning_curves(words.figures, curves), words.figures)}
    drawn = experiment.both_widths(draw)[""]
    return experiment.figure("learning curves", Path(), drawn, "learning-curves", words, widest)


def _figures(runs: Sequence[Run], names: Sequence[str], words: Words, widest: int) -> list[tuple[str, list]]:
    """The figures that several runs have: a name, and the figures with the names of their runs."""
    counts = Counter(itertools.chain(*(folders.figures(run.folder) for run in runs)))
    several = [figure for figure, count in counts.items() if count > 1]
    drawn = [experiment.figures(run, several, words, widest) for run in runs]
    of_runs = lambda figure: [(name, each[figure]) for name, each in zip(names, drawn, strict=True) if figure in each]
    return [(figure.replace("_", " "), of_runs(figure)) for figure in several]
