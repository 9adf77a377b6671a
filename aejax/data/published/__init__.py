"""Published data sets: families of entries of the cache, made from the internet or from files at hand."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256 as digest_of
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import numpy as np

from aejax.console import complain
from aejax.data import cache
from aejax.data.splits import Raw
from aejax.errors import UserError

TIMEOUT = 5  # seconds without an answer after which a download is given up
MOST_BYTES = 2**26
MOST_SECONDS = 900
_BLOCK = 2**16

Options = Mapping[str, Any]
"""Those of `aejax.data.load`."""


class Family(NamedTuple):
    """Data sets that are read alike.

    Attributes:
        key: ``(name, options) -> key`` of the entry in the cache.
        make: ``(name, source, options, target) -> details``: writes the arrays into the folder `target`, from the file
            or folder `source`, or from the internet where that is None.
        raw: ``(name, arrays, details, options) -> Raw``.
        takes: the options that these data sets have.
        folder: ``(name, options) -> folder`` of what is kept beside the entry; None where the entry is all.
    """

    key: Callable[[str, Options], str]
    make: Callable[[str, Path | None, Options, Path], Mapping[str, Any]]
    raw: Callable[[str, cache.Arrays, Mapping[str, Any], Options], Raw]
    takes: tuple[str, ...] = ()
    folder: Callable[[str, Options], Path] | None = None


def load(family: Family, name: str, options: Options) -> Raw:
    """The rows of a data set: from the cache, else from the internet.

    Raises:
        UserError: it is not prepared and there is no internet.
    """
    entry = cache.build(family.key(name, options), lambda target: family.make(name, None, options, target))
    return family.raw(name, *entry, options)


def prepare(family: Family, name: str, source: str | None, options: Options) -> Path:
    """The folder of a data set, which is made of the files in `source`, or from the internet where it is not there.

    Raises:
        UserError: the files are missing, damaged or something else, or there is no internet; what was prepared stays.
    """
    path, key = source and Path(source).expanduser(), family.key(name, options)
    folder = cache.root() / key if family.folder is None else family.folder(name, options)
    anew = source is not None or not folder.exists()
    cache.build(key, lambda target: family.make(name, path, options, target), anew=anew)
    return folder


def save(target: Path, **arrays: np.ndarray) -> None:
    """Write arrays into the folder of an entry."""
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array)


# Downloads: over https, or of a file whose SHA-256 is recorded; no larger than published files are.


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
    complain(f"downloading {title} from {server}")
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


def fetch(url: str, *, sha256: str | None = None) -> bytes:
    """What lies at an address.

    Args:
        url: of https, through all redirections; any where the digest is recorded.
        sha256: that the contents must have; None where none is recorded.

    Raises:
        OSError: there is no answer.
        http.client.HTTPException: the answer is cut short.
        UserError: another digest, too many bytes, or an address that anybody on the way could answer for.
    """
    from urllib.request import urlopen

    parts, size, deadline = [], 0, time.monotonic() + MOST_SECONDS
    with urlopen(_safe(url, sha256), timeout=TIMEOUT) as answer:
        _safe(getattr(answer, "url", url), sha256)
        while block := answer.read(_BLOCK):
            parts.append(block)
            size += len(block)
            if size > MOST_BYTES or time.monotonic() > deadline:
                raise UserError(f"{url}: does not end after {size} bytes; no published file is so large")
    data = b"".join(parts)
    if sha256 is not None and digest_of(data).hexdigest() != sha256:
        raise UserError(f"{url}: what was downloaded is not the published file; try again")
    return data


def _safe(url: str, sha256: str | None) -> str:
    if sha256 is None and not url.startswith("https://"):
        raise UserError(f"{url}: is not https, and no SHA-256 of it is recorded")
    return url
