"""Primitives of JAX as operations of `aejax.export.net`, where there are some."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from aejax.export.steps import (
    Program,
    Value,
    Variable,
    cast,
    dtype_of,
    padded,
    product,
    reshape,
    sizes,
    step,
    transpose,
)

Settings = Mapping[str, Any]


def _broadcast(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    value, ones = inputs[0], [1] * len(out.shape)
    for axis, size in zip(settings["broadcast_dimensions"], value.shape, strict=True):
        ones[axis] = size
    value = reshape(program, value, ones)
    return value if tuple(ones) == out.shape else step(program, "broadcast", [value], out, shape=list(out.shape))


def _dot(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    """A sum of products over any axes as one product of matrices."""
    (summed_a, summed_b), (batch_a, batch_b) = settings["dimension_numbers"]
    a, b = (cast(program, each, out.dtype) for each in inputs)
    free_a = [axis for axis in range(len(a.shape)) if axis not in (*summed_a, *batch_a)]
    free_b = [axis for axis in range(len(b.shape)) if axis not in (*summed_b, *batch_b)]
    sizes_of = lambda value, axes: [value.shape[axis] for axis in axes]
    batch, inner = sizes_of(a, batch_a), product(sizes_of(a, summed_a))
    left = [*batch, product(sizes_of(a, free_a)), inner]
    right = [*batch, inner, product(sizes_of(b, free_b))]
    a = reshape(program, transpose(program, a, [*batch_a, *free_a, *summed_a]), left)
    b = reshape(program, transpose(program, b, [*batch_b, *summed_b, *free_b]), right)
    like = Variable(-1, out.dtype, (*batch, left[-2], right[-1]))
    return reshape(program, step(program, "matmul", [a, b], like), out.shape)


def _select(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    if len(inputs) != 3 or dtype_of(inputs[0]) != "bool":
        return None
    return step(program, "where", [inputs[0], inputs[2], inputs[1]], out)


def _slice(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    starts, stops = settings["start_indices"], sizes(settings["limit_indices"])
    steps = settings["strides"] or [1] * len(starts)
    slices = [[int(a), None if b < 0 else b, int(step)] for a, b, step in zip(starts, stops, steps, strict=True)]
    return step(program, "slice", inputs, out, slices=slices)


def _dynamic_slice(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    value, *starts = inputs
    if any(isinstance(start, Variable) for start in starts):
        return None
    first = [0 if n < 0 else max(0, min(int(s), n - k)) for s, n, k in zip(starts, value.shape, out.shape, strict=True)]
    slices = [[start, None if size < 0 else start + size, 1] for start, size in zip(first, out.shape, strict=True)]
    return value if tuple(value.shape) == out.shape else step(program, "slice", [value], out, slices=slices)


def _pad(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    (value, filling), config = inputs, settings["padding_config"]
    if any(inner for _, _, inner in config) or isinstance(filling, Variable):
        return None
    return padded(program, value, [(low, high) for low, high, _ in config], filling)


def _convolution(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    """Windows side by side and one product of matrices; of one group, without gaps in the kernel."""
    x, kernel = inputs
    dims, strides, spread = settings["dimension_numbers"], settings["window_strides"], settings["lhs_dilation"]
    if settings["feature_group_count"] > 1 or settings["batch_group_count"] > 1 or set(settings["rhs_dilation"]) != {1}:
        return None
    x = transpose(program, x, [dims.lhs_spec[0], *dims.lhs_spec[2:], dims.lhs_spec[1]])
    kernel = transpose(program, kernel, [*dims.rhs_spec[2:], dims.rhs_spec[1], dims.rhs_spec[0]])
    x = padded(program, _spread(program, x, spread), [(0, 0), *settings["padding"], (0, 0)])
    *window, channels, filters = kernel.shape
    rows, extents = x.shape[0], [out.shape[axis] for axis in dims.out_spec[2:]]
    like = Variable(-1, out.dtype, (rows, *extents, channels))
    parts = []
    for start in np.ndindex(*window):
        ends = [a + (count - 1) * step + 1 for a, count, step in zip(start, extents, strides, strict=True)]
        inside = [[int(a), int(b), int(step)] for a, b, step in zip(start, ends, strides, strict=True)]
        parts.append(step(program, "slice", [x], like, slices=[[0, None, 1], *inside, [0, None, 1]]))
    wide = Variable(-1, out.dtype, (rows, *extents, channels * prod(window)))
    columns = step(program, "concatenate", parts, wide, axes=[len(wide.shape) - 1])
    matrix = reshape(program, kernel, (wide.shape[-1], filters))
    summed = step(program, "matmul", [columns, matrix], Variable(-1, out.dtype, (rows, *extents, filters)))
    order = [0] * len(out.shape)
    for position, axis in enumerate([dims.out_spec[0], *dims.out_spec[2:], dims.out_spec[1]]):
        order[axis] = position
    return transpose(program, summed, order)


def _spread(program: Program, x: Value, gaps: Sequence[int]) -> Value:
    """Images (rows, *sizes, channels) with zeros between their entries, so that these are so many places apart."""
    rows, *extents, channels = x.shape
    for axis, gap in enumerate(gaps, 1):
        if gap > 1:
            shape = (rows, *extents, channels)
            apart = reshape(program, x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
            apart = padded(program, apart, [(0, gap - 1 if at == axis + 1 else 0) for at in range(len(shape) + 1)])
            extents[axis - 1] *= gap
            x = reshape(program, apart, (rows, *extents, channels))
            x = padded(program, x, [(0, 1 - gap if at == axis else 0) for at in range(len(shape))])
            extents[axis - 1] -= gap - 1
    return x


def _iota(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    axis = settings["dimension"]
    if out.shape[axis] < 0:
        return None
    line = np.arange(out.shape[axis], dtype=out.dtype)
    return _broadcast(program, [line], {"broadcast_dimensions": (axis,)}, out)


def _gather(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value | None:
    """A part of an array that begins at a place known beforehand, or entries along one axis by their numbers."""
    (value, index), how = inputs, settings["dimension_numbers"]
    cut, axes = sizes(settings["slice_sizes"]), tuple(how.start_index_map)
    if how.operand_batching_dims:
        return None
    if isinstance(index, np.ndarray) and index.ndim == 1:
        starts = np.zeros(len(cut), int)
        starts[list(axes)] = index
        part = _dynamic_slice(program, [value, *starts], settings, Variable(-1, out.dtype, cut))
        return reshape(program, part, out.shape)
    lead = len(index.shape) - 1
    beside = [at for at in range(len(out.shape)) if not axes[0] <= at < axes[0] + lead]
    whole = tuple(1 if at == axes[0] else size for at, size in enumerate(value.shape))
    if len(axes) > 1 or tuple(how.collapsed_slice_dims) != axes or list(how.offset_dims) != beside or cut != whole:
        return None
    numbers = reshape(program, index, index.shape[:-1])
    return step(program, "take", [value, numbers], out, axes=[int(axes[0])])


def _stack(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    axis = int(settings["axis"])
    shape = [1 if at == axis else size for at, size in enumerate(out.shape)]
    return step(program, "concatenate", [reshape(program, each, shape) for each in inputs], out, axes=[axis])


def _extreme(operation: str) -> Callable[..., Value]:
    def extreme(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
        return step(program, operation, inputs, out, axes=list(map(int, settings["axes"])), dtype=out.dtype)

    return extreme


def _logistic(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    """1 / (1 + exp(-z))."""
    one = np.ones((), out.dtype)
    away = step(program, "exp", [step(program, "negative", inputs, out)], out)
    return step(program, "divide", [one, step(program, "add", [one, away], out)], out)


def _power(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    return step(program, "power", [inputs[0], np.asarray(settings["y"], out.dtype)], out)


def _inverse_root(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    return step(program, "divide", [np.ones((), out.dtype), step(program, "sqrt", inputs, out)], out)


def _clamp(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    low, value, high = inputs
    return step(program, "minimum", [step(program, "maximum", [value, low], out), high], out)


def _top(program: Program, inputs: list[Value], settings: Settings, out: Variable) -> Value:
    count = int(settings["k"]) if "k" in settings else out.shape[-1]
    return step(program, "top", inputs, out, count=count)


RULES = {
    "argmax": _extreme("argmax"),
    "argmin": _extreme("argmin"),
    "broadcast_in_dim": _broadcast,
    "clamp": _clamp,
    "concatenate": lambda program, inputs, settings, out: step(
        program, "concatenate", inputs, out, axes=[int(settings["dimension"])]
    ),
    "conv_general_dilated": _convolution,
    "convert_element_type": lambda program, inputs, settings, out: cast(program, inputs[0], out.dtype),
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "expand_dims": lambda program, inputs, settings, out: reshape(program, inputs[0], out.shape),
    "gather": _gather,
    "integer_pow": _power,
    "iota": _iota,
    "logistic": _logistic,
    "pad": _pad,
    "reshape": lambda program, inputs, settings, out: reshape(program, inputs[0], out.shape),
    "rev": lambda program, inputs, settings, out: step(
        program, "flip", inputs, out, axes=list(map(int, settings["dimensions"]))
    ),
    "rsqrt": _inverse_root,
    "select_n": _select,
    "slice": _slice,
    "squeeze": lambda program, inputs, settings, out: reshape(program, inputs[0], out.shape),
    "stack": _stack,
    "top_k": _top,
    "transpose": lambda program, inputs, settings, out: transpose(program, inputs[0], settings["permutation"]),
}
"""By the name of a primitive, what makes a value of it; None where there is no operation for it."""
