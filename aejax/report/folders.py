"""The folders that a page is made of: runs, sweeps and reproductions, read and checked."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from aejax import console
from aejax.config.files import experiments_folder
from aejax.errors import UserError
from aejax.runs import workdir
from aejax.storage import checksums, records
from aejax.storage.records import Either, Fields, Form, Many, Named, Whole


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: of it.
        config: resolved.
        summary: what it came to.
        data: what it was trained on, from ``dataset.json``.
        environment: what it was run with.
        trust: whether it may name functions from outside aejax.
    """

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    trust: bool = False

    @property
    def task(self) -> str:
        """The name of the task's module, such as ``"reduction"``."""
        return self.config["task"]["name"].partition(".")[0]

    @property
    def measures(self) -> dict[str, Any]:
        """All numbers by names such as ``"test/mse"``, those of test rows first."""
        metrics = self.summary["metrics"]
        parts = sorted(metrics, key=lambda part: {"test": 0, "all": 1}.get(part, 2))
        return {f"{part}/{name}": value for part in parts for name, value in metrics[part].items()}


class Sweep(NamedTuple):
    """A finished sweep: its folder, what was asked for, what it came to, and what it was run with."""

    folder: Path
    asked: Mapping[str, Any]
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]


class Runs(NamedTuple):
    """A folder with others in it, and what these hold that is finished."""

    folder: Path
    contents: "Sequence[Run | Sweep | Reproduction]"


class Reproduction(NamedTuple):
    """The folder of a reproduction, its report, and whether its runs may name functions from outside aejax."""

    folder: Path
    report: Mapping[str, Any]
    trust: bool = False

    @property
    def collection(self) -> Path:
        """The folder of the configs that it ran.

        Raises:
            UserError: the report does not say, or it is no longer there.
        """
        name = self.report.get("collection")
        if name is None:
            raise UserError(f"{self.folder}: does not say which collection it reproduces; run aejax reproduce again")
        shipped = experiments_folder() / name
        folder = shipped if shipped.is_dir() else Path(name)
        if not folder.is_dir():
            raise UserError(f"{self.folder}: reproduces {name}, and there is no such folder any more")
        return folder


RECORDED = "recorded"
"""The folder in which a collection keeps runs and sweeps that `aejax reproduce --update-runs` recorded."""
NAME, NUMBER = {"name": str}, Either((float, None))
COUNT = Either((Whole(), None))
CONFIG = {
    "seed": Whole(),
    "data": Fields(NAME, {"label_column": Either((str, None))}),
    "model": NAME,
    "terms": Named(NAME),
    "corruption": NAME,
    "train": {"steps": Whole()},
    "task": NAME,
}
DATA = Fields({}, {"sha256": str, "rows": Named(Whole())})
ENVIRONMENT = Fields({}, {"packages": Named(object), "devices": Many(object)})
AXES = Named(Either((float, str, bool, None, Many(object))))
METRICS = Named({"mean": NUMBER, "sd": NUMBER})
POINT = Fields({"axes": AXES, "metrics": METRICS, "runs": Whole(), "finite": Whole()}, {"over": str})
SWEEP = Fields(
    {"metric": str, "maximise": bool, "best": COUNT, "points": Many(POINT)}, {"incomparable": Named(Many(str))}
)
ASKED = Fields(
    {"config": {"terms": Named(NAME)}},
    {"axes": Named(Many(object)), "space": Named(Many(object, 1)), "seeds": Many(Whole()), "folds": COUNT},
)
SEARCHED = {"space": object, "seeds": object}
LINE = Fields(
    {"experiment": str, "metric": str, "verdict": str, "expected": NUMBER, "got": NUMBER},
    {"digits": Either((Whole(0, 99), None)), "tolerance": NUMBER, "seed": COUNT},
)
TROUBLE = Named(str)
REPORT = Fields(
    {"machine": str, "environment": ENVIRONMENT, "lines": Many(LINE), "not_run": TROUBLE, "failed": TROUBLE},
    {"collection": Either((str, None)), "seal": str},
)
"""The forms of what is read."""


def read(folder: Path, *, trust: bool = False) -> "Run | Sweep | Reproduction | Runs":
    """What a folder holds.

    Args:
        folder: to be read.
        trust: whether what it names outside aejax may be imported, where no run of this user left it there.

    Raises:
        UserError: it is no such folder, what it holds is not finished or not to be trusted, or it is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; allowed: the folder of a run, a sweep or a reproduction")
    if (folder / "reproduce.json").exists():
        report = workdir.read_json(folder / "reproduce.json", REPORT)
        if not report["environment"]:
            raise _unfinished(folder, "reproduction", f"the same command and --workdir {folder}")
        if report.pop("seal", None) not in (None, checksums.seal_of(report)):
            why = "is damaged: it was changed since it was written; allowed: the file as it was"
            raise UserError(f"{folder / 'reproduce.json'}: {why}")
        return Reproduction(folder, report, trust)
    if (folder / "sweep.json").exists():
        return read_sweep(folder)
    if (folder / "config.json").exists():
        return read_run(folder, trust=trust)
    if paths := inside(folder):
        return Runs(folder, whole(paths, partial(read, trust=trust)))
    raise UserError(f"{folder}: holds no run, no sweep and no reproduction; allowed: the --workdir of one, or more")


def recorded(collection: Path) -> Reproduction | None:
    """What a collection has recorded of its runs, as a reproduction; None where it has nothing that can be read."""
    path = collection / RECORDED
    return next(iter(whole([path], read)), None) if (path / "reproduce.json").exists() else None


def inside(folder: Path) -> list[Path]:
    """The folders of runs and sweeps that lie in a folder, or in the folders of it."""
    paths = [path.parent for name in ("config.json", "sweep.json") for path in folder.glob(f"*/{name}")]
    deeper = [path.parent for name in ("config.json", "sweep.json") for path in folder.glob(f"*/*/{name}")]
    return sorted({*paths, *(path for path in deeper if path.parent not in paths)})


def read_run(folder: Path, *, trust: bool = False) -> Run:
    """A finished run; the arguments and errors are those of `read`."""
    config = records.check(workdir.read_config(folder, trust=trust), CONFIG, folder / "config.json")
    if not (folder / workdir.FINISHED).exists():
        raise _unfinished(folder, "run", f"aejax run --workdir {folder}")
    summary = workdir.read_json(folder / workdir.FINISHED, workdir.SUMMARY)
    data, environment = (
        _optional(folder / name, form) for name, form in ((workdir.DATASET, DATA), (workdir.ENVIRONMENT, ENVIRONMENT))
    )
    checksums.check(folder, workdir.CONFIG, workdir.FINISHED, workdir.DATASET, workdir.ENVIRONMENT)
    check_figures(folder)
    return Run(folder, config, summary, data, environment, trust)


def read_sweep(folder: Path) -> Sweep:
    """A finished sweep.

    Raises:
        UserError: it is not finished, or damaged.
    """
    asked = workdir.read_json(folder / "sweep.json", ASKED)
    if "axes" not in asked:
        records.check(asked, SEARCHED, folder / "sweep.json")
    path = folder / "summary.json"
    if not path.exists():
        raise _unfinished(folder, "sweep", f"the same command and --workdir {folder}")
    summary = workdir.read_json(path, SWEEP)
    best, points = summary["best"], summary["points"]
    if best is not None and best >= len(points):
        raise UserError(f"{path}: is damaged: best is {best} of {len(points)} points")
    if any(point["axes"].keys() != points[0]["axes"].keys() for point in points):
        raise UserError(f"{path}: is damaged: its points are of other axes than the first")
    environment = _optional(folder / workdir.ENVIRONMENT, ENVIRONMENT)
    checksums.check(folder, "sweep.json", workdir.FINISHED, workdir.ENVIRONMENT, "table.csv")
    check_figures(folder)
    return Sweep(folder, asked, summary, environment)


def check_figures(folder: Path) -> None:
    """Refuse figures that were changed since a run or sweep drew them; those that are missing are said.

    Raises:
        UserError: naming the first one.
    """
    figures = f"{workdir.FIGURES}/*"
    for name, is_there in checksums.differing(folder, figures, f"{figures}/*.json"):
        if is_there:
            raise checksums.changed(folder / name)
        console.say(f"{folder / workdir.FIGURES}: is damaged: {Path(name).name} is missing; the page goes without it")


def whole(paths: Sequence[Path], read: Callable[[Path], Any]) -> list[Any]:
    """What is read of several folders; those that are damaged or not finished are left out, each with a line."""
    contents = []
    for path in paths:
        try:
            contents.append(read(path))
        except UserError as error:
            console.say(f"left out of the page: {error}")
    return contents


def seeds(folder: Path, *, trust: bool = False) -> list[Run]:
    """The finished runs of an experiment, by seed: those in ``seed-0``, ``seed-1``, … of a folder."""
    finished = [path for path in sorted(folder.glob("seed-*")) if (path / workdir.FINISHED).exists()]
    return sorted(whole(finished, lambda path: read_run(path, trust=trust)), key=lambda run: run.summary["seed"])


def figures(folder: Path) -> dict[str, Path]:
    """The PNG files of the figures of a run or sweep, by name."""
    return {path.stem: path for path in sorted((folder / workdir.FIGURES).glob("*.png"))}


def _unfinished(folder: Path, what: str, command: str) -> UserError:
    return UserError(f"{folder}: this {what} is not finished; go on with {command}")


def _optional(path: Path, form: Form) -> Mapping[str, Any]:
    return workdir.read_json(path, form) if path.exists() else {}
