"""``expected.json`` as it is read: what is missing or of the wrong kind is named by its place."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.errors import UserError, shown

FORMAT = 1
KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
NOT_FINITE = ("nan", "inf", "-inf")  # JSON has no numbers for these


class Number(NamedTuple):
    """A recorded number: its value for seeds 0, 1, …, how far another mean may be from theirs, and why so far."""

    values: tuple[float, ...]
    tolerance: float
    why: str


class Recorded(NamedTuple):
    """What is recorded of an experiment.

    Attributes:
        quick: whether ``--quick`` runs it.
        seconds: that one seed took when it was recorded, on one thread.
        numbers: by name, such as ``"test/mse"`` or ``"baselines/pca/mse"``; none before it is recorded.
        digests: by fingerprint of the machine, those of the parameters for seeds 0, 1, ….
    """

    quick: bool
    seconds: float
    numbers: Mapping[str, Number]
    digests: Mapping[str, tuple[str, ...]]


def experiments(text: str) -> dict[str, Recorded]:
    """What the text of an ``expected.json`` holds, by the name of the experiment.

    Raises:
        UserError: it is damaged, which it says with the place, or of another format.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"is damaged: line {error.lineno}, column {error.colno}: is not JSON") from None
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        raise UserError("is damaged: is not JSON that can be read") from None
    form = _field(_kind(content, dict, ()), "format", ())
    if form != FORMAT or isinstance(form, bool):
        raise UserError(f"is of format {shown(form)}, this version reads {FORMAT}")
    found = _field(content, "experiments", (), dict)
    return {name: _recorded(value, ("experiments", name)) for name, value in found.items()}


def _recorded(value: Any, place: Sequence[str]) -> Recorded:
    own = _kind(value, dict, place)
    quick = _field(own, "quick", place, bool)
    seconds = _real(_field(own, "seconds", place), (*place, "seconds"))
    metrics, digests = (_field(own, name, place, dict) for name in ("metrics", "digests"))
    return Recorded(
        quick,
        seconds,
        {name: _number(each, (*place, "metrics", name)) for name, each in metrics.items()},
        {machine: _digests(each, (*place, "digests", machine)) for machine, each in digests.items()},
    )


def _number(value: Any, place: Sequence[str]) -> Number:
    own = _kind(value, dict, place)
    values, at = _field(own, "values", place, list), (*place, "values")
    if not values:
        raise _damage(at, "is a list without a value")
    tolerance = _real(_field(own, "tolerance", place), (*place, "tolerance"))
    if not tolerance >= 0:
        raise _damage((*place, "tolerance"), f"expected 0 or more, got {tolerance:g}")
    return Number(tuple(_real(each, at) for each in values), tolerance, _field(own, "why", place, str))


def _digests(value: Any, place: Sequence[str]) -> tuple[str, ...]:
    return tuple(_kind(each, str, place) for each in _kind(value, list, place))


def _field(own: Mapping[str, Any], name: str, place: Sequence[str], kind: type | None = None) -> Any:
    if name not in own:
        raise _damage(place, f"has no {name!r}")
    return own[name] if kind is None else _kind(own[name], kind, (*place, name))


def _kind(value: Any, kind: type, place: Sequence[str]) -> Any:
    if not isinstance(value, kind):
        raise _damage(place, f"expected {KINDS[kind]}, got {_written(value)}")
    return value


def _real(value: Any, place: Sequence[str]) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) or value in NOT_FINITE):
        raise _damage(place, f"expected a number, got {_written(value)}")
    try:
        return float(value)
    except OverflowError:
        raise _damage(place, "expected a number, got one that is too large") from None


def _written(value: Any) -> str:
    return KINDS[type(value)] if isinstance(value, dict | list) else json.dumps(value, ensure_ascii=False)[:100]


def _damage(place: Sequence[str], what: str) -> UserError:
    return UserError(f"is damaged: {' > '.join(place)}{': ' if place else ''}{what}")
