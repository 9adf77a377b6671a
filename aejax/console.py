"""What a person sees while something runs: a progress bar on a terminal, plain lines elsewhere, a table at the end."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

PLAIN_SECONDS = 5.0
TIMES = ("train_seconds", "steps_per_second", "compile_seconds")

Advance = Callable[[int, float], None]


def say(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


def complain(line: str, code: int = 2) -> int:
    """Print one line to standard error and return the exit code."""
    print("aejax: " + " ".join(line.split()), file=sys.stderr, flush=True)
    return code


@contextmanager
def during(what: str) -> Iterator[None]:
    """Say on a terminal what is done, as long as it is; nothing elsewhere."""
    if not sys.stdout.isatty():
        yield
        return
    from rich.console import Console

    with Console().status(what):
        yield


@contextmanager
def progress(total: int, done: int) -> Iterator[Advance]:
    """A progress bar over training steps: steps per second, loss, time left.

    Args:
        total: the step to end at.
        done: the step that is begun from.

    Yields:
        ``(step, loss) -> None``, to be called after each chunk.
    """
    if sys.stdout.isatty():
        yield from _bar(total, done)
    else:
        yield _lines(total)


@contextmanager
def counted(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """How many of some things are done: a bar on a terminal while it lasts, plain lines elsewhere.

    Args:
        total: how many there are.
        what: is done with them.

    Yields:
        ``(done) -> None``, to be called now and then.
    """
    if sys.stdout.isatty():
        from rich.progress import Progress

        with Progress(transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    last = [time.monotonic()]

    def line(done: int) -> None:
        if time.monotonic() - last[0] >= PLAIN_SECONDS:
            last[0] = time.monotonic()
            say(f"{what}: {done} of {total}")

    yield line


def _bar(total: int, done: int) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    numbers = TextColumn("{task.fields[rate]:,.0f} steps/s  loss {task.fields[loss]}  left")
    with Progress(TextColumn("step"), MofNCompleteColumn(), BarColumn(), numbers, TimeRemainingColumn()) as bar:
        task = bar.add_task("train", total=total, completed=done, rate=0.0, loss="–")
        rate = _rate()
        yield lambda step, loss: bar.update(task, completed=step, rate=rate(step), loss=f"{loss:.4g}")


def _lines(total: int) -> Advance:
    rate, last = _rate(), [time.monotonic()]

    def line(step: int, loss: float) -> None:
        now, speed = time.monotonic(), rate(step)
        if step < total and now - last[0] < PLAIN_SECONDS:
            return
        last[0] = now
        pace, left = (f"  {speed:,.0f} steps/s", f"  {(total - step) / speed:.0f} s left") if speed else ("", "")
        say(f"step {step}/{total}{pace}  loss {loss:.4g}{left}")

    return line


def _rate() -> Callable[[int], float]:
    """Steps per second since the end of the first chunk, whose time is mostly that of compiling it; 0 there."""
    first: list[float] = []

    def rate(step: int) -> float:
        now = time.monotonic()
        if not first:
            first.extend((step, now))
            return 0.0
        return (step - first[0]) / max(now - first[1], 1e-9)

    return rate


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column is text and set flush left, the others flush right."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *cells in (lines[0], ["─" * width for width in widths], *lines[1:]):
        aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        say("  ".join([name.ljust(widths[0]), *aligned]).rstrip())


def listing(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Print rows of words in columns, all flush left; the last column is free to be long."""
    lines = [*([header] if header else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def cell(values: Mapping[str, Any], name: str) -> str:
    """A number of five digits, "" where there is none; what rounding leaves of nothing is 0."""
    value = values.get(name)
    if not isinstance(value, int | float):
        return ""
    return "0" if abs(value) < 1e-12 else f"{value:.5g}"


def results(summary: Mapping[str, Any]) -> None:
    """Print the test metrics (validation's or training's where there are none), other nets' and the baselines'."""
    metrics, timing = summary["metrics"], summary["timing"]
    split = next((name for name in ("test", "validation", "train") if name in metrics), None)
    if split is None:
        return
    net = {**metrics[split], **metrics.get("all", {})}  # some tasks also measure all rows together
    others = {name: values for name, values in metrics.items() if name not in ("train", "validation", "test", "all")}
    columns = {"autoencoder": net, **others, **summary["baselines"]}
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    say("")
    table((split, *names), [(label, *(cell(values, name) for name in names)) for label, values in columns.items()])
    if not {"steps", *TIMES} <= timing.keys():  # of an earlier version
        return
    seconds, speed, compiled = (float(timing[name]) for name in TIMES)
    say(
        f"\n{timing['steps']} steps in {seconds:.1f} s ({speed:,.0f} steps/s, compiled in {compiled:.1f} s), "
        f"parameters {summary['parameters_digest'][:12]}"
    )
