"""Asking a run to stop: the first signal ends it after its current chunk, a second one at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class InterruptedRunError(Exception):
    """The run was asked to stop; its folder holds all that was done."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Hold SIGINT and SIGTERM back until they are looked at; a second one of a kind does what it always does.

    Yields:
        Whether one has come. Outside the main thread, where signals are somebody else's, none ever has.
    """
    asked, before = [], {}

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    with suppress(ValueError):  # not the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
