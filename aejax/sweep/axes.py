"""Axes of a sweep: which field takes which values, and the points that several axes span.

The values of an axis are a list or array, or a text that says what NumPy would call them: ``[1,2,3]``, ``range(5)``,
``range(0,10,2)``, ``linspace(a,b,n)``, ``geomspace(a,b,n)``, and n draws between a and b, ``uniform(a,b,n[,seed])``,
``loguniform(…)``, or of a Sobol' sequence, ``sobol(a,b,n[,seed])``, ``logsobol(…)``. ``0:5`` is ``range(0,5)``, and
`ALIASES` are older spellings.
"""

import math
import re
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
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


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


def make(paths: str | Sequence[str], specs: Any) -> Axis:
    """An axis from its fields and their specs.

    Args:
        paths: one dotted name, or several that are zipped.
        specs: one spec, or as many as there are names. Zipped random specs draw from streams of their own, and
            zipped quasi-random ones are the coordinates of one sequence, so that together they fill the space.

    Raises:
        UserError: a spec that cannot be read, has no values or the same twice, or lengths that differ.
    """
    names, given = ((paths,), (specs,)) if isinstance(paths, str) else (tuple(paths), tuple(specs))
    if len(names) != len(given):
        raise UserError(f"axis {', '.join(names)}: {len(names)} fields are zipped and {len(given)} specs given")
    values = tuple(read(name, spec, place) for place, (name, spec) in enumerate(zip(names, given, strict=True)))
    lengths = {name: len(own) for name, own in zip(names, values, strict=True)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise UserError(f"axis {', '.join(names)}: zipped fields need equally many values; {counts}")
    seen = set()
    for together in zip(*values, strict=True):
        if repr(together) in seen:
            shown = together if len(together) > 1 else together[0]
            raise UserError(f"axis {', '.join(names)}: {shown!r} is there twice; allowed: each value once")
        seen.add(repr(together))
    return Axis(names, values, _ends(given[0]) if len(names) == 1 else None)


def _ends(spec: Any) -> tuple[float, float, bool] | None:
    call = _CALL.fullmatch(spec.strip()) if isinstance(spec, str) else None
    if call is None or call[1] == "range":
        return None
    low, high = (float(parse(part)) for part in _parts(call[2])[:2])
    return min(low, high), max(low, high), ALIASES.get(call[1], call[1]) in LOGARITHMIC


def read(name: str, spec: Any, place: int = 0) -> tuple[Any, ...]:
    """The values of one field.

    Args:
        name: the field, for errors.
        spec: a list, tuple, range or array of values, or a text.
        place: of the field among those that are zipped with it.

    Raises:
        UserError: it is no spec, or has no values or too many.
    """
    values = _spelled(name, spec.strip(), place) if isinstance(spec, str) else _listed(name, spec)
    if not values:
        raise UserError(f"axis {name}: {spec!r} has no values; allowed: one or more, such as range(5)")
    if len(values) > MOST:
        raise UserError(f"axis {name}: {spec!r} has more than {MOST} values")
    return tuple(values)


def _listed(name: str, spec: Any) -> list[Any]:
    if not isinstance(spec, Sequence | np.ndarray):
        raise UserError(f"axis {name}: cannot read {spec!r}; allowed: {FORMS}")
    plain = [value.item() if isinstance(value, np.generic) else value for value in spec]
    return [tuple(value) if isinstance(value, list) else value for value in plain]


def _spelled(name: str, text: str, place: int) -> list[Any]:
    if text.startswith("[") and text.endswith("]"):
        return [parse(part) for part in _parts(text[1:-1])]
    if slice_text := _RANGE.fullmatch(text):
        return _range(name, text, [int(part) for part in slice_text.groups() if part is not None])
    if call := _CALL.fullmatch(text):
        if call[1] == "range":
            return _range(name, text, [parse(part) for part in _parts(call[2])])
        return [float(value) for value in _sampled(name, text, call[1], _parts(call[2]), place)]
    raise UserError(f"axis {name}: cannot read {text!r}; allowed: {FORMS}")


def _range(name: str, text: str, numbers: list[Any]) -> list[int]:
    """Python's range of one to three whole numbers, `MOST` of it and one more."""
    if not 1 <= len(numbers) <= 3 or any(type(number) is not int for number in numbers):
        raise UserError(f"axis {name}: cannot read {text!r}; allowed: range(stop) or range(start, stop[, step])")
    if len(numbers) == 3 and numbers[2] == 0:
        raise UserError(f"axis {name}: {text}: the step of a range is not 0")
    return list(range(*numbers)[: MOST + 1])


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


def _sampled(name: str, text: str, form: str, parts: list[str], place: int) -> np.ndarray:
    """``form(low, high, count[, seed])`` as float64."""
    form = ALIASES.get(form, form)
    if form not in (*SPACED, *DRAWN):
        raise one_of(form, ("range", *SPACED, *DRAWN), what=f"axis {name}")
    seeded = form in DRAWN
    values = [parse(part) for part in parts]
    ends, whole = values[:2], values[2:]
    number = lambda v: isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    if len(values) not in ((3, 4) if seeded else (3,)) or not all(map(number, ends)):
        allowed = f"{form}(low, high, count{', seed' if seeded else ''})"
        raise UserError(f"axis {name}: cannot read {text!r}; allowed: {allowed} with finite numbers")
    if any(type(value) is not int or not 0 <= value < 2**64 for value in whole) or whole[0] > MOST:
        raise UserError(f"axis {name}: {text}: the count must be a whole number from 1 to {MOST}, the seed one from 0")
    logarithmic = form in LOGARITHMIC
    if logarithmic and min(ends) <= 0:
        raise UserError(f"axis {name}: {text}: both ends of a logarithmic axis must be above 0")
    share = _shares(form, whole[0], whole[1] if len(whole) > 1 else 0, place)
    low, high = map(float, ends)
    straight = np.log([low, high]) if logarithmic else np.array([low, high])
    spread = straight[0] + share * (straight[1] - straight[0])
    # Twelve digits, so that geomspace(1e-5,1e-2,4) holds 0.001 and not 0.0009999999999999998.
    rounded = np.array([float(f"{value:.12g}") for value in (np.exp(spread) if logarithmic else spread)])
    return np.where(share == 0, low, np.where(share == 1, high, rounded))


def _shares(form: str, count: int, seed: int, place: int) -> np.ndarray:
    """`count` places between the ends of an axis, in [0, 1].

    Drawn ones come from the raw output of Philox, which NumPy promises never to change; quasi-random ones are a Sobol'
    sequence, shifted by such a draw modulo 1.

    References:
        Cranley & Patterson 1976, Randomization of number theoretic methods for multiple integration, section 3.
    """
    if form in SPACED:
        return np.linspace(0, 1, count) if count != 1 else np.zeros(1)
    draw = lambda size: (np.random.Philox(key=[seed, place]).random_raw(size) >> np.uint64(11)) * 2.0**-53
    if form in ("uniform", "loguniform") or not count:
        return draw(count)
    from scipy.stats import qmc

    sequence = qmc.Sobol(place + 1, scramble=False).random_base2((count - 1).bit_length())
    return (sequence[:count, place] + draw(1)) % 1.0


def spelled(text: str, option: str = "--axis") -> tuple[str, str]:
    """The two halves of ``PATH=SPEC``."""
    path, equals, spec = text.partition("=")
    if not equals or not path.strip():
        raise UserError(f"{option} {text}: expected PATH=SPEC, such as optimizer.learning_rate=geomspace(1e-4,1e-1,7)")
    return path.strip(), spec.strip()


def collect(declared: Mapping[Any, Any], given: Sequence[str] = (), zipped: Sequence[Sequence[str]] = ()) -> list[Axis]:
    """The axes of a sweep.

    Args:
        declared: what a config file's ``sweep()`` returns: a field -> its spec, or a tuple of fields that are zipped ->
            as many specs.
        given: ``"path=spec"`` of the command line; takes the place of a declared axis of the same field.
        zipped: lists of those, each to be zipped.

    Raises:
        UserError: an axis that cannot be read, no axis, a field that is named twice, or too many points.
    """
    if not isinstance(declared, Mapping):
        raise UserError(f"sweep() must return a dict of axes, not {type(declared).__name__}")
    asked = [make(*spelled(text)) for text in given]
    asked += [make(*zip(*(spelled(text, "--zip") for text in texts), strict=True)) for texts in zipped]
    named = [path for axis in asked for path in axis.paths]
    for paths, specs in declared.items():
        axis = make(paths, specs)
        common = set(axis.paths) & set(named)
        if common and len(axis.paths) > 1:
            raise UserError(f"axis {min(common)}: is zipped in sweep() with others; allowed: --zip with all of them")
        if not common:
            asked.append(axis)
    paths = [path for axis in asked for path in axis.paths]
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f"axis {path}: two axes name this field; allowed: one")
    if not asked:
        raise UserError("sweep: there is no axis; allowed: --axis PATH=SPEC, or sweep() in the config file")
    if math.prod(map(len, asked)) > MOST:
        raise UserError(f"sweep: {' × '.join(str(len(axis)) for axis in asked)} points are more than {MOST}")
    return asked


def points(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Every combination of the axes' values, the last axis changing fastest: a field -> its value."""
    rows = [[dict(zip(axis.paths, row, strict=True)) for row in zip(*axis.values, strict=True)] for axis in axes]
    return [{path: value for part in parts for path, value in part.items()} for parts in product(*rows)]
