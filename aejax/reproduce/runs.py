"""The runs and sweeps of a reproduction, recorded beside a collection's numbers: what a page shows of them.

They lie in the folder ``recorded`` of the collection, which is a reproduction as `aejax report` reads it, without what
a page can do without: checkpoints, learning curves as text, and pictures, which are drawn from their arrays. Of each
experiment one seed has its net and its figures; of the others there are the numbers.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from aejax.files import write_atomic
from aejax.report import folders
from aejax.report.folders import RECORDED
from aejax.reproduce import summary
from aejax.runs import workdir
from aejax.storage import checksums

NUMBERS = (workdir.CONFIG, workdir.FINISHED)
WHOLE = (*NUMBERS, workdir.DATASET, workdir.ENVIRONMENT, f"{workdir.MODEL}/*", f"{workdir.FIGURES}/*/*")
SWEEP = ("sweep.json", workdir.ENVIRONMENT, "table.csv", workdir.FINISHED)


def write(root: Path, folder: Path) -> Path:
    """Record the finished runs of a reproduction, in place of those recorded before of the same experiments.

    Args:
        root: of the reproduction, which is finished.
        folder: of the collection.

    Returns:
        The folder of what is recorded.
    """
    target = folder / RECORDED
    for experiment in sorted(path for path in root.iterdir() if path.is_dir() and path.name != "sweeps"):
        finished = sorted(experiment.glob(f"seed-*/{workdir.FINISHED}"))
        if finished:
            shutil.rmtree(target / experiment.name, ignore_errors=True)
        for number, path in enumerate(finished):
            part = path.parent.relative_to(root)
            _copy(path.parent, target / part, NUMBERS if number else WHOLE)
    for path in sorted(root.glob(f"sweeps/*/{workdir.FINISHED}")):
        shutil.rmtree(target / path.parent.relative_to(root), ignore_errors=True)
        _copy(path.parent, target / path.parent.relative_to(root), SWEEP)
    report, before = folders.read(root).report, folders.recorded(folder)
    again = {line["experiment"] for line in report["lines"]}
    older = [line for line in (before.report["lines"] if before else ()) if line["experiment"] not in again]
    lines = sorted([*older, *report["lines"]], key=lambda line: line["experiment"])
    content = {**report, "lines": lines, "not_run": {}, "failed": {}}
    write_atomic(target / summary.REPORT, checksums.sealed(content))
    return target


def _copy(source: Path, target: Path, patterns: Iterable[str]) -> None:
    """Copy those files of a finished run or sweep that patterns match, with their checksums."""
    for name in sorted(checksums.matching(source, patterns)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    last = {workdir.FINISHED: (source / workdir.FINISHED).read_text(encoding="utf-8")}
    checksums.write(target, patterns, last)
