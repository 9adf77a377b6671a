"""What a page shows of a sweep: the best point and the ranking, statuses, what changed, and the figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import UserError
from aejax.figures import sweep as pictures
from aejax.report import explorer
from aejax.report.page import experiment, folders, words
from aejax.report.page.experiment import Figure
from aejax.report.page.folders import Sweep
from aejax.report.page.words import Words

SHOWN = 15
BASELINE = "baseline/"
KINDS = ("validation", "test", "train")
NAMED = ("heat", "parallel", "trade-off", "history", "importance")
"""Figures with a caption of their own; the others are named after an axis."""


class Place(NamedTuple):
    """A point of the ranking: its place, the values of the axes, numbers by column, and finite runs of all."""

    place: int
    point: tuple[str, ...]
    cells: tuple[str, ...]
    finite: str


class Section(NamedTuple):
    """A sweep."""

    kind: str
    id: str
    title: str
    lead: str
    best: str
    warnings: tuple[str, ...]
    axes: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]
    ranking: tuple[Place, ...]
    more: int
    divergent: bool  # whether a run was not finite, which the ranking then counts
    note: str
    statuses: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    fragments: tuple[Any, ...]


def section(sweep: Sweep, name: str, language: str, widest: int) -> Section:
    """What is to be shown of a sweep.

    Args:
        sweep: read.
        name: that tells it from the others on the page.
        language: ``"en"`` or ``"es"``.
        widest: of pictures, in pixels.
    """
    text, summary = words.catalogue(language), sweep.summary
    own, metric = text["sweep"], summary["metric"]
    points, ranked = summary["points"], ranking(summary)
    columns = _columns(points, metric)
    best = own["none"]
    if summary["best"] is not None:
        best = _best(points[summary["best"]], metric, text)
    direction = own["most" if summary["maximise"] else "least"]
    runs = sum(point["runs"] for point in points)
    return Section(
        kind="sweep",
        id=f"s-{name.replace('/', '--')}",
        title=own["title"].format(name=name),
        lead=own["lead"].format(points=len(points), runs=runs, metric=words.measure(metric, text), direction=direction),
        best=best,
        warnings=tuple(_warnings(summary, text)),
        axes=_axes(sweep, text),
        columns=tuple((_heading(name, text), name.partition("/")[0]) for name in columns),
        ranking=tuple(_place(place, point, columns, text) for place, point in enumerate(ranked[:SHOWN], start=1)),
        more=max(0, len(ranked) - SHOWN),
        divergent=any(point["finite"] < point["runs"] for point in points),
        note=_note(sweep, columns, text),
        statuses=_statuses(sweep, text),
        figures=_figures(sweep, text, widest),
        fragments=tuple(explorer.sweep_fragments(sweep.folder, language)),
    )


def _best(point: Mapping[str, Any], metric: str, text: Words) -> str:
    """The best setting, and what the baseline has in its place."""
    value = _cell(point, metric, text)
    if "±" in value:
        value = f"{value} {text['sweep']['deviation']}"
    named = {"metric": words.measure(metric, text), "value": value}
    said = text["sweep"]["best"].format(point=_point(point, text), **named)
    beside = [
        f"{words.method(name.split('/')[1], text)}: {_cell(point, name, text)}" for name in _baselines(point, metric)
    ]
    return f"{said} {text['sweep']['beside'].format(baselines='; '.join(beside))}" if beside else said


def _baselines(point: Mapping[str, Any], metric: str) -> list[str]:
    """The columns of what baselines have in a metric, on the same rows."""
    return [name for name in point["metrics"] if name.startswith(BASELINE) and name.split("/", 2)[2:] == [metric]]


def _warnings(summary: Mapping[str, Any], text: Words) -> list[str]:
    """What the metric does not compare; sweeps of before did not write it down."""
    metric, own = words.measure(summary["metric"], text), text["sweep"]["incomparable"]
    found = summary.get("incomparable", {})
    return [own[why].format(metric=metric, fields=", ".join(fields)) for why, fields in found.items() if why in own]


def _note(sweep: Sweep, columns: Sequence[str], text: Words) -> str:
    """What the numbers of the table are."""
    own = text["sweep"]
    said = own["test_note"].format(over=own["over"][_over(sweep)])
    return f"{said} {own['pca_note']}" if f"{BASELINE}pca/validation/mse" in columns else said


def _over(sweep: Sweep) -> str:
    """What means and deviations are over: seeds, means of seeds over their folds, or the folds of one seed."""
    if not sweep.asked.get("folds"):
        return "seeds"
    return "folds" if any(point.get("over") == "folds" for point in sweep.summary["points"]) else "means"


def _place(place: int, point: Mapping[str, Any], columns: Sequence[str], text: Words) -> Place:
    values = tuple(_value(value, text) for value in point["axes"].values())
    return Place(place, values, tuple(_cell(point, name, text) for name in columns), _finite(point))


def ranking(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The points, best first by the metric that chooses; those with a run that broke, or without the metric, last."""
    metric, sign = summary["metric"], -1 if summary["maximise"] else 1

    def order(point: Mapping[str, Any]) -> tuple:
        mean = _statistics(point, metric).get("mean")
        return mean is None, point["finite"] < point["runs"], sign * float(mean or 0)

    return sorted(summary["points"], key=order)


def _columns(points: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    """The metric that chooses, what a baseline has in it, the same metric of test rows, and one more of test rows."""
    names = list(points[0]["metrics"]) if points else []
    same = metric.replace("validation/", "test/")
    tests = [name for name in names if name.startswith("test/") and name != same]
    beside = _baselines(points[0], metric)[:1] if points else []
    return [name for name in (metric, *beside, same, *tests[:1]) if name in names]


def _heading(name: str, text: Words) -> str:
    """What a column holds; those of test rows have a mark."""
    part, _, metric = name.partition("/")
    if name.startswith(BASELINE):
        method, _, rest = metric.partition("/")
        part = rest.partition("/")[0]
        return f"{words.method(method, text)}, {text['rows'].get(part, part)}"
    shown = text["measures"].get(metric, metric)
    return shown if part == "test" else f"{shown}, {text['rows'].get(part, part)}"


def _statistics(point: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    return point["metrics"].get(metric, {})


def _cell(point: Mapping[str, Any], metric: str, text: Words) -> str:
    own = _statistics(point, metric)
    if own.get("mean") is None:
        return text["labels"]["nothing"]
    if own.get("sd") is None:
        return words.number(own["mean"], text)
    mean, sd = float(own["mean"]), float(own["sd"])
    return words.deviating(mean, sd, text).removesuffix(" ± 0" if metric.startswith(BASELINE) else "")


def _finite(point: Mapping[str, Any]) -> str:
    return f"{point['finite']}/{point['runs']}"


def _point(point: Mapping[str, Any], text: Words) -> str:
    return (
        ", ".join(f"{path} = {_value(value, text)}" for path, value in point["axes"].items()) or text["sweep"]["seeds"]
    )


def _value(value: Any, text: Words) -> str:
    """A setting as it was given, with the decimal mark of the language."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.6g}".replace(".", text["numbers"]["decimal"]) if known else str(value)


def _values(values: Sequence[Any], text: Words) -> str:
    return "; ".join(_value(value, text) for value in values)


def _axes(sweep: Sweep, text: Words) -> tuple[tuple[str, str], ...]:
    """The fields that change, and their values; of a search, the ends between which it looked, and its seeds."""
    asked, own = sweep.asked, text["sweep"]
    if "axes" in asked:
        axes = {path: _values(values, text) for path, values in asked["axes"].items()}
    else:
        axes = {path: _searched(values, text) for path, values in asked["space"].items()}
        axes["seed"] = _values(asked["seeds"], text)
    if asked.get("folds"):
        axes[own["folds"]] = words.number(asked["folds"], text)
    return tuple(axes.items())


def _searched(values: Sequence[Any], text: Words) -> str:
    """The choices of a search, or the two ends of a range, which are followed by whether it is logarithmic."""
    if len(values) != 3 or not isinstance(values[-1], bool):
        return _values(values, text)
    low, high, logarithmic = values
    ends = text["sweep"]["range"].format(low=_value(low, text), high=_value(high, text))
    return f"{ends}{text['sweep']['logarithmic']}" if logarithmic else ends


def _statuses(sweep: Sweep, text: Words) -> tuple[tuple[str, str], ...]:
    """How many runs ended how, from the table."""
    import csv

    path = sweep.folder / "table.csv"
    if not path.exists():
        return ()
    try:
        with open(path, newline="", encoding="utf-8") as file:
            found = Counter(row["status"] for row in csv.DictReader(file) if row.get("status"))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is damaged: {error}") from None
    own = text["sweep"]["statuses"]
    return tuple((own.get(status, status), words.number(count, text)) for status, count in found.most_common())


def _figures(sweep: Sweep, text: Words, widest: int) -> tuple[Figure, ...]:
    there = folders.figures(sweep.folder)
    try:
        drawn = pictures.draw(sweep.summary, text["figures"]) if there else {}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{sweep.folder / 'summary.json'}: is damaged: no figure can be drawn ({error!r})") from None
    return tuple(_figure(name, path, drawn.get(name), text, widest) for name, path in there.items())


def _figure(name: str, path: Path, drawn: Any, text: Words, widest: int) -> Figure:
    figure = experiment.figure(name, path, drawn, "sweep", text, widest)
    if name in NAMED:
        return figure
    caption, axis = text["captions"]["sweep-axis"], name.replace("-", ".")
    return figure._replace(alt=caption["alt"].format(axis=axis), caption=caption["see"].format(axis=axis))
