"""One run of several processes: how they find each other, and one line instead of a crash when one is lost.

`jax.distributed` connects the processes. Where one of them dies, or never comes, JAX ends the others from within its
runtime, with a stack trace and no way to step in. So the command becomes two: a child that trains, and the process that
was started, which hands on what the child says until the runtime gives up, and then says in one line what happened.
"""

import argparse
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aejax.errors import UserError
from aejax.training.interruption import SIGNALS

WAIT_SECONDS = 60
"""For processes that are not there yet; the variable `AEJAX_WAIT_SECONDS` changes it."""
HEARTBEAT_SECONDS = 30
"""Without a sign of life of a process, after which JAX takes it for dead."""
FINISHING_SECONDS = 7 * 24 * 3600
"""That the others wait at the end for the first process, which evaluates and draws."""

# How the runtime begins the message that it ends with, and C++ that of an error of the collectives that nobody catches.
_FATAL = re.compile(rb"^(F\d{4} \d\d:\d\d:\d\d|terminate called after throwing an instance of 'gloo::)")
_LOSS = re.compile(rb"^[EW]\d{4} [^\n]*(coordination_service|preemption)")  # and those before it
_OWN = re.compile(rb"^(aejax: |Traceback|[EW]\d{4} )")  # what ends them
_COLLECTIVE = re.compile("gloo|nccl|coordination service|heartbeat", re.IGNORECASE)


VARIABLES = {
    "--coordinator": "JAX_COORDINATOR_ADDRESS",
    "--processes": "JAX_NUM_PROCESSES",
    "--process-id": "JAX_PROCESS_ID",
}
"""What the environment calls each option."""


class Process(NamedTuple):
    """A process among those of a run; what is None is found by JAX, which knows SLURM, Open MPI and TPUs.

    Attributes:
        coordinator: ``host:port`` of process 0.
        count: of processes.
        number: of this process, from 0.
    """

    coordinator: str | None
    count: int | None
    number: int | None


def this_process(arguments: argparse.Namespace) -> Process | None:
    """What the options, or else the environment, say about this process; None for a run of one process.

    Raises:
        UserError: half of an answer, a number out of its range, or options without ``--distributed``.
    """
    options = {option: getattr(arguments, option[2:].replace("-", "_")) for option in VARIABLES}
    if not arguments.distributed:
        for option, value in options.items():
            if value is not None:
                raise UserError(f"{option}: needs --distributed")
        return None
    if arguments.workdir is None:
        raise UserError("--distributed: needs --workdir, a folder that all processes see")
    values = {option: os.environ.get(VARIABLES[option]) if v is None else v for option, v in options.items()}
    missing = [option for option, value in values.items() if value is None]
    if len(missing) == 3:
        return Process(None, None, None)
    if missing:
        raise UserError(f"{missing[0]}: is missing, or the variable {VARIABLES[missing[0]]}; all three, or none")
    coordinator = values.pop("--coordinator")
    count, number = (_whole(option, value) for option, value in values.items())
    if not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise UserError(f"--coordinator {coordinator}: expected HOST:PORT, such as 10.0.0.1:7000")
    if count < 1 or not 0 <= number < count:
        raise UserError(f"--process-id {number}: of {count} processes; allowed: 0 to {max(count, 1) - 1}")
    return Process(coordinator, count, number)


def _whole(option: str, value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{option} {value}: expected a whole number") from None


@contextmanager
def joined(process: Process | None, folder: Path | None) -> Iterator[None]:
    """Be one of the processes of a run: inside, JAX sees the devices of all of them; only the first one is heard.

    Args:
        process: this one; None changes nothing.
        folder: of the run, for the line that says how to go on.

    Raises:
        UserError: the processes cannot meet, or one of them was lost.
    """
    if process is None:
        yield
        return
    seconds = _whole("AEJAX_WAIT_SECONDS", os.environ.get("AEJAX_WAIT_SECONDS", WAIT_SECONDS))
    _part(process, seconds, folder)
    _connect(process, seconds)
    import jax

    if jax.process_index():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what all would say is said once
    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        if not _COLLECTIVE.search(str(error)):
            raise
        print(f"aejax: {_lost(folder)}", file=sys.stderr, flush=True)
        os._exit(2)  # the usual way out would wait for the process that is lost


def _lost(folder: Path | None) -> str:
    return f"another process of this run was lost; go on with the same command and --workdir {folder}"


def _connect(process: Process, seconds: int) -> None:
    """Meet the other processes."""
    import jax

    if process.number:
        _reach(process.coordinator, seconds)
    times = {"heartbeat_timeout_seconds": HEARTBEAT_SECONDS, "shutdown_timeout_seconds": FINISHING_SECONDS}
    try:
        jax.distributed.initialize(*process, initialization_timeout=seconds, **times)
    except (ValueError, RuntimeError) as error:
        line = str(error).strip().splitlines()[0]
        raise UserError(
            f"--distributed: {line}; allowed: as it is under SLURM, Open MPI or on a TPU, and elsewhere with "
            "--coordinator, --processes and --process-id"
        ) from error


def _reach(coordinator: str, seconds: int) -> None:
    """Wait until the first process listens.

    Raises:
        UserError: it does not in that time.
    """
    host, _, port = coordinator.rpartition(":")
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=max(0.1, until - time.monotonic())).close()
            return
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no answer"
        if time.monotonic() > until:
            late = f"cannot be reached for {seconds} s ({reason}); is process 0 running there?"
            raise UserError(f"--coordinator {coordinator}: {late}")
        time.sleep(0.2)


def _part(process: Process, seconds: int, folder: Path | None) -> None:
    """Return in a child; this process waits for it, says what it says, and ends as it does."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        os.close(read)
        os.close(write)
        os.setpgrp()  # Ctrl-C comes once, from this process's parent
        _die_with_parent()
        return
    os.close(write)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: os.kill(child, number))
    with os.fdopen(read, "rb") as said:
        last = _hand_on(said)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if last:
        waiting = b"RegisterTask" in last or b"Barrier" in last
        late = f"--distributed: not all {process.count or ''} processes came within {seconds} s"
        print(f"aejax: {' '.join(late.split()) if waiting else _lost(folder)}", file=sys.stderr, flush=True)
        code = 2
    sys.stdout.flush()
    os._exit(code if code >= 0 else 128 - code)


def _hand_on(said: BinaryIO) -> bytes:
    """Write to standard error what a process says there, up to where its runtime gives up; returns what follows."""
    lost = False
    for line in said:
        if _FATAL.match(line):
            return line + said.read()
        lost = bool(_LOSS.match(line)) or (lost and not _OWN.match(line))
        if not lost:
            os.write(2, line)
    return b""


def _die_with_parent() -> None:
    """On Linux, so that ending the process that was started by any means ends the one that trains."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
