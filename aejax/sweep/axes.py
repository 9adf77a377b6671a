"""Axes of a sweep: which field takes which values, and the points that several axes span.

The values of an axis are a list or array, or a text that says what NumPy would call them: ``[1,2,3]``, ``range(5)``,
``range(0,10,2)``, ``linspace(a,b,n)``, ``geomspace(a,b,n)``, and n draws between a and b, ``uniform(a,b,n[,seed])``,
``loguniform(…)``, or of a Sobol' sequence, ``sobol(a,b,n[,seed])``, ``logsobol(…)``. ``0:5`` is ``range(0,5)``, and
`ALIASES` are older spellings.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from aejax.config.overrides import parse
from aejax.errors import UserError, one_of

MOST = 100_000
"""Values of one axis, and points of a sweep."""

SPACED = ("linspace", "geomspace")
DRAWN = ("uniform", "loguniform", "sobol", "logsobol")
LOGARITHMIC = ("geomspace", "loguniform", "logsobol")
ALIASES = {"lin": "linspace", "log": "geomspace", "random": "uniform", "lograndom": "loguniform", "quasi": "sobol"}
ALIASES |= {"logquasi": "logsobol"}
FORMS = f"[1,2,3], range(5), {', '.join(f'{name}(a,b,n)' for name in (*SPACED, *DRAWN))}"

_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")


class Axis(NamedTuple):
    """Fields that change together: the k-th value of each belongs to the k-th of the others.

    Attributes:
        paths: dotted names of the fields; one, or more where they are zipped.
        values: for each field, its values; all of equal length.
        ends: of a single field whose values lie between two ends: these, and whether evenly in their logarithm.
    """

    paths: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    ends: tuple[float, float, bool] | None = None

    def __len__(self) -> int:
        """How many values each field has."""
        return len(self.values[0])

    @property
    def name(self) -> str:
        """The field, or the fields that are zipped."""
        return "+".join(self.paths)

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """The fields' values by a text that stands for them."""
        rows = zip(*self.values, strict=True)
        return {repr(row[0]) if len(row) == 1 else repr(row): row for row in rows}


def make(paths: str | Sequence[str], specs: Any) -> Axis:
    """An axis from its fields and their specs.

    Args:
        paths: one dotted name, or several that are zipped.
        specs: one spec, or as many as there are names. Zipped random specs draw from streams of their own, and
            zipped quasi-random ones are the coordinates of one sequence, so that together they fill the space.

    Raises:
        UserError: a spec that cannot be read, has no values or the same twice, or lengths that differ.
    """
    names, by_name = ((paths,), (specs,)) if isinstance(paths, str) else (tuple(paths), tuple(specs))
    what = f"axis {', '.join(names)}"
    if len(names) != len(by_name):
        raise UserError(f"{what}: {len(names)} fields are zipped and {len(by_name)} specs given")
    values = tuple(read(name, spec, index) for index, (name, spec) in enumerate(zip(names, by_name, strict=True)))
    if len(set(map(len, values))) > 1:
        counts = ", ".join(f"{name} has {len(column)}" for name, column in zip(names, values, strict=True))
        raise UserError(f"{what}: zipped fields need equally many values; {counts}")
    seen = set()
    for row in zip(*values, strict=True):
        if repr(row) in seen:
            raise UserError(f"{what}: {row if len(row) > 1 else row[0]!r} is there twice; allowed: each value once")
        seen.add(repr(row))
    return Axis(names, values, _ends(by_name[0]) if len(names) == 1 else None)


def _ends(spec: Any) -> tuple[float, float, bool] | None:
    form, arguments = _call(spec.strip()) if isinstance(spec, str) else (None, [])
    if form in (None, "range"):
        return None
    low, high = sorted(map(float, arguments[:2]))
    return low, high, form in LOGARITHMIC


def read(name: str, spec: Any, index: int = 0) -> tuple[Any, ...]:
    """The values of one field.

    Args:
        name: the field, for errors.
        spec: a list, tuple, range or array of values, or a text.
        index: of the field among those that are zipped with it.

    Raises:
        UserError: it is no spec, or has no values or too many.
    """
    values = _spelled(name, spec.strip(), index) if isinstance(spec, str) else _listed(name, spec)
    if not values:
        raise UserError(f"axis {name}: {spec!r} has no values; allowed: one or more, such as range(5)")
    if len(values) > MOST:
        raise UserError(f"axis {name}: {spec!r} has more than {MOST} values")
    return tuple(values)


def _listed(name: str, spec: Any) -> list[Any]:
    spec = np.asarray(spec) if hasattr(spec, "__array__") else spec
    if not isinstance(spec, Sequence | np.ndarray):
        raise UserError(f"axis {name}: cannot read {spec!r}; allowed: {FORMS}")
    plain = [value.item() if isinstance(value, np.generic) else value for value in spec]
    return [tuple(value) if isinstance(value, list) else value for value in plain]


def _spelled(name: str, text: str, index: int) -> list[Any]:
    if text.startswith("[") and text.endswith("]"):
        return [parse(part) for part in _parts(text[1:-1])]
    if limits := _RANGE.fullmatch(text):
        return _range(name, text, [int(part) for part in limits.groups() if part is not None])
    form, arguments = _call(text)
    if form is None:
        raise UserError(f"axis {name}: cannot read {text!r}; allowed: {FORMS}")
    return _range(name, text, arguments) if form == "range" else _sampled(name, text, form, arguments, index)


def _call(text: str) -> tuple[str | None, list[Any]]:
    """The name and the arguments of ``name(argument, ...)``; None where a text is no such call."""
    call = re.fullmatch(r"(\w+)\((.*)\)", text, re.DOTALL)
    return (ALIASES.get(call[1], call[1]), list(map(parse, _parts(call[2])))) if call else (None, [])


def _range(name: str, text: str, limits: list[Any]) -> list[int]:
    """Python's range of one to three whole numbers, `MOST` of it and one more."""
    if not 1 <= len(limits) <= 3 or any(type(limit) is not int for limit in limits) or limits[2:] == [0]:
        allowed = "range(stop) or range(start, stop[, step]) of whole numbers; the step of a range is not 0"
        raise UserError(f"axis {name}: cannot read {text!r}; allowed: {allowed}")
    return list(range(*limits)[: MOST + 1])


def _parts(text: str) -> list[str]:
    """The parts between the commas that stand in no bracket and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else quote or (letter if letter in "'\"" else "")
        if not quote:
            depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _sampled(name: str, text: str, form: str, arguments: list[Any], index: int) -> list[float]:
    """``form(low, high, count[, seed])``."""
    if form not in (*SPACED, *DRAWN):
        raise one_of(form, ("range", *SPACED, *DRAWN), what=f"axis {name}")
    logarithmic, most = form in LOGARITHMIC, 4 if form in DRAWN else 3
    ends, whole = arguments[:2], arguments[2:]
    finite = all(type(end) in (int, float) and math.isfinite(end) for end in ends)
    if (
        not 3 <= len(arguments) <= most
        or not finite
        or (logarithmic and min(ends) <= 0)
        or any(type(value) is not int or not 0 <= value < 2**64 for value in whole)
        or whole[0] > MOST
    ):
        allowed = f"{form}(low, high, count{', seed' if form in DRAWN else ''}) with finite numbers"
        numbers = f"the count must be a whole number to {MOST}{', the seed one from 0' if form in DRAWN else ''}"
        above = " above 0" if logarithmic else ""
        raise UserError(f"axis {name}: cannot read {text!r}; allowed: {allowed}{above}; {numbers}")
    share = _shares(form, whole[0], whole[1] if len(whole) > 1 else 0, index)
    low, high = map(float, ends)
    first, last = np.log([low, high]) if logarithmic else (low, high)
    spread = first + share * (last - first)
    # Twelve digits, so that geomspace(1e-5,1e-2,4) holds 0.001 and not 0.0009999999999999998.
    rounded = np.array([float(f"{value:.12g}") for value in (np.exp(spread) if logarithmic else spread)])
    return np.where(share == 0, low, np.where(share == 1, high, rounded)).tolist()


def _shares(form: str, count: int, seed: int, index: int) -> np.ndarray:
    """`count` shares of the way between the ends of an axis, in [0, 1].

    Drawn ones come from the raw output of Philox, which NumPy promises never to change; quasi-random ones are a Sobol'
    sequence, shifted by such a draw modulo 1.

    References:
        Cranley & Patterson 1976, Randomization of number theoretic methods for multiple integration, section 3.
    """
    if form in SPACED:
        return np.linspace(0, 1, count)
    draw = lambda size: (np.random.Philox(key=[seed, index]).random_raw(size) >> np.uint64(11)) * 2.0**-53
    if form in ("uniform", "loguniform") or not count:
        return draw(count)
    from scipy.stats import qmc

    sequence = qmc.Sobol(index + 1, scramble=False).random_base2((count - 1).bit_length())
    return (sequence[:count, index] + draw(1)) % 1.0


def collect(
    declared: Mapping[Any, Any], from_command: Sequence[str] = (), zipped: Sequence[Sequence[str]] = ()
) -> list[Axis]:
    """The axes of a sweep.

    Args:
        declared: what a config file's ``sweep()`` returns: a field -> its spec, or a tuple of fields that are zipped ->
            as many specs.
        from_command: ``"path=spec"`` of the command line; takes the place of a declared axis of the same field.
        zipped: lists of those, each to be zipped.

    Raises:
        UserError: an axis that cannot be read, no axis, a field that is named twice, or too many points.
    """
    if not isinstance(declared, Mapping):
        raise UserError(f"sweep() must return a dict of axes, not {type(declared).__name__}")
    axes = [make(*_halves(text, "--axis")) for text in from_command]
    axes += [make(*zip(*(_halves(text, "--zip") for text in texts), strict=True)) for texts in zipped]
    replaced = {path for axis in axes for path in axis.paths}
    for axis in (make(*each) for each in declared.items()):
        common = replaced & set(axis.paths)
        if common and len(axis.paths) > 1:
            raise UserError(f"axis {min(common)}: is zipped in sweep() with others; allowed: --zip with all of them")
        axes += [] if common else [axis]
    for path, count in Counter(path for axis in axes for path in axis.paths).items():
        if count > 1:
            raise UserError(f"axis {path}: two axes name this field; allowed: one")
    if not axes:
        raise UserError("sweep: there is no axis; allowed: --axis PATH=SPEC, or sweep() in the config file")
    if math.prod(map(len, axes)) > MOST:
        raise UserError(f"sweep: {' × '.join(str(len(axis)) for axis in axes)} points are more than {MOST}")
    return axes


def _halves(text: str, option: str) -> tuple[str, str]:
    path, equals, spec = text.partition("=")
    if not equals or not path.strip():
        raise UserError(f"{option} {text}: expected PATH=SPEC, such as optimizer.learning_rate=geomspace(1e-4,1e-1,7)")
    return path.strip(), spec.strip()


def points(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Every combination of the axes' values, the last axis changing fastest: a field -> its value."""
    rows = [[dict(zip(axis.paths, row, strict=True)) for row in zip(*axis.values, strict=True)] for axis in axes]
    return [{path: value for part in parts for path, value in part.items()} for parts in product(*rows)]
