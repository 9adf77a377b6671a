"""Families of models that are no more than one file: what they keep beside training, their terms, and their priors."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from modelling import numbers, run_of

from aejax.errors import UserError
from aejax.losses import bounds, latent, quantization, reconstruction
from aejax.losses import dictionary as dictionary_terms
from aejax.models import dictionary as dictionaries
from aejax.models import vamp, variational, vector
from aejax.tasks import samplers
from aejax.training import step as training
from aejax.training.context import Batch, Forward, Keys, Rows, context
from aejax.types import Range

X = np.random.default_rng(0).uniform(size=(32, 6)).round().astype(np.float32)
ROWS = Rows(jnp.asarray(X), None, jnp.float32(0), jnp.float32(1))
FAMILIES = {
    "topk": (
        lambda: dictionaries.topk((6,), code=12, active=2),
        {"error": reconstruction.squared_error, "revival": partial(dictionary_terms.revival, units=3, after=2)},
    ),
    "vq": (
        lambda: vector.quantized((6,), widths=(5,), pieces=2, size=2, entries=8),
        {
            "error": reconstruction.squared_error,
            "commitment": quantization.commitment,
            "perplexity": quantization.perplexity,
        },
    ),
    "iwae": (
        lambda: variational.dense((6,), widths=(5,), code=2),
        {"bound": partial(bounds.importance_weighted, draws=3)},
    ),
    "vamp": (
        lambda: vamp.dense((6,), widths=(5,), code=2, components=4),
        {"error": reconstruction.cross_entropy, "divergence": bounds.kl_prior},
    ),
}
each = pytest.mark.parametrize("name", FAMILIES)


@cache
def a_run(name):
    """The run of a family over forty steps, its hyperparameters, and one step of it, compiled."""
    model, terms = FAMILIES[name][0](), FAMILIES[name][1]
    hparams = numbers({term: float(term != "perplexity") for term in terms}, {"learning_rate": 0.05})
    run = run_of(model, terms, steps=40, batch_size=8, data_range=Range(0, 1))
    return run, hparams, jax.jit(partial(run.advance, capacity=40))


def seen(model, params, seed=0):
    """What the terms see of all rows."""
    forward = Forward(model, lambda key, x: x, Range(0, 1))
    return context(forward, params, Batch(ROWS.x), Keys(*jax.random.split(jax.random.key(seed), 3)), {})


def after(name, *chunks, seed=0):
    run, hparams, advance = a_run(name)
    state, history = run.init(jax.random.key(seed), hparams), []
    for n in chunks:
        state, values = advance(jax.device_get(state), jax.random.key(seed), hparams, ROWS, jnp.int32(n))
        history.append({name: np.asarray(value)[:n] for name, value in values.items()})
    return jax.device_get(state), {name: np.concatenate([part[name] for part in history]) for name in history[0]}


@each
def test_a_family_learns_and_a_run_that_goes_on_from_the_host_is_the_same_bits(name):
    state, history = after(name, 40)
    assert all(np.isfinite(values).all() for values in history.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert history["loss"][-8:].mean() < history["loss"][:8].mean()
    again, continued = after(name, 13, 27)
    jax.tree.map(np.testing.assert_array_equal, again.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, continued, history)


@each
def test_many_nets_of_a_family_are_one_program(name):
    run, hparams, _ = a_run(name)
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    together, _ = jax.jit(jax.vmap(partial(training.train, run, steps=8), (0, None, None)))(keys, hparams, ROWS)
    for member in (0, 1):
        one = jax.tree.map(lambda leaf, member=member: leaf[member], together.params)
        jax.tree.map(
            partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4), one, after(name, 8, seed=member)[0].params
        )


# A dictionary.


def test_a_row_uses_as_many_units_as_it_may_and_directions_have_length_one():
    model, (state, _) = FAMILIES["topk"][0](), after("topk", 40)
    code = np.asarray(model.encode(state.params, ROWS.x))
    assert (code >= 0).all()
    assert (code > 0).sum(1).max() == 2
    before = (X - state.params["decoder"]["bias"]) @ state.params["encoder"]["kernel"]
    expected = np.where(before >= np.sort(before, 1)[:, -2:-1], np.maximum(before, 0), 0)
    np.testing.assert_allclose(code, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(state.params["decoder"]["kernel"], axis=1), 1, rtol=1e-6)


def test_a_unit_that_is_off_is_counted_and_one_that_is_on_starts_again():
    model = FAMILIES["topk"][0]()
    params = model.init(jax.random.key(0)) | {"kept": {"silent": jnp.full(12, 4.0)}}
    fired = jnp.arange(12) % 3 == 0
    kept = model.settle(params, {"fired": fired.astype(jnp.float32)}, jax.random.key(1))["kept"]
    np.testing.assert_array_equal(kept["silent"], np.where(fired, 0, 5))


def test_only_dead_units_learn_from_their_revival():
    model = FAMILIES["topk"][0]()
    dead = np.arange(12) % 2 == 0
    params = model.init(jax.random.key(0)) | {"kept": {"silent": jnp.asarray(np.where(dead, 9.0, 0.0), jnp.float32)}}
    value = lambda params, after: dictionary_terms.revival(seen(model, params), units=3, after=after)
    slope = jax.grad(value)(params, 9)["encoder"]["kernel"]
    assert np.abs(slope[:, dead]).max() > 0
    np.testing.assert_array_equal(slope[:, ~dead], 0)
    assert value(params, 10) == 0, "none is dead"


# A codebook.


def test_entries_are_moving_averages_and_those_that_nobody_uses_begin_anew():
    model = vector.quantized((6,), widths=(5,), pieces=2, size=2, entries=3, decay=0.5, least=0.2)
    before = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    kept = {"centres": jnp.ones((3, 2)), "uses": jnp.array([1.0, 0.3, 0.3]), "total": jnp.full((3, 2), 2.0)}
    extra = {"before": jnp.asarray(before), "uses": jnp.array([8.0, 0.5, 0.0]), "total": jnp.full((3, 2), 4.0)}
    settled = model.settle({"kept": kept}, extra, jax.random.key(0))["kept"]
    np.testing.assert_allclose(settled["uses"], [4.5, 0.4, 1])
    np.testing.assert_allclose(settled["centres"][:2], [[3 / 4.5] * 2, [3 / 0.4] * 2], rtol=1e-6)
    assert (np.asarray(settled["centres"][2]) == before.reshape(-1, 2)).all(1).any(), "a piece of the batch"


def test_a_code_is_made_of_the_nearest_entries_and_the_gradient_passes_them():
    model = FAMILIES["vq"][0]()
    params = model.init(jax.random.key(0))
    ctx, centres = seen(model, params), np.asarray(params["kept"]["centres"])
    points = np.asarray(ctx.extra["before"]).reshape(-1, 1, 2)
    nearest = np.square(points - centres[None]).sum(-1).argmin(1)
    np.testing.assert_allclose(ctx.code, centres[nearest].reshape(32, 4), atol=1e-6)
    np.testing.assert_array_equal(ctx.extra["uses"], np.bincount(nearest, minlength=8))
    share = np.bincount(nearest, minlength=8) / 64
    entropy = -sum(p * np.log(p) for p in share if p)
    assert float(quantization.perplexity(ctx)) == pytest.approx(np.exp(entropy), rel=1e-5)
    slope = jax.grad(lambda params: reconstruction.squared_error(seen(model, params)))(params)
    assert np.abs(slope["encoder"]["layer0"]["kernel"]).max() > 0
    np.testing.assert_array_equal(slope["kept"]["centres"], 0)
    pull = jax.grad(lambda params: quantization.commitment(seen(model, params)))(params)
    assert np.abs(pull["encoder"]["layer0"]["kernel"]).max() > 0
    np.testing.assert_array_equal(pull["decoder"]["layer0"]["kernel"], 0)


# Bounds and a learned prior.


def test_the_bound_is_the_evidence_lower_bound_for_one_draw_and_tighter_for_more():
    model = FAMILIES["iwae"][0]()
    params = after("iwae", 40)[0].params
    ctx = seen(model, params)
    with jax.debug_key_reuse(False):  # the same draw twice, to compare
        (one,) = jax.random.split(ctx.key, 1)
        same = ctx.again(one)
        expected = reconstruction.cross_entropy(same) + bounds.kl_prior(same)
        assert float(bounds.importance_weighted(ctx, draws=1)) == pytest.approx(float(expected), rel=1e-5)
    value = jax.jit(
        jax.vmap(
            lambda key, ctx=ctx: jnp.stack(
                [bounds.importance_weighted(ctx._replace(key=key), draws=draws) for draws in (1, 5)]
            )
        )
    )
    with jax.debug_key_reuse(False):
        lower, tighter = value(jax.random.split(jax.random.key(5), 40)).mean(0)
    assert tighter < lower, "costs, so that the tighter bound costs less"
    analytic = reconstruction.cross_entropy(ctx) + latent.kl_standard_normal(ctx)
    assert float(lower) == pytest.approx(float(analytic), rel=0.05)


def test_a_learned_prior_is_the_mixture_that_its_draws_come_from():
    model = FAMILIES["vamp"][0]()
    params = after("vamp", 40)[0].params
    inputs = jax.nn.sigmoid(params["prior"]["centres"])
    mean = np.asarray(model.encode(params, inputs))
    sampler = samplers.prior(jax.random.key(0), model, params, np.zeros((3, 2), np.float32))
    codes = sampler.draw(jax.random.key(1), 4000)
    assert codes.shape == (4000, 2)
    np.testing.assert_allclose(codes.mean(0), mean.mean(0), atol=0.1)
    plain = FAMILIES["iwae"][0]()
    variance = np.exp(plain.apply(params, inputs, inputs, jax.random.key(2)).extra["log_variance"])
    ctx = seen(model, params)
    apart = np.square(np.asarray(ctx.code)[:, None] - mean[None]) / variance[None]
    density = np.exp(-0.5 * apart.sum(-1)) / (2 * np.pi * np.sqrt(variance.prod(-1)))[None]
    np.testing.assert_allclose(ctx.extra["log_prior"], np.log(density.mean(1)), rtol=1e-4, atol=1e-4)
    assert np.abs(jax.grad(lambda p: bounds.kl_prior(seen(model, p)))(params)["prior"]["centres"]).max() > 0


@pytest.mark.parametrize(
    ("term", "line"),
    [
        (dictionary_terms.revival, "revival: the model does not count its dead units"),
        (quantization.commitment, "commitment: the model has no codebook; allowed: model.name=vector.quantized"),
        (quantization.perplexity, "perplexity: the model has no codebook"),
        (bounds.kl_prior, "kl_prior: the model is not variational"),
    ],
)
def test_terms_of_other_families_are_refused(term, line):
    model = FAMILIES["vq" if term is bounds.kl_prior else "iwae"][0]()
    ctx = seen(model, model.init(jax.random.key(0)))
    with pytest.raises(UserError, match=f"^{line}"):
        term(ctx)


def test_a_dictionary_cannot_use_more_units_than_it_has():
    with pytest.raises(UserError, match=r"^model.active: there are 4 units; allowed: 1 to 4"):
        dictionaries.topk((6,), code=4, active=5)
