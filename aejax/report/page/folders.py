"""The folders that a page is made of: runs, sweeps and reproductions, read and checked."""

from collections.abc import ItemsView, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import UserError, shown
from aejax.runs import workdir

REPORT = "reproduce.json"


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: of it.
        config: resolved.
        summary: what it came to.
        data: what it was trained on, from ``dataset.json``.
        environment: what it was run with.
    """

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    data: Mapping[str, Any]
    environment: Mapping[str, Any]


class Sweep(NamedTuple):
    """A finished sweep: its folder, what was asked for, what it came to, and what it was run with."""

    folder: Path
    asked: Mapping[str, Any]
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]


class Reproduction(NamedTuple):
    """The folder of a reproduction, and its report."""

    folder: Path
    report: Mapping[str, Any]


def read(folder: Path) -> Run | Sweep | Reproduction:
    """What a folder holds.

    Raises:
        UserError: it is no such folder, what it holds is not finished, or it is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; allowed: the folder of a run, a sweep or a reproduction")
    if (folder / REPORT).exists():
        keys = ("machine", "environment", "lines", "not_run", "failed")
        report = _holding(folder / REPORT, keys)
        if not report["environment"]:
            command = f"the same command and --workdir {folder}"
            raise UserError(f"{folder}: this reproduction is not finished; go on with {command}")
        return Reproduction(folder, report)
    if (folder / "sweep.json").exists():
        return read_sweep(folder)
    if (folder / "config.json").exists():
        return read_run(folder)
    raise UserError(f"{folder}: holds no run, no sweep and no reproduction; allowed: the --workdir of one")


def read_run(folder: Path) -> Run:
    """A finished run.

    Raises:
        UserError: it is not finished, or damaged.
    """
    config = _holding(folder / "config.json", ("data", "model", "terms", "train", "task", "seed"))
    if not (folder / "summary.json").exists():
        raise UserError(f"{folder}: this run is not finished; go on with aejax run --workdir {folder}")
    path = folder / "summary.json"
    summary = _holding(path, ("seed", "metrics", "baselines", "timing", "parameters_digest"))
    for group in ("metrics", "baselines"):
        for part, numbers in _fields(path, group, summary[group]):
            _check_numbers(path, f"{group}.{part}", numbers)
    _check_numbers(path, "timing", summary["timing"])
    return Run(folder, config, summary, _optional(folder / "dataset.json"), _optional(folder / "environment.json"))


def read_sweep(folder: Path) -> Sweep:
    """A finished sweep.

    Raises:
        UserError: it is not finished, or damaged.
    """
    asked = _holding(folder / "sweep.json", ("config",))
    if "axes" not in asked:
        asked = _holding(folder / "sweep.json", ("space", "seeds"))  # a search
    if not (folder / "summary.json").exists():
        raise UserError(f"{folder}: this sweep is not finished; go on with the same command and --workdir {folder}")
    summary = _holding(folder / "summary.json", ("metric", "maximise", "best", "points"))
    return Sweep(folder, asked, summary, _optional(folder / "environment.json"))


def seeds(folder: Path) -> list[Run]:
    """The finished runs of an experiment, by seed: those in ``seed-0``, ``seed-1``, … of a folder."""
    found = [path for path in folder.glob("seed-*") if (path / "summary.json").exists()]
    return sorted(map(read_run, found), key=lambda run: run.summary["seed"])


def figures(folder: Path) -> dict[str, Path]:
    """The PNG files of the figures of a run or sweep, by name."""
    return {path.stem: path for path in sorted((folder / workdir.FIGURES).glob("*.png"))}


def _fields(path: Path, name: str, value: Any) -> ItemsView[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path}: is damaged: {name} is {shown(value)}, not fields")
    return value.items()


def _check_numbers(path: Path, name: str, numbers: Any) -> None:
    """Refuse what is no number; one that is not finite is written as a word, such as ``"nan"``."""
    for field, value in _fields(path, name, numbers):
        try:
            float(value)
        except (TypeError, ValueError):
            raise UserError(f"{path}: is damaged: {name}.{field} is {shown(value)}, not a number") from None


def _optional(path: Path) -> Mapping[str, Any]:
    return _holding(path, ()) if path.exists() else {}


def _holding(path: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    content = workdir.read_json(path)
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing or not isinstance(content, dict):
        raise UserError(f"{path}: is damaged: it has no {missing[0] if missing else 'fields'}")
    return content
