"""What there is to touch on a page, without a browser: which runs have it, what it weighs, what if data are gone."""

import json
import re
import shutil
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import TINY, arguments

from aejax import errors
from aejax.cli import main
from aejax.config import components
from aejax.config.resolving import component
from aejax.report import explorer
from aejax.report.explorer import chart, decoder, source, texts
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
    "unet.unet": {"channels": (2, 3)},
    "masked.residual": {"width": 6, "blocks": 1, "code": 3, "frequencies": 1},
}


def trained(name, given):
    settings = component({"name": name, **given}, "aejax.models", what="model")
    model = build_model(settings, SHAPE)
    leaves, structure = jax.tree.flatten(jax.jit(model.init)(jax.random.key(0)))
    random = np.random.default_rng(0)  # biases begin at 0, where nobody sees whether they are there
    params = structure.unflatten(
        [jnp.asarray(leaf + 0.2 * random.normal(size=leaf.shape), leaf.dtype) for leaf in leaves]
    )
    return Trained(model, params, {}, {}, settings, apply.ACTIONS)


def test_every_model_is_known_here():
    assert set(components.available("aejax.models")) == {*DENSE, *OTHERS}


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, many in DENSE.items() for given in many])
def test_the_layers_of_a_dense_decoder_are_all_of_it(name, given):
    net = trained(name, given)
    codes = np.random.default_rng(1).normal(size=(50, net.model.code_size)).astype(np.float32)
    layers = decoder.layers_of(net, codes)
    wanted = jax.jit(net.model.decode)(net.params, jnp.asarray(codes))
    np.testing.assert_allclose(decoder.run(layers, jnp.asarray(codes)), wanted, atol=1e-5)


@pytest.mark.parametrize(("name", "given"), OTHERS.items())
def test_other_decoders_have_no_layers(name, given):
    net = trained(name, given)
    assert decoder.layers_of(net, np.zeros((3, net.model.code_size), np.float32)) is None


def test_a_decoder_that_does_more_than_its_layers_say_is_found_out():
    net = trained("dense.vanilla", {"code": 3})
    other = net.model._replace(decode=lambda params, code: 1.001 * net.model.decode(params, code))
    codes = np.ones((3, 3), np.float32)
    assert decoder.layers_of(net, codes) is not None
    assert decoder.layers_of(net._replace(model=other), codes) is None


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("touched")


def run(folder, settings):
    assert main(arguments(TINY | settings, workdir=folder)) == 0
    return folder


def payload(fragment):
    return json.loads(re.search(r"<script[^>]*>(.*?)</script>", fragment.html, re.DOTALL)[1])


def test_a_code_of_two_units_is_a_plane_and_of_others_a_walk(place):
    plane, walk = (run(place / f"code {code}", {"model.code": str(code)}) for code in (2, 3))
    ((plane,), (walk,)) = (explorer.fragments(folder, "en") for folder in (plane, walk))
    assert plane.html.count("<input") == 2
    assert walk.html.count("<input") == 3
    assert plane.script == walk.script, "so that a page needs it once"
    assert len(payload(plane)["labels"]) == 12, "a fifth of 60 rows"
    assert payload(plane)["image"] is False


def test_a_wide_code_has_sliders_for_the_units_that_vary_most(place):
    folder = run(place / "wide", {"model.code": "30"})
    (found,) = explorer.fragments(folder, "es")
    assert found.html.count("<input") == 12
    assert "12 unidades que más varían, de 30" in found.caption
    spread, units = source.load(folder).code.std(0), payload(found)["units"]
    assert spread[units].min() >= np.delete(spread, units).max()


def test_no_fragment_is_too_heavy(place):
    path = place / "wide.npy"
    np.save(path, np.random.default_rng(0).random((900, 784), np.float32))
    data = {"data.name": f"file:{path}", "data.rows": "None", "model.code": "2", "model.widths": "(140,)"}
    (found,) = explorer.fragments(run(place / "heavy", data), "en")
    assert "<input" in found.html, "the decoder is there"
    assert 800_000 < len(found.html.encode()) < 1_000_000
    walk = run(place / "heavier", data | {"model.code": "3", "model.widths": "(200,)"})
    assert explorer.fragments(walk, "en") == [], "its weights alone are too many"


def test_without_its_data_or_its_net_a_run_has_nothing_to_touch(place, capsys):
    path = place / "table.npy"
    rows = np.random.default_rng(0).random((60, 8), np.float32)
    np.save(path, rows)
    folder = run(place / "file", {"data.name": f"file:{path}", "data.rows": "None"})
    assert len(explorer.fragments(folder, "en")) == 1
    np.save(path, rows + 1)
    capsys.readouterr()
    assert explorer.fragments(folder, "en") == []
    assert "nothing to touch on the page" in (said := capsys.readouterr().out)
    assert "has changed since this run began" in said
    path.unlink()
    assert explorer.fragments(folder, "en") == []
    np.save(path, rows)
    assert len(explorer.fragments(folder, "en")) == 1
    shutil.rmtree(folder / "model")
    assert explorer.fragments(folder, "en") == []


def test_two_runs_with_the_same_content_have_two_ids(place):
    first = run(place / "twin", {})
    shutil.copytree(first, place / "other twin")
    ids = [re.search(r' id="([^"]+)"', explorer.fragments(f, "en")[0].html)[1] for f in (first, place / "other twin")]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[a-z-]+[0-9a-f]{10}", name) for name in ids)


def test_a_language_without_texts_is_refused(place):
    with pytest.raises(errors.UserError, match=r"language.*allowed: en, es"):
        explorer.fragments(place / "nowhere", "fr")


def sweep(folder, *axes):
    words = [word for axis in axes for word in ("--axis", axis)]
    settings = [word for path, value in TINY.items() for word in ("--set", f"{path}={value}")]
    assert main(["sweep", "lecture/multilayer", "--workdir", str(folder), "--exact", *words, *settings]) == 0
    return folder


def test_a_sweep_over_several_axes_turns_one_and_leaves_the_others_at_the_best(place):
    folder = sweep(
        place / "two axes", "optimizer.learning_rate=[1e-3,1e-2,1e-1]", "terms.reconstruction.weight=[1.0,2.0]"
    )
    (found,) = explorer.sweep_fragments(folder, "en")
    told = payload(found)
    summary = json.loads((folder / "summary.json").read_text())
    best = summary["points"][summary["best"]]
    rate = best["axes"]["optimizer.learning_rate"]
    own = [p for p in summary["points"] if p["axes"]["optimizer.learning_rate"] == rate]
    assert told["values"] == ["1", "2"]
    assert [p["metrics"]["validation/mse"] for p in told["points"]] == [
        {key: p["metrics"]["validation/mse"][key] for key in ("mean", "sd")} for p in own
    ]
    assert own[told["first"]] == best


def test_a_sweep_of_no_numbers_has_nothing_to_touch(place):
    assert explorer.sweep_fragments(sweep(place / "words", "model.activation=[relu]", "seed=0:2"), "en") == []


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things():
    def flat(tree, path=()):
        for key, value in tree.items():
            yield from flat(value, (*path, key)) if isinstance(value, dict) else [((*path, key), fields(value))]

    assert dict(flat(texts.read("en"))) == dict(flat(texts.read("es")))


@pytest.mark.parametrize("values", [[0.002, 0.07], [1e-6, 1.0], [-3, 2.5], [1, 1], [0, 3e5], [41.2, 41.9]])
def test_an_axis_has_a_few_round_ticks_inside(values):
    side = chart.widest(values, 350, 10)
    found = chart.ticks(side)
    assert 2 <= len(found) <= 12
    assert all(10 <= side.place(value) <= 350 for value in [*found, *values])
    assert len({chart.written(value, ",") for value in found}) == len(found)
    assert not any("e" in chart.written(value, ",") for value in found)
