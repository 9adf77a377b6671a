"""Attacks on codes: what must succeed succeeds, what cannot does not, and what the task refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tasking import start

from aejax import config, console
from aejax.models import dense
from aejax.runs import experiment
from aejax.tasks import encryption as attacks
from aejax.types import Range


def linear_data(rows=400, seed=0):
    """Rows of six values on a plane, their codes in a turned basis of it, and the map back."""
    draw = np.random.default_rng(seed)
    code = draw.normal(size=(rows, 2)) * [2, 1]
    back = np.linalg.qr(draw.normal(size=(6, 2)))[0].T
    return (code @ back).astype(np.float32), code.astype(np.float32)


def error(a, b):
    return float(np.square(a - b).mean())


def test_more_leaked_pairs_rebuild_more():
    known, codes = linear_data()
    model = dense.multilayer((6,), widths=(), code=2, output="linear")
    found = attacks.from_pairs(jax.random.key(0), model, (codes[:300], known[:300]), codes[300:], [5, 20, 300], 600)
    errors = [error(found[count], known[300:]) for count in (5, 20, 300)]
    assert errors[2] < 1e-3 * known.var()
    assert errors[0] > errors[2]
    assert set(found) == {5, 20, 300}


def test_where_codes_have_nothing_to_do_with_rows_nothing_is_rebuilt():
    known, _ = linear_data()
    codes = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    model = dense.multilayer((6,), widths=(), code=2, output="linear")
    found = attacks.from_pairs(jax.random.key(0), model, (codes[:300], known[:300]), codes[300:], [300], 600)
    assert error(found[300], known[300:]) > 0.9 * known.var()


def test_surrogates_never_look_beyond_their_pairs():
    known, codes = linear_data()
    model = dense.multilayer((6,), widths=(), code=2, output="linear")
    spoiled = known.copy()
    spoiled[20:] = np.nan
    train = lambda rows: attacks.train_surrogates(
        jax.random.key(0), model, jnp.asarray(codes), jnp.asarray(rows), [20], 200
    )
    for a, b in zip(jax.tree.leaves(train(known)), jax.tree.leaves(train(spoiled)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_known_encoder_is_inverted_as_far_as_its_code_goes():
    known, _ = linear_data()
    model = dense.multilayer((6,), widths=(), code=6, output="linear")
    params = start(model, seed=2)
    code = np.asarray(model.encode(params, jnp.asarray(known[:20])))
    wide = Range(float(known.min()), float(known.max()))
    found = attacks.by_gradient(model, params, code, known.mean(0), wide, steps=3000, prior=0.0)
    assert error(found, known[:20]) < 0.02 * known.var(), "a square, full-rank encoder hides nothing"
    held = attacks.by_gradient(model, params, code, known.mean(0), wide, steps=500, prior=1e4)
    assert error(held, np.broadcast_to(known.mean(0), held.shape)) < 1e-3, "the prior holds rows at the mean"
    narrow = attacks.by_gradient(model, params, code, known.mean(0), Range(-0.1, 0.1), steps=50, prior=0.0)
    assert np.abs(narrow).max() <= 0.1 + 1e-6


def test_codes_alone_tell_what_principal_components_tell():
    """Codes that are the principal components themselves, skewed, are found; turned by a shared factor they stay so."""
    draw = np.random.default_rng(0)
    code = np.column_stack([draw.exponential(3, 2000), -draw.exponential(1, 2000)])
    back = np.linalg.qr(draw.normal(size=(6, 2)))[0].T
    known, codes = (code @ back).astype(np.float32), (code * [-5, 0.1]).astype(np.float32)
    codes = codes[:, ::-1] * [300, 1]  # which is wider is what counts, not its place
    codes = np.column_stack([codes[:, 0] / 3000, codes[:, 1]])
    guess = attacks.from_codes(codes, known, codes[:50])
    assert error(guess, known[:50]) < 0.05 * known.var()


@pytest.mark.slow
def test_the_shipped_config_runs_and_attackers_stand_between_owner_and_mean(tmp_path):
    changes = ["train.steps=400", "train.evaluate_every=400", "task.surrogate_steps=300", "task.inversion_steps=60"]
    summary = experiment.run(config.load("lecture/encryption", [*changes, "task.rows=60"]), tmp_path)
    own, found = summary["metrics"]["test"], summary["baselines"]
    assert own["recovered"] == 1
    assert found["mean row"]["recovered"] == 0
    assert list(found) == [
        *(f"{n} leaked pairs" for n in (10, 30, 100, 300, 1000)),
        "encoder known",
        "codes only",
        "mean row",
    ]
    assert own["mse"] < found["1000 leaked pairs"]["mse"] < found["mean row"]["mse"]
    assert 0.5 < own["trustworthiness"] <= 1
    for name in ("attacks.png", "attacked.png"):
        assert (tmp_path / "figures" / name).stat().st_size > 10_000


def said(out):
    """The steps of each line of progress, in order."""
    return [int(line.split("/")[0].removeprefix("step ")) for line in out.splitlines() if line.startswith("step ")]


def test_attacks_show_how_far_they_are(monkeypatch, capsys):
    monkeypatch.setattr(console, "PLAIN_SECONDS", 0.0)
    model = dense.multilayer((6,), widths=(), code=2, output="linear")
    code, known = np.random.default_rng(0).normal(size=(40, 2)), np.random.default_rng(1).normal(size=(40, 6))
    pairs, counts = (code.astype(np.float32), known.astype(np.float32)), [10, 20]
    attacks.from_pairs(jax.random.key(0), model, pairs, pairs[0][:3], counts, 40)
    assert said(capsys.readouterr().out) == list(range(2, 81, 2)), "twenty times for each number of pairs"
    params, wide = start(model), Range()
    attacks.by_gradient(model, params, pairs[0], known.mean(0).astype(np.float32), wide, steps=60, prior=0.0)
    assert {25, 50, 60} <= set(said(capsys.readouterr().out))
