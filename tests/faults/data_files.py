"""Data files of every kind with one damage each; where they load, the values are those that another reader finds."""

import bz2
import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from damage import DAMAGES, TEXT, Case, damaged, outcome

from aejax.data import read_rows
from aejax.data.files import load_file
from aejax.data.published.mnist import read_idx
from aejax.report.page.images import of_file

ROWS, COLUMNS = 24, ("weight", "height", "age", "dose")
HOLES = "missing"


def table(random: np.random.Generator) -> np.ndarray:
    """Numbers of several kinds, some of them missing."""
    x = random.normal(size=(ROWS, len(COLUMNS))) * [1, 1e3, 1, 1e-3] + [0, 1e4, 0, 1]
    x[:, 2] = random.integers(18, 90, ROWS)
    x[random.random(x.shape) < 0.05] = np.nan
    return x


def text(x: np.ndarray, separator: str = ",") -> bytes:
    """The table as text, its last column in quotes."""
    lines = [separator.join(COLUMNS)]
    for row in x:
        cells = ["" if np.isnan(value) else f"{value:.6g}" for value in row]
        lines.append(separator.join([*cells[:-1], f'"{cells[-1]}"']))
    return ("\n".join(lines) + "\n").encode()


def zipped(content: bytes, name: str = "rows.csv") -> bytes:
    """A zip archive of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def in_memory(write: Callable[[io.BytesIO], object]) -> bytes:
    """What a function writes into a file."""
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def originals(random: np.random.Generator) -> dict[str, bytes]:
    """A sound file of each kind, by its ending."""
    import pandas
    from PIL import Image

    x = table(random)
    frame = pandas.DataFrame(x, columns=list(COLUMNS))
    images = random.integers(0, 256, (ROWS, 6, 5), np.uint8)
    plain, labels = np.nan_to_num(x), random.integers(0, 3, ROWS)
    picture = Image.fromarray(images[0])
    return {
        ".csv": text(x),
        ".tsv": text(x, "\t"),
        ".txt": text(x, ";"),
        ".csv.gz": gzip.compress(text(x)),
        ".csv.bz2": bz2.compress(text(x)),
        ".csv.zip": zipped(text(x)),
        ".npy": in_memory(lambda out: np.save(out, plain)),
        ".images.npy": in_memory(lambda out: np.save(out, images)),
        ".npz": in_memory(lambda out: np.savez(out, x=plain, y=labels, mask=~np.isnan(x))),
        ".published.npz": in_memory(
            lambda out: np.savez_compressed(out, x_train=images, y_train=labels, x_test=images, y_test=labels)
        ),
        ".parquet": in_memory(frame.to_parquet),
        ".feather": in_memory(frame.to_feather),
        ".arrow": in_memory(frame.to_feather),
        ".xlsx": in_memory(lambda out: frame.to_excel(out, index=False)),
        ".idx": b"\0\0\x08\x03" + np.array(images.shape, ">i4").tobytes() + images.tobytes(),
        ".idx.gz": gzip.compress(b"\0\0\x08\x01" + np.array([ROWS], ">i4").tobytes() + labels.astype("u1").tobytes()),
        ".png": in_memory(lambda out: picture.save(out, "PNG")),
    }


def cases(random: np.random.Generator, count: int, folder: Path) -> Iterator[Case]:
    """So many damaged files, of each kind in turn."""
    sound = originals(random)
    endings = list(sound)
    for number in range(count):
        kind = endings[number % len(endings)]
        name, content = damaged(random, sound[kind], TEXT if kind in (".csv", ".tsv", ".txt") else DAMAGES)
        path = folder / f"rows{kind}"
        path.write_bytes(content)
        case = outcome(f"{kind}, {name}, case {number}", lambda path=path, kind=kind: wrong(path, kind))
        yield case
        if case.outcome not in ("refused", "equal"):
            path.rename(folder / f"case-{number}{kind}")


def wrong(path: Path, kind: str) -> str | None:
    """What is wrong with the values that were read from a file; None where they are those of another reader."""
    if kind.startswith(".idx"):
        read_idx(path, (ROWS, 6, 5) if kind == ".idx" else (ROWS,))
        return None
    if kind == ".png":
        of_file(path, 800)
        return None
    raw, again = load_file(str(path), None), None
    if raw.kind == "table" and not raw.columns:
        again = read_rows(path, trained=raw.feature_names)
    rows = [raw.train.x] if raw.test is None else [raw.train.x, raw.test.x]
    with np.errstate(invalid="ignore"):  # some of NaN's bit patterns
        x = np.concatenate(rows).astype(np.float64) + raw.origin
    masks = [part.mask for part in (raw.train, raw.test) if part is not None and part.mask is not None]
    if masks:
        x = np.where(np.concatenate(masks), x, np.nan)
    if again is not None and len(again[0]) != len(x):
        return f"apply reads {len(again[0])} rows, run reads {len(x)}"
    return differs(x, raw.feature_names, other(path, kind))


def differs(x: np.ndarray, names: tuple[str, ...], columns: dict[str, np.ndarray]) -> str | None:
    """Whether rows are other than those in the columns of another reader, as far as both found numbers."""
    for at, name in enumerate(names) if names else ():
        if name not in columns:
            continue
        expected = columns[name]
        if len(expected) != len(x):
            return f"column {name!r}: {len(x)} rows, another reader finds {len(expected)}"
        if not np.allclose(x[:, at], expected, rtol=1e-5, atol=1e-30, equal_nan=True):
            row = int(np.flatnonzero(~np.isclose(x[:, at], expected, rtol=1e-5, atol=1e-30, equal_nan=True))[0])
            return f"column {name!r}, row {row}: {x[row, at]!r}, another reader finds {expected[row]!r}"
    if not names and columns[""].reshape(x.shape).tolist() != x.tolist():
        return "other images than another reader finds"
    return None


def other(path: Path, kind: str) -> dict[str, np.ndarray]:
    """The columns of numbers in a file, by a reader that is not aejax's; images under an empty name."""
    import pandas

    content = path.read_bytes()
    match kind:
        case ".csv" | ".tsv" | ".txt":
            return columns_of(content)
        case ".csv.gz":
            return columns_of(gzip.decompress(content))
        case ".csv.bz2":
            return columns_of(bz2.decompress(content))
        case ".csv.zip":
            with zipfile.ZipFile(path) as archive:
                return columns_of(archive.read(archive.namelist()[0]))
        case ".npy":
            return {str(at): column for at, column in enumerate(np.load(path).T)}
        case ".images.npy":
            return {"": np.load(path)}
        case ".npz":
            with np.load(path) as file:
                x = np.where(file["mask"], file["x"], np.nan) if "mask" in file else file["x"]
            return {str(at): column for at, column in enumerate(x.T)}
        case ".published.npz":
            with np.load(path) as file:
                return {"": np.concatenate([file[name] for name in ("x_train", "x_test") if name in file])}
        case ".parquet":
            frame = pandas.read_parquet(path)
        case ".xlsx":
            frame = pandas.read_excel(path, engine="openpyxl")  # by its first bytes it would refuse what openpyxl reads
        case _:
            frame = pandas.read_feather(path)
    return {str(name): frame[name].to_numpy() for name in frame if frame[name].dtype.kind in "fiu"}


def columns_of(content: bytes) -> dict[str, np.ndarray]:
    """The columns of a text whose cells are all numbers or empty."""
    encoding = "utf-8-sig"
    lines = content.decode(encoding, "replace")
    separator = next((mark for mark in ",\t;" if mark in lines.split("\n")[0]), ",")
    rows = [row for row in csv.reader(io.StringIO(lines, newline=""), delimiter=separator) if "".join(row).strip()]
    columns = {}
    for name, *cells in zip(*rows, strict=True):
        try:
            columns[name.strip()] = np.array([float(cell) if cell.strip() else np.nan for cell in cells])
        except ValueError:
            continue
    return columns
