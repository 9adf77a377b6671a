"""The published IDX files of images, from a folder and from a web server of this machine, without TensorFlow."""

import gzip
import struct
import sys
import threading
import warnings
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from aejax import data
from aejax.data.published import mnist as published
from aejax.data.published.mnist import read_idx
from aejax.errors import UserError

with warnings.catch_warnings():  # its import warns of what its own dependencies will change
    warnings.simplefilter("ignore", DeprecationWarning)
    import tensorflow_datasets as tfds

RNG = np.random.default_rng(5)
IMAGES = {"train": RNG.integers(0, 256, (30, 28, 28), np.uint8), "test": RNG.integers(0, 256, (10, 28, 28), np.uint8)}
LABELS = {"train": np.arange(30, dtype=np.uint8) % 10, "test": np.arange(10, dtype=np.uint8)[::-1]}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """The published data sets at a size that a test can write."""
    monkeypatch.setitem(published.ROWS, "train", 30)
    monkeypatch.setitem(published.ROWS, "test", 10)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, compressed=True):
    folder.mkdir(exist_ok=True)
    for (split, what), name in published.FILES.items():
        content = idx((IMAGES if what == "images" else LABELS)[split])
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", list(published.PUBLISHED))
def test_idx_files_become_records_and_the_same_pixels(tmp_path, name, compressed):
    place = data.prepare(name, str(write_idx(tmp_path / "idx", compressed)))
    assert place == tmp_path / "cache" / "tensorflow_datasets" / name / "3.0.1"
    dataset = data.load(name, validation=0)
    for split, part in (("train", dataset.train), ("test", dataset.test)):
        np.testing.assert_array_equal(part.x[..., 0], IMAGES[split])
        np.testing.assert_array_equal(part.labels, LABELS[split])
        assert isinstance(part.x, np.memmap)
        assert part.x.dtype == np.uint8
    assert (dataset.kind, dataset.feature_shape, str(dataset.range)) == ("image", (28, 28, 1), "[0, 1]")
    assert dataset.label_names == published.PUBLISHED[name].label_names
    assert dataset.licence == published.PUBLISHED[name].licence
    assert {row.name: row.status for row in data.table()}[name] == "cached"
    assert "tensorflow" not in sys.modules


def test_tensorflow_datasets_itself_reads_our_records(tmp_path):
    folder = tmp_path / "records"
    data.prepare("mnist", str(write_idx(tmp_path / "idx")), str(folder))
    source = tfds.data_source(
        "mnist", data_dir=str(folder), split="train", builder_kwargs={"file_format": "array_record"}
    )
    assert len(source) == 30
    np.testing.assert_array_equal(source[3]["image"][..., 0], IMAGES["train"][3])


def test_records_are_decoded_again_when_the_cache_is_lost_or_damaged(tmp_path, capsys):
    data.prepare("kmnist", str(write_idx(tmp_path / "idx")))
    (entry,) = (tmp_path / "cache" / "data").iterdir()
    (entry / "train_x.npy").write_bytes(b"half")
    dataset = data.load("kmnist", validation=0)
    np.testing.assert_array_equal(dataset.train.x[..., 0], IMAGES["train"])
    assert "damaged" in capsys.readouterr().err
    data.load("kmnist")
    assert "decoding" not in capsys.readouterr().err


def test_preparing_again_replaces_the_rows_and_another_folder_of_records_is_another_data_set(tmp_path):
    data.prepare("mnist", str(write_idx(tmp_path / "idx")))
    (tmp_path / "idx" / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(idx(255 - IMAGES["train"])))
    data.prepare("mnist", str(tmp_path / "idx"), str(tmp_path / "other"))
    here, there = data.load("mnist", validation=0), data.load("mnist", validation=0, data_dir=str(tmp_path / "other"))
    np.testing.assert_array_equal(here.train.x, 255 - there.train.x)
    data.prepare("mnist", str(tmp_path / "idx"))
    np.testing.assert_array_equal(data.load("mnist", validation=0).train.x, there.train.x)


def replaced(name, change):
    """A damage: one of the files as a function of its bytes."""
    return lambda folder: (folder / f"{name}.gz").write_bytes(change((folder / f"{name}.gz").read_bytes()))


def packed(array):
    return lambda _: gzip.compress(idx(array))


def flipped(content):
    content = bytearray(content)
    content[len(content) // 2] ^= 4
    return content


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = published.FILES.values()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda folder: (folder / f"{TEST_LABELS}.gz").unlink(), f"the file {TEST_LABELS}.gz .or {TEST_LABELS}. is"),
        (replaced(TRAIN_IMAGES, lambda content: content[:-20]), "the compressed file is damaged or cut short"),
        (replaced(TRAIN_IMAGES, flipped), f"{TRAIN_IMAGES}.gz: the compressed file is damaged or cut short"),
        (
            replaced(TRAIN_LABELS, lambda _: gzip.compress(idx(LABELS["train"])[:-1])),
            f"{TRAIN_LABELS}.gz: the header promises 30 bytes, 29 follow",
        ),
        (
            replaced(TRAIN_LABELS, packed(LABELS["train"][:-1])),
            r"bytes of another shape; expected bytes of shape \(30,\)",
        ),
        (replaced(TEST_LABELS, packed(IMAGES["test"])), r"bytes of another shape; expected bytes of shape \(10,\)"),
        (replaced(TEST_IMAGES, lambda _: b"<html>not found</html>"), f"{TEST_IMAGES}.gz: holds no IDX file of bytes"),
        (replaced(TEST_LABELS, packed(LABELS["test"] + 1)), "holds the label 10; expected 0 to 9"),
    ],
)
def test_bad_files_get_one_line_and_change_nothing(tmp_path, damage, line):
    folder = write_idx(tmp_path / "idx")
    data.prepare("mnist", str(folder))
    damage(folder)
    with pytest.raises(UserError, match=line) as caught:
        data.prepare("mnist", str(folder))
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(data.load("mnist", validation=0).train.x[..., 0], IMAGES["train"])


def test_a_folder_that_is_not_there_gets_one_line(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        data.prepare("mnist", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\x08\x03\0\0\0\x01", b"\0\0\x0d\x01\0\0\0\x01\0"])
def test_what_is_not_idx_gets_one_line(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UserError, match=r"f: holds (no IDX file of bytes|bytes of another shape); expected bytes"):
        read_idx(tmp_path / "f", (1,))


@pytest.fixture
def server(tmp_path):
    """A web server on this machine with the files of a published data set; gives the folder and the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = write_idx(tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{web.server_port}/"
        web.shutdown()


@pytest.fixture
def publish(monkeypatch):
    def publish(folder, url):
        digests = tuple(sha256((folder / f"{n}.gz").read_bytes()).hexdigest() for n in published.FILES.values())
        entry = published.PUBLISHED["kmnist"]._replace(url=url, digests=digests)
        monkeypatch.setitem(published.PUBLISHED, "kmnist", entry)

    return publish


def test_files_are_downloaded_and_checked(server, publish):
    publish(*server)
    dataset = data.load("kmnist", validation=0)
    np.testing.assert_array_equal(dataset.train.x[..., 0], IMAGES["train"])


def test_a_download_with_another_digest_is_refused(server, publish):
    publish(*server)
    (server[0] / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS["train"][::-1])))
    with pytest.raises(UserError, match="what was downloaded is not the published file"):
        data.load("kmnist")


def test_without_a_network_both_ways_are_named(tmp_path, publish, monkeypatch):
    publish(write_idx(tmp_path / "idx"), "http://127.0.0.1:9/")  # nothing listens there
    with pytest.raises(UserError, match=r"kmnist: not prepared, .* aejax data prepare kmnist --from DIR") as caught:
        data.load("kmnist")
    assert "\n" not in str(caught.value)
    entry = published.PUBLISHED["fashion_mnist"]._replace(url="http://127.0.0.1:9/")
    monkeypatch.setitem(published.PUBLISHED, "fashion_mnist", entry)
    with pytest.raises(UserError, match="Debian's package dataset-fashion-mnist"):
        data.load("fashion_mnist")


def test_debian_has_the_published_bytes():
    """Debian strips name and time from the gzip headers; with them the published digests come out."""
    from pathlib import Path

    folder = Path("/usr/share/datasets/fashion-mnist")
    if not folder.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    for name, digest in zip(published.FILES.values(), published.PUBLISHED["fashion_mnist"].digests, strict=True):
        body = (folder / f"{name}.gz").read_bytes()[10:]
        time = 0x59A7E9DE if name.startswith("train") else 0x59A7E9F3
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + b"\x00\x03" + name.encode() + b"\0"
        assert sha256(header + body).hexdigest() == digest
