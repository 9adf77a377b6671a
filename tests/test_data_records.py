"""Records of tensorflow-datasets and the published IDX files, without TensorFlow and without a network."""

import gzip
import io
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
from aejax.data import cache
from aejax.data.builders import published
from aejax.data.builders.idx import read_idx
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


# The published images.


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", list(published.PUBLISHED))
def test_idx_files_become_records_and_the_same_pixels(tmp_path, name, compressed):
    place = data.prepare(name, str(write_idx(tmp_path / "idx", compressed)))
    assert place == tmp_path / "cache" / "tensorflow_datasets" / name / "3.0.1"
    found = data.load(name, validation=0)
    for split, part in (("train", found.train), ("test", found.test)):
        np.testing.assert_array_equal(part.x[..., 0], IMAGES[split])
        np.testing.assert_array_equal(part.labels, LABELS[split])
        assert isinstance(part.x, np.memmap)
        assert part.x.dtype == np.uint8
    assert (found.kind, found.feature_shape, str(found.range)) == ("image", (28, 28, 1), "[0, 1]")
    assert found.label_names == published.PUBLISHED[name].label_names
    assert found.licence == published.PUBLISHED[name].licence
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
    found = data.load("kmnist", validation=0)
    np.testing.assert_array_equal(found.train.x[..., 0], IMAGES["train"])
    assert "damaged" in capsys.readouterr().err
    data.load("kmnist")
    assert "decoding" not in capsys.readouterr().err


def test_preparing_again_from_other_files_replaces_the_rows(tmp_path):
    data.prepare("mnist", str(write_idx(tmp_path / "idx")))
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(255 - IMAGES["train"])))
    data.prepare("mnist", str(tmp_path / "idx"))
    np.testing.assert_array_equal(data.load("mnist", validation=0).train.x[..., 0], 255 - IMAGES["train"])


def test_another_folder_of_records_is_another_data_set(tmp_path):
    data.prepare("mnist", str(write_idx(tmp_path / "idx")))
    (tmp_path / "idx" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(255 - IMAGES["train"])))
    data.prepare("mnist", str(tmp_path / "idx"), str(tmp_path / "other"))
    here, there = data.load("mnist", validation=0), data.load("mnist", validation=0, data_dir=str(tmp_path / "other"))
    np.testing.assert_array_equal(here.train.x, 255 - there.train.x)


def missing(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()


def cut(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])


def flipped(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def short(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS["train"])[:-1]))


def fewer(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS["train"][:-1])))


def swapped(folder):
    images = (folder / "t10k-images-idx3-ubyte.gz").read_bytes()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(images)


def other(folder):
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"<html>not found</html>")


def tenth_class(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS["test"] + 1)))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (missing, "the file t10k-labels-idx1-ubyte.gz .or t10k-labels-idx1-ubyte. is missing"),
        (cut, "train-images-idx3-ubyte.gz: the compressed file is damaged or cut short"),
        (flipped, "train-images-idx3-ubyte.gz: the compressed file is damaged or cut short"),
        (short, "train-labels-idx1-ubyte.gz: the header promises 30 bytes, 29 follow"),
        (fewer, r"train-labels-idx1-ubyte.gz: has shape \(29,\); expected \(30,\)"),
        (swapped, r"t10k-labels-idx1-ubyte.gz: has shape \(10, 28, 28\); expected \(10,\)"),
        (other, "t10k-images-idx3-ubyte.gz: not an IDX file of bytes"),
        (tenth_class, "holds the label 10; expected 0 to 9"),
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
    with pytest.raises(UserError, match=r"not an IDX file|cut short"):
        read_idx(tmp_path / "f")


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
    found = data.load("kmnist", validation=0)
    np.testing.assert_array_equal(found.train.x[..., 0], IMAGES["train"])


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


# Any prepared data set.


def png(array, mode=None):
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(file, "png")
    return io.BytesIO(file.getvalue())


def prepare(folder, name, features, rows, file_format="array_record", version="1.2.0", **info):
    """Writes rows, by split, with tensorflow-datasets itself."""

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True, **info
            )

        def _split_generators(self, dl_manager):
            return {split: iter(enumerate(examples)) for split, examples in rows.items()}

        def _generate_examples(self):
            raise NotImplementedError

    Made.name = name
    builder = Made(data_dir=str(folder), file_format=file_format)
    builder.download_and_prepare()
    return builder


COLOUR = np.random.default_rng(1).integers(0, 256, (12, 5, 4, 3), np.uint8)
PICTURE = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=["p", "q"])}


def pictures(which):
    return [{"image": png(COLOUR[i]), "label": i % 2} for i in which]


def test_images_by_name(tmp_path, capsys):
    rows = {"train": pictures(range(6)), "validation": pictures(range(6, 8)), "test": pictures(range(8, 12))}
    prepare(tmp_path / "d", "tiny", PICTURE, rows, license="CC0")
    for name in ("tfds:tiny", "tfds:tiny:1.2.0", "tfds:tiny:1.*.*"):
        found = data.load(name, data_dir=str(tmp_path / "d"), validation=0)
        np.testing.assert_array_equal(found.train.x, COLOUR[:8])
        np.testing.assert_array_equal(found.test.x, COLOUR[8:])
        assert found.train.labels.tolist() == [0, 1] * 4
        assert (found.feature_shape, found.kind, found.label_names) == ((5, 4, 3), "image", ("p", "q"))
        assert found.licence == "CC0"
        assert found.source == "tensorflow-datasets tiny/1.2.0, parts train, validation, test"
    assert capsys.readouterr().err.count("decoding") == 2  # one for each part, once
    assert "tensorflow" not in sys.modules


def test_grey_levels_stored_as_colours_and_palettes_are_converted(tmp_path):
    grey = np.random.default_rng(2).integers(0, 256, (4, 6, 6), np.uint8)
    rows = {"train": [{"image": png(g, mode)} for g, mode in zip(grey, ["L", "RGB", "RGBA", "L"], strict=True)]}
    prepare(tmp_path, "grey", {"image": tfds.features.Image(shape=(6, 6, 1))}, rows)
    found = data.load("tfds:grey", data_dir=str(tmp_path), validation=0, test=0)
    np.testing.assert_array_equal(found.train.x[..., 0], grey)
    assert found.train.labels is None


def test_vectors_by_name_with_gaps(tmp_path):
    x = np.random.default_rng(3).normal(size=(20, 3)).astype(np.float32)
    x[4, 1] = np.nan
    features = {
        "features": tfds.features.Tensor(shape=(3,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    prepare(tmp_path, "vectors", features, {"train": [{"features": r, "kind": 1} for r in x]})
    found = data.load("tfds:vectors", data_dir=str(tmp_path), validation=0, test=0)
    np.testing.assert_array_equal(found.train.mask, ~np.isnan(x))
    np.testing.assert_array_equal(found.train.x[found.train.mask], x[~np.isnan(x)])
    assert found.train.x[4, 1] == pytest.approx(np.nanmean(x[:, 1].astype(np.float64)), rel=1e-6)
    assert found.feature_names == ("features 0", "features 1", "features 2")
    assert found.train.labels.tolist() == [1] * 20


def test_data_prepared_again_is_decoded_again(tmp_path):
    builder = prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(4))})
    data.load("tfds:tiny", data_dir=str(tmp_path / "d"))
    builder.data_path.rmtree()
    prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(4, 9))})
    found = data.load("tfds:tiny", data_dir=str(tmp_path / "d"), validation=0, test=0)
    np.testing.assert_array_equal(found.train.x, COLOUR[4:9])


def test_prepare_fills_the_cache(tmp_path, capsys):
    prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(4))})
    assert data.prepare("tfds:tiny", data_dir=str(tmp_path / "d")) == tmp_path / "d" / "tiny" / "1.2.0"
    assert "decoding" in capsys.readouterr().err
    data.load("tfds:tiny", data_dir=str(tmp_path / "d"))
    assert "decoding" not in capsys.readouterr().err
    with pytest.raises(UserError, match="leave --from away"):
        data.prepare("tfds:tiny", str(tmp_path))


SCALAR = tfds.features.Scalar(dtype=np.float32)


@pytest.mark.parametrize(
    ("features", "row", "line"),
    [
        ({"a": SCALAR, "b": SCALAR}, {"a": 1.0, "b": 2.0}, r"has the features a \(Scalar\), b \(Scalar\); aejax takes"),
        ({"t": tfds.features.Text()}, {"t": "x"}, r"t \(Text\); aejax takes one uint8 image"),
        (
            {"a": tfds.features.Image(shape=(5, 4, 3)), "b": tfds.features.Image(shape=(5, 4, 3))},
            {"a": COLOUR[0], "b": COLOUR[0]},
            r"a \(Image\), b \(Image\)",
        ),
        (
            {"image": tfds.features.Image(shape=(5, 4, 1), dtype=np.uint16)},
            {"image": COLOUR[0, :, :, 0]},
            "decoding uint16 images with 1 channels needs TensorFlow",
        ),
    ],
)
def test_other_features_get_one_line(tmp_path, features, row, line):
    row = {n: png(v) if isinstance(v, np.ndarray) else v for n, v in row.items()}
    prepare(tmp_path / "d", "odd", features, {"train": [row]})
    with pytest.raises(UserError, match=line) as caught:
        data.load("tfds:odd", data_dir=str(tmp_path / "d"))
    assert "\n" not in str(caught.value)


def test_images_of_different_sizes_get_one_line(tmp_path):
    rows = [{"image": png(COLOUR[0]), "label": 0}, {"image": png(COLOUR[0, :3]), "label": 0}]
    prepare(tmp_path / "d", "sizes", PICTURE, {"train": rows})
    with pytest.raises(UserError, match=r"rows of shape \(5, 4, 3\) and of shape \(3, 4, 3\)"):
        data.load("tfds:sizes", data_dir=str(tmp_path / "d"))


def test_data_without_a_training_part_gets_one_line(tmp_path):
    prepare(tmp_path / "d", "tiny", PICTURE, {"extra": pictures(range(3))})
    with pytest.raises(UserError, match="has no part 'train'; it has extra"):
        data.load("tfds:tiny", data_dir=str(tmp_path / "d"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tfds:nothing", "nothing is prepared under this name in .*; prepare it there with file_format='array_record'"),
        ("tfds:tiny:9.9.9", "nothing is prepared under this name"),
        ("tfds:tiny/config", "nothing is prepared under this name"),
        ("tfds:bad name!", "write it as name, name/config, name:version or name/config:version"),
    ],
)
def test_names_that_are_not_prepared_get_one_line(tmp_path, name, line):
    prepare(tmp_path, "tiny", PICTURE, {"train": pictures(range(3))})
    with pytest.raises(UserError, match=line) as caught:
        data.load(name, data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_format_of_tensorflow_gets_one_line(tmp_path):
    builder = prepare(tmp_path, "tiny", PICTURE, {"train": pictures(range(3))})
    info = builder.data_path / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match="in the format tfrecord, which needs TensorFlow"):
        data.load("tfds:tiny", data_dir=str(tmp_path))


def test_damaged_records_get_one_line_and_leave_no_entry(tmp_path):
    builder = prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(12))})
    (path,) = builder.data_path.glob("*array_record*")
    content = bytearray(path.read_bytes())
    for at in range(100, len(content) - 100, 50):
        content[at] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^tiny/1\.2\.0: ") as caught:
        data.load("tfds:tiny", data_dir=str(tmp_path / "d"))
    assert "\n" not in str(caught.value)
    assert list(cache.root().iterdir()) == []
