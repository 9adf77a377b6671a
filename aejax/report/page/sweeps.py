"""What a page shows of a sweep: the best point and the ranking, statuses, what changed, and the figures."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import sweep as pictures
from aejax.figures.sweep import SPARSITY
from aejax.report import explorer, folders
from aejax.report.folders import Sweep
from aejax.report.page import experiment
from aejax.report.page.experiment import Figure
from aejax.report.words import Words

SHOWN = 15
BASELINE = "baseline/"
NAMED = ("heat", "parallel", "trade-off", "history", "importance")
"""Figures with a caption of their own; the others are named after an axis."""


def section(sweep: Sweep, name: str, words: Words, widest: int) -> dict[str, Any]:
    """What is shown of a sweep.

    Args:
        sweep: read.
        name: that tells it from the others on the page.
        words: of the language.
        widest: of pictures, in pixels.
    """
    text, summary = words.text["sweep"], sweep.summary
    points, metric = summary["points"], summary["metric"]
    ranked, columns, measure = ranking(summary), _columns(points, metric), words.measure(metric)
    return {
        "kind": "sweep",
        "id": f"s-{name.replace('/', '--')}",
        "title": text["title"].format(name=name),
        "lead": text["lead"].format(
            points=len(points),
            runs=sum(point["runs"] for point in points),
            metric=measure,
            direction=text["most" if summary["maximise"] else "least"],
        ),
        "best": _best(summary, words),
        # sweeps of before did not write down what the metric does not compare
        "warnings": [
            text["incomparable"][why].format(metric=measure, fields=", ".join(fields))
            for why, fields in summary.get("incomparable", {}).items()
            if why in text["incomparable"]
        ],
        "axes": axes(sweep.asked, words),
        "fields": [words.figures.field(path) for path in (points[0]["axes"] if points else ())],
        "columns": [(_heading(name, words), name.startswith("test/")) for name in columns],
        "ranking": [
            {
                "settings": [words.setting(value) for value in point["axes"].values()],
                "cells": [_cell(point, name, words) for name in columns],
                "finite": f"{point['finite']}/{point['runs']}",
            }
            for point in ranked[:SHOWN]
        ],
        "more": max(0, len(ranked) - SHOWN),
        "divergent": any(point["finite"] < point["runs"] for point in points),
        "note": _note(sweep, columns, words),
        "statuses": _statuses(sweep, words),
        "figures": _figures(sweep, words, widest),
        "fragment": explorer.sweep_fragment(sweep, words),
    }


def ranking(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The points, best first by the metric that chooses; then those with a run that broke or no metric.

    Those that break a bound come last.
    """
    metric, sign = summary["metric"], -1 if summary["maximise"] else 1

    def order(point: Mapping[str, Any]) -> tuple:
        mean = point["metrics"].get(metric, {}).get("mean")
        return not point.get("allowed", True), mean is None, point["finite"] < point["runs"], sign * float(mean or 0)

    return sorted(summary["points"], key=order)


def _best(summary: Mapping[str, Any], words: Words) -> str:
    """The best setting, and what the baseline has in its place; or why there is none."""
    text, points, metric = words.text["sweep"], summary["points"], summary["metric"]
    if summary["best"] is None:
        return text["unbounded" if any("allowed" in point for point in points) else "none"]
    point, sparsity = points[summary["best"]], next((n for n in SPARSITY if n in points[0]["metrics"]), None)
    if (paths := summary.get("unregularised")) and sparsity:
        pairs = [(pictures.mean_of(each, sparsity), pictures.mean_of(each, metric)) for each in points]
        count = len(pictures.front(np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)))
        return text["unregularised"].format(field=", ".join(map(words.figures.field, paths)), count=count)
    value = _cell(point, metric, words)
    settings = ", ".join(f"{words.figures.field(path)} = {words.setting(each)}" for path, each in point["axes"].items())
    if "±" in value:
        value = f"{value} {text['deviation']}"
    best = text["best"].format(point=settings or text["seeds"], metric=words.measure(metric), value=value)
    baselines = [
        f"{words.method(name.split('/')[1])}: {_cell(point, name, words)}" for name in _baselines(point, metric)
    ]
    return f"{best} {text['beside'].format(baselines='; '.join(baselines))}" if baselines else best


def _baselines(point: Mapping[str, Any], metric: str) -> list[str]:
    """The columns of what baselines have in a metric, on the same rows."""
    return [name for name in point["metrics"] if name.startswith(BASELINE) and name.split("/", 2)[2:] == [metric]]


def _columns(points: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    """The metric that chooses, what a baseline has in it, the same metric of test rows, and one more of test rows."""
    if not points:
        return []
    names, same = list(points[0]["metrics"]), metric.replace("validation/", "test/")
    tests = [name for name in names if name.startswith("test/") and name != same]
    return [name for name in (metric, *_baselines(points[0], metric)[:1], same, *tests[:1]) if name in names]


def _heading(name: str, words: Words) -> str:
    """What a column holds; those of test rows have a mark in place of their name."""
    if name.startswith(BASELINE):
        _, method, part, *_ = *name.split("/", 3), ""
        return f"{words.method(method)}, {words.rows(part)}"
    part, shown = name.partition("/")[0], words.figures.stem(name)
    return shown if part == "test" else f"{shown}, {words.rows(part)}"


def _cell(point: Mapping[str, Any], metric: str, words: Words) -> str:
    statistics = point["metrics"].get(metric, {})
    mean, sd = statistics.get("mean"), statistics.get("sd")
    if mean is None or sd is None:
        return words.number(mean)
    return words.deviating(float(mean), float(sd)).removesuffix(" ± 0" if metric.startswith(BASELINE) else "")


def _note(sweep: Sweep, columns: Sequence[str], words: Words) -> str:
    """What the numbers are over: seeds, means of seeds over their folds, or the folds of one seed; and what PCA is."""
    over, text = "seeds", words.text["sweep"]
    if sweep.asked.get("folds"):
        over = "folds" if any(point.get("over") == "folds" for point in sweep.summary["points"]) else "means"
    note = text["test_note"].format(over=text["over"][over])
    return f"{note} {text['pca_note']}" if f"{BASELINE}pca/validation/mse" in columns else note


def axes(asked: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """The fields that change, and their values; of a search, the ends between which it looked, and its seeds."""
    values_of = lambda values: "; ".join(map(words.setting, values))
    if "axes" in asked:
        pairs = [(path, values_of(values)) for path, values in asked["axes"].items()]
    else:
        pairs = [(path, _range(values, words) or values_of(values)) for path, values in asked["space"].items()]
        pairs.append(("seed", values_of(asked["seeds"])))
    folds, pairs = asked.get("folds"), [(words.figures.field(path), values) for path, values in pairs]
    return [*pairs, (words.text["sweep"]["folds"], words.number(folds))] if folds else pairs


def _range(values: Sequence[Any], words: Words) -> str:
    """The two ends of a range of a search, and whether it is logarithmic; nothing where the values are choices."""
    if len(values) != 3 or not isinstance(values[-1], bool):
        return ""
    low, high, logarithmic = values
    text = words.text["sweep"]
    ends = text["range"].format(low=words.setting(low), high=words.setting(high))
    return ends + text["logarithmic"] if logarithmic else ends


def _statuses(sweep: Sweep, words: Words) -> list[tuple[str, str]]:
    """How many runs ended how, from the table."""
    path = sweep.folder / "table.csv"
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            counts = Counter(row["status"] for row in csv.DictReader(file) if row.get("status"))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is damaged: {error}") from None
    names = words.text["sweep"]["statuses"]
    return [(names.get(status, status), words.number(count)) for status, count in counts.most_common()]


def _figures(sweep: Sweep, words: Words, widest: int) -> list[Figure]:
    files = folders.figures(sweep.folder)
    try:
        drawn = experiment.both_widths(lambda: pictures.draw(sweep.summary, words.figures))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{sweep.folder / 'summary.json'}: is damaged: no figure can be drawn ({error!r})") from None
    names = sorted({**files, **drawn}, key=lambda name: name != "trade-off")  # that first, the others as they come
    captions = {name: name if name in NAMED else "sweep-axis" for name in names}
    pairs = {name: (files.get(name), drawn.get(name)) for name in names}
    return [experiment.figure(name, *pair, captions[name], words, widest) for name, pair in pairs.items()]
