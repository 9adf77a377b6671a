"""Damaged bytes, and what came of reading them: counted by kind, with the first few of what must not be."""

import io
import json
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple

import numpy as np

from aejax.errors import UserError

LONGEST = 60
"""Seconds after which a case counts as one that hangs."""

OUTCOMES = ("refused", "equal", "told", "lost", "left", "traceback", "hang", "silent")
"""A case is refused in one line, gives what it gives without a fault, or says what is missing.

No other may occur: something is lost, temporary files are left, a traceback, a hang, another result without a word.
"""
ALLOWED = OUTCOMES[:3]

WORDS = ("damaged", "passed over", "is not as", "written again", "begins again")
"""What is said of files that have come to harm."""


class Case(NamedTuple):
    """What was done, what came of it (one of `OUTCOMES`), and more about it."""

    what: str
    outcome: str
    more: str = ""


class HangError(Exception):
    """A case took longer than `LONGEST`."""


def flipped(random: np.random.Generator, content: bytes) -> bytes:
    """One bit is another."""
    at = int(random.integers(len(content)))
    return content[:at] + bytes([content[at] ^ 1 << int(random.integers(8))]) + content[at + 1 :]


def cut(random: np.random.Generator, content: bytes) -> bytes:
    """The end is missing."""
    return content[: int(random.integers(len(content)))]


def emptied(random: np.random.Generator, content: bytes) -> bytes:
    """Nothing is left."""
    return b""


def swapped(random: np.random.Generator, content: bytes) -> bytes:
    """Two pieces have changed places."""
    a, b, c, d = sorted(random.integers(len(content) + 1, size=4).tolist())
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def inserted(random: np.random.Generator, content: bytes) -> bytes:
    """A few bytes stand where there were none."""
    at, size = int(random.integers(len(content) + 1)), int(random.integers(1, 9))
    return content[:at] + random.bytes(size) + content[at:]


def doubled(random: np.random.Generator, content: bytes) -> bytes:
    """A piece is there twice."""
    a, b = sorted(random.integers(len(content) + 1, size=2).tolist())
    return content[:b] + content[a:b] + content[b:]


def zeroed(random: np.random.Generator, content: bytes) -> bytes:
    """A piece is zeros, as after a loss of power."""
    a, b = sorted(random.integers(len(content) + 1, size=2).tolist())
    return content[:a] + bytes(b - a) + content[b:]


def digit(random: np.random.Generator, content: bytes) -> bytes:
    """One digit is another, which no form shows."""
    digits = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    if not digits:
        return flipped(random, content)
    at = int(random.choice(digits))
    return content[:at] + bytes([48 + (content[at] - 48 + int(random.integers(1, 10))) % 10]) + content[at + 1 :]


DAMAGES = (flipped, cut, emptied, swapped, inserted, doubled, zeroed, digit)
TEXT = (*DAMAGES, digit, digit)
"""Of text; most digits that change leave it readable."""


def damaged(random: np.random.Generator, content: bytes, damages: tuple = DAMAGES) -> tuple[str, bytes]:
    """The content with one damage, and its name."""
    damage = damages[int(random.integers(len(damages)))]
    return damage.__name__, damage(random, content)


@contextmanager
def timed(seconds: int) -> Iterator[None]:
    """Raises `HangError` in what takes longer."""

    def late(*_):
        raise HangError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(what: str, function: Callable[[], str | None], seconds: int = LONGEST) -> Case:
    """The case of a function that returns what is wrong with its answer, or None, or refuses."""
    said = io.StringIO()
    try:
        with timed(seconds), redirect_stdout(said), redirect_stderr(said):
            wrong = function()
        is_said = any(words in said.getvalue() for words in WORDS)
        return Case(what, "equal" if wrong is None else "told" if is_said else "silent", wrong or "")
    except UserError as error:
        lines = str(error)
        return Case(what, "refused" if "\n" not in lines and len(lines) < 2000 else "traceback", lines)
    except HangError:
        return Case(what, "hang")
    except Exception:
        return Case(what, "traceback", traceback.format_exc(limit=-6))


def counted(cases: Iterator[Case], show: int = 5, say: Callable[[str], None] = print) -> Counter:
    """How often each outcome occurred; the first few that must not occur are said."""
    counts: Counter = Counter()
    for case in cases:
        counts[case.outcome] += 1
        if case.outcome not in ALLOWED and counts[case.outcome] <= show:
            say(f"{case.outcome}: {case.what:.300}\n{case.more:.2000}")
    return counts


def line(kind: str, counts: Counter) -> str:
    """The counts of a kind in one line."""
    return f"{kind:12s} {sum(counts.values()):6d} cases: " + ", ".join(f"{counts[name]} {name}" for name in OUTCOMES)


def as_json(value: object) -> bytes:
    """A JSON text, as aejax writes it."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
