"""Training: one loop, many chunks and single steps are one computation; beside NumPy, PCA and plain loops."""

import subprocess
import sys
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from modelling import numbers, run_of
from running import virtual

from aejax.data.batches import batch_rows
from aejax.errors import UserError
from aejax.losses import reconstruction, sparsity
from aejax.models import dense
from aejax.optimizers import schedules
from aejax.training import step as train
from aejax.training.context import Rows
from aejax.training.loop import begin, check_finite, compile_advance, loop, outcome, refusing
from aejax.types import Context, Model, Range, State

ROWS, FEATURES, STEPS = 23, 6, 30
FIRST = np.random.default_rng(0).integers(0, 256, (ROWS, FEATURES), dtype=np.uint8)
IMAGES = Rows(jnp.asarray(FIRST), None, jnp.float32(0), jnp.float32(1 / 255))
KEY = lambda: jax.random.key(5)  # a new one for each use: no key is used twice


def noise(key, x, *, scale):
    return x + scale * jax.random.normal(key, x.shape)


@cache
def a_run():
    """A run with everything in it: two terms, corruption, clipping, decay and two schedules."""
    terms = {"reconstruction": reconstruction.cross_entropy, "sparsity": sparsity.kl_bernoulli}
    changing = {"schedule": schedules.cosine, "term_schedules": {"sparsity": schedules.linear}, "corrupt": noise}
    settings = {"steps": STEPS, "batch_size": 7, "data_range": Range(0, 1)}
    return run_of(dense.vanilla((FEATURES,), code=3), terms, **changing, **settings)


HPARAMS = numbers(
    {
        "reconstruction": 1.0,
        "sparsity": {"weight": 0.1, "target_rate": 0.2, "schedule": {"initial": 0.5, "until": 0.5}},
    },
    {"learning_rate": 0.05, "clip_norm": 1.0, "weight_decay": 0.01, "schedule": {"final": 0.1}},
    {"scale": 0.1},
)


@cache
def compiled(run):
    """The functions of a run, compiled once for all tests; the number of steps is static."""
    return (
        jax.jit(run.init),
        jax.jit(run.advance, static_argnums=4),
        jax.jit(partial(train.train, run), static_argnums=3),
    )


def whole(run, key, hparams, rows, steps):
    return compiled(run)[2](key, hparams, rows, steps)


@cache
def chunks_of(run):
    init, _, _ = compiled(run)
    return compile_advance(run, init(KEY(), HPARAMS), KEY(), HPARAMS, IMAGES)


def fresh(state):
    """The same state in buffers of its own, which `fit` may use up."""
    return jax.tree.map(jnp.array, state)


def assert_same_bits(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


# One computation, however it is cut.


def test_single_steps_one_loop_and_chunks_agree_bit_for_bit():
    run = a_run()
    init, advance, _ = compiled(run)
    start = init(KEY(), HPARAMS)
    loop, expected = advance(start, KEY(), HPARAMS, IMAGES, STEPS)
    assert int(loop.step) == STEPS
    assert {name: values.shape for name, values in expected.items()} == dict.fromkeys(
        ("loss", "reconstruction", "sparsity"), (STEPS,)
    )
    assert float(expected["loss"][-1]) < float(expected["loss"][0])

    state, history = start, []
    for _ in range(STEPS):
        state, values = advance(state, KEY(), HPARAMS, IMAGES, 1)
        history.append(values)
    assert_same_bits(state, loop)
    assert_same_bits(jax.tree.map(lambda *parts: jnp.concatenate(parts), *history), expected)

    capacity = 17
    chunked = jax.jit(partial(run.advance, capacity=capacity))
    state, history = start, []
    for n in (1, 3, 17, 0, 2, 7):
        state, values = chunked(state, KEY(), HPARAMS, IMAGES, jnp.int32(n))
        assert all(v.shape == (capacity,) and not v[n:].any() for v in values.values())
        history.append({name: v[:n] for name, v in values.items()})
    assert_same_bits(state, loop)
    assert_same_bits(jax.tree.map(lambda *parts: jnp.concatenate(parts), *history), expected)
    assert chunked._cache_size() == 1  # one program for all lengths


@pytest.mark.parametrize("resumed_at", [0, 11])
def test_fit_is_the_same_loop_and_stops_where_it_is_asked_to(resumed_at):
    run = a_run()
    init, forward, _ = compiled(run)
    start = init(KEY(), HPARAMS)
    expected, expected_history = forward(start, KEY(), HPARAMS, IMAGES, STEPS)
    state = forward(start, KEY(), HPARAMS, IMAGES, resumed_at)[0] if resumed_at else start
    advance = refusing(chunks_of(run), KEY(), HPARAMS, IMAGES)
    ends, history, evaluated = [], [], []

    def on_chunk(step, part, seconds):
        assert seconds > 0
        ends.append(step)
        history.append(part)

    on_evaluation = lambda step, metrics, params: evaluated.append((step, metrics["train_loss"]))
    told = {"on_chunk": on_chunk, "on_evaluation": on_evaluation}
    before = begin()._replace(step=resumed_at)
    last, progress, ended = loop(
        advance, fresh(state), steps=STEPS, evaluate_every=10, progress=before, stops=(4,), **told
    )
    assert ended
    assert progress.step == STEPS
    assert ends[0] == resumed_at + 1, "the first chunk is a single step"
    wanted = {step for step in range(resumed_at + 1, STEPS + 1) if step % 4 == 0 or step % 10 == 0}
    assert wanted <= set(ends)
    assert ends == sorted(ends)
    assert ends[-1] == STEPS
    assert_same_bits(last, expected)
    found = {name: np.concatenate([part[name] for part in history]) for name in expected_history}
    assert_same_bits(found, {name: values[resumed_at:] for name, values in expected_history.items()})
    losses = np.asarray(expected_history["loss"], np.float64)
    means = [(step, losses[max(resumed_at, step - 10) : step].mean()) for step in (10, 20, 30) if step > resumed_at]
    assert evaluated == [(step, pytest.approx(mean, rel=1e-12)) for step, mean in means]


def test_the_loop_over_a_finished_run_does_nothing():
    state, before = compiled(a_run())[0](KEY(), HPARAMS), begin()._replace(step=STEPS)
    assert loop(None, state, steps=STEPS, evaluate_every=10, progress=before)[0] is state


def falling(losses):
    """What `loop` takes of runs whose parameter is the number of steps done, and whose validation losses are given."""
    shape = np.shape(losses)[:-1]

    def advance(state, step, n):
        history = {"loss": np.zeros((*shape, n))}
        return state._replace(params=jnp.full(shape, step + n)), history, np.full(shape, -1)

    measure = lambda params, share: {"validation_loss": np.asarray(losses)[..., int(np.max(params)) - 1]}
    state = State(jnp.zeros(shape, jnp.int32), (), None)
    return (advance, state), {"steps": np.shape(losses)[-1], "evaluate_every": 1, "measure": measure, "patience": 2}


def test_early_stopping_keeps_the_best_of_one_run_and_of_many():
    losses = [[3, 1, 2, 2, 0], [5, 4, 3, 2, 1], [np.nan] * 5, [2, np.nan, 1, 3, 3]]
    given, options = falling(losses)
    state, progress, ended = loop(*given, progress=begin(shape=(4,)), **options)
    together = [outcome(progress, state.params, 5, (member,)) for member in range(4)]
    assert [(each.status, each.step, int(each.params)) for each in together] == [
        ("stopped early", 4, 2),
        ("finished", 5, 5),
        ("stopped early", 2, 5),
        ("stopped early", 5, 3),
    ]
    for member, own in enumerate(losses):
        given, options = falling(own)
        state, progress, ended = loop(*given, **options)
        assert ended
        alone = outcome(progress, state.params, 5)
        assert (alone.status, alone.step) == together[member][1:3]


def test_what_is_stopped_is_saved_and_goes_on_where_it_was():
    given, options = falling([5, 4, 3, 2, 1])
    saved, asked = [], iter([False, True])
    _, progress, ended = loop(*given, **options, save=lambda *both: saved.append(both), stop=lambda: next(asked))
    assert not ended
    ((state, before),) = saved
    assert (int(state.params), before.step, progress.step) == (2, 2, 2)
    state, progress, ended = loop(given[0], state, progress=before, **options)
    assert (ended, int(state.params), float(progress.lowest)) == (True, 5, 1.0)


def test_vmap_over_hyperparameters_and_seeds_equals_a_loop():
    run, factors = a_run(), jnp.array([0.3, 1.0, 1.7])
    settings = jax.tree.map(lambda value: value * factors, HPARAMS)
    keys = lambda: jax.random.split(jax.random.key(8), 3)
    one = lambda key, hparams: train.train(run, key, hparams, IMAGES, STEPS)
    together, history = jax.jit(jax.vmap(one))(keys(), settings)
    losses = []
    for index in range(3):
        hparams = jax.tree.map(lambda leaf, i=index: leaf[i], settings)
        state, expected = whole(run, keys()[index], hparams, IMAGES, STEPS)
        close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
        jax.tree.map(
            lambda a, b, i=index, close=close: close(a[i], b), (together.params, history), (state.params, expected)
        )
        losses.append(float(expected["loss"][-1]))
    assert len(set(losses)) == 3


def test_a_run_is_a_function_of_its_key():
    run = a_run()
    first, again, other = (whole(run, jax.random.key(seed), HPARAMS, IMAGES, STEPS) for seed in (1, 1, 2))
    assert_same_bits(first, again)
    assert not np.array_equal(first[1]["loss"], other[1]["loss"])
    hparams = jax.tree.map(lambda value: value * 0.5, HPARAMS)
    init = compiled(run)[0]
    assert_same_bits(init(KEY(), HPARAMS).params, init(KEY(), hparams).params)


def test_streams_are_independent_of_one_another():
    bits = {name: int(jax.random.bits(key)) for name, key in train.streams(KEY()).items()}
    assert set(bits) == set(train.STREAMS) >= {"init", "data", "corruption", "model"}
    assert len(set(bits.values())) == len(bits)
    assert len(set(train.STREAMS.values())) == len(bits)


# Beside NumPy.


@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_linear_net_follows_gradient_descent_written_in_numpy(batch_size):
    rng = np.random.default_rng(1)
    mask = rng.uniform(size=(ROWS, FEATURES)) < 0.7
    shift, scale = (
        rng.uniform(0, 99, FEATURES).astype(np.float32),
        rng.uniform(0.005, 0.01, FEATURES).astype(np.float32),
    )
    rows = Rows(jnp.asarray(FIRST), jnp.asarray(mask), jnp.asarray(shift), jnp.asarray(scale))
    model = dense.vanilla((FEATURES,), code=2, activation="linear", output="linear")
    settings = {"schedule": schedules.linear, "steps": 12, "batch_size": batch_size}
    run = run_of(model, {"reconstruction": reconstruction.squared_error}, "sgd", **settings)
    hparams = numbers({"reconstruction": 2.0}, {"learning_rate": 0.05, "schedule": {"initial": 0.2, "until": 1.0}})
    state, history = whole(run, KEY(), hparams, rows, 12)

    p = jax.tree.map(np.float64, compiled(run)[0](KEY(), hparams).params)
    (w, b), (v, c) = ((p[half]["layer0"]["kernel"], p[half]["layer0"]["bias"]) for half in ("encoder", "decoder"))
    values = []
    for step in range(12):
        chosen = np.arange(ROWS)
        if batch_size:
            chosen = np.asarray(batch_rows(train.streams(KEY())["data"], jnp.int32(step), batch_size, ROWS))
        x, seen = (np.float64(FIRST[chosen]) - shift) * scale, mask[chosen]
        h = x @ w + b
        error = ((h @ v + c) - x) * seen
        values.append(0.5 * (error**2).sum(-1).mean())
        error = 2.0 * error / len(chosen)
        back = error @ v.T
        rate = 0.05 * (0.2 + 0.8 * step / 12)
        w, b, v, c = w - rate * x.T @ back, b - rate * back.sum(0), v - rate * h.T @ error, c - rate * error.sum(0)
    np.testing.assert_allclose(history["reconstruction"], values, rtol=1e-5)
    np.testing.assert_allclose(history["loss"], 2 * np.array(values), rtol=1e-5)
    assert values[-1] < 0.9 * values[0]
    for half, kernel, bias in (("encoder", w, b), ("decoder", v, c)):
        np.testing.assert_allclose(state.params[half]["layer0"]["kernel"], kernel, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(state.params[half]["layer0"]["bias"], bias, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    return (load_digits().data / 16).astype(np.float32)


@pytest.mark.parametrize(
    ("optimizer", "batch_size", "steps", "hyperparameters"),
    [
        ("lbfgs", None, 250, {}),
        ("adam", 128, 4000, {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-8}),
    ],
)
def test_a_linear_autoencoder_reaches_the_error_of_pca(digits, optimizer, batch_size, steps, hyperparameters):
    code = 8
    model = dense.vanilla((64,), code=code, activation="linear", output="linear")
    settings = {"schedule": schedules.cosine, "steps": steps, "batch_size": batch_size}
    run = run_of(model, {"reconstruction": reconstruction.squared_error}, optimizer, **settings)
    hparams = numbers({"reconstruction": 1.0}, hyperparameters)
    rows = Rows(jnp.asarray(digits), None, jnp.float32(0), jnp.float32(1))
    state, _ = whole(run, KEY(), hparams, rows, steps)
    p = jax.tree.map(np.float64, state.params)
    x = np.float64(digits)
    codes = x @ p["encoder"]["layer0"]["kernel"] + p["encoder"]["layer0"]["bias"]
    x_hat = codes @ p["decoder"]["layer0"]["kernel"] + p["decoder"]["layer0"]["bias"]
    found = ((x - x_hat) ** 2).mean()
    # Eckart–Young: what no rank-8 map can explain are the singular values after the eighth
    best = (np.linalg.svd(x - x.mean(0), compute_uv=False)[code:] ** 2).sum() / x.size
    assert best * (1 - 1e-6) <= found <= best * 1.01


# Schedules and randomness are functions of the step.


def vector(size=2):
    """A model of one parameter vector, whose gradient a term may choose."""
    ranges = {"code": Range(), "x_hat": Range()}
    return Model(
        init=lambda key: {"w": jnp.zeros(size)},
        encode=lambda params, x: x,
        decode=lambda params, code: code,
        apply=lambda params, x, x_in, key: Context(x, x_in, x, x, {"code": x}, {}, params, ranges),
        feature_shape=(FEATURES,),
        code_size=FEATURES,
    )


def vector_run(terms, **settings):
    return run_of(vector(), terms, "sgd", steps=10, batch_size=None, **settings)


def test_schedules_see_the_share_of_the_whole_run_that_is_done():
    share = lambda progress: progress
    run = vector_run({"sum": lambda ctx: ctx.params["w"].sum() + 1.0}, term_schedules={"sum": share}, schedule=share)
    hparams = numbers({"sum": 3.0}, {"learning_rate": 0.5})
    state, history = whole(run, KEY(), hparams, IMAGES, 7)
    done = np.arange(7) / 10
    moves = np.cumsum(0.5 * done * 3.0 * done)
    np.testing.assert_allclose(state.params["w"], [-moves[-1]] * 2, rtol=1e-5)
    values = 1 - 2 * np.concatenate([[0], moves[:-1]])
    np.testing.assert_allclose(history["sum"], values, rtol=1e-5)
    np.testing.assert_allclose(history["loss"], 3.0 * done * values, rtol=1e-5)


def test_corruption_is_new_in_each_step_and_known_from_the_key_alone():
    run = vector_run({"shift": lambda ctx: (ctx.x_in - ctx.x).mean()}, corrupt=noise)
    hparams = numbers({"shift": 1.0}, {"learning_rate": 0.1}, {"scale": 0.5})
    _, history = whole(run, KEY(), hparams, IMAGES, 4)
    stream = train.streams(KEY())["corruption"]
    drawn = [jax.random.normal(jax.random.fold_in(stream, step), (ROWS, FEATURES)) for step in range(4)]
    np.testing.assert_allclose(history["shift"], [0.5 * float(d.mean()) for d in drawn], rtol=1e-4, atol=1e-6)
    assert len(np.unique(history["shift"])) == 4


def test_a_term_sees_the_batch_with_its_mask_its_places_and_its_range():
    seen = {}

    def look(ctx):
        seen["ranges"], seen["mask"] = ctx.ranges, ctx.mask
        return jnp.where(ctx.mask, ctx.x, 0).sum() + 1000 * (ctx.index * jnp.arange(ROWS)).sum()

    mask = np.random.default_rng(3).uniform(size=FIRST.shape) < 0.5
    rows = IMAGES._replace(mask=jnp.asarray(mask))
    hparams = numbers({"look": 1.0}, {"learning_rate": 0.1})
    _, history = whole(vector_run({"look": look}), KEY(), hparams, rows, 1)
    expected = (FIRST / 255.0)[mask].sum() + 1000 * (np.arange(ROWS) ** 2).sum()
    assert float(history["look"][0]) == pytest.approx(expected, rel=1e-6)
    assert seen["ranges"]["x"] == Range()


# What is not finite is told.


def test_a_loss_that_overflows_is_told_with_its_step_and_term():
    calm, wild = (lambda ctx: 0 * ctx.params["w"].sum()), (lambda ctx: -jnp.exp(ctx.params["w"][0]))
    run = vector_run({"calm": calm, "wild": wild})
    hparams = numbers({"calm": 1.0, "wild": 1.0}, {"learning_rate": 10.0})
    state = compiled(run)[0](KEY(), hparams)
    _, history = whole(run, KEY(), hparams, IMAGES, 10)
    first = int(np.flatnonzero(~np.isfinite(history["wild"]))[0])
    assert first > 1
    advance = compile_advance(run, state, KEY(), hparams, IMAGES)
    with pytest.raises(
        UserError, match=rf"^training stopped at step {first}: term 'wild' is not finite; try a smaller"
    ):
        loop(refusing(advance, KEY(), hparams, IMAGES), state, steps=10, evaluate_every=2)


def test_a_gradient_that_is_not_finite_is_told():
    run = vector_run({"root": lambda ctx: jnp.sqrt(jnp.square(ctx.params["w"]).sum())})
    hparams = numbers({"root": 1.0}, {"learning_rate": 0.1})
    state = compiled(run)[0](KEY(), hparams)
    advance = compile_advance(run, state, KEY(), hparams, IMAGES)
    with pytest.raises(UserError, match=r"^training stopped at step 0: the parameters are not finite after "):
        loop(refusing(advance, KEY(), hparams, IMAGES), state, steps=1, evaluate_every=1)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("history", "line"),
    [
        ({"loss": [1, NAN], "a": [1, NAN], "b": [1, 1]}, "^training stopped at step 41: term 'a' is not finite; "),
        ({"loss": [NAN, NAN], "a": [1, INF], "b": [NAN, 1]}, "^training stopped at step 40: term 'b' is not finite; "),
        ({"loss": [NAN], "a": [INF], "b": [-INF]}, "^training stopped at step 40: term 'a', term 'b' is not finite; "),
        ({"loss": [1, INF], "a": [1, 1e38]}, "^training stopped at step 41: their weighted sum is not finite; "),
        ({"loss": [1, INF], "a": [1, INF], "b": [NAN, 1]}, "^training stopped at step 40: term 'b' is not finite; "),
    ],
)
def test_the_first_step_and_its_terms_are_named(history, line):
    history = {name: np.float32(values) for name, values in history.items()}
    with pytest.raises(UserError, match=line):
        check_finite(history, 40, {"w": jnp.zeros(2)})


def test_before_any_update_the_optimiser_is_not_blamed():
    answer = lambda history, params=0.0: check_finite(
        {name: np.float32(values) for name, values in history.items()}, 0, {"w": jnp.full(2, params)}
    )
    first = "before any update: look for a division by 0, a logarithm or root of what is not above 0"
    for history, params, what in (
        ({"loss": [NAN, NAN], "a": [NAN, NAN]}, 0.0, "term 'a' is not finite"),
        ({"loss": [INF], "a": [1]}, 0.0, "their weighted sum is not finite"),
        ({"loss": [1], "a": [1]}, NAN, "the parameters are not finite after the gradient of the loss"),
    ):
        with pytest.raises(UserError, match=f"^training stopped at step 0: {what} on the first batch, {first}") as told:
            answer(history, params)
        assert "learning_rate" not in str(told.value)
    with pytest.raises(UserError, match=r"try a smaller optimizer.*, or look for a division by 0.*, in the gradient$"):
        answer({"loss": [1, NAN], "a": [1, NAN]})


def test_what_is_finite_passes():
    check_finite({"loss": np.float32([1, 3e38])}, 0, {"w": jnp.zeros(2), "b": jnp.ones(())})


def test_a_program_that_is_compiled_once_is_still_one_for_each_device():
    script = """
import jax, jax.numpy as jnp
from aejax.training.compilation import compiled_once

for device in jax.devices():
    with jax.default_device(device):
        assert compiled_once(lambda x: 2 * x)(jnp.arange(3.0)).devices() == {device}
"""
    subprocess.run([sys.executable, "-c", script], env=virtual(2), check=True)
