"""JSON that somebody else may have written: parsed within bounds, and each field held against the form it should have.

A form is a type (`str`, `bool`, `float` for any number, `object` for anything), `None`, a tuple of forms for a list of
just these, a dict of forms for an object with at least those fields, or one of the named tuples below.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
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


class Named(NamedTuple):
    """An object with any names, and values of one form."""

    each: Form


class Fields(NamedTuple):
    """An object with the fields of `needed`, and perhaps those of `more`; any others are of the form `other`."""

    needed: Mapping[str, Form]
    more: Mapping[str, Form]
    other: Form = object


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
    level = [value]
    for _ in range(DEEPEST):
        for each in level:
            _check_text(each, where)
        level = [item for each in level for item in _items(each)]
        if not level:
            return value
    raise UserError(f"{where}: is damaged: it is nested more than {DEEPEST} deep")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is too large")
    return int(digits)


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else ()


def _check_text(value: Any, where: object) -> None:
    """Refuse text that no file name, page or terminal can hold."""
    if isinstance(value, str) and ("\0" in value or (not value.isascii() and re.search("[\ud800-\udfff]", value))):
        raise UserError(f"{where}: is damaged: {shown(value)} is no text")


def check(value: Any, form: Form, where: object, place: str = "") -> Any:
    """The value, if it has the form.

    Args:
        value: from `parse`.
        form: as the head of this module says.
        where: the file, for errors.
        place: of the value in it, for errors.

    Raises:
        UserError: naming the place and what was expected.
    """
    inside = lambda name: f"{place}.{name}" if place else str(name)
    match form:
        case Either(forms):
            fitting = [each for each in forms if _fits(value, each)]
            if not fitting:
                raise _damage(value, " or ".join(map(described, forms)), where, place)
            return check(value, fitting[0], where, place)
        case _ if not _fits(value, form):
            raise _damage(value, described(form), where, place)
        case Many(each):
            for number, item in enumerate(value):
                check(item, each, where, inside(number))
        case Named(each):
            for name, item in value.items():
                check(item, each, where, inside(name))
        case dict() | Fields():
            needed, more, other = form if isinstance(form, Fields) else (form, {}, object)
            for name in needed:
                if name not in value:
                    raise UserError(f"{where}: is damaged: it has no {inside(name)}")
            for name, item in value.items():
                check(item, {**more, **needed}.get(name, other), where, inside(name))
        case tuple() if not hasattr(form, "_fields"):
            for number, (item, each) in enumerate(zip(value, form, strict=True)):
                check(item, each, where, inside(number))
    return value


def _fits(value: Any, form: Form) -> bool:
    """Whether a value is of the kind that a form asks for; what is inside it is not looked at."""
    match form:
        case Whole(low, high):
            return type(value) is int and low <= value <= high
        case Word(pattern):
            return isinstance(value, str) and re.fullmatch(pattern, value) is not None
        case Many(_, least, most):
            return isinstance(value, list) and least <= len(value) <= most
        case Either(forms):
            return any(_fits(value, each) for each in forms)
        case dict() | Named() | Fields():
            return isinstance(value, dict)
        case tuple():
            return isinstance(value, list) and len(value) == len(form)
        case None:
            return value is None
    if form is float:
        return (type(value) in (int, float) and not abs(value) > LARGEST) or value in NOT_FINITE
    return form is object or type(value) is form


def described(form: Form) -> str:
    """A form in words, for errors."""
    match form:
        case Whole(low, high):
            return f"a whole number from {low} to {high}"
        case Word(pattern):
            return f"text such as {pattern}"
        case Many(_, least):
            return "a list" if not least else f"a list of {least} or more"
        case Either(forms):
            return " or ".join(map(described, forms))
        case dict() | Named() | Fields():
            return KINDS[dict]
        case tuple():
            return f"a list of {len(form)}"
    return KINDS.get(form, "a value")


def _damage(value: Any, expected: str, where: object, place: str) -> UserError:
    given = KINDS[type(value)] if isinstance(value, dict | list) and value else shown(value)
    return UserError(f"{where}: is damaged: {place}{': ' if place else ''}expected {expected}, got {given}")
