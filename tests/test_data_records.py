"""Any data set that tensorflow-datasets has prepared as records, without TensorFlow and without a network."""

import io
import sys
import warnings

import numpy as np
import pytest

from aejax import data
from aejax.data import cache
from aejax.errors import UserError

with warnings.catch_warnings():  # its import warns of what its own dependencies will change
    warnings.simplefilter("ignore", DeprecationWarning)
    import tensorflow_datasets as tfds


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))


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
        dataset = data.load(name, data_dir=str(tmp_path / "d"), validation=0)
        np.testing.assert_array_equal(dataset.train.x, COLOUR[:8])
        np.testing.assert_array_equal(dataset.test.x, COLOUR[8:])
        assert dataset.train.labels.tolist() == [0, 1] * 4
        assert (dataset.feature_shape, dataset.kind, dataset.label_names) == ((5, 4, 3), "image", ("p", "q"))
        assert dataset.licence == "CC0"
        assert dataset.source == "tensorflow-datasets tiny/1.2.0, parts train, validation, test"
    assert capsys.readouterr().err.count("decoding") == 2  # one for each part, once
    assert "tensorflow" not in sys.modules


def test_grey_levels_stored_as_colours_and_palettes_are_converted(tmp_path):
    grey = np.random.default_rng(2).integers(0, 256, (4, 6, 6), np.uint8)
    rows = {"train": [{"image": png(g, mode)} for g, mode in zip(grey, ["L", "RGB", "RGBA", "L"], strict=True)]}
    prepare(tmp_path, "grey", {"image": tfds.features.Image(shape=(6, 6, 1))}, rows)
    dataset = data.load("tfds:grey", data_dir=str(tmp_path), validation=0, test=0)
    np.testing.assert_array_equal(dataset.train.x[..., 0], grey)
    assert dataset.train.labels is None


def test_vectors_by_name_with_gaps(tmp_path):
    x = np.random.default_rng(3).normal(size=(20, 3)).astype(np.float32)
    x[4, 1] = np.nan
    features = {
        "features": tfds.features.Tensor(shape=(3,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    prepare(tmp_path, "vectors", features, {"train": [{"features": r, "kind": 1} for r in x]})
    dataset = data.load("tfds:vectors", data_dir=str(tmp_path), validation=0, test=0)
    np.testing.assert_array_equal(dataset.train.mask, ~np.isnan(x))
    np.testing.assert_array_equal(dataset.train.x[dataset.train.mask], x[~np.isnan(x)])
    assert dataset.train.x[4, 1] == pytest.approx(np.nanmean(x[:, 1].astype(np.float64)), rel=1e-6)
    assert dataset.feature_names == ("features 0", "features 1", "features 2")
    assert dataset.train.labels.tolist() == [1] * 20


def test_data_prepared_again_is_decoded_again(tmp_path):
    builder = prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(4))})
    data.load("tfds:tiny", data_dir=str(tmp_path / "d"))
    builder.data_path.rmtree()
    prepare(tmp_path / "d", "tiny", PICTURE, {"train": pictures(range(4, 9))})
    dataset = data.load("tfds:tiny", data_dir=str(tmp_path / "d"), validation=0, test=0)
    np.testing.assert_array_equal(dataset.train.x, COLOUR[4:9])


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
