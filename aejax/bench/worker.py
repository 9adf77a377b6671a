"""A way to do the work of a row, in a process of its own: it answers each line on its input with the seconds of a turn.

python -m aejax.bench.worker ROW WAY THREADS
"""

import importlib
import json
import os
import resource
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("jax", "torch", "pyod", "scikit-learn", "matplotlib", "numpy")


def main(name: str, way: str, threads: int) -> None:
    """Answer lines with lines of JSON: ``seconds`` and ``megabytes``, of memory at most so far.

    A first one is said at once: the ``versions`` of packages, and where the turn knows them the ``operations`` of its
    unit of work and the ``peak`` of operations in a second.
    """
    if hasattr(os, "sched_setaffinity"):  # before any library starts its threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ |= {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu")}
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the work prints is no answer
    from aejax.bench import ROWS

    row = ROWS[name]
    path, arguments = row.ways[way]
    module, _, function = path.partition(".")
    turn = getattr(importlib.import_module(f"aejax.bench.{module}"), function)(threads, **arguments)
    if row.turns > 1:
        turn()
    versions = {package: _version(package) for package in PACKAGES}
    about = {"versions": versions, "operations": getattr(turn, "operations", None), "peak": getattr(turn, "peak", None)}
    print(json.dumps(about), file=said, flush=True)
    for _ in sys.stdin:
        seconds = turn()
        most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(json.dumps({"seconds": seconds, "megabytes": most / 1024}), file=said, flush=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
