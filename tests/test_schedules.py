"""Every schedule beside its formula in NumPy."""

from functools import partial

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from aejax.config import components
from aejax.optimizers import schedules

SCHEDULES = components.available("aejax.optimizers.schedules")


def cosine(p, final):
    return final + (1 - final) * (1 + np.cos(np.pi * p)) / 2


ORACLES = {
    "after": (lambda p, start: float(p >= start), {"start": 0.3}),
    "before": (lambda p, end: float(p < end), {"end": 0.3}),
    "constant": (lambda p: 1.0, {}),
    "cosine": (cosine, {"final": 0.1}),
    "exponential": (lambda p, final: np.exp(p * np.log(final)), {"final": 0.05}),
    "linear": (lambda p, initial, until: initial + (1 - initial) * min(p / until, 1), {"initial": 0.3, "until": 0.4}),
    "warmup_cosine": (
        lambda p, warmup, final: p / warmup if p < warmup else cosine((p - warmup) / (1 - warmup), final),
        {"warmup": 0.2, "final": 0.1},
    ),
}

each = pytest.mark.parametrize("name", ORACLES)
compiled = {name: jax.jit(function) for name, function in SCHEDULES.items()}


def test_every_schedule_has_an_oracle():
    assert set(ORACLES) == set(SCHEDULES)
    for name, (_, given) in ORACLES.items():
        assert set(components.parameters(SCHEDULES[name])) == set(given)


@each
@hypothesis.given(progress=st.floats(0, 1, exclude_max=True, width=32))
def test_factor_is_the_formula(name, progress):
    oracle, given = ORACLES[name]
    found = compiled[name](jnp.float32(progress), **given)
    assert found.shape == ()
    assert float(found) == pytest.approx(oracle(progress, **given), rel=1e-5, abs=1e-6)


@each
def test_one_compilation_serves_every_number(name):
    oracle, given = ORACLES[name]
    function = jax.jit(partial(SCHEDULES[name]))  # a cache of its own
    for factor in (1.0, 1.5):
        numbers = {key: jnp.float32(value * factor) for key, value in given.items()}
        for progress in (0.0, 0.25, 0.9):
            expected = oracle(progress, **{key: value * factor for key, value in given.items()})
            assert float(function(jnp.float32(progress), **numbers)) == pytest.approx(expected, rel=1e-5)
    assert function._cache_size() == 1


@each
def test_vmap_over_numbers_equals_a_loop(name):
    given = {key: value * jnp.array([0.5, 1.0, 2.0]) for key, value in ORACLES[name][1].items()}
    if not given:
        return
    together = jax.vmap(lambda numbers: SCHEDULES[name](jnp.float32(0.3), **numbers))(given)
    for index in range(3):
        one = SCHEDULES[name](jnp.float32(0.3), **{key: values[index] for key, values in given.items()})
        assert float(together[index]) == pytest.approx(float(one), rel=1e-6)


@each
def test_defaults_stay_between_zero_and_one(name):
    progress = jnp.linspace(0, 1, 1001)[:-1]
    factors = np.asarray(jax.vmap(SCHEDULES[name])(progress))
    assert np.isfinite(factors).all()
    assert factors.min() >= 0
    assert factors.max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        (partial(schedules.cosine, final=0.25), 1, 0.25),
        (partial(schedules.exponential, final=0.25), 1, 0.25),
        (partial(schedules.warmup_cosine, warmup=0.1, final=0.25), 0, 0.25),
        (partial(schedules.linear, initial=0.5, until=0.1), 0.5, 1),
        (partial(schedules.linear, initial=2.0, until=1.0), 2, 1),
        (partial(schedules.after, start=0.4), 0, 1),
        (partial(schedules.before, end=0.4), 1, 0),
    ],
)
def test_ends(schedule, start, end):
    assert float(schedule(jnp.float32(0))) == pytest.approx(start)
    assert float(schedule(jnp.float32(1 - 1e-6))) == pytest.approx(end, rel=1e-4)
