"""The one exception for a mistake that its user can mend, the nearest names, and other exceptions in one line."""

import re
import traceback
from collections.abc import Iterable

LONGEST = 300
"""Letters of what an error of a library says; some hold the file that they could not read."""


class UserError(ValueError):
    """A mistake of the user: one line that says what is wrong, where, and what is allowed.

    The command line prints the line and exits with code 2; nothing is lost and nothing half written.
    """


def shown(value: object) -> str:
    """A value as Python writes it, cut where it would no longer fit in a line."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        text = f"a number of {value.bit_length()} bits" if isinstance(value, int) else "a value that cannot be written"
    text = re.sub(r" at 0x[0-9a-f]+", "", text)  # addresses mean nothing to a reader
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= 120 else f"{text[:100]} … ({len(text)} characters)"


def one_of(value: object, allowed: Iterable[str], *, what: str) -> UserError:
    """An error that names an unknown value, the nearest allowed name, and all of them.

    Args:
        value: what the user wrote.
        allowed: the names that exist.
        what: what is named, with its path, such as ``"model.activation"``.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(allowed)
    return UserError(f"{what}: unknown {shown(value)}{hint(value, names)}; allowed: {', '.join(names) or 'nothing'}")


def hint(value: object, names: Iterable[str]) -> str:
    """The name that is nearest to what the user wrote, as a question; nothing where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(value[:200], sorted(names), n=1, cutoff=0.6) if isinstance(value, str) else []
    return f" (did you mean {near[0]!r}?)" if near else ""


def first_line(error: BaseException) -> str:
    """What an error says, in one line that is not too long; the name of its kind where it says nothing."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def raised(error: BaseException, path: str, otherwise: str = "") -> str:
    """An exception in one line: its kind and message, after the last line of a file that it came through.

    Args:
        error: what was raised.
        path: of the file.
        otherwise: what stands in front where no line of the file had a part in it.
    """
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    where = f"{path}:{lines[-1]}: " if lines else otherwise
    return f"{where}{type(error).__name__}: {first_line(error)}"
