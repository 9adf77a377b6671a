"""Both convolutions against XLA's own and against the sums that define them; every form that a platform may get."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.test_util import check_grads

from aejax.models import convolution
from aejax.models.convolution import Geometry, convolve, convolve_transposed

LAYOUT = ("NHWC", "HWIO", "NHWC")


def xla_convolve(x, kernel, *, stride=1):
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)


def xla_transposed(x, kernel, *, stride=1):
    return lax.conv_transpose(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)


BOTH = pytest.mark.parametrize(
    ("ours", "xla"), [(convolve, xla_convolve), (convolve_transposed, xla_transposed)], ids=["down", "up"]
)
# x's height, width, channels; kernel's height, width, out; stride
CASES = [
    ((28, 28, 1), (3, 3, 16), 2),
    ((14, 14, 16), (3, 3, 8), 2),
    ((8, 8, 3), (3, 3, 5), 1),
    ((7, 7, 5), (3, 3, 2), 2),
    ((9, 6, 1), (5, 5, 3), 2),
    ((7, 10, 2), (4, 4, 3), 2),
    ((7, 8, 2), (1, 1, 4), 2),
    ((8, 8, 5), (2, 2, 3), 3),
    ((9, 7, 3), (5, 3, 1), 3),
    ((5, 9, 2), (2, 3, 6), 4),
    ((1, 1, 3), (3, 3, 2), 2),
]


def draw(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape), jnp.float32)


def value_and_gradients(function, stride):
    def all_three(x, kernel):
        y, pull = jax.vjp(lambda *a: function(*a, stride=stride), x, kernel)
        weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        return y, *pull(weights)

    return jax.jit(all_three)


def assert_close(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * float(jnp.abs(expected).max()))


@BOTH
@pytest.mark.parametrize(("image", "window", "stride"), CASES)
def test_value_and_gradients_are_those_of_xla(ours, xla, image, window, stride):
    x, kernel = draw(3, *image), draw(*window[:2], image[2], window[2])
    expected = value_and_gradients(xla, stride)(x, kernel)
    for got, want in zip(value_and_gradients(ours, stride)(x, kernel), expected, strict=True):
        assert_close(got, want)


def test_convolution_is_the_sum_in_its_docstring():
    x, kernel = draw(2, 5, 6, 2), draw(3, 2, 2, 3)
    padded, window = np.pad(np.float64(x), ((0, 0), (1, 1), (0, 0), (0, 0))), np.float64(kernel)
    expected = np.zeros((2, 3, 3, 3))
    for b, p, q, o, i, j, c in np.ndindex(2, 3, 3, 3, 3, 2, 2):
        expected[b, p, q, o] += padded[b, 2 * p + i, 2 * q + j, c] * window[i, j, c, o]
    np.testing.assert_allclose(convolve(x, kernel, stride=2), expected, atol=1e-5)


def test_transposed_convolution_spreads_every_input_over_a_window():
    x, kernel = draw(2, 3, 4, 2), draw(3, 2, 2, 3)
    expected = np.zeros((2, 2 * 2 + 3, 2 * 3 + 2, 3))
    spread, mirrored = np.float64(x), np.float64(kernel)[::-1, ::-1]
    for b, p, q, o, i, j, c in np.ndindex(2, 3, 4, 3, 3, 2, 2):
        expected[b, 2 * p + i, 2 * q + j, o] += spread[b, p, q, c] * mirrored[i, j, c, o]
    np.testing.assert_allclose(convolve_transposed(x, kernel, stride=2), expected[:, :6, :8], atol=1e-5)


@pytest.mark.parametrize("geometry", [
    Geometry((9, 8), (5, 4), (3, 3), (2, 2), (1, 0)),
    Geometry((8, 9), (3, 4), (2, 3), (3, 2), (0, 0)),
    Geometry((7, 6), (4, 3), (2, 2), (1, 2), (-2, -1)),
])  # fmt: skip
def test_forms_of_the_other_platforms_agree_with_columns(geometry):
    x, y = draw(2, *geometry.inputs, 3), draw(2, *geometry.outputs, 5)
    kernel = draw(*geometry.kernel, 3, 5)
    for form, a, b in [("output", x, kernel), ("input", y, kernel), ("kernel", x, y)]:
        ways = getattr(convolution, f"{form}_by_columns"), getattr(convolution, f"_{form}_native")
        both = [partial(way, geometry) for way in ways]
        assert_close(*jax.jit(lambda a, b, both=both: [way(a, b) for way in both])(a, b))


@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_each_platform_gets_one_form_only(platform, convolutions):
    def loss(kernel, x):
        code = convolve(x, kernel, stride=2)
        return jnp.sum(convolve_transposed(code, kernel.swapaxes(2, 3), stride=2) ** 2)

    def descend(kernel, x):
        return lax.scan(lambda k, _: (k - jax.grad(loss)(k, x), None), kernel, None, length=2)[0]

    traced = jax.jit(descend).trace(draw(3, 3, 1, 4), draw(2, 8, 8, 1))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.convolution" in text) == convolutions
    assert ("stablehlo.dot_general" in text) != convolutions


@BOTH
@pytest.mark.parametrize("axes", [(None, 0), (0, None), (0, 0)])
def test_vmap_equals_a_loop(ours, xla, axes):
    x, kernel = draw(3, 2, 6, 6, 2), draw(3, 3, 3, 2, 4)
    arguments = [a if axis == 0 else a[0] for a, axis in zip((x, kernel), axes, strict=True)]
    got = jax.jit(jax.vmap(value_and_gradients(ours, 2), in_axes=axes))(*arguments)
    one = value_and_gradients(xla, 2)
    for member in range(3):
        expected = one(*(a[member] if axis == 0 else a for a, axis in zip(arguments, axes, strict=True)))
        for have, want in zip(got, expected, strict=True):
            assert_close(have[member], want)


@BOTH
def test_descent_in_a_scan_equals_descent_in_a_loop(ours, xla):
    x, kernel = draw(2, 6, 6, 2), draw(3, 3, 2, 2)

    def step(kernel, convolution):
        return kernel - 0.01 * jax.grad(lambda k: jnp.mean(convolution(x, k, stride=2) ** 2))(kernel)

    scanned = jax.jit(lambda k: lax.scan(lambda k, _: (step(k, ours), None), k, None, length=5)[0])(kernel)
    expected = kernel
    for _ in range(5):
        expected = step(expected, xla)
    assert_close(scanned, expected)


@pytest.mark.parametrize("ours", [convolve, convolve_transposed])
def test_second_derivatives(ours):
    check_grads(
        jax.jit(partial(ours, stride=2)), (draw(1, 4, 3, 2), draw(3, 2, 2, 2)), 2, ["rev"], atol=0.02, rtol=0.02
    )


@BOTH
def test_half_precision(ours, xla):
    x, kernel = draw(2, 6, 5, 2).astype(jnp.bfloat16), draw(3, 3, 2, 3).astype(jnp.bfloat16)
    expected = value_and_gradients(xla, 2)(x, kernel)
    for got, want in zip(value_and_gradients(ours, 2)(x, kernel), expected, strict=True):
        assert_close(got, want, tolerance=0.02)


@BOTH
def test_no_rows_and_any_number_of_rows(ours, xla):
    kernel = draw(3, 3, 2, 4)
    function = lambda x: ours(x, kernel, stride=2)
    assert function(draw(0, 6, 6, 2)).shape == xla(draw(0, 6, 6, 2), kernel, stride=2).shape
    (rows,) = jax.export.symbolic_shape("rows")
    exported = jax.export.export(jax.jit(function))(jax.ShapeDtypeStruct((rows, 6, 6, 2), jnp.float32))
    x = draw(5, 6, 6, 2)
    assert_close(exported.call(x), xla(x, kernel, stride=2))
