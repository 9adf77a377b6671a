"""The folder of a run: what lies in it, and whether a run may begin, go on or be read there."""

import csv
import hashlib
import io
import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from aejax import config as configs
from aejax import console
from aejax.config import differences
from aejax.config import files as config_files
from aejax.data.catalogue import ENTRIES
from aejax.data.inspection import OWN
from aejax.errors import UserError, shown
from aejax.files import append, is_used, to_json, write_atomic, write_json
from aejax.storage import checkpoint, checksums, records, trust
from aejax.storage.lock import LOCK
from aejax.storage.records import Fields, Form, Many, Named, Whole
from aejax.training import numerics
from aejax.types import Dataset, Split

CHECKPOINTS, MODEL, KEPT, FIGURES = "checkpoints", "model", "kept", "figures"
WAIT_SECONDS = 5.0
"""For another process to leave the folder of a run: one that has been asked to stop saves first."""
CONFIG, FIT = "config.json", "fit.json"
"""What a run is begun with: its config, or the numbers of a fit in Python."""
DATASET, ENVIRONMENT, METRICS, FINISHED = "dataset.json", "environment.json", "metrics.csv", "summary.json"
HISTORY = "history.json"
"""Of a net that was saved from memory, what `METRICS` is of a run."""
BEGUN = (CONFIG, FIT, DATASET, ENVIRONMENT)
"""Files that stay as they are from the beginning of a run; every checkpoint has their digests."""
WRITTEN = (
    *BEGUN,
    METRICS,
    *(f"{part}/*.json" for part in (CHECKPOINTS, MODEL, KEPT, f"{FIGURES}/*")),
    f"{FIGURES}/*.*",
)
"""What a finished run leaves, beside the files of its task, as `aejax.storage.checksums` lists them."""


def fresh(name: str) -> Path:
    """A new folder name under ``runs/`` for an experiment: ``runs/multilayer-20261123-170100``."""
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    paths = (Path("runs") / (stem if number == 1 else f"{stem}-{number}") for number in count(1))
    return next(path for path in paths if not path.exists())


NUMBERS = Named(float)
SUMMARY = Fields(
    {
        "seed": Whole(),
        "metrics": Named(NUMBERS),
        "baselines": Named(NUMBERS),
        "timing": Fields({"train_seconds": float}, {"steps": Whole()}, float),
        "parameters_digest": str,
    },
    {"remarks": Named(NUMBERS), "tables": Named(str)},
)
"""The form of ``summary.json``."""
MARK = {"bytes": Whole(), "sha256": str}
"""The form of what a checkpoint says of ``metrics.csv`` as it was then."""


def read_json(path: Path, form: Form = object) -> Any:
    """The JSON of a file of a run.

    Args:
        path: of the file.
        form: that it should have, as `aejax.storage.records` has it.

    Raises:
        UserError: it is not there, not whole or of another form.
    """
    try:
        return records.read(path, form)
    except FileNotFoundError:
        raise UserError(f"{path.parent}: is no folder of a run: it has no {path.name}") from None


def read_config(folder: Path, *, trust: bool = False) -> dict[str, Any]:
    """The config of a run's folder, read as `aejax.config.files.written` does.

    Raises:
        UserError: it is not there, not whole, or names what is no component of aejax and is not this user's own.
    """
    try:
        return config_files.written(folder / CONFIG, trust=trust)
    except FileNotFoundError:
        raise UserError(f"{folder}: is no folder of a run: it has no config.json") from None


def check(folder: Path, config: Mapping[str, Any], name: str = CONFIG) -> None:
    """Refuse a folder that another config has begun, or whose checkpoints are of another run or another config.

    A run may go on with another number of devices.

    Raises:
        UserError: naming what differs.
    """
    if not is_begun(folder, name, "run"):
        return
    changed = differences.changed(config_files.written(folder / name, trust=True), config)  # is compared, nothing else
    if changed:
        raise UserError(
            f"{folder}: holds a run of another config ({differences.first_of(changed)}); "
            f"allowed: the same config, or another {'--workdir' if name == CONFIG else 'folder'}"
        )
    checksums.check(folder, name)
    _check_begun(folder)


def _check_begun(folder: Path) -> None:
    """Refuse checkpoints of a run that was begun with another config or other data than the folder says."""
    for step, digests in _begun(folder).items():
        for name, sha256 in checksums.of(folder, {CONFIG, FIT, DATASET} & digests.keys()).items():
            if sha256 != digests[name]:
                why = f"it is not what the checkpoint of step {step} was saved with; allowed: both as they were"
                raise UserError(f"{folder / name}: is damaged or of another run: {why}")


def _begun(folder: Path) -> dict[int, dict[str, str]]:
    """The digests of the files that a run was begun with, by the step of each checkpoint that says so."""
    begun = {}
    for step in checkpoint.steps(folder / CHECKPOINTS):
        with suppress(checkpoint.DamagedError):  # is passed over when it is to be restored
            path, info = folder / CHECKPOINTS, checkpoint.read_manifest(folder / CHECKPOINTS, step)["info"]
            begun[step] = records.check(info, Fields({}, {"files": Named(str)}), path, "info").get("files", {})
    return begun


def is_begun(folder: Path, name: str, kind: str) -> bool:
    """Whether a folder holds a file, which says whose it is; refuses one without it that holds others.

    Args:
        folder: made or not.
        name: of the file.
        kind: what a folder with it holds.

    Raises:
        UserError: it is no folder, or that of something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder; allowed: another --workdir")
    if (folder / name).exists():
        return True
    if folder.exists() and is_used(folder, LOCK):
        raise UserError(f"{folder}: is not empty and holds no {kind}; allowed: a new folder, or that of a {kind}")
    return False


def begin(folder: Path, config: Mapping[str, Any], name: str = CONFIG) -> None:
    """Write the config, that it is this user's, and the environment, unless they are there.

    The config comes first: a folder without it is taken for one that belongs to somebody else.
    """
    if not (folder / name).exists():
        write_atomic(folder / name, configs.dumps(config))
    if name == CONFIG:
        trust.seal(folder)
    path, now = folder / ENVIRONMENT, environment()
    if not path.exists():
        write_json(path, now)
    before = next(reversed(_begun(folder).values()), {}).get(ENVIRONMENT)
    if before not in (None, *checksums.of(folder, [ENVIRONMENT]).values()):
        console.say(f"{path}: is damaged: it was changed since the run began; what differs from then cannot be told")
    if changes := _changes(read_json(path, Named(object)), now):
        console.say(f"{folder}: goes on where {'; '.join(changes)}; the last bits of its numbers may differ")


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What decides bits and is not as it was when a run began, in words; what older runs did not record is left out."""
    packages = before["packages"] if isinstance(before.get("packages"), dict) else {}
    versions = {name: (packages[name], now["packages"][name]) for name in ("jax", "jaxlib") if name in packages}
    names = ("processor", "backend", "devices", "cores", "xla_flags", "onednn")
    pairs = versions | {name: (before[name], now[name]) for name in names if name in before}
    return [f"{name} is {shown(new)} and was {shown(old)}" for name, (old, new) in pairs.items() if old != new]


def same_data(folder: Path, dataset: Dataset, say: Callable[[str], None] = console.say) -> None:
    """Write down the data that a run begins with, and refuse to go on with other data.

    Data that are computed, such as a Swiss roll, have other last bits on another processor, which is said.

    Args:
        folder: of the run.
        dataset: the data.
        say: what says so.

    Raises:
        UserError: a file or a cached set has changed since the run began.
    """
    path = folder / DATASET
    record = {
        "name": dataset.name,
        "source": dataset.source,
        "licence": dataset.licence,
        "rows": {part: len(getattr(dataset, part).x) for part in ("train", "validation", "test")}
        | ({} if dataset.stream is None else {"streamed": dataset.stream.rows}),
        "feature_shape": list(dataset.feature_shape),
        "sha256": fingerprint(dataset),
        **({"means": means} if (means := _means(dataset)) else {}),
    }
    if not path.exists():
        write_json(path, record)
        return
    before = read_json(path, Fields({"sha256": str}, {"means": Named(Many(float, 2, 2))}))
    if before["sha256"] != record["sha256"]:
        if not means or not _near(before.get("means", {}), means):
            raise UserError(f"{folder}: {dataset.name} has changed since this run began; allowed: another --workdir")
        say(f"{folder}: {dataset.name} has other last bits than the run began with, as of another processor")
    _check_begun(folder)


def _means(dataset: Dataset) -> dict[str, list[float]]:
    """Of data that aejax computes, and that have other last bits on another processor, two means of each split.

    They are that of all values, and that of values by the place of their row, by which rows in another order are known.
    """
    entry = ENTRIES.get(dataset.name)
    if entry is None or entry.way not in ("synthetic", "bundled"):
        return {}
    means = {}
    for part in ("train", "validation", "test"):
        if len(x := getattr(dataset, part).x):
            rows = x.reshape(len(x), -1).mean(1, dtype=np.float64)
            means[part] = [float(rows.mean()), float((rows * np.linspace(0, 1, len(x))).mean())]
    return means


def _near(before: Mapping[str, list[float]], now: Mapping[str, list[float]]) -> bool:
    """Whether two `_means` differ by rounding at most."""
    return before.keys() == now.keys() and all(np.allclose(before[part], now[part], 1e-5, 1e-6) for part in now)


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the rows, masks and labels of every split, as stored, and over what tells a stream from others.

    Of a person's own data it covers the names, and what values are counted from, as well.
    """
    import jax

    digest = hashlib.sha256(b"" if dataset.stream is None else dataset.stream.records.digest.encode())
    for part in ("train", "validation", "test"):
        rows = getattr(dataset, part)._replace(source_index=None)
        for name, values in zip(Split._fields, rows, strict=True):
            for leaf in jax.tree.leaves(values):  # sparse rows are several arrays
                digest.update(f"{part}.{name} {leaf.dtype} {leaf.shape}".encode())
                digest.update(np.ascontiguousarray(leaf).data)
    if dataset.name.startswith(OWN):
        stored = [each.tolist() for each in (dataset.origin, dataset.log)]
        digest.update(to_json([dataset.feature_names, dataset.label_names, *stored]).encode())
    return digest.hexdigest()


def environment() -> dict[str, Any]:
    """Versions, device, platform and the git commit of the checkout that the package is run from (null elsewhere)."""
    import jax

    return {
        "python": platform.python_version(),
        "packages": versions(),
        "platform": platform.platform(),
        "processor": processor(),
        "backend": jax.default_backend(),
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
        "git_commit": _git_commit(),
        **numerics.machine(),
    }


def versions() -> dict[str, str | None]:
    """Of the packages that decide bits."""
    packages = ("aejax", "jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "safetensors")
    return {name: _version(name) for name in packages}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Its name and what code for it depends on: ``"AMD EPYC, family 25, model 17, avx512f"``."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    kinds = [f"{name.removeprefix('cpu ')} {fields[name]}" for name in ("cpu family", "model") if name in fields]
    vectors = [name for name in ("avx512f", "avx2", "avx") if name in fields.get("flags", "").split()]
    return ", ".join([fields.get("model name", platform.machine()), *kinds, *vectors[:1]])


def peak_memory() -> dict[str, float]:
    """``{"peak_memory_mb": …}``, the most memory that this process has held so far, 2**20 bytes; none where not known.

    Linux says it of the process alone; `getrusage` would count the one that started it as well.
    """
    with suppress(OSError, TypeError):
        return {"peak_memory_mb": int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 2**10}
    with suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"peak_memory_mb": most / (2**20 if platform.system() == "Darwin" else 2**10)}
    return {}


def _git_commit() -> str | None:
    checkout = Path(__file__).parent.parent.parent
    if not (checkout / ".git").exists():
        return None
    ask = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def finished(folder: Path) -> dict[str, Any] | None:
    """The summary of a finished run, in whose folder every file that there is is as it was written; else None.

    Raises:
        UserError: a file is damaged, was changed or is of another run.
    """
    if not (folder / FINISHED).exists():
        return None
    summary = read_json(folder / FINISHED, SUMMARY)
    for name, is_there in checksums.differing(folder):
        if is_there:
            raise checksums.changed(folder / name)
    return summary


def mark_of_metrics(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of ``metrics.csv``: its length and digest, by which its rows are known again."""
    path = folder / METRICS
    text = path.read_bytes() if path.exists() else b""
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def metrics_before(folder: Path, step: int) -> list[dict[str, float]]:
    """The rows of ``metrics.csv`` up to the step of a checkpoint, from which a run goes on.

    A file that is not as the checkpoint left it is set aside, which is said; the run goes on without these rows.
    """
    if not step:
        return []
    path, aside = folder / METRICS, folder / "metrics.damaged.csv"
    text = path.read_bytes() if path.exists() else b""
    mark = checkpoint.read_manifest(folder / CHECKPOINTS, step)["info"].get("metrics")  # none in older versions
    text = text if mark is None else text[: mark["bytes"]]
    if mark is None or hashlib.sha256(text).hexdigest() == mark["sha256"]:
        with suppress(UserError):
            return _rows(text, path, until=step)
    where = ""
    if path.exists():
        os.replace(path, aside)
        where = f" (now {aside.name})"
    console.say(f"{path}: is missing or damaged{where}; it goes on with the rows after step {step}")
    return []


def read_metrics(folder: Path, *, until: int | None = None) -> list[dict[str, float]]:
    """The rows of ``metrics.csv``, up to a step, without a last line that a kill left half written.

    Raises:
        UserError: it is no table of numbers.
    """
    path = folder / METRICS
    return _rows(path.read_bytes(), path, until) if path.exists() else []


def _rows(content: bytes, path: Path, until: int | None) -> list[dict[str, float]]:
    try:
        text = content.decode()
        whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(whole)]
        return [row for row in rows if until is None or row["step"] <= until]
    except (TypeError, ValueError, KeyError, csv.Error):
        raise UserError(f"{path}: is damaged: it is no table of numbers") from None


def write_metrics(folder: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write ``metrics.csv`` whole: one row for each evaluation; none without rows."""
    if rows:
        write_atomic(folder / METRICS, _table(rows, header=True))
    else:
        (folder / METRICS).unlink(missing_ok=True)


def append_metrics(folder: Path, row: Mapping[str, float]) -> None:
    """Add the row of an evaluation to ``metrics.csv``, in a time that does not depend on its length."""
    if (folder / METRICS).exists():
        append(folder / METRICS, _table([row], header=False))
    else:
        write_metrics(folder, [row])


def _table(rows: Sequence[Mapping[str, float]], *, header: bool) -> str:
    """Lines of eight digits, which read and written again are the same; steps whole."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    if header:
        writer.writeheader()
    text = lambda name, value: str(int(value)) if name == "step" else f"{value:.8g}"
    writer.writerows({name: text(name, value) for name, value in row.items()} for row in rows)
    return out.getvalue()
