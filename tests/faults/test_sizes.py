"""Files that ask for far more memory than they hold are refused in one line, before they get it."""

import bz2
import gzip
import io
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from data_files import zipped
from running import environment

MEGABYTES = 700
"""That a reading may take beyond what the process has; all that is asked for below is more."""

READ = """
import resource, sys
import numpy, pandas, pyarrow.parquet, openpyxl, PIL.Image
from pathlib import Path
from aejax.data.files import load_file
from aejax.errors import UserError

from aejax.report.page.images import of_file
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
for path in sys.argv[1:]:
    try:
        of_file(Path(path), 800) if path.endswith("png") else load_file(path, None)
    except UserError as error:
        print(f"{{Path(path).name}}: {{str(error).removeprefix(path)}}")
"""
"""Prints a line for each file, or dies of what it allocates."""


def npy(shape, dtype="<f8"):
    """The header of an array of any size, and four bytes of it."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue() + b"\0\0\0\0"


def zeros(write):
    """A gigabyte of zeros as a packer writes them."""
    block = bytes(2**24)
    for _ in range(64):
        write(block)


def gz():
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as file:
        zeros(file.write)
    return out.getvalue()


def archive(name, *more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for other, content in more:
            file.writestr(other, content)
        with file.open(name, "w", force_zip64=True) as member:
            zeros(member.write)
    return out.getvalue()


def png(width, height):
    """A picture of so many pixels, of which there are none."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def parquet():
    """Three hundred million values, all the same."""
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    array = pyarrow.array(np.zeros(10**7, bool))
    table = pyarrow.table({f"column {number}": array for number in range(30)})
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def feather():
    """As many zeros as fill three hundred megabytes."""
    import pyarrow
    from pyarrow import feather

    out = io.BytesIO()
    array = pyarrow.array(np.zeros(10**6))
    feather.write_feather(pyarrow.table({f"column {number}": array for number in range(38)}), out, compression="zstd")
    return out.getvalue()


def xlsx(cell):
    """A sheet with one number, far from its corner."""
    import openpyxl

    out = io.BytesIO()
    book = openpyxl.Workbook()
    book.active["A1"], book.active["B7"] = "a", 1.5
    book.save(out)
    there, changed = zipfile.ZipFile(out), io.BytesIO()
    with there, zipfile.ZipFile(changed, "w") as file:
        for name in there.namelist():
            content = there.read(name)
            row = "".join(letter for letter in cell if letter.isdigit()).encode()
            if name.startswith("xl/worksheets/"):
                content = content.replace(b'r="B7"', f'r="{cell}"'.encode()).replace(b'r="7"', b'r="%s"' % row)
            file.writestr(name, content)
    return changed.getvalue()


FILES = {
    "huge.npy": (lambda: npy((2**40, 3)), "is damaged or something else"),
    "claims.npz": (lambda: zipped(npy((2**40, 3)), "x.npy"), "asks for more memory than there is"),
    "bomb.npz": (lambda: archive("x.npy", ("y.npy", npy((1,), "<i4"))), "unpacks to more than"),
    "bomb.csv.gz": (gz, "unpacks to more than"),
    "bomb.csv.bz2": (lambda: bz2.compress(bytes(2**24)) * 64, "unpacks to more than"),
    "bomb.csv.zip": (lambda: archive("rows.csv"), "unpacks to more than"),
    "bomb.xlsx": (lambda: archive("xl/worksheets/sheet1.xml"), "unpacks to more than"),
    "corner.xlsx": (lambda: xlsx("XFD1048576"), "unpacks to more than"),
    "endless.xlsx": (lambda: xlsx("B99999999999"), "unpacks to more than"),
    "bomb.parquet": (parquet, "unpacks to more than"),
    "bomb.feather": (feather, "unpacks to more than"),
    "large.png": (lambda: png(12_000, 9_000), "no picture can be read from it (DecompressionBombWarning)"),
    "bomb.png": (lambda: png(10**5, 10**5), "no picture can be read from it (DecompressionBombError)"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_files_that_ask_for_more_than_they_hold(tmp_path):
    for name, (make, _) in FILES.items():
        (tmp_path / name).write_bytes(make())
    program = [sys.executable, "-W", "error", "-c", READ.format(megabytes=MEGABYTES)]
    paths = [str(tmp_path / name) for name in FILES]
    answer = subprocess.run(program + paths, capture_output=True, text=True, env=environment())
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(FILES)
    for line, (_, fragment) in zip(lines, FILES.values(), strict=True):
        assert fragment in line
