"""Jobs as tasks of Ray: on this machine, or on a cluster; a job whose worker died is done again by another.

What a job leaves is sent back, so that nodes need no file system in common; they need aejax and the data.
"""

import logging
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError
from aejax.files import write_atomic
from aejax.sweep.engines.groups import Group, Needs, TrainGroups, train_with
from aejax.sweep.engines.jobs import Engine, Job, attempt_apart, cores

RETRIES = 3
"""How often a job is begun again after its worker died."""
PROBE_SECONDS = 5.0
ASK_SECONDS, GONE_SECONDS = 5.0, 30.0
SETTINGS = 4
"""The type of a frame of settings in HTTP/2."""


@contextmanager
def cluster(address: str | None, needs: Needs) -> Iterator[TrainGroups]:
    """Connect to a Ray cluster, or start one on this machine that ends with the sweep.

    Args:
        address: ``host:port`` of a head node, or ``"auto"`` for the cluster that this machine is part of; None for one
            that is started.
        needs: of a job.

    Yields:
        What trains groups.

    Raises:
        UserError: Ray is not installed, no cluster answers, or this machine is smaller than a job needs.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read as it is imported
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray: Ray is not installed; allowed: pip install 'aejax[ray]'") from None

    def train(groups: Sequence[Group], folds: int | None, options: Any, folder: Path) -> None:
        most = needs.runs or -(-sum(map(len, groups)) // max(1, slots(ray, needs)))
        train_with(engine(ray, needs, folder), needs._replace(runs=most), groups, folds, options, folder)

    connect(ray, address)
    try:
        check_fit(ray, needs, mine=address is None)
        yield train
    finally:
        ray.shutdown()


def connect(ray: Any, address: str | None) -> None:
    """Connect to a cluster; to one of this machine's own for None."""
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*os.fork", category=RuntimeWarning)  # it goes on to exec
            ray.init(address="local", num_cpus=cores(), include_dashboard=False, **quiet)
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
            if os.environ.get("RAY_USE_TLS", "0") == "0" and not speaks_http2(link):
                raise OSError("something else does")
    except (OSError, OverflowError) as error:
        line = f"no Ray cluster answers there ({error}); allowed: host:port, or auto"
        raise UserError(f"--address {address}: {line}") from None


def speaks_http2(link: socket.socket) -> bool:
    """Whether the other end greets as every gRPC server does: by a frame of settings, RFC 9113, section 3.4."""
    link.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))
    with link.makefile("rb") as answer:
        head = answer.read(9)
    return len(head) == 9 and head[3] == SETTINGS


def slots(ray: Any, needs: Needs) -> int:
    """How many jobs the nodes that there are now can do at once."""
    asks = {name: amount for name, amount in zip(RESOURCES, needs, strict=False) if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0) // amount for name, amount in asks.items())) for node in nodes)


RESOURCES = ("CPU", "GPU", "memory")
"""What Ray calls the first fields of `Needs`."""


def check_fit(ray: Any, needs: Needs, *, mine: bool) -> None:
    """Refuse a job that fits no node, or say that one is waited for, since a cluster may grow."""
    if slots(ray, needs):
        return
    asked = f"--task-cpus {needs.cpus}" + (f" --task-gpus {needs.gpus:g}" if needs.gpus else "")
    asked += f" --task-memory {needs.memory}B" if needs.memory else ""
    if mine:
        has = ray.cluster_resources()
        resources = ", ".join(f"{name} {has[name]:g}" for name in RESOURCES if name in has)
        raise UserError(f"{asked}: more than this machine has ({resources})")
    console.say(f"{asked}: no node of the cluster has so much now; waiting for one")


def engine(ray: Any, needs: Needs, folder: Path) -> Engine:
    """The engine of a cluster that is connected to, for jobs of a folder."""
    asks = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory, "max_retries": RETRIES}
    attempt = ray.remote(**asks)(attempt_apart).options(name="aejax sweep")
    alive = watch(ray.get_runtime_context().gcs_address, folder)

    def start(jobs: Sequence[Job]) -> list[Any]:
        return [attempt.remote(job) for job in jobs]

    def poll(reference: Any) -> str | None:
        alive()
        if not ray.wait([reference], timeout=0, fetch_local=True)[0]:
            return None
        try:
            failure, files = ray.get(reference)
        except ray.exceptions.RayError as error:  # its worker died, again and again
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        for path, content in files.items():
            write_atomic(folder / path, content)
        return failure

    def stop(references: Sequence[Any]) -> None:
        for reference in references:
            ray.cancel(reference, force=True)

    return Engine(start, poll, stop)


def watch(address: str, folder: Path) -> Callable[[], None]:
    """A function, to be called now and then, that raises `UserError` once the head of a cluster is gone for good.

    Ray itself ends the process after a minute.
    """
    answered = asked = time.monotonic()

    def alive() -> None:
        nonlocal answered, asked
        now = time.monotonic()
        if now - asked < ASK_SECONDS:
            return
        asked = now
        try:
            probe(address)
            answered = now
        except UserError:
            if now - answered > GONE_SECONDS:
                line = f"the Ray cluster of {address} has gone; what was done is kept: the same command with "
                raise UserError(f"{line}--workdir {folder} does the rest") from None

    return alive
