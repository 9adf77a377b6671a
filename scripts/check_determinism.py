"""Are two runs of one config equal, bit for bit? What changes and what does not, checked with three experiments.

    python scripts/check_determinism.py                     # about four minutes of one core
    python scripts/check_determinism.py lecture/manifold    # others, as many steps as --steps says

Each run is shortened and compared with one in a process of its own, on one thread, without a compile cache, as
`aejax reproduce` runs them: its parameters by their digest, and the numbers of its task and baselines. The exit code
is 1 if anything differs but for the number of threads.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aejax.reproduce import experiments
from aejax.reproduce.record import read_run

EXPERIMENTS = {"lecture/multilayer": 2000, "lecture/convolutional": 300, "lecture/anomaly": 500}
"""A dense net, a convolutional one, and one whose task trains nets of its own; and how many steps."""
TWICE = """
import sys
from pathlib import Path
from aejax import config
from aejax.runs import experiment
settings = config.load(sys.argv[1], sys.argv[3:])
for name in ("first", "second"):
    experiment.run(settings, Path(sys.argv[2]) / name)
"""


def environment(*, threads=1, cache=None):
    """Of a run: how many threads XLA and BLAS may use, and the folder of the compile cache, if there is to be one."""
    variables = os.environ | experiments.environment()
    if threads != 1:
        variables = {name: value for name, value in variables.items() if not name.endswith("_NUM_THREADS")}
        variables["XLA_FLAGS"] = variables["XLA_FLAGS"].replace(experiments.ONE_THREAD, "")
    if cache is None:
        return variables | {"AEJAX_COMPILE_CACHE": "off"}
    return variables | {"AEJAX_COMPILE_CACHE": "on", "AEJAX_CACHE_DIR": str(cache)}


def aejax(config, settings, folder):
    words = [word for setting in settings for word in ("--set", setting)]
    return [sys.executable, "-m", "aejax", "run", config, "--workdir", str(folder), *words]


def run(command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(**options))


def kill_and_continue(config, settings, folder):
    command = aejax(config, settings, folder)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment())
    while not list(folder.glob("checkpoints/*.json")) + list(folder.glob("checkpoints/*.safetensors")):
        if process.poll() is not None:
            sys.exit(f"check_determinism: {config} ended before it could be killed; allowed: more --steps")
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (folder / "summary.json").exists():
        sys.exit(f"check_determinism: {config} was finished before it was killed; allowed: more --steps")
    run(command)


def cases(config, steps, place):
    """The runs to compare, by what is particular of them; the first is the one that the others are compared with."""
    settings = [f"train.steps={steps}", f"train.checkpoint_every={max(steps // 5, 1)}"]
    settings += [f"train.evaluate_every={max(steps // 5, 1)}", "report.figures=false"]
    begin = lambda name, **options: run(aejax(config, settings, place / name), **options)
    begin("reference")
    yield "reference", place / "reference"
    begin("again")
    yield "another process", place / "again"
    run([sys.executable, "-c", TWICE, config, str(place / "twice"), *settings])
    yield "same process, first", place / "twice" / "first"
    yield "same process, second", place / "twice" / "second"
    kill_and_continue(config, settings, place / "killed")
    yield "killed and continued", place / "killed"
    for name in ("cold", "warm"):
        begin(name, cache=place / "cache")
        yield f"compile cache, {name}", place / name
    begin("threads", threads=None)
    yield f"{os.cpu_count()} threads", place / "threads"


def difference(got, reference):
    """In words; "" for none."""
    if got.digest == reference.digest and got.numbers == reference.numbers:
        return ""
    bits = "the same bits" if got.digest == reference.digest else "other bits"
    apart = {
        name: abs(got.numbers.get(name, float("nan")) - value) / (abs(value) or 1.0)
        for name, value in reference.numbers.items()
    }
    name = max(apart, key=apart.get)
    return f"{bits}; {name} differs most, by {apart[name]:.1e} of it"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "configs", nargs="*", metavar="CONFIG", help="else a dense, a convolutional and a retraining one"
    )
    parser.add_argument("--steps", type=int, default=500, help="of each CONFIG that is named")
    given = parser.parse_args()
    chosen = dict.fromkeys(given.configs, given.steps) or EXPERIMENTS
    wrong = False
    print("| experiment | run | compared with the reference |", "|---|---|---|", sep="\n")
    for config, steps in chosen.items():
        with tempfile.TemporaryDirectory() as place:
            reference = None
            for name, folder in cases(config, steps, Path(place)):
                got = read_run(folder)
                if reference is None:
                    reference, machine = got, got.machine
                    continue
                found = difference(got, reference)
                wrong |= bool(found) and not name.endswith(" threads")
                print(f"| {config}, {steps} steps | {name} | {found or 'equal'} |", flush=True)
    print(f"\n{machine}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
