"""What a page shows of one run by itself: its net, all figures, all numbers, and its config."""

import shlex
from typing import NamedTuple

from aejax import config as configs
from aejax.report.page import experiment, folders, words
from aejax.report.page.experiment import Shown
from aejax.report.page.folders import Run

LAST = "loss"  # the figure that every run has says least of it


class Section(NamedTuple):
    """A run: what it was of, what is shown of it, the command that makes it again, and its config as JSON."""

    kind: str
    id: str
    title: str
    lead: str
    shown: Shown
    command: str
    config: str


def section(run: Run, name: str, language: str, widest: int) -> Section:
    """What is to be shown of a run.

    Args:
        run: read.
        name: that tells it from the others on the page.
        language: ``"en"`` or ``"es"``.
        widest: of pictures, in pixels.
    """
    text = words.catalogue(language)
    pictures = sorted(folders.figures(run.folder), key=lambda figure: figure == LAST)
    measures = experiment.every_measure(run)
    lead = text["run"]["lead"].format(
        model=run.config["model"]["name"], data=run.config["data"]["name"], task=run.config["task"]["name"]
    )
    shown = experiment.show([run], measures, pictures, text, language, widest=widest, published={})
    command = f"aejax run {shlex.quote(str(run.folder / 'config.json'))}"
    return Section("run", f"r-{name.replace('/', '--')}", name, lead, shown, command, configs.dumps(run.config))
