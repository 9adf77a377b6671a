"""Convolutions that are fast inside a scan on every platform: columns and one matrix product on a CPU.

XLA:CPU has a fast convolution only for the arrangements that it rewrites in the entry computation of a program; the
gradients of one inside `jax.lax.scan` fall to plain loops. So on a CPU every form here is a copy of the windows
into the rows of a matrix ("columns") and one matrix product, or the adjoint of that; other platforms get XLA's own
convolution. Which one is decided when a program is lowered for its platform.

A convolution and its derivatives are three forms of one trilinear sum,

    T(x, kernel, y) = Σ y[b, p, q, o] x[b, s p + i - low, s q + j - low, c] kernel[i, j, c, o],

each the derivative of T by one of its arguments: `_output` by y (the convolution), `_input` by x (the transposed
convolution), `_kernel` by the kernel. The derivatives of each form are therefore the two others.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]

_FEW_CHANNELS = 4
_LAYOUT = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    """Where the windows lie; each is (along the height, along the width).

    Attributes:
        inputs: size of x.
        outputs: size of y, the number of windows.
        kernel: size of a window.
        stride: from one window to the next.
        low: zeros before the first input; a negative number leaves inputs out.
    """

    inputs: Pair
    outputs: Pair
    kernel: Pair
    stride: Pair
    low: Pair


Form = Callable[[Geometry, jax.Array, jax.Array], jax.Array]


def convolve(x: jax.Array, kernel: jax.Array, *, stride: int = 1) -> jax.Array:
    """y[b, p, q, o] = Σ_{i,j,c} x[b, s p + i - low, s q + j - low, c] kernel[i, j, c, o], with ⌈size / s⌉ outputs.

    Equal to ``lax.conv_general_dilated(x, kernel, (s, s), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))``.
    It has reverse-mode derivatives of any order; forward mode (`jax.jvp`, `jax.jacfwd`) raises, because the
    derivative is a `jax.custom_vjp`.

    Args:
        x: (m, height, width, channels).
        kernel: (kernel height, kernel width, channels, output channels), of the dtype of x.
        stride: s.

    Returns:
        y, (m, output height, output width, output channels).
    """
    inputs, size = x.shape[1:3], kernel.shape[:2]
    outputs = tuple(-(-n // stride) for n in inputs)
    sides = zip(inputs, outputs, size, strict=True)
    low = tuple(max((count - 1) * stride + k - n, 0) // 2 for n, count, k in sides)
    return _output(Geometry(inputs, outputs, size, (stride, stride), low), x, kernel)


def convolve_transposed(x: jax.Array, kernel: jax.Array, *, stride: int = 1) -> jax.Array:
    """The windows of `convolve`, written to instead of read: x spread s apart among zeros, convolved at stride 1.

    Equal to ``lax.conv_transpose(x, kernel, (s, s), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))``: it is
    the adjoint of a convolution with the mirrored kernel. Derivatives as for `convolve`.

    Args:
        x: (m, height, width, channels).
        kernel: (kernel height, kernel width, channels, output channels), of the dtype of x.
        stride: s.

    Returns:
        y, (m, height · s, width · s, output channels).
    """
    windows, size = x.shape[1:3], kernel.shape[:2]
    outputs = tuple(n * stride for n in windows)
    low = tuple(max(k - stride, 0) // 2 for k in size)  # as `jax.lax.conv_transpose` chooses its padding
    return _input(Geometry(outputs, windows, size, (stride, stride), low), x, kernel[::-1, ::-1].swapaxes(2, 3))


# The three forms: on a CPU by columns, elsewhere by XLA's own convolution.


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _output(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """∂T/∂y: (m, *inputs, channels), (*kernel, channels, out) -> (m, *outputs, out)."""
    return _by_platform(output_by_columns, _output_native, geometry, x, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _input(geometry: Geometry, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """∂T/∂x: (m, *outputs, out), (*kernel, channels, out) -> (m, *inputs, channels)."""
    return _by_platform(input_by_columns, _input_native, geometry, y, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel(geometry: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """∂T/∂kernel: (m, *inputs, channels), (m, *outputs, out) -> (*kernel, channels, out)."""
    return _by_platform(kernel_by_columns, _kernel_native, geometry, x, y)


def _by_platform(columns: Form, native: Form, geometry: Geometry, a: jax.Array, b: jax.Array) -> jax.Array:
    return lax.platform_dependent(a, b, cpu=partial(columns, geometry), default=partial(native, geometry))


def _forward(form: Form) -> Callable[..., tuple[jax.Array, tuple[jax.Array, jax.Array]]]:
    return lambda geometry, a, b: (form(geometry, a, b), (a, b))


_output.defvjp(_forward(_output), lambda at, ab, y: (_input(at, y, ab[1]), _kernel(at, ab[0], y)))
_input.defvjp(_forward(_input), lambda at, ab, x: (_output(at, x, ab[1]), _kernel(at, x, ab[0])))
_kernel.defvjp(_forward(_kernel), lambda at, ab, w: (_input(at, ab[1], w), _output(at, ab[0], w)))


def _output_native(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    sides = zip(geometry.inputs, geometry.outputs, geometry.kernel, geometry.stride, geometry.low, strict=True)
    pads = [(low, (count - 1) * s + k - low - n) for n, count, k, s, low in sides]
    # Inputs are left out beforehand: with padding of both signs XLA:CPU gives wrong sums (jax 0.10).
    crop = [(0, 0, 0), *((min(low, 0), min(high, 0), 0) for low, high in pads), (0, 0, 0)]
    x = lax.pad(x, jnp.zeros((), x.dtype), crop)
    pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    return lax.conv_general_dilated(x, kernel, geometry.stride, pads, dimension_numbers=_LAYOUT)


def _input_native(geometry: Geometry, y: jax.Array, kernel: jax.Array) -> jax.Array:
    x = jax.ShapeDtypeStruct((y.shape[0], *geometry.inputs, kernel.shape[2]), y.dtype)
    return jax.linear_transpose(lambda x: _output_native(geometry, x, kernel), x)(y)[0]


def _kernel_native(geometry: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    kernel = jax.ShapeDtypeStruct((*geometry.kernel, x.shape[3], y.shape[3]), x.dtype)
    return jax.linear_transpose(lambda kernel: _output_native(geometry, x, kernel), kernel)(y)[0]


def output_by_columns(geometry: Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution: (m, *inputs, channels), (*kernel, channels, out) -> (m, *outputs, out)."""
    wide, count = _paired(geometry, kernel.shape[2])
    y = _columns(wide, x) @ _widened(geometry, kernel, count)
    return y.reshape(x.shape[0], *geometry.outputs, kernel.shape[3])


def input_by_columns(geometry: Geometry, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transposed one: (m, *outputs, out), (*kernel, channels, out) -> (m, *inputs, channels)."""
    wide, count = _paired(geometry, kernel.shape[2])
    columns = lax.dot_general(_rows(wide, y), _widened(geometry, kernel, count), (((1,), (1,)), ((), ())))
    return _sum_columns(wide, columns, y.shape[0])


def kernel_by_columns(geometry: Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """The kernel's derivative: (m, *inputs, channels), (m, *outputs, out) -> (*kernel, channels, out)."""
    wide, count = _paired(geometry, x.shape[3])
    columns, rows = _columns(wide, x), _rows(wide, y)
    # The product is fast with the wider matrix on the right.
    turned = rows.shape[1] < columns.shape[1]
    matrix = lax.dot_general(*((rows, columns) if turned else (columns, rows)), (((0,), (0,)), ((), ())))
    return _narrowed(geometry, matrix.T if turned else matrix, count)


def _rows(wide: Geometry, y: jax.Array) -> jax.Array:
    """(m, height, width, out) -> (m · windows, outputs of one window · out)."""
    batch, height, width, out = y.shape
    rows, windows = wide.outputs
    return y.reshape(batch * rows * windows, height * width * out // (rows * windows))


# With few channels two neighbouring outputs are made the channels of one wider window: half the rows, longer copies.


def _paired(geometry: Geometry, channels: int) -> tuple[Geometry, int]:
    """The geometry of the wider windows, and how many outputs each makes."""
    height, width = geometry.outputs
    count = 2 if channels <= _FEW_CHANNELS and width % 2 == 0 else 1
    step = geometry.stride[1]
    wide = geometry._replace(
        kernel=(geometry.kernel[0], geometry.kernel[1] + (count - 1) * step),
        stride=(geometry.stride[0], count * step),
        outputs=(height, width // count),
    )
    return wide, count


def _widened(geometry: Geometry, kernel: jax.Array, count: int) -> jax.Array:
    """The matrix of the wider windows: `count` copies of the kernel, each a stride further to the right."""
    step = geometry.stride[1]
    zero = jnp.zeros((), kernel.dtype)
    shifts = [((0, 0, 0), (n * step, (count - 1 - n) * step, 0), (0, 0, 0), (0, 0, 0)) for n in range(count)]
    wide = jnp.stack([lax.pad(kernel, zero, shift) for shift in shifts], axis=3)
    return wide.reshape(-1, count * kernel.shape[3])


def _narrowed(geometry: Geometry, matrix: jax.Array, count: int) -> jax.Array:
    """The adjoint of `_widened`: matrix -> (*kernel, channels, out)."""
    (height, width), step = geometry.kernel, geometry.stride[1]
    out = matrix.shape[1] // count
    wide = matrix.reshape(height, width + (count - 1) * step, -1, count, out)
    return sum(wide[:, n * step : n * step + width, :, n] for n in range(count))


# Columns are made along the width, then along the height: two cheap copies of long runs instead of one of short runs.
# A group is one stride of neighbouring inputs, so that moving by a group is moving by one place.


def _columns(geometry: Geometry, x: jax.Array) -> jax.Array:
    """(m, *inputs, channels) -> (m · windows, kernel · channels): each window as one row."""
    batch, height, width, channels = x.shape
    (rows, windows), (tall, wide), (down, step) = geometry.outputs, geometry.kernel, geometry.stride
    groups = windows - 1 + -(-wide // step)
    sizes = (rows - 1) * down + tall, groups * step
    pads = [(low, n - low - have, 0) for low, n, have in zip(geometry.low, sizes, (height, width), strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    x = x.reshape(batch, sizes[0], groups, step * channels)
    runs = [x[:, :, n : n + windows, : (wide - n * step) * channels] for n in range(-(-wide // step))]
    x = jnp.concatenate(runs, axis=3)
    x = jnp.concatenate([x[:, n : n + (rows - 1) * down + 1 : down] for n in range(tall)], axis=3)
    return x.reshape(batch * rows * windows, tall * wide * channels)


def _sum_columns(geometry: Geometry, columns: jax.Array, batch: int) -> jax.Array:
    """The adjoint of `_columns`: (m · windows, kernel · channels) -> (m, *inputs, channels), overlaps summed."""
    (rows, windows), (tall, wide), (down, step) = geometry.outputs, geometry.kernel, geometry.stride
    channels = columns.shape[1] // (tall * wide)
    columns = columns.reshape(batch, rows, windows, tall, wide * channels)
    lines = [_sum_runs(columns[:, :, :, n], step * channels) for n in range(tall)]
    # Input row down · p + r is the sum over g of line down · g + r of window p - g.
    stacks = -(-tall // down)
    lines += [jnp.zeros_like(lines[0])] * (stacks * down - tall)
    x = jnp.stack([_sum_shifted(lines[r::down], axis=1) for r in range(down)], axis=2)
    sizes = (rows - 1 + stacks) * down, x.shape[3] * step
    x = x.reshape(batch, *sizes, channels)
    pads = [(-low, n + low - have, 0) for low, n, have in zip(geometry.low, geometry.inputs, sizes, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])


def _sum_runs(lines: jax.Array, group: int) -> jax.Array:
    """(m, rows, windows, n) -> (m, rows, windows - 1 + ⌈n / group⌉, group): group g of each moved g to the right."""
    runs = [lines[..., start : start + group] for start in range(0, lines.shape[3], group)]
    runs[-1] = jnp.pad(runs[-1], ((0, 0), (0, 0), (0, 0), (0, group - runs[-1].shape[3])))
    return _sum_shifted(runs, axis=2)


def _sum_shifted(parts: Sequence[jax.Array], axis: int) -> jax.Array:
    """Σ_g of part g moved g steps along the axis."""
    last = len(parts) - 1
    pads = [[(g, last - g, 0) if n == axis else (0, 0, 0) for n in range(parts[0].ndim)] for g in range(last + 1)]
    zero = jnp.zeros((), parts[0].dtype)
    return sum(lax.pad(part, zero, pad) for part, pad in zip(parts, pads, strict=True))
