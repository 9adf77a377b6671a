"""Published data sets: downloaded or read from files at hand, and kept in the cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError

from aejax.data import cache
from aejax.errors import UserError


@contextmanager
def downloading(name: str, title: str, server: str, files: str = "the files at hand", source: str = "DIR") -> Iterator:
    """Says what is downloaded; where that fails, one line says which command reads files at hand instead.

    Args:
        name: of the data set.
        title: for people.
        server: address or name of it.
        files: that can be read instead.
        source: what the command takes.

    Raises:
        UserError: there is no answer, or it is cut short.
    """
    cache.say(f"downloading {title} from {server}")
    try:
        yield
    except UserError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise UserError(
            f"{name}: not prepared, and {server} does not answer ({getattr(error, 'reason', error)}); with {files}: "
            f"aejax data prepare {name} --from {source}"
        ) from error
