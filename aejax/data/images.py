"""A person's own photographs: the images of a folder, or those that a table names, decoded once and cached."""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from aejax import console
from aejax.data import cache
from aejax.data.image_files import ENDINGS, RULES, Header, decoded, greatest, header, is_image, reason, strict_pillow
from aejax.data.labels import Labels, as_labels, separate
from aejax.data.splits import Raw, official_parts, take
from aejax.data.table_files import TEXT, ending, read_table
from aejax.data.tables import AGAIN, AS_SEEN, Reading
from aejax.errors import UserError
from aejax.types import Split

NO = "no"  # `data.labels` of folders that are no classes
FILE = "file"  # the column of results that names an image
SIDE = 64  # pixels, of images of several sizes or of larger ones
LARGE = 2 * 10**9  # bytes of all decoded images, from which on it is said where they lie
NAMED, CLASSES = 3, 20  # files and classes that a line names
BITS = (8, 10, 12, 14, 16)  # of cameras and microscopes
BLOCK = 64  # files that are decoded between two looks at the progress
_NOTES = {
    "turned": "turned as EXIF says",
    "transparent": "transparent in places, laid on white",
    "deep": "16 bits for each value, {bits} of which are used, scaled to 8",
}


class Files(NamedTuple):
    """Images by their paths below a folder, and what is left out of them.

    Attributes:
        root: the folder.
        names: paths below it, with slashes, in the order of the rows.
        left_out: why a file is no row, by its path.
        labels: of `names`, where a table has them.
    """

    root: Path
    names: tuple[str, ...]
    left_out: Mapping[str, str] = {}
    labels: Labels | None = None


class Photographs(NamedTuple):
    """Images that were read.

    Attributes:
        x: uint8 (m, height, width, channels).
        names: (m,) their paths below the folder, or as a table has them.
        labels: of a table or by folders; None without.
        lines: on how they were read.
        reading: that reads others alike.
    """

    x: np.ndarray
    names: tuple[str, ...]
    labels: Labels | None
    lines: tuple[str, ...]
    reading: Reading


def load_images(
    name: str, label_column: str | None = None, reading: Reading = AS_SEEN, labels: str | None = None
) -> Raw:
    """The data set of the images that `read_images` reads, without their classes where `labels` is ``"no"``.

    Raises:
        UserError: as from `read_images`, or `labels` is something else.
    """
    if labels not in (None, NO):
        allowed = f"{NO}, where folders are no classes, or images:FILE.csv with data.label_column"
        raise UserError(f"data.labels: {labels!r} is not read beside photographs; allowed: {allowed}")
    images = read_images(name, label_column, reading)
    labels, path = None if labels == NO else images.labels, Path(name).expanduser()
    is_test, _, line = parts_of(images.names) if path.is_dir() else (np.zeros(len(images.x), bool), images.names, [])
    rows = Split(images.x, labels=labels and labels.values, source_index=np.arange(len(images.x)))
    return Raw(
        take(rows, np.flatnonzero(~is_test)),
        take(rows, np.flatnonzero(is_test)) if is_test.any() else None,
        kind="image",
        source=f"the images of {name}",
        bounds=(0, 255),
        label_names=labels.names if labels else (),
        understood=(*images.lines, *line, *line_on_classes(labels, path)),
        reading=images.reading,
    )


def read_images(name: str, label_column: str | None = None, reading: Reading = AS_SEEN) -> Photographs:
    """The images in a folder and in those below it, of a table that names them, or one image.

    Args:
        name: path of the folder, the table or the image.
        label_column: of the table, the column of labels. Images of a folder have the names of its subfolders as
            labels, where they lie in two or more and none beside them.
        reading: `Reading.size`, `Reading.fit`, `Reading.colour` and `Reading.bits` say how images become rows.

    Returns:
        The images in the order of the table, or of their paths by code points.

    Raises:
        UserError: there is no such folder or table, or no image can be read.
    """
    path = Path(name).expanduser()
    files = _listed(path, label_column)
    x, details = _once(path, files, reading) if is_image(path) else _cached(path, files, reading)
    rows = details["rows"]
    names = tuple(files.names[row] for row in rows)
    labels = classes_of(parts_of(names)[1]) if files.labels is None else _of_rows(files.labels, rows)
    fit = reading.fit or "crop"
    same = AGAIN._replace(key=(FILE,), size=tuple(details["size"]), fit=fit, colour=details["colour"])
    same = same._replace(bits=details["bits"] or reading.bits)
    return Photographs(x, names, labels, tuple(_said(files, details, x, fit)), same)


def _once(path: Path, files: Files, reading: Reading) -> tuple[np.ndarray, Mapping[str, Any]]:
    """The pixels of one image, which are not kept, and what is to be said of it."""
    with TemporaryDirectory() as folder:
        details = _decode(path, files, reading, Path(folder))
        return np.load(Path(folder, "x.npy")), details


def _cached(path: Path, files: Files, reading: Reading) -> tuple[np.ndarray, Mapping[str, Any]]:
    """The pixels of images, memory-mapped, and what is to be said of them; decoded anew where a file has changed."""
    key = f"images-{_digest([str(path.resolve()), reading.size, reading.fit, reading.colour, reading.bits])[:20]}"
    digest = _digest([[each, *_version(files.root / each)] for each in files.names])
    entry = cache.read(key)
    if entry is None or entry[1].get("files") != digest:
        make = lambda target: {"files": digest, **_decode(path, files, reading, target)}
        entry = cache.build(key, make, anew=True)
    return entry[0]["x"], entry[1]


def path_of(name: str | Path) -> str | None:
    """The path of photographs where a name is that of some: images:PATH, a folder, or an image; else None."""
    path = str(name).removeprefix("images:")
    return path if path != str(name) or is_image(Path(path)) or Path(path).expanduser().is_dir() else None


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()


def _version(path: Path) -> tuple[int, int]:
    """The size of a file and when it was changed; (0, 0) of one that is not there."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


# Which files there are.


def _listed(path: Path, label_column: str | None) -> Files:
    """The images that a path stands for; nothing is opened but a table.

    Raises:
        UserError: it stands for none.
    """
    if (path.is_dir() or is_image(path)) and label_column is not None:
        raise UserError(
            f"data.label_column: images:{path} has no columns; its classes are the folders in it; allowed: None, "
            "or images:FILE.csv, a table of paths and labels"
        )
    if path.is_dir():
        return in_folder(path)
    if not path.is_file():
        raise UserError(f"images:{path}: there is no such folder or file")
    if is_image(path):
        return Files(path.parent, (path.name,))
    if ending(path)[:4] not in TEXT and ending(path) not in (".parquet", ".feather", ".arrow", ".xlsx"):
        raise UserError(f"images:{path}: is no folder; allowed: a folder, an image or a table (.csv) of their paths")
    return _of_table(path, label_column)


def in_folder(folder: Path, wanted: Callable[[Path], bool] = is_image, other: str = "no image") -> Files:
    """The wanted files below a folder by their paths, sorted by code points; hidden and other ones are left out."""
    names, left_out, seen = [], {}, set()
    unreadable = lambda error: left_out.update({f"{_below(folder, error.filename)}/": "cannot be read"})
    for where, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        status, below = os.stat(where), _below(folder, where)
        if (status.st_dev, status.st_ino) in seen:
            left_out[f"{below}/"] = "a link to a folder that is read already"
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        for each, slash in [*((file, "") for file in files), *((folder, "/") for folder in folders)]:
            name = str(PurePosixPath(below, each))
            if each.startswith("."):
                left_out[_printable(name) + slash] = "hidden"
            elif _printable(name) != name:
                left_out[_printable(name) + slash] = "no text for a name"
            elif not slash and not wanted(Path(each)):
                left_out[name] = other
            elif not slash:
                names.append(name)
        folders[:] = [each for each in folders if not each.startswith(".") and _printable(each) == each]
    return Files(folder, tuple(sorted(names)), left_out)


def _below(folder: Path, path: str) -> str:
    return PurePosixPath(Path(path).relative_to(folder)).as_posix()


def _printable(name: str) -> str:
    """A name of a file, whose bytes need not be UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def _of_table(path: Path, label_column: str | None) -> Files:
    """The images that a column of a table names, by paths below its folder or whole ones, in its order.

    The column is the first one in which half of the cells or more end as images do.
    """
    columns, labels = separate(read_table(path, label=label_column).columns, label_column, path)
    names = lambda cells: [str(cell) for cell in cells.values]
    of_images = lambda cells: sum(is_image(Path(name)) for name in names(cells)) * 2 >= max(1, len(cells.values))
    column = next((name for name, cells in columns.items() if of_images(cells)), None)
    if column is not None and is_image(Path(column)):
        raise UserError(f"images:{path}: its first line names an image; allowed: a first line of names of columns")
    if column is None:
        listed = ", ".join(map(repr, columns))
        raise UserError(f"images:{path}: no column holds paths of images ({', '.join(ENDINGS)}); it has {listed}")
    return Files(path.parent, tuple(names(columns[column])), labels=labels)


def _of_rows(labels: Labels, rows: Sequence[int]) -> Labels:
    """The labels of some rows; classes without any are gone."""
    return as_labels(np.array(labels.names, object)[labels.values[rows]], "labels", np.zeros(len(rows), bool))


def parts_of(names: Sequence[str]) -> tuple[np.ndarray, Sequence[str], list[str]]:
    """Which paths are test rows, where the first folders are called train and test; the paths below; and a line."""
    is_test, line = official_parts([name.partition("/")[0] for name in names], "folders name")
    return is_test, tuple(name.partition("/")[2] for name in names) if line else names, line


def classes_of(names: Sequence[str]) -> Labels | None:
    """The first folder of each path as its label; None where an image lies in none, or all lie in one."""
    folders = [name.partition("/")[0] for name in names if "/" in name]
    if len(folders) < len(names) or len(set(folders)) < 2:
        return None
    return as_labels(np.array(folders, object), "folders", np.zeros(len(names), bool))


# What is said of them.


def _said(files: Files, details: Mapping[str, Any], x: np.ndarray, fit: str) -> Iterator[str]:
    """Lines on the images, their sizes before and after, and the files that are left out."""
    least, most = ("x".join(map(str, size)) for size in details["before"])
    before, after = least if least == most else f"{least} to {most}", "x".join(map(str, x.shape[1:3]))
    resized = "" if before == after else f", resized to {after}: {RULES[fit]}"
    colours = "grey" if x.shape[3] == 1 else "in colour"
    yield f"{len(x)} image{'s' * (len(x) != 1)} of {before} pixels (height x width), {colours}{resized}"
    counts = {words.format(bits=details["bits"]): details["notes"][note] for note, words in _NOTES.items()}
    yield from (f"{words}: {count}" for words, count in counts.items() if count)
    if left_out := {**files.left_out, **details["left_out"]}:
        yield left_out_line(left_out)
    if x.nbytes > LARGE:
        line = f"decoded they are {x.nbytes / 1e9:.1f} GB, which are mapped into memory from {cache.root()}"
        yield f"{line}; aejax data pack writes them as a folder to stream from"


def left_out_line(left_out: Mapping[str, str]) -> str:
    """How many files are left out, for which reasons, and the first ones of each."""
    by_reason: dict[str, list[str]] = {}
    for name in sorted(left_out):
        by_reason.setdefault(left_out[name], []).append(repr(name))
    parts = []
    for why, names in sorted(by_reason.items(), key=lambda part: -len(part[1])):
        more = ", …" if len(names) > NAMED else ""
        parts.append(f"{len(names)} {why} ({', '.join(names[:NAMED])}{more})")
    return f"left out: {'; '.join(parts)}"


def line_on_classes(labels: Labels | None, path: Path) -> list[str]:
    """A line on the classes of a folder or a table, and how many rows each has; none without."""
    if labels is None:
        return []
    what = "folders" if path.is_dir() else "labels"
    counts = np.bincount(labels.values, minlength=len(labels.names))
    named = [f"{name!r} ({count})" for name, count in zip(labels.names, counts, strict=True)]
    more = f" and {len(named) - CLASSES} more" if len(named) > CLASSES else ""
    return [f"classes are the {len(labels.names)} {what}: {', '.join(named[:CLASSES])}{more}"]


# Decoding them.


def _decode(path: Path, files: Files, reading: Reading, target: Path) -> dict[str, Any]:
    """Writes the pixels of all images that can be read into a folder; what is to be said of them.

    Raises:
        UserError: there is none.
    """
    fit, place = reading.fit or "crop", target / "x.npy"
    paths = [files.root / name for name in files.names]
    with strict_pillow():
        headers, left_out = _each(lambda row: header(paths[row]), files, range(len(paths)), "looking at images")
        size, colour = _size(headers.values(), reading), _colour(headers.values(), reading)
        if not headers:
            raise _none_of(path, {**files.left_out, **left_out})
        shape = (*size, 1 if colour == "grey" else 3)
        x = np.lib.format.open_memmap(place, "w+", np.uint8, (len(headers), *shape))
        at = {row: number for number, row in enumerate(headers)}
        bits = reading.bits or _bits([paths[row] for row, each in headers.items() if each.is_deep])

        def write(row: int) -> tuple[bool, bool]:
            pixels, *notes = decoded(paths[row], size, colour, fit, bits)
            x[at[row]] = pixels.reshape(shape)
            return tuple(notes)

        notes, damaged = _each(write, files, list(headers), "reading images")
    if not notes:
        raise _none_of(path, {**files.left_out, **left_out, **damaged})
    if damaged:
        place.rename(target / "all.npy")
        smaller = np.lib.format.open_memmap(place, "w+", np.uint8, (len(notes), *shape))
        for number, row in enumerate(notes):
            smaller[number] = x[at[row]]
        (target / "all.npy").unlink()
    read = [headers[row] for row in notes]
    heights, widths = ([each[side] for each in read] for side in (0, 1))
    was_deep, was_transparent = (sum(each) for each in zip(*notes.values(), strict=True))
    return {
        "rows": list(notes),
        "left_out": {**left_out, **damaged},
        "before": [[min(heights), min(widths)], [max(heights), max(widths)]],
        "size": list(size),
        "colour": colour,
        "bits": bits if was_deep else None,
        "notes": {"turned": sum(e.is_turned for e in read), "transparent": was_transparent, "deep": was_deep},
    }


def _bits(paths: Sequence[Path]) -> int:
    """How many of 16 bits are used by some grey images: the fewest of `BITS` that hold their greatest value."""

    def safely(path: Path) -> int:
        try:
            return greatest(path)
        except Exception:  # whatever a damaged image raises is said when it is decoded
            return 0

    with ThreadPoolExecutor() as pool:
        most = max(pool.map(safely, paths), default=0)
    return next(bits for bits in BITS if most < 2**bits) if paths else BITS[-1]


def _none_of(path: Path, left_out: Mapping[str, str]) -> UserError:
    said = f"; {left_out_line(left_out)}" if left_out else ""
    return UserError(f"images:{path}: there is no image that can be read ({', '.join(ENDINGS)}){said}")


def _each(
    function: Callable[[int], Any], files: Files, rows: Sequence[int], what: str
) -> tuple[dict[int, Any], dict[str, str]]:
    """``function(row)`` of images by their rows, and why others gave nothing, by their names."""
    answers, faults = {}, {}

    def safely(row: int) -> tuple[Any, str]:
        try:
            return function(row), ""
        except Exception as error:  # damaged images raise whatever their parsers do
            return None, reason(error)

    with ThreadPoolExecutor() as pool, console.counted(len(rows), what) as done:
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            for row, (answer, fault) in zip(block, pool.map(safely, block), strict=True):
                if fault:
                    faults[files.names[row]] = fault
                else:
                    answers[row] = answer
            done(start + len(block))
    return answers, faults


def _size(headers: Collection[Header], reading: Reading) -> tuple[int, int]:
    """The height and width of a row: what is asked for, the common size of small images, or 64x64."""
    sizes = {(each.height, each.width) for each in headers}
    small = len(sizes) == 1 and max(max(sizes)) <= SIDE
    return reading.size or (sizes.pop() if small else (SIDE, SIDE))


def _colour(headers: Collection[Header], reading: Reading) -> str:
    return reading.colour or ("grey" if all(each.is_grey for each in headers) else "colour")
