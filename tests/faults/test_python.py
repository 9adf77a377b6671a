"""What a person does wrong from Python, beyond data and configs, is one line as well."""

import errno
import functools
import re

import jax
import numpy as np
import pytest

import aejax
from aejax import data, losses, models
from aejax.errors import UserError
from aejax.runs import apply, artifact

DATA = data.from_arrays(np.random.default_rng(0).normal(size=(60, 6)))
MODEL = models.multilayer(DATA.feature_shape, widths=(4,), code=2)
LOSS = losses.compose(reconstruction=losses.squared_error())


@pytest.fixture(scope="module")
def fitted():
    return aejax.fit(MODEL, LOSS, DATA, steps=2, key=jax.random.key(0))


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return fitted.save(tmp_path_factory.mktemp("saved") / "net")


@pytest.mark.parametrize(
    ("folder", "fragment"),
    [
        ("/proc/fitted", "allowed: a folder that can be written"),
        ("{tmp}/file/net", "Not a directory; allowed: a folder that can be written"),
        ("{tmp}/file", "is not empty"),
        ("{tmp}/" + "a" * 300, "File name too long"),
        (None, "folder: expected a path, got None"),
    ],
)
def test_a_net_is_not_saved_where_nothing_can_be_written(folder, fragment, fitted, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=fragment) as refused:
        fitted.save(folder and folder.format(tmp=tmp_path))
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("model", "fragment"),
    [
        (models.multilayer((6,), widths=(5,), code=2), "does not fit: params/decoder/layer0/bias"),
        (models.multilayer((7,), widths=(4,), code=2), "does not fit"),
        (models.multilayer((6,), widths=(4,), code=3), "does not fit"),
        (models.multilayer((2, 3, 1), widths=(4,), code=2), "is none of rows of (2, 3, 1) values"),
        ("dense.multilayer", "model: expected an aejax Model"),
    ],
)
def test_a_folder_is_not_opened_with_another_model(model, fragment, saved):
    with pytest.raises(UserError, match=re.escape(fragment)):
        aejax.open(saved, model)


def test_a_history_with_numbers_that_json_lacks_is_read_again(fitted, tmp_path):
    history = {"step": np.array([1, 2]), "train_loss": np.array([0.5, np.nan])}
    aejax.Fitted(fitted.model, fitted.params, fitted.data, history).save(tmp_path / "net")
    again = aejax.open(tmp_path / "net").history
    assert again["step"].tolist() == [1, 2]
    np.testing.assert_array_equal(again["train_loss"], history["train_loss"])
    (tmp_path / "net" / "checksums.json").unlink()  # as older versions left a net
    (tmp_path / "net" / "history.json").write_text('{"step": "a"}')
    with pytest.raises(UserError, match=r"history\.json: is damaged: step: expected a list"):
        aejax.open(tmp_path / "net")


def test_halves_are_written_both_or_none(tiny, tmp_path, monkeypatch):
    def full(path, half):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifact, "write_encoder", full)
    with pytest.raises(OSError, match="No space left"):
        apply.split(apply.load(tiny), tmp_path / "encoder", tmp_path / "decoder", "word")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seeds", ["a", 3, [], [0.5], [True], ["0"], None, [-1]])
def test_seeds_of_a_sweep(seeds):
    with pytest.raises(UserError, match=r"^seeds: expected"):
        aejax.sweep(MODEL, LOSS, DATA, axes={}, seeds=seeds, steps=2)


@pytest.mark.parametrize("axes", [None, "reconstruction.weight", [1]])
def test_axes_of_a_sweep(axes):
    with pytest.raises(UserError, match=r"^axes: expected values by their paths"):
        aejax.sweep(MODEL, LOSS, DATA, axes=axes, steps=2)


def gone(x):
    return x


CORRUPTIONS = {
    "one argument": (gone, r"^corruption, a function of \(key, x\): TypeError: gone\(\) takes 1 positional argument"),
    "another shape": (lambda key, x: x[:, :2], r"^corruption makes float32\[\d+,2\] of float32\[\d+,6\]"),
    "a number that is missing": (data.corrupt.gaussian, r"missing 1 required keyword-only argument: 'scale'"),
    "its own error": (lambda key, x: 1 / 0, r"^corruption, a function of \(key, x\): .*ZeroDivisionError"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("train", [aejax.fit, functools.partial(aejax.sweep, axes={})], ids=["fit", "sweep"])
def test_a_corruption_that_is_none(name, train):
    corruption, line = CORRUPTIONS[name]
    with pytest.raises(UserError, match=line):
        train(MODEL, LOSS, DATA, corruption=corruption, steps=2)
