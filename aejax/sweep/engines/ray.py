"""Groups as tasks of Ray: on this machine, or on a cluster; a task whose worker died is done again by another.

What a task leaves is sent back, so that nodes need no file system in common; they need aejax and the data.
"""

import logging
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError
from aejax.sweep.block import Options
from aejax.sweep.engines import task as tasks
from aejax.sweep.engines.local import Engine
from aejax.sweep.engines.task import Needs
from aejax.sweep.plan import Member
from aejax.training.interruption import InterruptedRunError, asked_to_stop

RETRIES = 3
"""How often a task is begun again after its worker died."""
POLL_SECONDS = 0.5
PROBE_SECONDS = 5.0
ASK_SECONDS, GONE_SECONDS = 5.0, 30.0
SETTINGS = 4
"""The type of a frame of settings in HTTP/2."""


@contextmanager
def cluster(address: str | None, needs: Needs) -> Iterator[Engine]:
    """Connect to a Ray cluster, or start one on this machine that ends with the sweep.

    Args:
        address: ``host:port`` of a head node, or ``"auto"`` for the cluster that this machine is part of; None for one
            that is started.
        needs: of a task.

    Yields:
        The engine.

    Raises:
        UserError: Ray is not installed, no cluster answers, or this machine is smaller than a task needs.
    """
    ray = import_ray()
    connect(ray, address)
    try:
        check_fit(ray, needs, mine=address is None)
        yield partial(_train, ray, needs)
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Ray.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read as it is imported
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray: Ray is not installed; allowed: pip install 'aejax[ray]'") from None
    return ray


def connect(ray: Any, address: str | None) -> None:
    """Connect to a cluster; to one of this machine's own for None."""
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*os.fork", category=RuntimeWarning)  # it goes on to exec
            ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
        return
    probe(address)
    try:
        ray.init(address=address, **quiet)
    except (ray.exceptions.RayError, RuntimeError, ValueError, OSError, ImportError) as error:
        line = str(error).strip().partition("\n")[0]
        raise UserError(f"--address {address}: no Ray cluster could be joined there: {line}") from None


def probe(address: str) -> None:
    """Whether gRPC, which Ray speaks, is spoken at a ``host:port``; Ray itself would try for minutes.

    Raises:
        UserError: it is not.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--address {address}: expected host:port of the head node of a Ray cluster, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS) as link:
            spoken = os.environ.get("RAY_USE_TLS", "0") != "0" or speaks_http2(link)
    except (OSError, OverflowError) as error:
        spoken, why = False, str(error)
    else:
        why = "something else does"
    if not spoken:
        raise UserError(f"--address {address}: no Ray cluster answers there ({why}); allowed: host:port, or auto")


def speaks_http2(link: socket.socket) -> bool:
    """Whether the other end greets as every gRPC server does: by a frame of settings, RFC 9113, section 3.4."""
    link.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))
    head = b""
    while len(head) < 9 and (more := link.recv(9 - len(head))):
        head += more
    return len(head) == 9 and head[3] == SETTINGS


def slots(ray: Any, needs: Needs) -> int:
    """How many tasks the nodes that there are now can do at once."""
    total = 0
    for node in ray.nodes():
        if node["Alive"]:
            has = node["Resources"]
            fits = [has.get("CPU", 0) // needs.cpus]
            fits += [has.get("GPU", 0) // needs.gpus] if needs.gpus else []
            fits += [has.get("memory", 0) // needs.memory] if needs.memory else []
            total += int(min(fits))
    return total


def check_fit(ray: Any, needs: Needs, *, mine: bool) -> None:
    """Refuse a task that fits no node, or say that one is waited for, since a cluster may grow."""
    if slots(ray, needs):
        return
    asked = f"--task-cpus {needs.cpus}" + (f" --task-gpus {needs.gpus:g}" if needs.gpus else "")
    asked += f" --task-memory {needs.memory}B" if needs.memory else ""
    has = {name: value for name, value in ray.cluster_resources().items() if name in ("CPU", "GPU", "memory")}
    if mine:
        told = ", ".join(f"{name} {value:g}" for name, value in sorted(has.items()))
        raise UserError(f"{asked}: more than this machine has ({told})")
    console.say(f"{asked}: no node of the cluster has so much now; waiting for one")


def _train(
    ray: Any, needs: Needs, groups: Sequence[tuple[Member, ...]], folds: int | None, options: Options, folder: Path
) -> None:
    """The engine."""
    most = needs.runs or -(-sum(map(len, groups)) // max(1, slots(ray, needs)))
    todo = tasks.split(groups, folds, options._asdict(), needs, most)
    asks = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory, "max_retries": RETRIES}
    do = ray.remote(**asks)(tasks.do_apart).options(name="aejax sweep")
    running = {do.remote(task): place for place, task in enumerate(todo)}
    failed: list[str] = []
    alive = watch(ray.get_runtime_context().gcs_address, folder)
    with asked_to_stop() as asked:
        while running and not asked():
            ready, _ = ray.wait(list(running), timeout=POLL_SECONDS, fetch_local=True)
            alive()
            for reference in ready:
                place = running.pop(reference)
                name = f"task {place + 1} of {len(todo)} ({len(todo[place].members)} runs)"
                try:
                    tasks.keep(folder, ray.get(reference))
                    console.say(f"{name}: done")
                except ray.exceptions.RayError as error:
                    failed.append(f"{name}: {reason(error)}")
                    console.say(failed[-1])
        for reference in running:
            ray.cancel(reference, force=True)
        if running:
            raise InterruptedRunError
    if failed:
        raise UserError(tasks.failures(folder, failed, len(todo)))


def watch(address: str, folder: Path) -> Callable[[], None]:
    """A function, to be called now and then, that raises `UserError` once the head of a cluster is gone for good.

    Ray itself ends the process after a minute.
    """
    seen = asked = time.monotonic()

    def alive() -> None:
        nonlocal seen, asked
        now = time.monotonic()
        if now - asked < ASK_SECONDS:
            return
        asked = now
        try:
            probe(address)
            seen = now
        except UserError:
            if now - seen > GONE_SECONDS:
                line = f"the Ray cluster of {address} has gone; what was done is kept: the same command with "
                raise UserError(f"{line}--workdir {folder} does the rest") from None

    return alive


def reason(error: Any) -> str:
    """Why a task failed, in one line."""
    cause = getattr(error, "cause", None) or error
    line = next(filter(None, (line.strip() for line in str(cause).splitlines())), "")
    return line if isinstance(cause, UserError) else f"{type(cause).__name__}: {line}"
