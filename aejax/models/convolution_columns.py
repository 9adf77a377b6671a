"""The three forms of a convolution as matrix products of columns: the rows of a matrix are the windows of the input."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]
_FEW_CHANNELS = 4


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
    rows, places = wide.outputs
    return y.reshape(batch * rows * places, height * width * out // (rows * places))


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
    (rows, places), (tall, wide), (down, step) = geometry.outputs, geometry.kernel, geometry.stride
    groups = places - 1 + -(-wide // step)
    sizes = (rows - 1) * down + tall, groups * step
    pads = [(low, n - low - have, 0) for low, n, have in zip(geometry.low, sizes, (height, width), strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    x = x.reshape(batch, sizes[0], groups, step * channels)
    runs = [x[:, :, n : n + places, : (wide - n * step) * channels] for n in range(-(-wide // step))]
    x = jnp.concatenate(runs, axis=3)
    x = jnp.concatenate([x[:, n : n + (rows - 1) * down + 1 : down] for n in range(tall)], axis=3)
    return x.reshape(batch * rows * places, tall * wide * channels)


def _sum_columns(geometry: Geometry, columns: jax.Array, batch: int) -> jax.Array:
    """The adjoint of `_columns`: (m · windows, kernel · channels) -> (m, *inputs, channels), overlaps summed."""
    (rows, places), (tall, wide), (down, step) = geometry.outputs, geometry.kernel, geometry.stride
    channels = columns.shape[1] // (tall * wide)
    columns = columns.reshape(batch, rows, places, tall, wide * channels)
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
    """(m, rows, places, n) -> (m, rows, places - 1 + ⌈n / group⌉, group): group g of a place moved g to the right."""
    runs = [lines[..., start : start + group] for start in range(0, lines.shape[3], group)]
    runs[-1] = jnp.pad(runs[-1], ((0, 0), (0, 0), (0, 0), (0, group - runs[-1].shape[3])))
    return _sum_shifted(runs, axis=2)


def _sum_shifted(parts: Sequence[jax.Array], axis: int) -> jax.Array:
    """Σ_g of part g moved g places along the axis."""
    last = len(parts) - 1
    pads = [[(g, last - g, 0) if n == axis else (0, 0, 0) for n in range(parts[0].ndim)] for g in range(last + 1)]
    zero = jnp.zeros((), parts[0].dtype)
    return sum(lax.pad(part, zero, pad) for part, pad in zip(parts, pads, strict=True))
