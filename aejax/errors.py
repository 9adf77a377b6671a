"""The one exception for a mistake that its user can mend, and how close names are found."""

from collections.abc import Iterable


class UserError(ValueError):
    """A mistake of the user: one line that says what is wrong, where, and what is allowed.

    The command line prints the line and exits with code 2; nothing is lost and nothing half written.
    """


def one_of(given: object, allowed: Iterable[str], *, what: str) -> UserError:
    """An error that names the unknown `given`, the nearest allowed name, and all of them.

    Args:
        given: what the user wrote.
        allowed: the names that exist.
        what: what is named, with its place, such as ``"model.activation"``.

    Returns:
        The error, to be raised by the caller.
    """
    from difflib import get_close_matches

    names = sorted(allowed)
    near = get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(f"{what}: unknown {given!r}{hint}; allowed: {', '.join(names) or 'nothing'}")
