"""The space of a search, made of the axes of a sweep: ranges of numbers, choices, and the seeds that repeat a trial."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.errors import UserError, shown
from aejax.sweep import plan as plans
from aejax.sweep.axes import Axis
from aejax.sweep.plan import Plan


class Dimension(NamedTuple):
    """What one parameter of a trial stands for.

    Attributes:
        axis: the fields that it sets.
        ends: of a range, as `Axis.ends`; None where it is one of the axis' values.
    """

    axis: Axis
    ends: tuple[float, float, bool] | None

    @property
    def name(self) -> str:
        """Of the parameter: the field, or the fields that are zipped."""
        return "+".join(self.axis.paths)

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """What the parameter may be, and the fields' values then."""
        rows = zip(*self.axis.values, strict=True)
        return {repr(row[0]) if len(row) == 1 else repr(row): row for row in rows}

    def values(self, parameter: Any) -> tuple[Any, ...]:
        """The fields' values for a parameter of a trial.

        Raises:
            UserError: it is no choice of the axis.
        """
        if self.ends is None and parameter not in self.choices:
            raise UserError(f"{self.name}: a trial of the study has {shown(parameter)}; allowed: another --study")
        return self.choices[parameter] if self.ends is None else (float(parameter),)


class Space(NamedTuple):
    """Where a search looks.

    Attributes:
        spec: of the config.
        overrides: of the config.
        dimensions: what is searched.
        seeds: every trial trains with each of these.
        folds: and on each of so many folds; None without cross-validation.
        base: the resolved config with every axis at its first value.
        traced: the fields that enter a compiled program as numbers that may change.
        configs: resolved, of every value of each axis, those that differ in traced numbers alone once.
    """

    spec: str
    overrides: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    seeds: tuple[int, ...]
    folds: int | None
    base: Mapping[str, Any]
    traced: frozenset[str]
    configs: tuple[Mapping[str, Any], ...]

    @property
    def streams(self) -> int:
        """How many runs a trial has."""
        return len(self.seeds) * (self.folds or 1)

    @property
    def programs(self) -> int:
        """How many static settings there are at most."""
        static = [d for d in self.dimensions if not set(d.axis.paths) <= self.traced]
        return math.prod(len(dimension.axis) for dimension in static)


def make(spec: str, overrides: Sequence[str], axes: Sequence[Axis], folds: int | None) -> Space:
    """The space that axes span, every value of them checked.

    An axis whose values lie between two ends, such as ``geomspace(1e-4,1e-1,7)``, is the whole range where its field is
    a number that may change in a compiled program; any other axis is a choice among its values. The seed is not
    searched.

    Args:
        spec: as `aejax.config.load` takes it.
        overrides: ``"path=value"``, applied before the axes.
        axes: from `aejax.sweep.axes.collect`.
        folds: number of folds of a cross-validation; None for none.

    Raises:
        UserError: a field that does not exist, a value that it cannot have, or nothing to search.
    """
    own = [axis for axis in axes if axis.paths != ("seed",)]
    if any("seed" in axis.paths for axis in own):
        raise UserError("axis seed: is zipped with others; allowed with --search: an axis of its own")
    if not own:
        raise UserError("--search: there is nothing to search; allowed: an axis beside that of the seed")
    first = [Axis(axis.paths, tuple((values[0],) for values in axis.values)) for axis in own]
    made = plans.make(spec, overrides, first, folds)
    varied = [
        plans.make(spec, overrides, [*first[:place], _whole(axis), *first[place + 1 :]])
        for place, axis in enumerate(own)
    ]
    configs = tuple(group[0].config for plan in varied for group in plan.groups)
    traced = frozenset(
        path
        for axis in own
        for path, values in zip(axis.paths, axis.values, strict=True)
        if plans.is_traced(made.base, path, values)
    )
    dimensions = tuple(Dimension(axis, axis.ends if set(axis.paths) <= traced else None) for axis in own)
    seeds = next((axis.values[0] for axis in axes if axis.paths == ("seed",)), (made.base["seed"],))
    return Space(spec, tuple(overrides), dimensions, tuple(map(int, seeds)), folds, made.base, traced, configs)


def _whole(axis: Axis) -> Axis:
    return axis if axis.ends is None else Axis(axis.paths, (tuple({*axis.values[0], *axis.ends[:2]}),))


def planned(space: Space, trials: Sequence[Mapping[str, Any]]) -> Plan:
    """The runs of trials: of each trial in turn, one for each seed and fold.

    Args:
        space: from `make`.
        trials: the parameters of each, by the names of the dimensions.
    """
    rows = [[v for d in space.dimensions for v in d.values(parameters[d.name])] for parameters in trials]
    paths = tuple(path for dimension in space.dimensions for path in dimension.axis.paths)
    settings = Axis(paths, tuple(zip(*rows, strict=True)))
    return plans.make(space.spec, space.overrides, [settings, Axis(("seed",), (space.seeds,))], space.folds)


def identity(space: Space) -> dict[str, Any]:
    """What makes this search another than that of other axes, as JSON has it."""
    described = {d.name: list(d.ends or d.choices) for d in space.dimensions}
    return {"config": space.base, "space": described, "seeds": list(space.seeds), "folds": space.folds}
