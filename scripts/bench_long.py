"""Whether long work stays as fast and as small as it began: memory, open files and time by tenths of the way.

    python scripts/bench_long.py                    # 10,000 chunks of a tiny net, then a sweep of 100 groups
    python scripts/bench_long.py --chunks 2000 --groups 0

Each chunk is one step and ends with an evaluation, a line of metrics.csv and a checkpoint; each group of the sweep has
a program of its own. Of the ten lines the first has what is loaded late; those after it should be alike.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path


def resident() -> float:
    """Megabytes of memory that this process has."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def by_tenths(total: int) -> Callable[[], None]:
    """Called at the end of each part, it prints a line after every tenth of them."""
    times, last, size = [], [time.perf_counter()], max(1, total // 10)
    print("  done     MB  files  median ms  mean ms")

    def part() -> None:
        now = time.perf_counter()
        times.append(1000 * (now - last[0]))
        if len(times) % size == 0:
            tenth, files = times[-size:], len(os.listdir("/proc/self/fd"))
            print(
                f"{len(times):6d} {resident():6.0f} {files:6d} {statistics.median(tenth):10.2f} "
                f"{statistics.fmean(tenth):8.2f}",
                file=sys.__stdout__,
                flush=True,
            )
        last[0] = time.perf_counter()

    return part


def chunks(count: int, folder: Path) -> None:
    import numpy as np

    import aejax

    x, part = np.random.default_rng(0).normal(size=(200, 8)), by_tenths(count)
    each = lambda step, metrics, params: part()
    aejax.fit(x, steps=count, evaluate_every=1, batch_size=16, folder=folder, on_evaluation=each)


def groups(count: int, folder: Path) -> None:
    from aejax.sweep import axes, block, plan
    from aejax.sweep import folder as folders
    from aejax.sweep.engines import groups as engine

    part, train = by_tenths(count), engine.train

    def train_and_note(*arguments) -> None:
        train(*arguments)
        part()

    engine.train = train_and_note
    settings = ["data.name=clusters", f"data.rows={max(100, 2 * count)}", "train.steps=20", "report.figures=False"]
    each = axes.collect({}, [f"train.batch_size=range(1,{count + 1})"], [])
    with redirect_stdout(io.StringIO()):  # what a sweep says of each group
        folders.run(plan.make("lecture/multilayer", settings, each, None), folder, block.Options())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=10_000, metavar="N", help="of one step; 0 for none")
    parser.add_argument("--groups", type=int, default=100, metavar="N", help="of a sweep; 0 for none")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench_long: reads /proc, which Linux has")
    for work, count in ((chunks, arguments.chunks), (groups, arguments.groups)):
        with tempfile.TemporaryDirectory() as folder:
            if count:
                print(f"{count} {work.__name__}")
                work(count, Path(folder) / "run")


if __name__ == "__main__":
    main()
