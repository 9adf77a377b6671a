"""What is written in figures, in another language: by a catalogue of texts and of patterns with blanks."""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from aejax.report.page.words import Words

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+−-]?\d+)?"
NUMBER = rf"(?:[+−-]?{DIGITS}%?|nan|-?inf)"
BLANK = re.compile(r"{(n|name|text)\d?}")
KINDS = {"n": NUMBER, "name": ".+?", "text": ".+?"}


class Pattern(NamedTuple):
    """A text with blanks: what it matches, how many letters of it are given, and what it is in the other language."""

    match: Callable[[str], re.Match | None]
    letters: int
    other: str


def translated(text: str, words: Words) -> str | None:
    """A text of a figure in another language.

    Args:
        text: in English, with any white space between its words.
        words: the catalogue; its part ``figures`` has the English texts and what they are in the language. A blank
            ``{n}`` stands for a number, ``{text}`` for another text that the catalogue has, and ``{name}`` for what
            stays as it is; ``{n2}`` and so on for further ones.

    Returns:
        The text, in which a line feed is one that is to be kept; None where the catalogue has none for it.
    """
    before = text[: len(text) - len(text.lstrip())]
    found = _found(" ".join(text.split()), words)
    return None if found is None else before + found


def _found(text: str, words: Words) -> str | None:
    if re.fullmatch(NUMBER, text):
        return number(text, words)
    known = words["figures"]
    if text in known:
        return known[text]
    for pattern in _patterns(tuple(known.items())):
        if found := pattern.match(text):
            filled = {blank: _filled(blank, value, words) for blank, value in found.groupdict().items()}
            if None not in filled.values():
                return pattern.other.format_map(filled)
    return None


def _filled(blank: str, value: str, words: Words) -> str | None:
    kind = blank.rstrip("0123456789")
    if kind == "name":
        return value
    return number(value, words) if kind == "n" else translated(value, words)


@cache
def _patterns(entries: tuple[tuple[str, str], ...]) -> tuple[Pattern, ...]:
    """Those with blanks, the one that gives the most letters first; of two that give as many, that of known texts."""
    found = []
    for english, other in entries:
        literal = BLANK.split(english)[::2]
        if len(literal) > 1:
            names = [match[0][1:-1] for match in BLANK.finditer(english)]
            kinds = [f"(?P<{name}>{KINDS[name.rstrip('0123456789')]})" for name in names]
            expression = "".join(map("".join, zip(map(re.escape, literal), [*kinds, ""], strict=True)))
            found.append(Pattern(re.compile(expression).fullmatch, sum(map(len, literal)), other))
    return tuple(sorted(found, key=lambda pattern: (-pattern.letters, "{name" in pattern.other)))


def number(text: str, words: Words) -> str:
    """A number with the marks of the language, a true minus, and a space before a percent sign."""
    if text == "nan":
        return words["numbers"]["nan"]
    marks = {",": words["numbers"]["thousands"], ".": words["numbers"]["decimal"], "-": "−", "%": "\u00a0%"}
    return "".join(marks.get(letter, letter) for letter in text.replace("inf", "∞"))
