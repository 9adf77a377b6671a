"""What a sweep will do: its runs, grouped by equal static setting, each group laid out as streams × settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from aejax import config as configs
from aejax.errors import UserError
from aejax.sweep.axes import Axis, points

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

    @property
    def id(self) -> str:
        """16 hexadecimal digits that say which run this is, whatever sweep it is in."""
        return _hash([self.config, self.fold])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Plan(NamedTuple):
    """A sweep.

    Attributes:
        base: the resolved config with every axis at its first value.
        axes: what changes.
        folds: number of folds; None without cross-validation.
        members: all runs, in the order of the table.
        groups: the members of equal static setting.
        traced: the fields that enter a compiled program as numbers that may change.
    """

    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    folds: int | None
    members: tuple[Member, ...]
    groups: tuple[tuple[Member, ...], ...]
    traced: frozenset[str] = frozenset()

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
    settings = points(axes)
    base = _load(spec, overrides, settings[0])
    by_path = {path: values for axis in axes for path, values in zip(axis.paths, axis.values, strict=True)}
    traced = frozenset(path for path, values in by_path.items() if _is_traced(base, path, values))
    for path, values in by_path.items():
        for value in {min(values), max(values)} if path in traced else ():  # what a number may be is an interval
            _load(spec, overrides, {**settings[0], path: value})
    loaded: dict[str, dict[str, Any]] = {}
    members: list[Member] = []
    groups: dict[str, list[Member]] = {}
    for point, fold in product(settings, range(folds) if folds else (None,)):
        fixed = repr({path: value for path, value in point.items() if path not in traced})
        if fixed not in loaded:
            loaded[fixed] = _load(spec, overrides, point)
        config = deepcopy(loaded[fixed])
        for path in traced:
            _put(config, path, point[path])
        members.append(Member(len(members), {path: _get(config, path) for path in point}, config, fold))
        groups.setdefault(static_of(config), []).append(members[-1])
    return Plan(base, tuple(axes), folds, tuple(members), tuple(map(tuple, groups.values())), traced)


def static_of(config: Mapping[str, Any]) -> str:
    """What a compiled program depends on, as text: the config without its seed, a mark for every traced number."""
    marked = {key: _marked(value) if key in SWEPT_SECTIONS else value for key, value in config.items() if key != "seed"}
    return json.dumps(marked, sort_keys=True)


def _marked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return "traced" if type(value) is float else value


def _load(spec: str, overrides: Sequence[str], point: Mapping[str, Any]) -> dict[str, Any]:
    """The config at a point; a whole number of linspace() or geomspace() is an int where the field takes no floats."""
    whole = {path: int(v) if type(v) is float and v.is_integer() else v for path, v in point.items()}
    texts, wholes = ([f"{path}={value!r}" for path, value in each.items()] for each in (point, whole))
    try:
        return configs.load(spec, [*overrides, *texts])
    except UserError:
        if wholes == texts:
            raise
    return configs.load(spec, [*overrides, *wholes])


def _is_traced(base: Mapping[str, Any], path: str, values: Sequence[Any]) -> bool:
    """Whether a field enters the compiled program as a number that may change."""
    numeric = all(type(value) in (int, float) for value in values)
    if path == "seed":
        return numeric and all(float(value).is_integer() for value in values)
    return numeric and path.partition(".")[0] in SWEPT_SECTIONS and type(_get(base, path)) is float


def _get(config: Mapping[str, Any], path: str) -> Any:
    return reduce(lambda group, name: group[name], path.split("."), config)


def _put(config: dict[str, Any], path: str, value: Any) -> None:
    parents, _, leaf = path.rpartition(".")
    (_get(config, parents) if parents else config)[leaf] = int(value) if path == "seed" else float(value)


Stream = tuple[int, int | None]
"""Seed and fold: what decides the batches of a run."""


class Block(NamedTuple):
    """Members that train as one program: streams share their batches, each stream has equally many settings.

    Attributes:
        members: those that count.
        streams: of each row of the grid.
        grid: (streams, settings) positions in `members`; some may be there twice, to fill the shape.
    """

    members: tuple[Member, ...]
    streams: tuple[Stream, ...]
    grid: np.ndarray

    @property
    def id(self) -> str:
        """16 hexadecimal digits that say which runs these are."""
        return _hash([[member.config, member.fold] for member in self.members])


def blocks(group: Sequence[Member], most: int, multiple: int = 1) -> list[Block]:
    """A group cut into blocks of equal shape.

    Args:
        group: members of equal static setting.
        most: members that a block may hold, 1 or more.
        multiple: of it the number of streams or of settings is, if the block has that many members.

    Returns:
        One or more blocks. Seeds with equally many settings are streams × settings; others stand alone.
    """
    rows = by_stream(group)
    if len({len(row) for _, row in rows}) > 1:
        rows = [row for member in group for row in by_stream([member])]
    wide = len(rows[0][1])
    columns = _equal(wide, max(1, most // len(rows)))
    lines = _equal(len(rows), most) if columns == 1 else len(rows)
    return [
        filled(
            [(stream, row[left : left + columns]) for stream, row in rows[top : top + lines]], lines, columns, multiple
        )
        for top in range(0, len(rows), lines)
        for left in range(0, wide, columns)
    ]


def by_stream(group: Sequence[Member]) -> list[tuple[Stream, list[Member]]]:
    """The streams of a group, each with its members."""
    rows: dict[Stream, list[Member]] = {}
    for member in group:
        rows.setdefault((member.config["seed"], member.fold), []).append(member)
    return list(rows.items())


def _equal(count: int, most: int) -> int:
    """The size of parts that are as equal as can be and at most `most`."""
    parts = -(-count // min(count, most))
    return -(-count // parts)


def filled(rows: list[tuple[Stream, list[Member]]], lines: int, columns: int, multiple: int) -> Block:
    """Streams with their members as a block of a shape, the last of each standing in where there are too few."""
    members = [member for _, row in rows for member in row]
    position = {member.number: index for index, member in enumerate(members)}
    if lines * columns >= multiple and lines % multiple and columns % multiple:
        down, right = -lines % multiple, -columns % multiple
        lines, columns = (lines + down, columns) if down * columns < right * lines else (lines, columns + right)
    at = lambda sequence, index: sequence[min(index, len(sequence) - 1)]
    grid = [[position[at(at(rows, i)[1], j).number] for j in range(columns)] for i in range(lines)]
    return Block(tuple(members), tuple(at(rows, i)[0] for i in range(lines)), np.array(grid))
