"""Where the time of a run goes: the stages that it passes, and a trace of what the device does meanwhile."""

import gzip
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import jax

from aejax import console
from aejax.files import write_atomic

TRACE = "trace.json.gz"
MOST_STEPS = 1000
"""Of a run whose operations are traced: 20,000 steps of 784-32 would take 6 GB, and Perfetto reads a million events."""
STAGES = ("import", "load", "trace", "compile", "input", "step", "evaluation", "figures", "files")
OF_JAX = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "trace",
    "/jax/core/compile/backend_compile_duration": "compile",
}
"""What JAX says of its own work, by the name of the event."""
PREFIX = "/aejax/"


class Event(NamedTuple):
    """A stage that was passed: its name, its thread, and when it began and ended, in seconds."""

    name: str
    thread: int
    start: float
    end: float


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage of a run, as a block or around a function: known to who listens to `jax.monitoring`, and to a trace.

    >>> stage("load")(lambda: 3)()
    3
    """
    started = time.perf_counter()
    with jax.profiler.TraceAnnotation(f"aejax {name}"):
        yield
    passed(name, time.perf_counter() - started)


def passed(name: str, seconds: float) -> None:
    """Say that a stage has just ended, which took so long."""
    jax.monitoring.record_event_duration_secs(f"{PREFIX}{name}", seconds)


@contextmanager
def profiled(folder: Path, steps: int) -> Iterator[None]:
    """Write `TRACE` of what is done into a folder, for https://ui.perfetto.dev, and print how long each stage took.

    A stage inside another one counts for itself alone: a program that is compiled while rows are evaluated is
    ``compile``, not ``evaluation``. Other threads are in the trace and not in the table. Where the block raises, there
    is neither.

    Args:
        folder: that is there when the block ends.
        steps: of the run; up to `MOST_STEPS` the trace has every operation of them, else the stages alone.
    """
    events: list[Event] = []

    def listener(event: str, seconds: float, **_: Any) -> None:
        name, now = OF_JAX.get(event, event.removeprefix(PREFIX)), time.perf_counter()
        if name in STAGES:
            events.append(Event(name, threading.get_ident(), now - seconds, now))

    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        with _operations() if steps <= MOST_STEPS else nullcontext() as operations:
            started = time.perf_counter()
            yield
            total = time.perf_counter() - min(started, *(event.start for event in events))
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    write_atomic(folder / TRACE, gzip.compress(_as_trace(events)) if operations is None else operations[0])
    what = f"; without operations, which runs of up to {MOST_STEPS:,} steps have" if operations is None else ""
    seconds = seconds_of([event for event in events if event.thread == threading.get_ident()])
    seconds["other"] = total - sum(seconds.values())
    shares = [(name, f"{spent:.2f}", f"{spent / total:.0%}") for name, spent in seconds.items()]
    console.say("")
    console.table(("stage", "seconds", "share"), [*shares, ("all", f"{total:.2f}", "100%")])
    console.say(f"\n{folder / TRACE}: open it in https://ui.perfetto.dev{what}")


@contextmanager
def _operations() -> Iterator[list[bytes]]:
    """Trace the block with JAX's profiler; the list has the trace when the block has ended."""
    options, traces = jax.profiler.ProfileOptions(), []
    options.python_tracer_level = 0  # which would record every call of a function, and be most of what it measures
    with tempfile.TemporaryDirectory() as scratch:
        with jax.profiler.trace(scratch, create_perfetto_trace=True, profiler_options=options):
            yield traces
        traces += [path.read_bytes() for path in Path(scratch).rglob("perfetto_trace.json.gz")]


def _as_trace(events: Sequence[Event]) -> bytes:
    """Stages in the JSON that Perfetto reads, times in microseconds."""
    entry = lambda event: {"ts": 1e6 * event.start, "dur": 1e6 * (event.end - event.start), "tid": event.thread}
    return json.dumps({"traceEvents": [{"name": e.name, "ph": "X", "pid": 1, **entry(e)} for e in events]}).encode()


def seconds_of(events: Sequence[Event]) -> dict[str, float]:
    """Seconds by stage of one thread, whose events are in the order of their ends; each without those inside it."""
    seconds, outermost = dict.fromkeys(STAGES, 0.0), []
    for event in events:
        inside = 0.0
        while outermost and (outermost[-1].start + outermost[-1].end) / 2 > event.start:  # clocks differ a little
            within = outermost.pop()
            inside += within.end - within.start
        outermost.append(event)
        seconds[event.name] += event.end - event.start - inside
    return seconds
