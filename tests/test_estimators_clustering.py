"""Clusters of rows in memory, and of new rows: found, counted, saved, and the same by the task's action."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import tasking
from tasking import start

from aejax.errors import UserError
from aejax.estimators import AutoencoderClusterer, load
from aejax.models import clustered
from aejax.tasks import clustering
from aejax.types import Kept, Rows


def three_places(rows=45):
    """Rows around three corners, one after the other."""
    noise = np.random.default_rng(0).normal(size=(rows, 3))
    return noise + 20 * np.eye(3)[np.arange(rows) % 3]


@pytest.fixture(scope="module")
def clusterer():
    return AutoencoderClusterer(n_clusters=3, steps=150, random_state=0).fit(three_places())


def test_rows_of_a_place_are_one_cluster_and_new_rows_go_to_theirs(clusterer):
    assert [set(clusterer.labels_[place::3]) for place in range(3)] == [{c} for c in clusterer.labels_[:3]]
    assert sorted(set(clusterer.labels_)) == [0, 1, 2]
    np.testing.assert_array_equal(clusterer.predict(20 * np.eye(3)), clusterer.labels_[:3])
    np.testing.assert_array_equal(clusterer.predict(three_places()), clusterer.labels_)


def test_the_action_tells_how_sure_a_row_is_of_its_cluster(clusterer):
    rows = np.array([[20.0, 0, 0], [10, 10, 0]])
    columns = clusterer.fitted_.apply("assign", rows).values
    codes, centres = clusterer.fitted_.encode(rows), clusterer.fitted_.kept.tree["centres"]
    nearness = 1 / (1 + np.square(codes[:, None] - centres[None]).sum(-1))
    np.testing.assert_array_equal(columns["cluster"], nearness.argmax(1))
    np.testing.assert_allclose(columns["probability"], nearness.max(1) / nearness.sum(1), rtol=1e-5)


def test_clusters_of_the_features_are_those_of_new_rows_and_of_an_exported_net(clusterer):
    rows = 20 * np.eye(3) + 1
    fitted, data = clusterer.fitted_, clusterer.fitted_.data
    x = (rows - data.shift) * data.scale
    kept = Kept({"centres": x[::-1].astype(np.float64)}, {"features": True})
    of_features = replace(fitted, kept=kept)
    np.testing.assert_array_equal(of_features.apply("assign", rows).values["cluster"], [2, 1, 0])
    with pytest.raises(UserError, match="is damaged"):
        replace(fitted, kept=Kept(kept.tree, {})).apply("assign", rows)


def test_a_config_with_centres_of_its_own_is_trained_as_before():
    own = AutoencoderClusterer(config="lecture/clustering:satimage", n_clusters=3, steps=150, random_state=0)
    own.fit(three_places())
    assert "centres" in own.fitted_.params
    assert not own.of_features_
    assert [set(own.labels_[place::3]) for place in range(3)] == [{c} for c in own.labels_[:3]]


def test_how_many_clusters_there_are_is_estimated():
    assert set(AutoencoderClusterer(n_clusters=None, steps=150, random_state=0).fit_predict(three_places())) == {
        0,
        1,
        2,
    }


def test_held_out_rows_have_clusters_too():
    x = three_places()
    held_out = AutoencoderClusterer(n_clusters=3, steps=20, validation_fraction=0.2, random_state=0).fit(x)
    assert held_out.labels_.shape == (45,)
    assert "validation_loss" in held_out.history_


def test_a_saved_one_predicts_the_same(clusterer, tmp_path):
    opened = load(clusterer.save(tmp_path / "saved"))
    np.testing.assert_array_equal(opened.labels_, clusterer.labels_)
    np.testing.assert_array_equal(opened.predict(three_places()), clusterer.labels_)


def test_more_clusters_than_rows_are_refused():
    with pytest.raises(ValueError, match=r"5 clusters of 4 training rows .*allowed: .* from 2 to 4$"):
        AutoencoderClusterer(n_clusters=5).fit(np.eye(4))


def test_what_evaluate_and_keep_leave_are_the_centres_that_have_rows():
    model = clustered.dense((4,), clusters=5, widths=(), code=4, output="linear")
    place = np.arange(60) % 3
    x = (np.random.default_rng(0).normal(size=(60, 4)) + 30 * np.eye(4)[place]).astype(np.float32)
    dataset = tasking.dataset(x, (60, 60, 60), name="blobs", names=())
    same = {"layer0": {"kernel": np.eye(4, dtype=np.float32), "bias": np.zeros(4, np.float32)}}
    centres = 30 * np.eye(5, 4, dtype=np.float32)[[0, 1, 2, 0, 1]]
    params = start(model) | {"encoder": same, "decoder": same, "centres": np.stack([centres + 20, centres])}
    options = clustering.Options(clusters=5, neighbours=5, spectral_rows=0)
    kept = clustering.keep(jax.random.key(0), model, params, dataset, None, options)
    np.testing.assert_array_equal(kept.tree["centres"], centres[:3])
    found = clustering.evaluate(jax.random.key(0), model, params, dataset, None, options)
    np.testing.assert_array_equal(found.kept.tree["centres"], kept.tree["centres"])
    columns = clustering.assign(model, params, Rows(x, None, np.float32(0), np.float32(1)), kept)
    np.testing.assert_array_equal(columns.values["cluster"], place)


@pytest.mark.parametrize(
    ("kept", "message"),
    [(None, "^assign: the run is older .*train it again$"), (Kept({"centres": np.zeros((2, 3))}, {}), "is damaged")],
)
def test_a_run_without_centres_says_so(kept, message):
    model = clustered.dense((4,), clusters=2, widths=(), code=4, output="linear")
    with pytest.raises(UserError, match=message):
        clustering.assign(model, start(model), Rows(np.zeros((1, 4), np.float32), None, 0.0, 1.0), kept)
