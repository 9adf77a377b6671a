"""What there is to touch on a page, without a browser: which runs have it, what it weighs, what if data are gone."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import TINY, arguments, summary

from aejax.cli import main
from aejax.config import components
from aejax.config.resolving import component
from aejax.report import explorer, folders, words
from aejax.report.explorer import chart, source
from aejax.runs import apply
from aejax.runs.artifact import Trained
from aejax.training.build import build_model

SHAPE = (8, 8, 1)
DENSE = {
    "dense.vanilla": ({"code": 3}, {"code": 3, "tied": True, "activation": "tanh", "output": "linear"}),
    "dense.multilayer": (
        {"widths": (6, 5), "code": 3, "tied": True},
        {"widths": (), "code": 3, "decoder_widths": (7,), "activation": "gelu"},
        *({"widths": (6,), "code": 2, "activation": name} for name in ("mish", "selu", "soft_sign", "softplus")),
    ),
    "variational.dense": ({"widths": (6, 5), "code": 2},),
    "clustered.dense": ({"widths": (6,), "code": 3, "clusters": 2, "sets": 1},),
    "dictionary.topk": ({"code": 6, "active": 2},),
    "vamp.dense": ({"widths": (6,), "code": 2, "components": 3},),
    "vector.quantized": ({"widths": (6,), "pieces": 2, "size": 1, "entries": 4},),
    "binary.noisy": ({"widths": (6,), "code": 3},),
    "binary.rounded": ({"widths": (6,), "code": 3, "decoder_widths": (4, 5)},),
}
OTHERS = {
    "conv.convolutional": {"channels": (2,), "code": 3},
    "variational.convolutional": {"channels": (2,), "code": 3},
    "dense.shortcut": {"widths": (6,), "code": 3},
    "unet.unet": {"channels": (2, 3)},
    "masked.residual": {"width": 6, "blocks": 1, "code": 3, "frequencies": 1},
}


def trained(name, arguments):
    settings = component({"name": name, **arguments}, "aejax.models", what="model")
    model = build_model(settings, SHAPE)
    leaves, structure = jax.tree.flatten(jax.jit(model.init)(jax.random.key(0)))
    random = np.random.default_rng(0)  # biases begin at 0, where nobody sees whether they are there
    params = structure.unflatten(
        [jnp.asarray(leaf + 0.2 * random.normal(size=leaf.shape), leaf.dtype) for leaf in leaves]
    )
    return Trained(model, params, {}, {}, settings, apply.ACTIONS)


def test_every_model_is_known_here():
    assert set(components.available("aejax.models")) == {*DENSE, *OTHERS}


@pytest.mark.parametrize(("name", "settings"), [(name, each) for name, several in DENSE.items() for each in several])
def test_the_layers_of_a_dense_decoder_are_all_of_it(name, settings):
    net = trained(name, settings)
    codes = np.random.default_rng(1).normal(size=(50, net.model.code_size)).astype(np.float32)
    layers = source.layers_of(net, codes)
    wanted = jax.jit(net.model.decode)(net.params, jnp.asarray(codes))
    np.testing.assert_allclose(source.run(layers, jnp.asarray(codes)), wanted, atol=1e-5)


@pytest.mark.parametrize(("name", "settings"), OTHERS.items())
def test_other_decoders_have_no_layers(name, settings):
    net = trained(name, settings)
    assert source.layers_of(net, np.zeros((3, net.model.code_size), np.float32)) is None


def test_a_decoder_that_does_more_than_its_layers_say_is_found_out():
    net = trained("dense.vanilla", {"code": 3})
    other = net.model._replace(decode=lambda params, code: 1.001 * net.model.decode(params, code))
    codes = np.ones((3, 3), np.float32)
    assert source.layers_of(net, codes) is not None
    assert source.layers_of(net._replace(model=other), codes) is None


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("touched")


def run(folder, settings):
    assert main(arguments(TINY | settings, workdir=folder)) == 0
    return folder


def touch(folder, language="en"):
    """What there is to touch of a run, or None."""
    return explorer.run_fragment(apply.load(folder), words.catalogue(language))


def touch_sweep(folder):
    return explorer.sweep_fragment(folders.read_sweep(folder), words.catalogue("en"))


def test_a_code_of_two_units_is_a_plane_and_of_others_a_walk(root):
    settings = ({"model.code": "2", "data.rows": "300"}, {"model.code": "3"})
    plane, walk = (touch(run(root / f"code {each['model.code']}", each)) for each in settings)
    assert (plane.kind, len(plane.view["sliders"])) == ("plane", 2)
    assert (walk.kind, len(walk.view["sliders"])) == ("walk", 3)
    outside = int((re.findall(r"(\d+) of 60 samples lie", plane.data["texts"]["caption"]) or [0])[0])
    assert len(plane.data["labels"]) == len(plane.view["marks"]) == 60 - outside, "a fifth of 300 rows"
    assert plane.data["image"] is False


def test_a_few_codes_far_outside_do_not_span_the_plane(root):
    seen = source.load(apply.load(run(root / "outlier", {"model.code": "2"})))
    code = np.concatenate([seen.code[:-1], 1e3 * np.ones((1, 2), np.float32)])
    plane = explorer.latent.plane(seen._replace(code=code), words.catalogue("en"))
    outside = int(
        re.search(r"(\d+) of 12 samples lie far outside and are not shown", plane.data["texts"]["caption"])[1]
    )
    assert len(plane.view["marks"]) == len(plane.data["errors"]) == 12 - outside < 12
    assert max(high for _, high in plane.data["box"]) < 500


def test_a_walk_starts_at_the_best_sample_of_each_class(root):
    seen = source.load(apply.load(run(root / "best", {"model.code": "3"})))
    rows, labels = explorer.latent.best(seen), seen.dataset.test.labels
    errors = explorer.latent.errors_of(seen) / seen.x.var(1)
    assert sorted(labels[rows]) == sorted(set(labels))
    assert all(errors[row] == errors[labels == labels[row]].min() for row in rows)


def test_a_sparse_code_of_images_has_its_live_units_and_a_decoder_of_these_alone(root):
    images = {"data.name": "digits", "model.code": "20", "data.rows": "None"}
    images |= {"terms.sparsity.name": "sparsity.l1", "terms.sparsity.layer": "code", "terms.sparsity.weight": "0.1"}
    seen = source.load(apply.load(run(root / "sparse", images)))
    code = np.maximum(seen.code, 0) * (np.arange(20) != 7)
    code[:, 3] = 0.5
    piece = explorer.features.fragment(seen._replace(code=code), words.catalogue("en"))
    units, rows = piece.data["units"], np.array(piece.data["numbers"]) - 1
    assert {3, 7}.isdisjoint(units), "they never change"
    dead = 20 - len(units)
    assert f"left out: {dead} of 20" in piece.data["texts"]["caption"]
    layers = explorer.features.without_dead(seen.layers, code[0], np.array(units))
    answer, whole = source.run(layers, jnp.asarray(code[:, units])), source.run(seen.layers, jnp.asarray(code))
    np.testing.assert_allclose(answer, whole, atol=1e-5)
    for unit, top in zip(units, piece.data["top"], strict=True):
        assert code[rows[top], unit].tolist() == np.sort(code[rows, unit])[::-1][:8].tolist()
    assert piece.data["shares"] == pytest.approx((code[:, units] != 0).mean(0), abs=1e-4)
    assert [sum(bars) for bars in piece.data["bars"]] == (code[:, units] != 0).sum(0).tolist()
    assert not explorer.features.is_sparse({}, np.ones((4, 2))), "nothing is 0, and no term asks for it"


def test_a_wide_code_has_sliders_for_the_units_that_vary_most(root):
    folder = run(root / "wide", {"model.code": "30"})
    walk = touch(folder, "es")
    assert len(walk.view["sliders"]) == 12
    assert "12 unidades que más varían, de 30" in walk.data["texts"]["caption"]
    spread, units = source.load(apply.load(folder)).code.std(0), walk.data["units"]
    assert spread[units].min() >= np.delete(spread, units).max()


def test_no_fragment_is_too_heavy(root, monkeypatch):
    path = root / "wide.npy"
    np.save(path, np.random.default_rng(0).random((900, 784), np.float32))
    data = {"data.name": f"file:{path}", "data.rows": "None", "model.code": "2", "model.widths": "(140,)"}
    folder = run(root / "heavy", data)
    heavy = touch(folder)
    assert heavy.view["sliders"], "the decoder is there"
    assert 800_000 < len(json.dumps(heavy.data)) < 1_000_000
    monkeypatch.setattr(source, "MOST_WEIGHTS", 400_000)
    assert touch(folder).data["layers"] is None, "its weights alone are too many"


def test_data_are_not_downloaded_for_a_page(root, capsys, monkeypatch):
    monkeypatch.setattr(source, "load_data", lambda settings: pytest.fail("it is loaded, which downloads it"))
    folder = run(root / "elsewhere", {"model.code": "3"})
    there = apply.load(folder)
    elsewhere = there._replace(config=there.config | {"data": there.config["data"] | {"name": "kmnist", "rows": None}})
    capsys.readouterr()
    assert source.load(elsewhere) is None
    said = "nothing to touch on the page: kmnist is not at hand; get it with: aejax data prepare kmnist\n"
    assert capsys.readouterr().out == said


def test_without_its_data_a_run_has_nothing_to_touch(root, capsys):
    path = root / "table.npy"
    rows = np.random.default_rng(0).random((60, 8), np.float32)
    np.save(path, rows)
    folder = run(root / "file", {"data.name": f"file:{path}", "data.rows": "None"})
    assert touch(folder)
    np.save(path, rows + 1)
    capsys.readouterr()
    assert not touch(folder)
    message = capsys.readouterr().out
    assert "nothing to touch on the page" in message
    assert "has changed since this run began" in message
    path.unlink()
    assert not touch(folder)
    np.save(path, rows)
    assert touch(folder)


def sweep(folder, *axes):
    options = [word for axis in axes for word in ("--axis", axis)]
    settings = [word for path, value in TINY.items() for word in ("--set", f"{path}={value}")]
    assert main(["sweep", "lecture/multilayer", "--workdir", str(folder), "--exact", *options, *settings]) == 0
    return folder


def test_a_sweep_over_several_axes_turns_one_and_leaves_the_others_at_the_best(root):
    folder = sweep(
        root / "two axes", "optimizer.learning_rate=[1e-3,1e-2,1e-1]", "terms.reconstruction.weight=[1.0,2.0]"
    )
    data, result = touch_sweep(folder).data, summary(folder)
    best = result["points"][result["best"]]
    rate = best["axes"]["optimizer.learning_rate"]
    along = [point for point in result["points"] if point["axes"]["optimizer.learning_rate"] == rate]
    assert data["values"] == ["1", "2"]
    assert [point["metrics"]["validation/mse"] for point in data["points"]] == [
        {key: point["metrics"]["validation/mse"][key] for key in ("mean", "sd")} for point in along
    ]
    assert along[data["first"]] == best


def test_a_sweep_of_no_numbers_has_nothing_to_touch(root):
    assert not touch_sweep(sweep(root / "words", "model.activation=[relu]", "seed=0:2"))


@pytest.mark.parametrize("values", [[0.002, 0.07], [1e-6, 1.0], [-3, 2.5], [1, 1], [0, 3e5], [41.2, 41.9]])
def test_an_axis_has_a_few_round_ticks_inside(values):
    side = chart.widest(values, 350, 10)
    ticks = chart.ticks(side)
    assert 2 <= len(ticks) <= 12
    assert all(10 <= side.position(value) <= 350 for value in [*ticks, *values])
    assert len({chart.written(value, ",") for value in ticks}) == len(ticks)
    assert not any("e" in chart.written(value, ",") for value in ticks)
