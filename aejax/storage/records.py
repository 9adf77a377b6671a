"""JSON that somebody else may have written: parsed within bounds, and each field held against the form it should have.

A form is a type (`str`, `bool`, `float` for any number, `object` for anything), `None`, a tuple of forms for a list of
just these, a dict of forms for an object with at least those fields, or one of the named tuples below.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import UserError, shown

DEEPEST = 32
MOST_DIGITS = 20
LARGEST = sys.float_info.max
NOT_FINITE = ("nan", "inf", "-inf")
"""How numbers are written that JSON lacks."""

Form = Any


class Whole(NamedTuple):
    """A whole number between two ends."""

    low: int = 0
    high: int = 2**53


class Word(NamedTuple):
    """Text that a regular expression describes to its end."""

    pattern: str


class Many(NamedTuple):
    """A list of values of one form, of a length between two ends."""

    each: Form
    least: int = 0
    most: int = 2**31


class Fields(NamedTuple):
    """An object with the fields of `needed`, and perhaps those of `more`; any others are of the form `other`."""

    needed: Mapping[str, Form]
    more: Mapping[str, Form]
    other: Form = object


def Named(each: Form) -> Fields:  # noqa: N802, a form like the others
    """An object with any names, and values of one form."""
    return Fields({}, {}, each)


class Either(NamedTuple):
    """One of a few forms."""

    forms: tuple[Form, ...]


KINDS = {str: "text", bool: "true or false", float: "a number", None: "null", dict: "an object", list: "a list"}


def read(path: Path, form: Form = object) -> Any:
    """The JSON of a file.

    Args:
        path: of the file.
        form: that the whole of it should have.

    Raises:
        UserError: it is damaged, which is told with the place.
        OSError: it cannot be read.
    """
    return check(parse(path.read_bytes(), path), form, path)


def parse(text: bytes | str, where: object) -> Any:
    """The value of a JSON text, no deeper than `DEEPEST`, whose numbers a computer can hold.

    Raises:
        UserError: it is no such text.
    """
    try:
        value = json.loads(text.decode() if isinstance(text, bytes) else text, parse_int=_whole)
    except RecursionError:
        raise UserError(f"{where}: is damaged: it is nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{where}: is damaged: {error}") from None
    _check_inside(value, where)
    return value


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is too large")
    return int(digits)


def _check_inside(value: Any, where: object, depth: int = 0) -> None:
    """Refuse what is nested too deeply, and text that no file name, page or terminal can hold."""
    if depth == DEEPEST:
        raise UserError(f"{where}: is damaged: it is nested more than {DEEPEST} deep")
    if isinstance(value, str) and ("\0" in value or (not value.isascii() and re.search("[\ud800-\udfff]", value))):
        raise UserError(f"{where}: is damaged: {shown(value)} is no text")
    items = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        _check_inside(item, where, depth + 1)


def check(value: Any, form: Form, where: object, path: str = "") -> Any:
    """The value, if it has the form.

    Args:
        value: from `parse`.
        form: as the head of this module says.
        where: the file, for errors.
        path: of the value in it, for errors.

    Raises:
        UserError: naming the path and what was expected.
    """
    for each in form.forms if isinstance(form, Either) else ():
        if _kind(each)[0](value):
            return check(value, each, where, path)
    form = Fields(form, {}) if isinstance(form, dict) else form
    fits, words = _kind(form)
    if not fits(value):
        written = KINDS[type(value)] if isinstance(value, dict | list) and value else shown(value)
        raise UserError(f"{where}: is damaged: {path}{': ' if path else ''}expected {words}, got {written}")
    inside = lambda name: f"{path}.{name}" if path else str(name)
    for name in form.needed if isinstance(form, Fields) else ():
        if name not in value:
            raise UserError(f"{where}: is damaged: it has no {inside(name)}")
    for name, item, each in _parts(value, form):
        check(item, each, where, inside(name))
    return value


def _parts(value: Any, form: Form) -> Iterable[tuple[Any, Any, Form]]:
    """What lies in a value that fits: its name, the value, and the form that it should have."""
    match form:
        case Many(each):
            return ((number, item, each) for number, item in enumerate(value))
        case Fields(needed, more, other):
            return ((name, item, {**more, **needed}.get(name, other)) for name, item in value.items())
        case tuple() if not hasattr(form, "_fields"):
            return zip(range(len(form)), value, form, strict=True)
    return ()


def _kind(form: Form) -> tuple[Callable[[Any], bool], str]:
    """Whether a value is of the kind that a form asks for, without a look inside it; and the form in words."""
    match form:
        case Whole(low, high):
            return lambda value: type(value) is int and low <= value <= high, f"a whole number from {low} to {high}"
        case Word(pattern):
            fits = lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None
            return fits, f"text such as {pattern}"
        case Many(_, least, most):
            fits = lambda value: isinstance(value, list) and least <= len(value) <= most
            return fits, f"a list of {least} or more" if least else "a list"
        case Either(forms):
            kinds = [_kind(each) for each in forms]
            return lambda value: any(fits(value) for fits, _ in kinds), " or ".join(words for _, words in kinds)
        case dict() | Fields():
            return lambda value: isinstance(value, dict), KINDS[dict]
        case tuple():
            return lambda value: isinstance(value, list) and len(value) == len(form), f"a list of {len(form)}"
    if form is float:
        number = lambda value: type(value) in (int, float) and not abs(value) > LARGEST
        return lambda value: number(value) or value in NOT_FINITE, KINDS[float]
    same = lambda value: form is object or (value is None if form is None else type(value) is form)
    return same, KINDS.get(form, "a value")
