"""The Olivetti faces: prepared from a file at hand or fetched, and what is told of files that are something else."""

from pathlib import Path

import numpy as np
import pytest

from aejax import data
from aejax.errors import UserError

RNG = np.random.default_rng(0)


def write_faces(path, **changes):
    arrays = {
        "pictures": RNG.integers(0, 243, (400, 64, 64), np.uint8),
        "who": np.repeat(np.arange(40), 10),
    } | changes
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    return arrays


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache_folder")
def test_faces_are_prepared_from_a_file_or_its_folder(tmp_path):
    status = lambda: {row.name: row.status for row in data.table()}["faces"]
    assert status() == "needs download"
    path = tmp_path / "at_hand" / "faces.npz"
    path.parent.mkdir()
    for source in (path, path.parent):
        arrays = write_faces(path)
        assert isinstance(data.prepare("faces", str(source)), Path)
        dataset = data.load("faces", validation=0, test=0)
        np.testing.assert_array_equal(dataset.train.x[..., 0], arrays["pictures"])
        np.testing.assert_array_equal(dataset.train.labels, arrays["who"])
        assert (dataset.kind, dataset.feature_shape, str(dataset.range)) == ("image", (64, 64, 1), "[0, 1]")
        assert dataset.scale == pytest.approx(1 / 242)
        assert dataset.licence == {row.name: row.licence for row in data.table()}["faces"]
    assert status() == "cached"


@pytest.mark.usefixtures("cache_folder")
@pytest.mark.parametrize(
    ("write", "line"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.write_bytes(b"half"), "not a NumPy file of numbers"),
        (lambda path: write_faces(path, who=None), "expected images, uint8"),
        (lambda path: write_faces(path, who=np.repeat(np.arange(1, 41), 10)), "from 0 to 39"),
        (lambda path: write_faces(path, pictures=np.zeros((400, 32, 32), np.uint8)), "expected images, uint8"),
        (lambda path: path.mkdir(), "holds 0 .npz files"),
    ],
)
def test_files_that_are_no_faces_get_one_line(tmp_path, write, line):
    write(tmp_path / "faces.npz")
    with pytest.raises(UserError, match=line) as caught:
        data.prepare("faces", str(tmp_path / "faces.npz"))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("cache_folder")
def test_faces_that_cannot_be_fetched_are_told_in_one_line_and_fetched_ones_keep_their_levels(monkeypatch):
    from types import SimpleNamespace
    from urllib.error import URLError

    import sklearn.datasets

    def offline(**_):
        raise URLError("no network")

    monkeypatch.setattr(sklearn.datasets, "fetch_olivetti_faces", offline)
    with pytest.raises(UserError, match=r"faces: not prepared, .*no network.*aejax data prepare faces --from FILE.npz"):
        data.load("faces")
    with pytest.raises(UserError, match="leave --data-dir away"):
        data.prepare("faces", None, "somewhere")
    levels = np.arange(400 * 64 * 64).reshape(400, 64, 64) % 243
    fetched = SimpleNamespace(images=(levels / 242).astype(np.float32), target=np.repeat(np.arange(40), 10))
    monkeypatch.setattr(sklearn.datasets, "fetch_olivetti_faces", lambda **_: fetched)
    np.testing.assert_array_equal(data.load("faces", validation=0, test=0).train.x[..., 0], levels)
