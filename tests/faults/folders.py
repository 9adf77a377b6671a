"""Folders and files that aejax writes, with one damage each: their readers refuse it or answer as before."""

import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from damage import TEXT, WORDS, Case, damaged, outcome
from running import TINY, arguments

import aejax
from aejax import cli, data
from aejax.data import cache, stream
from aejax.errors import UserError
from aejax.report.explorer import source
from aejax.report.page import render
from aejax.runs import apply, artifact
from aejax.storage import checksums
from aejax.storage.trees import digest

SWEPT = ("--axis", "terms.reconstruction.weight=[0.5,1.0]", "--axis", "seed=0:2")
PASSPHRASE = "word"
NUMBER = {"experiment": "vanilla", "metric": "test/mse", "expected": 1.0, "got": 2.0, "tolerance": 0.1}
REPORT = {
    "collection": "families",
    "machine": "cpu",
    "environment": {"packages": {"jax": "1"}, "devices": ["cpu"], "processor": "x"},
    "lines": [NUMBER | {"verdict": "off", "digits": 0, "seed": None}],
    "checked": {"vanilla": "tolerance"},
    "not_run": {"latent": "no data"},
    "failed": {"sweeps/sparse_l1": "why"},
}


class Sound(NamedTuple):
    """A sound folder or file, one of its kind from another run, and what reads it, each giving its answer."""

    path: Path
    other: Path
    readings: Mapping[str, Callable[[Path], Any]]


def said(argv: list[str]) -> str:
    """What a command prints; a refusal is raised again.

    Raises:
        UserError: the command refused in one line.
        AssertionError: it ended otherwise, or said more.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            ended = cli.main(argv)
        except SystemExit as stop:
            ended = stop.code
    lines = err.getvalue()
    if ended == 2 and lines.startswith("aejax: ") and lines.count("\n") == 1:
        raise UserError(lines.strip())
    assert ended in (0, None), (ended, out.getvalue(), lines)
    for line in out.getvalue().splitlines():
        if any(words in line for words in WORDS):
            print(line)  # whoever counts looks for it
    return out.getvalue()


@contextmanager
def quick() -> Iterator[None]:
    """Pages are made without a template, and without what a net makes of rows: no program is compiled."""
    drawn = lambda *size: np.random.default_rng(0).normal(size=size)
    known: dict[str, Any] = {}
    build, parser = artifact.build_model, cli.parser()

    def built(*parts: Any) -> Any:
        return known.get(repr(parts)) or known.setdefault(repr(parts), build(*parts))

    with (
        patch.object(source, "encode_and_reconstruct", lambda *_: (drawn(9, 8), drawn(9, 2), drawn(9, 8))),
        patch.object(source, "layers_of", lambda *_: None),
        patch.object(artifact, "build_model", built),
        patch.object(cli, "parser", lambda: parser),
        patch("os.fsync", lambda _: None),
    ):
        yield


def page(folder: Path) -> str:
    """All that stands on the page of a folder."""
    pages = []
    with patch.object(render, "write", lambda path, make, *_: pages.append(make(600)) or path):
        said(["report", str(folder), "--output", str(folder.parent / "page.html")])
    return repr(pages)


def net(path: Path) -> list[Any]:
    """All that `aejax apply` knows of a net."""
    trained = apply.load(path, lambda: PASSPHRASE)
    return [digest([trained.params, dict(trained.scaling)]), trained.info, trained.settings, trained.config]


def opened(folder: Path) -> list[Any]:
    """All that `aejax.open` gives of a net but the net."""
    fitted = aejax.open(folder)
    return [repr({name: each.tolist() for name, each in fitted.history.items()}), fitted.summary, fitted.config]


def finished(folder: Path) -> str:
    """What `aejax run` says of a finished run; it trains an unfinished one, which is another question."""
    if not (folder / "summary.json").exists():
        raise UserError("is not finished")
    return said(["run", "--workdir", str(folder)])


def config(folder: Path) -> str:
    """The config with which a run would go on."""
    return said(["run", "--workdir", str(folder), "--print-config"])


def streamed(folder: Path) -> list[Any]:
    """The rows of a packed folder."""
    records = stream.open_folder(folder)
    return [records.details["feature_names"], digest(stream.read(records, np.arange(records.rows))[0])]


def cached(folder: Path) -> Any:
    """The arrays of an entry of the cache; one that is damaged is made again, which is no fault."""
    with patch.object(cache, "root", lambda: folder.parent):
        entry = cache.read(folder.name)
    if entry is None:
        raise UserError("is made again")
    return [digest({name: np.array(array) for name, array in entry[0].items()}), entry[1]]


def table(folder: Path) -> Any:
    """The table that a sweep prints at its end; runs whose marker is lost are trained again."""
    return said(["sweep", "lecture/multilayer", "--workdir", str(folder), *SWEPT, *settings()]).partition("\npoint ")[2]


def settings(**changes: str) -> list[str]:
    """The settings of a small run as options."""
    return [word for path, value in {**TINY, **changes}.items() for word in ("--set", f"{path}={value}")]


def make(folder: Path) -> dict[str, Sound]:
    """Sound folders and files of every kind, below a folder."""
    runs = [folder / "run", folder / "other-run"]
    for seed, run in enumerate(runs):
        said(arguments({**TINY, "seed": str(seed)}, workdir=run))
        said(["split", str(run), "--encoder", f"{run}.encoder", "--decoder", f"{run}.decoder"])
        aejax.open(run).save(folder / f"{run.name}-net")
        said(["export", str(run), "--format", "huggingface", "--output", f"{run}-hub"])
    sweeps, packed, entries = [[folder / f"{name}{n}" for n in "01"] for name in ("sweep", "packed", "entry")]
    for number, (sweep, rows, entry) in enumerate(zip(sweeps, packed, entries, strict=True)):
        steps = settings(**{"train.steps": str(4 + 2 * number)})
        said(["sweep", "lecture/multilayer", "--workdir", str(sweep), *SWEPT, *steps])
        x = np.random.default_rng(number).normal(size=(9, 4)).astype(np.float32)
        np.save(folder / "x.npy", x)
        stream.pack([folder / "x.npy"], rows)
        with patch.object(cache, "root", lambda: folder):
            cache.build(entry.name, lambda target, x=x: np.save(target / "x.npy", x) or {"rows": len(x)})
        reproduction = folder / f"reproduction{number}"
        reproduction.mkdir()
        report = REPORT | {"machine": f"cpu {number}"}
        (reproduction / "reproduce.json").write_text(checksums.sealed(report))
    reading = {"apply": net, "report": page, "open": opened, "finished": finished, "go on": config}
    return {
        "run": Sound(*runs, reading),
        "net": Sound(folder / "run-net", folder / "other-run-net", {"apply": net, "open": opened}),
        "hub": Sound(folder / "run-hub", folder / "other-run-hub", {"apply": net, "open": opened}),
        "encoder": Sound(folder / "run.encoder", folder / "other-run.encoder", {"apply": net}),
        "decoder": Sound(folder / "run.decoder", folder / "other-run.decoder", {"apply": net}),
        "sweep": Sound(*sweeps, {"report": page, "finished": table}),
        "reproduction": Sound(folder / "reproduction0", folder / "reproduction1", {"report": page}),
        "packed": Sound(*packed, {"stream": streamed, "load": loaded}),
        "cache": Sound(*entries, {"read": cached}),
    }


def loaded(folder: Path) -> str:
    """The data set of a packed folder."""
    dataset = data.load(f"stream:{folder}")
    return digest([dataset.train.x, dataset.shift, dataset.scale])


def damage_one(random: np.random.Generator, path: Path, other: Path) -> str:
    """One file of a folder, or the file, comes to harm; what was done to it.

    One that is all there is cannot be known for that of another run.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    file = files[int(random.integers(len(files)))]
    name = str(file.relative_to(path)) if path.is_dir() else path.name
    match int(random.integers(12)) if len(files) > 1 else None:
        case 0:
            file.unlink()
            return f"{name} removed"
        case 1:
            twin = other / name
            same = twin if twin.is_file() else next(iter(sorted(twin.parent.glob(f"*{twin.suffix}"))), None)
            if same is not None:
                shutil.copyfile(same, file)
            return f"{name} of another run"
    content = file.read_bytes()
    if not content:
        file.write_bytes(random.bytes(8))
        return f"{name} filled"
    what, content = damaged(random, content, TEXT)
    file.write_bytes(content)
    return f"{name} {what}"


def cases(random: np.random.Generator, count: int, folder: Path) -> Iterator[Case]:
    """So many damaged folders and files, of each kind in turn; each reading of one is a case."""
    with patch.dict("os.environ", {"AEJAX_PASSPHRASE": PASSPHRASE}):
        kinds = make(folder / "sound")
        copy = folder / "copy"
        copy.mkdir()
        with quick():
            answers = {}
            for kind, sound in kinds.items():
                path = _copied(sound.path, copy)
                answers[kind] = {name: repr(read(path)) for name, read in sound.readings.items()}
                _remove(path)
            weights = [kind for kind in kinds for _ in range(4 if kind in ("run", "sweep") else 1)]
            done = 0
            while done < count:
                kind = weights[int(random.integers(len(weights)))]
                path = _copied(kinds[kind].path, copy)
                what = damage_one(random, path, kinds[kind].other)
                for name, read in kinds[kind].readings.items():
                    asked = partial(_compared, read, path, answers[kind][name])
                    yield outcome(f"{kind}: {what}, {name}", asked)
                    done += 1
                _remove(path)


def _compared(read: Callable[[Path], Any], path: Path, before: str) -> str | None:
    """How an answer differs from the one before, if it does."""
    answer = repr(read(path))
    if answer == before:
        return None
    at = next((at for at, pair in enumerate(zip(answer, before, strict=False)) if len(set(pair)) > 1), 0)
    return f"…{answer[max(0, at - 60) : at + 60]}… was …{before[max(0, at - 60) : at + 60]}…"


def _copied(path: Path, folder: Path) -> Path:
    """A copy under the same name."""
    target = folder / path.name
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copyfile(path, target)
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
