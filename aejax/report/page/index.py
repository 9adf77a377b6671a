"""The page of a folder of runs and sweeps: a card for each, with a picture, its numbers and its own page."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aejax.errors import UserError
from aejax.report import folders
from aejax.report.folders import Run, Runs, Sweep
from aejax.report.page import images
from aejax.report.page.render import Page
from aejax.report.words import Words, shared

PICTURES = ("reconstructions", "grid", "map", "clusters", "denoised", "fills", "scores", "trade-off", "loss")
"""Figures by which a run or sweep is known again, the first that it has; else any."""
WIDEST, NUMBERS = 480, 3


def page(runs: Runs, output: Path, name: str, words: Words) -> Page:
    """The page, to be written to a file, from which its links are relative; those of runs are called `name`.

    Raises:
        UserError: nothing in the folder is finished, or a picture is damaged.
    """
    cards = [
        _card(content, runs.folder, output, name, words)
        for content in runs.contents
        if isinstance(content, Run | Sweep)
    ]
    if not cards:
        raise UserError(f"{runs.folder}: no run or sweep in it is finished; allowed: a folder that has one")
    text = words.text["index"]
    part = {"kind": "cards", "id": "runs", "title": text["title"], "cards": cards}
    lead = text["lead"].format(count=len(cards))
    return Page(title=runs.folder.resolve().name, lead=lead, parts=[part], environment=[])


def _card(content: Run | Sweep, folder: Path, output: Path, name: str, words: Words) -> dict[str, Any]:
    """What is shown of a run or a sweep; its link is that of its page, or of its folder where it has none."""
    there = content.folder / name if (content.folder / name).is_file() else content.folder
    files = folders.figures(content.folder)
    picture = next((each for each in PICTURES if each in files), next(iter(files), None))
    return {
        "name": str(content.folder.relative_to(folder)),
        "link": quote(os.path.relpath(there, output.parent)),
        "picture": None if picture is None else images.of_file(files[picture], WIDEST),
        "about": _about(content, words),
        "numbers": _numbers(content, words),
    }


def _about(content: Run | Sweep, words: Words) -> str:
    if isinstance(content, Run):
        model, data, task = (content.config[part]["name"] for part in ("model", "data", "task"))
        return words.text["run"]["lead"].format(model=model, data=data, task=task)
    points = content.summary["points"]
    return words.text["index"]["sweep"].format(points=len(points), runs=sum(point["runs"] for point in points))


def _numbers(content: Run | Sweep, words: Words) -> list[tuple[str, str]]:
    """The first numbers of a run of which more or less is better; of a sweep the metric of its best setting."""
    if isinstance(content, Run):
        better = shared("lecture")["better"]
        judged = [name for name in content.measures if name.rpartition("/")[2] in better]
        judged = [name for name in judged if name.startswith("test/")] or judged
        return [(words.measure(name), words.number(content.measures[name])) for name in judged[:NUMBERS]]
    best, metric = content.summary["best"], content.summary["metric"]
    mean = None if best is None else content.summary["points"][best]["metrics"].get(metric, {}).get("mean")
    return [(words.measure(metric), words.number(mean))]
