"""Asking a run to stop: a signal is answered at once, and ends the run, saved, after the steps that are being done."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class InterruptedRunError(Exception):
    """The run was asked to stop; its folder holds all that was done."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Hold `SIGNALS` back until they are looked at, however many come, and say so when the first and the second do.

    While compiled steps run no Python does in this thread, so another one speaks. Who ignores SIGHUP, as `nohup` does,
    still does.

    Yields:
        Whether one has come. Outside the main thread, where signals are somebody else's, none ever has.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked, before, terminals = [], {}, [number for number in (1, 2) if os.isatty(number)]
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    for number in SIGNALS:
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, lambda number, frame: asked.append(number))
    wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    answering = threading.Thread(target=_answer, args=(receiver, before, terminals), daemon=True)
    answering.start()
    try:
        yield lambda: bool(asked)
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        sender.close()
        answering.join()
        receiver.close()


def _answer(receiver: socket.socket, numbers: Collection[int], terminals: Collection[int]) -> None:
    """Say at the first and the second signal what happens, until the other end is closed."""
    lines = [
        "stopping: the steps that run now are finished, then saved; another signal loses nothing",
        f"stopping after the step that runs now, saved; kill -9 {os.getpid()} would end it at once, unsaved",
    ]
    while received := receiver.recv(1):
        if received[0] not in numbers:
            continue
        _leave_closed(terminals)
        if lines:
            with suppress(OSError, ValueError):  # nobody reads it
                print(f"aejax: {lines.pop(0)}", file=sys.stderr, flush=True)


def _leave_closed(terminals: Collection[int]) -> None:
    """Write to nowhere what would go to a terminal that has been closed, and could only fail there."""
    for number in terminals:
        if not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
