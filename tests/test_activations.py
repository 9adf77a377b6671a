"""Activations: where their values lie, which have log-odds, and the initial kernels that suit them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.models.activations import ACTIVATIONS, OUTPUTS, named
from aejax.types import Range


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_lie_in_the_range_of_their_activation(name):
    function, known, _ = ACTIVATIONS[name]
    grid = np.linspace(-40, 40, 200_001, dtype=np.float32)
    values = np.asarray(jax.jit(function)(np.concatenate([grid, np.float32([-1e30, -1e4, 1e4, 1e30])])), np.float64)
    assert known.low <= values.min()
    assert values.max() <= known.high
    # and it is no wider than that
    assert values.min() - known.low < 2e-2 or known.low == -np.inf
    assert known.high - values.max() < 2e-2 or known.high == np.inf


@given(z=st.floats(width=32, allow_nan=False, min_value=-(2.0**60), max_value=2.0**60), name=st.sampled_from(OUTPUTS))
def test_outputs_lie_in_their_range(z, name):
    kind = named(name, what="model.output")
    assert kind.range.within(kind.range.low, kind.range.high)
    assert kind.range.low <= float(kind.function(jnp.float32(z))) <= kind.range.high


def test_only_the_sigmoid_has_log_odds():
    assert [name for name, kind in ACTIVATIONS.items() if kind.is_sigmoid] == ["sigmoid"]


def test_a_range_within_another():
    assert Range(0, 1).within(0, 1)
    assert not Range(0, 1).within(0.1, 1)
    assert not Range(0, 1.1).within(0, 1)
    assert not Range().within(0, 1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_initial_kernels_have_the_deviation_that_suits_their_activation(name):
    inputs, units = 400, 100
    found = np.asarray(ACTIVATIONS[name].kernel_init(jax.random.key(6), (inputs, units))).std()
    bounded = ("linear", "sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "soft_sign")
    expected = np.sqrt(2 / (inputs + units)) if name in bounded else np.sqrt((1 if name == "selu" else 2) / inputs)
    assert found == pytest.approx(expected, rel=0.02)
