"""Commands in processes of their own that are killed, find a full disk, are signalled or are there twice.

Whatever happened to it, the same command once more gives what it gives without a fault.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from damage import ALLOWED, LONGEST, WORDS, Case
from folders import SWEPT, damage_one, settings
from forks import Forked
from running import SMALL, Answer, environment, table

DYING = str(Path(__file__).parent / "dying.py")
TIMES = ("seconds", "timing", "speed", "bytes", "time")
"""Parts of names of what is another number in each run."""


class Task(NamedTuple):
    """A command on a folder, what it needs there, and what it comes to; more variables of its environment."""

    command: Callable[[Path], list[str]]
    answer: Callable[[Path], Any]
    prepare: Callable[[Path], None] = lambda folder: None
    variables: Callable[[Path], Mapping[str, str]] = lambda folder: {}


def timeless(value: Any) -> Any:
    """JSON without what is another number in each run."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not any(part in k for part in TIMES)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def _json(path: Path) -> Any:
    return timeless(json.loads(path.read_text(encoding="utf-8")))


def _run(folder: Path) -> list[Any]:
    run = folder / "run"
    model = sorted(path.name for path in (run / "model").iterdir())
    metrics = run / "metrics.csv"
    return [_json(run / "summary.json"), metrics.read_text() if metrics.exists() else None, model]


def _sweep(folder: Path) -> list[Any]:
    return [timeless(row) for row in table(folder / "sweep")]


def _reproduction(folder: Path) -> Any:
    return [_json(folder / "runs" / "reproduce.json")["lines"], (folder / "course" / "expected.json").read_text()]


def _collection(folder: Path) -> None:
    """A collection of one config, with numbers that are not those that come out."""
    (folder / "course").mkdir()
    (folder / "course" / "small.py").write_text(SMALL)
    number = {"values": [0.5], "tolerance": 0.1, "why": "so"}
    entry = {"quick": True, "seconds": 1.0, "metrics": {"test/mse": number}, "digests": {}}
    text = json.dumps({"format": 1, "experiments": {"small": entry}})
    (folder / "course" / "expected.json").write_text(text)


def _ionosphere(folder: Path) -> None:
    """A table with the shape of the published one."""
    random = np.random.default_rng(0)
    labels = ["b"] * 126 + ["g"] * 225
    lines = [",".join([*(f"{value:.5f}" for value in random.uniform(-1, 1, 34)), label]) for label in labels]
    (folder / "ionosphere.data").write_text("\n".join(lines) + "\n")


def _files(pattern: str) -> Callable[[Path], list[Any]]:
    return lambda folder: [(path.name, path.read_bytes()) for path in sorted(folder.glob(pattern))]


def tasks(sound: Path) -> dict[str, Task]:
    """The commands, on a sound run and rows for it where they need one."""
    small = settings()
    x = str(sound / "x.npy")
    return {
        "run": Task(lambda folder: ["run", "lecture/multilayer", "--workdir", str(folder / "run"), *small], _run),
        "sweep": Task(
            lambda folder: ["sweep", "lecture/multilayer", "--workdir", str(folder / "sweep"), *SWEPT, *small], _sweep
        ),
        "apply": Task(
            lambda folder: ["apply", str(sound / "run"), "encode", "--input", x, "--output", str(folder / "codes.csv")],
            _files("*.csv"),
        ),
        "pack": Task(
            lambda folder: ["data", "pack", x, "--output", str(folder / "rows")],
            lambda folder: (folder / "rows" / "rows.json").read_text(),
        ),
        "prepare": Task(
            lambda folder: ["data", "prepare", "ionosphere", "--from", str(folder)],
            _files("cache/data/[!.]*/*.npy"),
            _ionosphere,
            lambda folder: {"AEJAX_CACHE_DIR": str(folder / "cache")},
        ),
        "split": Task(
            lambda folder: ["split", str(sound / "run"), "--encoder", f"{folder}/e", "--decoder", f"{folder}/d"],
            _files("e"),
            variables=lambda folder: {"AEJAX_PASSPHRASE": "word"},
        ),
        "reproduce": Task(
            lambda folder: ["reproduce", str(folder / "course"), "--workdir", str(folder / "runs")],
            _reproduction,
            _collection,
        ),
    }


SLOW = ("reproduce",)
"""Commands that start processes of their own, each of which imports everything."""


def make(folder: Path) -> Path:
    """A finished run and rows for it, below a folder."""
    folder.mkdir()
    answer = ended(
        begin({}, "kill", 0, folder, ["run", "lecture/multilayer", "--workdir", f"{folder}/run", *settings()])
    )
    assert answer.code == 0, answer
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32))
    return folder


def begin(variables: Mapping[str, str], how: str, number: int, folder: Path, command: list[str]) -> Forked:
    """A command whose file operation of that number below the folder comes to grief."""
    return Forked([DYING, how, str(number), str(folder), *command], environment(**variables))


def ended(process: Forked, longest: float = 4 * LONGEST) -> Answer:
    """What a process came back with; one that does not is killed, and has the code None."""
    deadline = time.monotonic() + longest
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    late = process.returncode is None
    process.send_signal(signal.SIGKILL)
    out, err = process.communicate()
    shutil.rmtree(process.output, ignore_errors=True)
    return Answer(None if late else process.returncode, out, err)


def wrong(answer: Answer, codes: tuple[int, ...]) -> tuple[str, str] | None:
    """What is wrong with the end of a process, as an outcome and more about it."""
    if answer.code is None:
        return "hang", answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("aejax: ")]
    if "Traceback" in answer.err or answer.code not in codes or (answer.code == 2 and not lines):
        return "traceback", f"{answer.code}, expected {codes}: {answer.err[-1500:]}"
    return None


def once_more(task: Task, folder: Path, expected: Any) -> tuple[str, str]:
    """The outcome of the same command again."""
    command = task.command(folder)
    answer = ended(begin(task.variables(folder), "kill", 0, folder, command))
    there = answer.code == 2 and "is there already" in answer.err  # whole, as the comparison shows
    if not there and (fault := wrong(answer, (0, 1))):
        return ("lost" if fault[0] == "traceback" else fault[0]), fault[1]
    try:
        got = task.answer(folder)
    except OSError as error:
        return "lost", str(error)
    if there and not got:
        return "refused", answer.err  # one of two files was written before the fault
    if got != expected:
        return "silent", f"{got!s:.800} was {expected!s:.800}"
    left = [path.name for path in folder.rglob(".*") if path.name.startswith((".unfinished-", ".new-", ".packing-"))]
    return ("left", ", ".join(left)) if left else ("equal", "")


class Sound(NamedTuple):
    """A task with what it comes to, how many file operations it has, and how long it takes in seconds."""

    task: Task
    answer: Any
    operations: int
    seconds: float


def undisturbed(task: Task, folder: Path, times: int = 2) -> Sound:
    """A task without a fault, twice, so that all is compiled and shown to be the same."""
    answers = []
    for number in range(times):
        here = folder / f"sound-{number}"
        here.mkdir()
        task.prepare(here)
        started = time.monotonic()
        answer = ended(begin(task.variables(here), "kill", 0, here, task.command(here)))
        seconds = time.monotonic() - started
        assert answer.code in (0, 1), answer
        answers.append(task.answer(here))
    assert all(each == answers[0] for each in answers)
    return Sound(task, answers[0], int(answer.out.splitlines()[-1].removeprefix("operations: ")), seconds)


def _faulty(what: str, sound: Sound, folder: Path, meet: Callable[[Path], tuple[str, str] | None]) -> Case:
    """A case: a fault meets a command in a new folder, and the command is given once more."""
    folder.mkdir()
    sound.task.prepare(folder)
    outcome, more = meet(folder) or once_more(sound.task, folder, sound.answer)
    if outcome in ALLOWED:
        shutil.rmtree(folder)
    return Case(what, outcome, more)


# What may happen to a command: what is wrong with how it ends, or None.


def _at_operation(how: str, number: int, sound: Sound, folder: Path) -> tuple[str, str] | None:
    answer = ended(begin(sound.task.variables(folder), how, number, folder, sound.task.command(folder)))
    return wrong(answer, (0, 2) if how == "full" else (0, 1, -signal.SIGKILL))


def _at_moment(number: int, seconds: float, sound: Sound, folder: Path) -> tuple[str, str] | None:
    process = begin(sound.task.variables(folder), "kill", 0, folder, sound.task.command(folder))
    time.sleep(seconds)
    process.send_signal(number)
    return wrong(ended(process), (0, 1, 130, 128 + number, -number))


def _twice(seconds: float, sound: Sound, folder: Path) -> tuple[str, str] | None:
    command, variables = sound.task.command(folder), sound.task.variables(folder)
    first = begin(variables, "kill", 0, folder, command)
    time.sleep(seconds)
    second = begin(variables, "kill", 0, folder, command)
    faults = [wrong(ended(process), (0, 1, 2)) for process in (first, second)]
    return faults[0] or faults[1]


def _elsewhere(variables: Mapping[str, str], sound: Sound, folder: Path) -> tuple[str, str] | None:
    everything = {**sound.task.variables(folder), **variables}
    answer = ended(begin(everything, "kill", 0, folder, sound.task.command(folder)))
    return wrong(answer, (0, 1))


LOCALES = (
    *({"LC_ALL": "C"}, {"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}),
    *({"TZ": "Pacific/Kiritimati"}, {"TZ": "America/St_Johns"}, {"TZ": "nonsense"}, {"LANG": "ja_JP.eucJP"}),
    *({"COLUMNS": "20"}, {"TERM": "dumb", "NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}, {"HOME": "/proc/none"}),
)
UNWRITABLE = ("/proc/none", "/sys/none", "{folder}/file", "{folder}/file/under", "{folder}/" + "a" * 300, "/dev/full/x")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def kills(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """Killed at a file operation, the operations of each command in turn, and at any moment."""
    names = list(sound)
    order = {name: random.permutation(one.operations).tolist() for name, one in sound.items()}
    for number in range(count):
        name = names[number % len(names)]
        one = sound[name]
        if number % 4 and one.operations:
            at = 1 + order[name][number // len(names) % one.operations]
            what, meet = f"{name} killed at file operation {at}", partial(_at_operation, "kill", at, one)
        else:
            seconds = float(random.uniform(0, one.seconds))
            what, meet = f"{name} killed after {seconds:.3f} s", partial(_at_moment, signal.SIGKILL, seconds, one)
        yield _faulty(what, one, folder / f"kill-{number}", meet)


def disks(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """The disk is full from a file operation on."""
    names = [name for name in sound if name not in SLOW]
    for number in range(count):
        name = names[number % len(names)]
        at = 1 + int(random.integers(max(1, sound[name].operations)))
        meet = partial(_at_operation, "full", at, sound[name])
        yield _faulty(f"{name}, disk full from file operation {at}", sound[name], folder / f"full-{number}", meet)


def resumed(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """One file of an unfinished run or sweep is damaged, and the command goes on."""
    names = [name for name in ("run", "sweep") if name in sound]
    left, shares = {}, (0.5, 0.8)
    for name in names:
        for share in shares:
            left[name, share] = folder / f"{name}-{share}"
            left[name, share].mkdir()
            _at_operation("kill", int(share * sound[name].operations), sound[name], left[name, share])
    for number in range(count):
        name, (share, other) = names[number % len(names)], shares[:: 1 - 2 * (number // len(names) % 2)]
        here = folder / f"resumed-{number}"
        shutil.copytree(left[name, share], here)
        what = damage_one(random, here / name, left[name, other] / name)
        answer = ended(begin({}, "kill", 0, here, sound[name].task.command(here)))
        outcome, more = _gone_on(answer, sound[name], here)
        yield Case(f"unfinished {name}, {what}", outcome, more)
        if outcome in ALLOWED:
            shutil.rmtree(here)


def _gone_on(answer: Answer, sound: Sound, folder: Path) -> tuple[str, str]:
    """The outcome of a command that goes on in a damaged folder."""
    if fault := wrong(answer, (0, 2)):
        return fault
    if answer.code == 2:
        return "refused", answer.err
    if (got := sound.task.answer(folder)) == sound.answer:
        return "equal", ""
    said = any(words in answer.out + answer.err for words in WORDS)
    return ("told" if said else "silent"), f"{got!s:.800} was {sound.answer!s:.800}"


def signals(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """A signal comes at any moment."""
    names = list(sound)
    for number in range(count):
        name, each = names[number % len(names)], SIGNALS[number % len(SIGNALS)]
        seconds = float(random.uniform(0, sound[name].seconds))
        meet = partial(_at_moment, each, seconds, sound[name])
        what = f"{name}, {each.name} after {seconds:.3f} s"
        yield _faulty(what, sound[name], folder / f"signal-{number}", meet)


def pairs(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """Two processes do the same in one folder, the second one a little later."""
    names = [name for name in sound if name not in SLOW]
    for number in range(count):
        name = names[number % len(names)]
        seconds = float(random.uniform(0, sound[name].seconds))
        meet = partial(_twice, seconds, sound[name])
        yield _faulty(f"{name} twice, {seconds:.3f} s apart", sound[name], folder / f"pair-{number}", meet)


def locales(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """Other languages, time zones and terminals."""
    names = [name for name in sound if name not in SLOW]
    for number in range(count):
        name, variables = names[number % len(names)], LOCALES[number // len(names) % len(LOCALES)]
        meet = partial(_elsewhere, variables, sound[name])
        yield _faulty(f"{name} with {variables}", sound[name], folder / f"locale-{number}", meet)


def unwritable(random: np.random.Generator, count: int, sound: Mapping[str, Sound], folder: Path) -> Iterator[Case]:
    """The command is to write where nothing can be written."""
    names = [name for name in sound if name not in (*SLOW, "prepare")]
    for number in range(count):
        name, where = names[number % len(names)], UNWRITABLE[number // len(names) % len(UNWRITABLE)]
        here = folder / f"place-{number}"
        here.mkdir()
        (here / "file").write_text("mine")
        command = [
            word.replace("FOLDER", where.format(folder=here)) for word in sound[name].task.command(Path("FOLDER"))
        ]
        answer = ended(begin({}, "kill", 0, here, command))
        fault = wrong(answer, (2,))
        intact = [path.name for path in here.iterdir()] == ["file"] and (here / "file").read_text() == "mine"
        outcome, more = fault or (("refused", "") if intact else ("silent", str(os.listdir(here))))
        yield Case(f"{name} to {where}", outcome, more)
