"""What a sweep will do: its runs, grouped by equal static setting, each group laid out as streams × settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from aejax import config as configs
from aejax.errors import UserError
from aejax.sweep import axes as axes_
from aejax.sweep.axes import Axis

SWEPT_SECTIONS = ("terms", "corruption", "optimizer")


class Member(NamedTuple):
    """One run of a sweep.

    Attributes:
        number: its row in the table.
        point: the axes' values, the seed's too.
        config: resolved, as `aejax run` would have it.
        fold: which fold its validation rows are; None without cross-validation.
    """

    number: int
    point: Mapping[str, Any]
    config: Mapping[str, Any]
    fold: int | None = None


class Plan(NamedTuple):
    """A sweep.

    Attributes:
        base: the resolved config with every axis at its first value.
        axes: what changes.
        folds: number of folds; None without cross-validation.
        members: all runs, in the order of the table.
        groups: the members of equal static setting.
    """

    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    folds: int | None
    members: tuple[Member, ...]
    groups: tuple[tuple[Member, ...], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The swept fields."""
        return tuple(path for axis in self.axes for path in axis.paths)


def make(spec: str, overrides: Sequence[str], axes: Sequence[Axis], folds: int | None = None) -> Plan:
    """The runs of a sweep, every config checked.

    Args:
        spec: as `aejax.config.load` takes it.
        overrides: ``"path=value"``, applied before the axes.
        axes: from `aejax.sweep.axes.collect`.
        folds: number of folds of a cross-validation, 2 or more; None for none.

    Raises:
        UserError: a field that does not exist, or a value that it cannot have.
    """
    if folds is not None and folds < 2:
        raise UserError(f"--folds {folds}: allowed: 2 or more")
    points = axes_.points(axes)
    base = _load(spec, overrides, points[0])
    traced = [
        path for axis in axes for path, own in zip(axis.paths, axis.values, strict=True) if is_traced(base, path, own)
    ]
    _check_ends(spec, overrides, axes, points[0], traced)
    loaded: dict[str, dict[str, Any]] = {}
    members = []
    for point, fold in product(points, range(folds) if folds else (None,)):
        fixed = {path: value for path, value in point.items() if path not in traced}
        known = repr(fixed)
        if known not in loaded:
            loaded[known] = _load(spec, overrides, point)
        config = deepcopy(loaded[known])
        for path in traced:
            _put(config, path, point[path])
        shown = {path: _get(config, path) for path in point}
        members.append(Member(len(members), shown, config, fold))
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(static_of(member.config), []).append(member)
    return Plan(base, tuple(axes), folds, tuple(members), tuple(map(tuple, groups.values())))


def static_of(config: Mapping[str, Any]) -> str:
    """What a compiled program depends on, as text: the config without its seed, a mark for every traced number."""
    marked = {key: _marked(value) if key in SWEPT_SECTIONS else value for key, value in config.items() if key != "seed"}
    return json.dumps(marked, sort_keys=True)


def _marked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return "traced" if type(value) is float else value


def _load(spec: str, overrides: Sequence[str], point: Mapping[str, Any]) -> dict[str, Any]:
    # A whole number from linspace() or geomspace() is an int where the field takes no floats.
    texts = [f"{path}={value!r}" for path, value in point.items()]
    try:
        return configs.load(spec, [*overrides, *texts])
    except UserError:
        whole = [f"{p}={int(v)!r}" if type(v) is float and v.is_integer() else f"{p}={v!r}" for p, v in point.items()]
        if whole == texts:
            raise
    return configs.load(spec, [*overrides, *whole])


def is_traced(base: Mapping[str, Any], path: str, values: Sequence[Any]) -> bool:
    """Whether a field enters the compiled program as a number that may change."""
    numeric = all(type(value) in (int, float) for value in values)
    if path == "seed":
        return numeric and all(float(value).is_integer() for value in values)
    return numeric and path.partition(".")[0] in SWEPT_SECTIONS and type(_get(base, path)) is float


def _check_ends(
    spec: str, overrides: Sequence[str], axes: Sequence[Axis], point: Mapping[str, Any], traced: Sequence[str]
) -> None:
    """Check the least and the greatest value of each traced field: what it may be is an interval."""
    for axis in axes:
        for path, own in zip(axis.paths, axis.values, strict=True):
            if path in traced:
                for value in {min(own), max(own)}:
                    _load(spec, overrides, {**point, path: value})


def _get(config: Mapping[str, Any], path: str) -> Any:
    for name in path.split("."):
        config = config[name]
    return config


def _put(config: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for name in parents:
        config = config[name]
    config[leaf] = int(value) if path == "seed" else float(value)


class Block(NamedTuple):
    """Members that train as one program: streams share their batches, each stream has equally many settings.

    Attributes:
        members: those that count.
        streams: (seed, fold) of each stream.
        places: (streams, settings) positions in `members`; some may be there twice, to fill the shape.
    """

    members: tuple[Member, ...]
    streams: tuple[tuple[int, int | None], ...]
    places: np.ndarray

    @property
    def id(self) -> str:
        """16 hexadecimal digits that say which runs these are."""
        told = [[member.config, member.fold] for member in self.members]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def blocks(group: Sequence[Member], most: int, multiple: int = 1) -> list[Block]:
    """A group cut into blocks of equal shape.

    Args:
        group: members of equal static setting.
        most: members that a block may hold, 1 or more.
        multiple: of it the number of streams or of settings is, if the block has that many members.

    Returns:
        One or more blocks. Seeds with equally many settings are streams × settings; others stand alone.
    """
    by_stream: dict[tuple[int, int | None], list[Member]] = {}
    for member in group:
        by_stream.setdefault((member.config["seed"], member.fold), []).append(member)
    rows = list(by_stream.items())
    if len({len(own) for _, own in rows}) > 1:
        rows = [((member.config["seed"], member.fold), [member]) for member in group]
    wide = len(rows[0][1])
    columns = _equal(wide, max(1, most // len(rows)))
    lines = _equal(len(rows), most) if columns == 1 else len(rows)
    found = []
    for top in range(0, len(rows), lines):
        for left in range(0, wide, columns):
            part = [(stream, own[left : left + columns]) for stream, own in rows[top : top + lines]]
            found.append(filled(part, lines, columns, multiple))
    return found


def _equal(count: int, most: int) -> int:
    """The size of parts that are as equal as can be and at most `most`."""
    parts = -(-count // min(count, most))
    return -(-count // parts)


def filled(part: list[tuple[Any, list[Member]]], lines: int, columns: int, multiple: int) -> Block:
    """Streams with their members as a block of a shape, the last of each standing in where there are too few."""
    members = [member for _, own in part for member in own]
    position = {member.number: place for place, member in enumerate(members)}
    streams, places = [stream for stream, _ in part], [[position[member.number] for member in own] for _, own in part]
    if lines * columns >= multiple and lines % multiple and columns % multiple:
        down, right = -lines % multiple * columns, -columns % multiple * lines
        lines, columns = (
            (lines + -lines % multiple, columns) if down < right else (lines, columns + -columns % multiple)
        )
    places = [row + [row[-1]] * (columns - len(row)) for row in places]
    streams += [streams[-1]] * (lines - len(streams))
    places += [places[-1]] * (lines - len(places))
    return Block(tuple(members), tuple(streams), np.array(places))
