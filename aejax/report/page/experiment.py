"""What a page shows of an experiment: its net, figures, numbers beside the baselines, things to touch, and its time."""

import re
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax import config as configs
from aejax import console
from aejax.config.components import resolve
from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures import run as pictures
from aejax.report import explorer, folders
from aejax.report.folders import Run
from aejax.report.page import code, images, net
from aejax.report.words import Words, shared
from aejax.runs import apply, workdir
from aejax.runs.artifact import Trained

COUNT = re.compile(r"_(\d+)$")
DENSE = 0.5  # the share of active units from which on it is not worth a line
COPY = 1e-6  # the error of PCA, as a share of that of the mean, of a code that can hold the whole row
LAST = "loss"  # the figure that every run has says least of it


class Figure(NamedTuple):
    """A picture with its name, its alternative text, what to see in it, and as it is on a phone, if that is another."""

    picture: images.Picture
    name: str
    alt: str
    caption: str
    narrow: images.Picture | None = None


class Other(NamedTuple):
    """A number of another method: its name, the value, and where it was published."""

    name: str
    value: str
    source: str = ""


class Row(NamedTuple):
    """A measure: what it is, whether more or less is better, this net's value, and others'."""

    measure: str
    better: str
    value: str
    baselines: Sequence[Other]
    published: Sequence[Other]


def section(run: Run, name: str, words: Words, widest: int) -> dict[str, Any]:
    """What is shown of a run by itself: also its config, and the command that makes it again.

    Args:
        run: read.
        name: that tells it from the others on the page.
        words: of the language.
        widest: of pictures, in pixels.
    """
    model, data, task = (run.config[part]["name"] for part in ("model", "data", "task"))
    return {
        "kind": "run",
        "id": f"r-{name.replace('/', '--')}",
        "title": name,
        "lead": words.text["run"]["lead"].format(model=model, data=data, task=task),
        "shown": show([run], list(run.measures), names_of_figures(run, words), words, widest),
        "command": f"aejax run {shlex.quote(str(run.folder / 'config.json'))}",
        "config": configs.dumps(run.config),
    }


def show(
    runs: Sequence[Run],
    measures: Sequence[str],
    names: Sequence[str],
    words: Words,
    widest: int,
    published: Mapping[str, Sequence[Other]] = {},
) -> dict[str, Any]:
    """What is shown of the runs of an experiment.

    Args:
        runs: of the seeds, in order; one or more.
        measures: which numbers, such as ``"test/mse"``.
        names: which figures, by name; those that there are not are left out.
        words: of the language.
        widest: of pictures, in pixels.
        published: values by measure.
    """
    trained, run = trained_net(runs[0]), runs[0]
    fragment = trained and explorer.run_fragment(trained, words)
    if fragment and fragment.kind == "plane":  # the map of the codes, to touch
        names = [name for name in names if name != "map"]
    of_sparsity = any(term["name"].startswith("sparsity.") for term in run.config["terms"].values())
    sparse = of_sparsity or run.measures.get("test/active_fraction", 0) < DENSE
    measures = [name for name in measures if name in run.measures and (sparse or not name.endswith("active_fraction"))]
    return {
        "drawing": trained and net.drawing(net.network(trained), words),
        "figures": list(figures(run, names, words, widest).values()),
        "rows": [row(name, runs, words, published.get(name, ())) for name in measures],
        "fragment": fragment,
        "net_code": code.of_net(run) if trained else [],
        "facts": facts(runs, words),
    }


def trained_net(run: Run) -> Trained | None:
    """The net of a run; None where it cannot be built here, as one of a module that is not at hand."""
    try:
        return apply.load(run.folder, trust=run.trust)
    except UserError as error:
        console.say(f"no drawing of the net, and nothing to touch: {error}")
        return None


def names_of_figures(run: Run, words: Words) -> list[str]:
    """The figures that a run has, as pictures or to be drawn, the one that every run has last."""
    return sorted(folders.figures(run.folder) or _drawn(run, None, words), key=lambda name: name == LAST)


def figures(run: Run, names: Sequence[str], words: Words, widest: int) -> dict[str, Figure]:
    """Those of the figures of a run that there are, by name: drawn in the language, or else as in its folder."""
    files, drawn = folders.figures(run.folder), both_widths(lambda: _drawn(run, names, words))
    return {
        name: figure(name, files.get(name), drawn.get(name), f"{run.task}-{name}", words, widest)
        for name in names
        if name in files or name in drawn
    }


def _drawn(run: Run, names: Sequence[str] | None, words: Words) -> Mapping[str, Any]:
    """Those of the figures of a run that can be drawn, by name; all of them where no names are asked for."""
    try:
        of_task = resolve(run.config["task"]["name"], "aejax.tasks", what="task.name").figures
    except UserError:  # the task is not at hand
        of_task = None
    return pictures.drawn(run.folder / workdir.FIGURES, of_task, words.figures, names)


def both_widths(draw: Callable[[], Mapping[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Figures as wide as a page, and as on a phone, by name."""
    wide = draw()
    with canvas.as_wide_as(canvas.NARROW):
        narrow = draw()
    return {name: (each, narrow[name]) for name, each in wide.items()}


def figure(name: str, path: Path | None, drawn: Any, caption: str, words: Words, widest: int) -> Figure:
    """A figure with its caption; one without a caption says its name.

    Args:
        name: of the figure.
        path: of its PNG file; None where there is none.
        drawn: the figure in the language of the page, wide and narrow; None shows the file.
        caption: its key in the catalogue, where it is not that of every run's figure of that name.
        words: of the language.
        widest: of the picture, in pixels.
    """
    captions = words.text["captions"]
    texts, axis = captions.get(caption) or captions.get(name), words.figures.field(name.replace("-", "."))
    wide, narrow = drawn or (None, None)
    picture = images.of_file(path, widest) if wide is None else images.of_figure(wide, widest)
    if wide is not None:
        smaller = narrow.get_figwidth() < min(wide.get_figwidth(), canvas.WIDTH / 2)
        narrow = images.of_figure(narrow, 3 * widest // 5) if smaller else None
    if texts is None:
        return Figure(picture, name, words.text["labels"]["picture"].format(name=name), name.replace("_", " "), narrow)
    return Figure(picture, name, texts["alt"].format(axis=axis), texts["see"].format(axis=axis), narrow)


def row(measure: str, runs: Sequence[Run], words: Words, published: Sequence[Other] = ()) -> Row:
    """A measure over the seeds that have it, beside that of the baselines that do."""
    part, _, name = measure.rpartition("/")
    value = words.spread([run.measures[measure] for run in runs if measure in run.measures])
    # baselines are of test rows, where there are any
    again = part in ("train", "validation") and f"test/{name}" in runs[0].measures
    baselines = [] if again else _baselines(name, runs, words)
    return Row(words.measure(measure), shared("lecture")["better"].get(name, ""), value, baselines, published)


def _baselines(name: str, runs: Sequence[Run], words: Words) -> list[Other]:
    """The baselines that have a number for every seed, those whose size depends on the seed (``pca_15``) together."""
    tables = [run.summary["baselines"] for run in runs]
    stem = lambda method: method if all(method in table for table in tables) else COUNT.sub("_", method)
    groups: dict[str, list[tuple[str, Any]]] = {}
    for table in tables:
        exact = COPY * table.get("mean", {}).get("mse", 0.0)
        for method, numbers in table.items():
            if name in numbers and not (method == "pca" and numbers.get("mse", 1.0) < exact):
                groups.setdefault(stem(method), []).append((method, numbers[name]))
    others = []
    for group, pairs in groups.items():
        if len(pairs) == len(runs):
            methods, values = zip(*pairs, strict=True)
            shown = words.method(methods[0])
            if len(set(methods)) > 1:
                sizes = [int(COUNT.search(method)[1]) for method in methods]
                shown = f"{words.method(group.removesuffix('_'))} ({min(sizes)}–{max(sizes)})"
            others.append(Other(shown, words.spread(values).removesuffix(" ± 0")))  # most are equal in all
    return others


def facts(runs: Sequence[Run], words: Words) -> list[tuple[str, str]]:
    """Data, seeds, time, and what is to be said of the net, as pairs of a name and a value."""
    text, first, timings = words.text["facts"], runs[0], [run.summary["timing"] for run in runs]
    rows = first.data.get("rows", {})
    split = [phrase.format(count=words.number(rows[part])) for part, phrase in text["split"].items() if rows.get(part)]
    mean = lambda name: words.seconds(statistics.fmean(float(timing.get(name, 0.0)) for timing in timings))
    steps = words.number(timings[0].get("steps", first.config["train"]["steps"]))
    time = text["time_value"].format(train=mean("train_seconds"), compile=mean("compile_seconds"), steps=steps)
    data = first.config["data"]["name"] + (f" ({', '.join(split)})" if rows else "")
    seeds = ", ".join(str(run.summary["seed"]) for run in runs)
    remarks = [remark(kind, numbers, words) for kind, numbers in first.summary.get("remarks", {}).items()]
    more = [(text["remarks"], "; ".join(filter(None, remarks)))] if any(remarks) else []
    return [(text["data"], data), (text["seeds"], seeds), (text["time"], time), *more]


def remark(kind: str, numbers: Mapping[str, float], words: Words) -> str:
    """What the numbers of a net hide, of `aejax.tasks.common.REMARKS`; "" of a kind that the page does not know."""
    written = {name: words.number(value) for name, value in numbers.items()}
    text = words.text["remarks"].get(kind, "")
    return text.format(**written) if set(re.findall(r"{(\w+)}", text)) <= set(written) else ""
