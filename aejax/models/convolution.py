"""Convolutions that are fast inside a scan on every platform: columns and one matrix product on a CPU.

XLA:CPU has a fast convolution only for the arrangements that it rewrites in the entry computation of a program; the
gradients of one inside `jax.lax.scan` fall to plain loops. So on a CPU every form here is a copy of the windows
into the rows of a matrix ("columns") and one matrix product, or the adjoint of that
(`aejax.models.convolution_columns`); other platforms get XLA's own convolution. Which one is decided when a program is
lowered for its platform.

A convolution and its derivatives are three forms of one trilinear sum,

    T(x, kernel, y) = Σ y[b, p, q, o] x[b, s p + i - low, s q + j - low, c] kernel[i, j, c, o],

each the derivative of T by one of its arguments: `_output` by y (the convolution), `_input` by x (the transposed
convolution), `_kernel` by the kernel. The derivatives of each form are therefore the two others.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from aejax.errors import UserError, one_of
from aejax.models.convolution_columns import Geometry, Pair, input_by_columns, kernel_by_columns, output_by_columns

Padding = str | Sequence[tuple[int, int]]
Form = Callable[[Geometry, jax.Array, jax.Array], jax.Array]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x: jax.Array, kernel: jax.Array, *, stride: int | Pair = 1, padding: Padding = "SAME") -> jax.Array:
    """y[b, p, q, o] = Σ_{i,j,c} x[b, s p + i - low, s q + j - low, c] kernel[i, j, c, o].

    Equal to ``lax.conv_general_dilated(x, kernel, (s, s), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))``.
    It has reverse-mode derivatives of any order; forward mode (`jax.jvp`, `jax.jacfwd`) raises, because the
    derivative is a `jax.custom_vjp`.

    Args:
        x: (m, height, width, channels).
        kernel: (kernel height, kernel width, channels, output channels), of the dtype of x.
        stride: s, or one for the height and one for the width.
        padding: ``"SAME"`` (⌈size / s⌉ outputs), ``"VALID"`` (windows inside x only), or two pairs
            ``((top, bottom), (left, right))`` of numbers of zeros.

    Returns:
        y, (m, output height, output width, output channels).

    Raises:
        UserError: shapes that do not fit each other, a stride below 1, or a padding that does not exist.
    """
    stride = _checked("convolve", x, kernel, stride)
    inputs, size = x.shape[1:3], kernel.shape[:2]
    window = lambda name: [_window_pads(n, k, s, name) for n, k, s in zip(inputs, size, stride, strict=True)]
    pads = _pads("convolve", padding, window)
    outputs = tuple((n + sum(pad) - k) // s + 1 for n, k, s, pad in zip(inputs, size, stride, pads, strict=True))
    _fits("convolve", outputs, size, inputs)
    return _output(Geometry(inputs, outputs, size, stride, (pads[0][0], pads[1][0])), x, kernel)


def convolve_transposed(
    x: jax.Array, kernel: jax.Array, *, stride: int | Pair = 1, padding: Padding = "SAME"
) -> jax.Array:
    """The windows of `convolve`, written to instead of read: x spread s apart among zeros, convolved at stride 1.

    Equal to ``lax.conv_transpose(x, kernel, (s, s), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))``: it is
    the adjoint of a convolution with the mirrored kernel. Derivatives as for `convolve`.

    Args:
        x: (m, height, width, channels).
        kernel: (kernel height, kernel width, channels, output channels), of the dtype of x.
        stride: s, or one for the height and one for the width.
        padding: ``"SAME"`` (size · s outputs), ``"VALID"`` (size · s + max(kernel - s, 0) outputs), or two pairs of
            numbers of zeros around the spread x.

    Returns:
        y, (m, output height, output width, output channels).

    Raises:
        UserError: shapes that do not fit each other, a stride below 1, or a padding that does not exist.
    """
    stride = _checked("convolve_transposed", x, kernel, stride)
    windows, size = x.shape[1:3], kernel.shape[:2]
    spread = lambda name: [_spread_pads(k, s, name) for k, s in zip(size, stride, strict=True)]
    pads = _pads("convolve_transposed", padding, spread)
    outputs = tuple((n - 1) * s + 2 + sum(p) - k for n, k, s, p in zip(windows, size, stride, pads, strict=True))
    _fits("convolve_transposed", outputs, size, windows)
    low = tuple(k - 1 - pad[0] for k, pad in zip(size, pads, strict=True))
    mirrored = kernel[::-1, ::-1].swapaxes(2, 3)
    return _input(Geometry(outputs, windows, size, stride, low), x, mirrored)


def _window_pads(inputs: int, size: int, stride: int, name: str) -> Pair:
    """Zeros before and after one side of the input: none, or those that give ⌈inputs / stride⌉ windows."""
    total = max((-(-inputs // stride) - 1) * stride + size - inputs, 0) if name == "SAME" else 0
    return total // 2, total - total // 2


def _spread_pads(size: int, stride: int, name: str) -> Pair:
    """Zeros before and after one side of the spread input, as `jax.lax.conv_transpose` chooses them."""
    total = size + stride - 2 + (max(size - stride, 0) if name == "VALID" else 0)
    low = size - 1 if name == "VALID" or stride > size - 1 else -(-total // 2)
    return low, total - low


def _checked(name: str, x: jax.Array, kernel: jax.Array, stride: int | Pair) -> Pair:
    """The stride as a pair, once the shapes are known to fit."""
    if x.ndim != 4 or kernel.ndim != 4 or x.shape[3] != kernel.shape[2] or 0 in kernel.shape:
        raise UserError(
            f"{name}: x {x.shape} and kernel {kernel.shape} do not fit; allowed: (m, height, width, channels) and "
            "(kernel height, kernel width, channels, output channels)"
        )
    pair = (stride, stride) if isinstance(stride, int) else tuple(stride)
    if len(pair) != 2 or not all(isinstance(step, int) and step > 0 for step in pair):
        raise UserError(f"{name}: stride {stride!r}; allowed: a positive integer, or a pair of them")
    return pair


def _pads(name: str, padding: Padding, of_name: Callable[[str], Sequence[Pair]]) -> Sequence[Pair]:
    """Zeros before and after the height and the width."""
    if isinstance(padding, str):
        if padding not in ("SAME", "VALID"):
            raise one_of(padding, ("SAME", "VALID"), what=f"{name} padding")
        return of_name(padding)
    pads = tuple(tuple(pair) for pair in padding)
    if [len(pair) for pair in pads] != [2, 2] or not all(isinstance(n, int) and n >= 0 for p in pads for n in p):
        raise UserError(f"{name}: padding {padding!r}; allowed: SAME, VALID, or ((top, bottom), (left, right))")
    return pads


def _fits(name: str, outputs: Pair, size: Pair, inputs: Pair) -> None:
    if min(outputs) < 1:
        raise UserError(
            f"{name}: a kernel of {size} does not fit into {inputs}; allowed: smaller ones, or more padding"
        )


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


def _kept(form: Form, geometry: Geometry, a: jax.Array, b: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return form(geometry, a, b), (a, b)


_output.defvjp(partial(_kept, _output), lambda at, kept, y: (_input(at, y, kept[1]), _kernel(at, kept[0], y)))
_input.defvjp(partial(_kept, _input), lambda at, kept, x: (_output(at, x, kept[1]), _kernel(at, x, kept[0])))
_kernel.defvjp(partial(_kept, _kernel), lambda at, kept, w: (_input(at, kept[1], w), _output(at, kept[0], w)))


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
