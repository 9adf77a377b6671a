"""What a process of a reproduction does: one experiment, seed after seed, or one sweep.

    python -m aejax.reproduce.worker '{"spec": …, "seeds": [0, 1], "folder": …, "cache": true}'

What goes wrong it writes to standard output, as one JSON string; all else goes to standard error. It stops when its
standard input ends, that is when the process that began it asks for it or is gone; what was done is saved.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from aejax.errors import UserError
from aejax.training.interruption import InterruptedRunError


def main(text: str) -> int:
    """Do a job; the exit code."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    try:
        with redirect_stdout(sys.stderr):
            work(json.loads(text))
    except (UserError, InterruptedRunError) as error:
        return _tell(str(error))
    except Exception as error:  # one experiment that breaks must not keep the others from being told
        traceback.print_exc()
        return _tell(f"{type(error).__name__}: {error}".partition("\n")[0])
    return 0


def work(job: Mapping[str, Any]) -> None:
    """Train what a job names, each seed in a folder of its own; without seeds, the sweep that the config declares."""
    spec, folder = job["spec"], Path(job["folder"])
    if not job["seeds"]:
        return _sweep(spec, folder, ["--no-compile-cache"] if not job["cache"] else [])
    from aejax import config
    from aejax.runs import experiment
    from aejax.training import compilation

    if job["cache"]:
        compilation.enable_cache()
    settings = config.load(spec)
    for seed in job["seeds"]:
        experiment.run({**settings, "seed": seed}, folder / f"seed-{seed}")


def _sweep(spec: str, folder: Path, options: list[str]) -> None:
    import argparse

    from aejax.sweep import command

    parser = argparse.ArgumentParser()
    command.add_options(parser)
    if command.run(parser.parse_args([spec, "--workdir", str(folder), *options])):
        raise InterruptedRunError(f"{folder}: the sweep was stopped")


def _stop_at_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(trouble: str) -> int:
    print(json.dumps(trouble), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
