"""Rows in and out of files, for `aejax apply`."""

import io
from pathlib import Path

import numpy as np

from aejax.errors import UserError, one_of
from aejax.files import write_atomic

OUTPUT_ENDINGS = (".csv", ".npy")


def read(path: Path, label_column: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows of a table file, (m, …) float32, NaN where a value is missing, and the names of its columns, if any.

    Args:
        path: of the file.
        label_column: of the training data; left out where the file has it.

    Raises:
        UserError: a file that cannot be read as numbers, or is empty.
    """
    from aejax.data import files

    try:
        x, _, names = files.read_rows(path, label_column=label_column)
    except UserError:
        if label_column is None:
            raise
        x, _, names = files.read_rows(path)  # new rows need not have labels
    if not len(x):
        raise UserError(f"{path}: has no rows")
    return x, names


def check_output(path: Path, source: Path) -> None:
    """Refuse an output file before anything is computed.

    Raises:
        UserError: an ending that cannot be written, a folder that does not exist, or the input file itself.
    """
    if path.exists() and path.samefile(source):
        raise UserError(f"--output {path}: is the input file; allowed: another file")
    if path.suffix.lower() not in OUTPUT_ENDINGS:
        raise one_of(path.suffix, OUTPUT_ENDINGS, what=f"--output {path}: ending")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {path}: there is no folder {path.parent}")


def write(path: Path, rows: np.ndarray) -> None:
    """Write rows as .npy, or laid flat as .csv without a header; a whole file or none."""
    if path.suffix.lower() == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, rows, allow_pickle=False)
        write_atomic(path, buffer.getvalue())
        return
    text = io.StringIO()
    np.savetxt(text, rows.reshape(len(rows), -1), delimiter=",", fmt="%.9g")
    write_atomic(path, text.getvalue())
