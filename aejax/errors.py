"""The one exception for a mistake that its user can mend, and how close names are found."""

from collections.abc import Iterable


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
    return text if len(text) <= 120 else f"{text[:100]} … ({len(text)} characters)"


def one_of(given: object, allowed: Iterable[str], *, what: str) -> UserError:
    """An error that names the unknown `given`, the nearest allowed name, and all of them.

    Args:
        given: what the user wrote.
        allowed: the names that exist.
        what: what is named, with its place, such as ``"model.activation"``.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(allowed)
    return UserError(f"{what}: unknown {shown(given)}{hint(given, names)}; allowed: {', '.join(names) or 'nothing'}")


def hint(given: object, names: Iterable[str]) -> str:
    """The name that is nearest to what the user wrote, as a question; nothing where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(given[:200], sorted(names), n=1, cutoff=0.6) if isinstance(given, str) else []
    return f" (did you mean {near[0]!r}?)" if near else ""


def first_line(error: BaseException) -> str:
    """What an error says, in one line; the name of its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
