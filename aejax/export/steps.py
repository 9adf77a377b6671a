"""A program of array operations, step by step: what each step makes, and what is computed at once."""

import hashlib
import re
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from aejax.errors import UserError
from aejax.export import net

ROWS = "rows"
"""The name of the number of rows while a function is traced."""
LARGEST_FOLDED = 4096
"""Values of an array that is only a smaller one repeated, and is computed here all the same."""


class Variable(NamedTuple):
    """A value that depends on the rows: its number, its type, and its shape, sizes below 0 being times the rows."""

    number: int
    dtype: str
    shape: tuple[int, ...]


class Program(NamedTuple):
    """Steps ``[operation, operands, settings]`` and what they need; see `aejax.export.net.evaluate`.

    Attributes:
        steps: in their order.
        answers: by name, the number of a value, or the name of an array.
        arrays: by name.
        variables: the rows, and what each step makes.
    """

    steps: list[tuple[str, list[int | str], dict[str, Any]]]
    answers: dict[str, int | str]
    arrays: dict[str, np.ndarray]
    variables: list[Variable]

    def record(self) -> dict[str, Any]:
        """What is stored of it as JSON, beside its arrays."""
        return {"steps": self.steps, "answers": list(self.answers.values())}


Value = Variable | np.ndarray


def dtype_of(value: Value) -> str:
    """The name of the type of a value."""
    return value.dtype if isinstance(value, Variable) else value.dtype.name


def sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """A shape as whole numbers, 12 times the number of rows being -12.

    Raises:
        UserError: a size is something else.
    """
    out = []
    for size in shape:
        many = None if isinstance(size, int | np.integer) else re.fullmatch(rf"(?:(\d+)\*)?{ROWS}", str(size))
        if many is None and not isinstance(size, int | np.integer):
            raise UserError(f"export: an array of the net has {size} entries; allowed: a multiple of the rows")
        out.append(int(size) if many is None else -int(many[1] or 1))
    return tuple(out)


def step(program: Program, operation: str, inputs: Sequence[Value], like: Variable, **settings: Any) -> Value:
    """One more step; an array where all that goes in are arrays."""
    dtype, shape = like.dtype, like.shape
    if not any(isinstance(each, Variable) for each in inputs):
        grows = operation == "broadcast" and (min(shape, default=0) < 0 or prod(shape) > LARGEST_FOLDED)
        if not grows:
            with np.errstate(all="ignore"):
                return np.ascontiguousarray(net.compute(operation, inputs, settings)).astype(dtype).reshape(shape)
    operands = [operand(program, each) for each in inputs]
    program.steps.append((operation, operands, settings))
    program.variables.append(Variable(len(program.steps), dtype, shape))
    return program.variables[-1]


def operand(program: Program, value: Value) -> int | str:
    """The number of a variable; of an array its name, by its contents."""
    if isinstance(value, Variable):
        return value.number
    content = f"{value.dtype.name} {value.shape}".encode() + value.tobytes()
    name = hashlib.sha256(content).hexdigest()[:16]
    program.arrays[name] = value
    return name


def cast(program: Program, value: Value, dtype: str) -> Value:
    """The value in another type."""
    if dtype_of(value) == dtype:
        return value
    return step(program, "cast", [value], Variable(-1, dtype, tuple(value.shape)), dtype=dtype)


def reshape(program: Program, value: Value, shape: Sequence[int]) -> Value:
    """The value in another shape."""
    if tuple(value.shape) == tuple(shape):
        return value
    return step(program, "reshape", [value], Variable(-1, dtype_of(value), tuple(shape)), shape=list(shape))


def transpose(program: Program, value: Value, axes: Sequence[int]) -> Value:
    """The value with its axes in another order."""
    if list(axes) == list(range(len(axes))):
        return value
    like = Variable(-1, dtype_of(value), tuple(value.shape[axis] for axis in axes))
    return step(program, "transpose", [value], like, axes=list(map(int, axes)))


def product(shape: Sequence[int]) -> int:
    """How many entries a shape has.

    Raises:
        UserError: more than one of its sizes is a multiple of the rows.
    """
    if sum(size < 0 for size in shape) > 1:
        raise UserError(
            "export: an array of the net grows with the square of the rows; allowed: a multiple of the rows"
        )
    return prod(shape)


def padded(program: Program, value: Value, widths: Sequence[tuple[int, int]], filling: Any = 0) -> Value:
    """An array with more entries at both ends of its axes; fewer where a width is below 0."""
    dtype, shape = dtype_of(value), tuple(value.shape)
    if any(min(each) < 0 for each in widths):
        slices = [[max(-low, 0), min(high, 0) or None, 1] for low, high in widths]
        pairs = zip(shape, widths, strict=True)
        shape = tuple(n if n < 0 else n + min(low, 0) + min(high, 0) for n, (low, high) in pairs)
        value = step(program, "slice", [value], Variable(-1, dtype, shape), slices=slices)
    more = [[max(int(low), 0), max(int(high), 0)] for low, high in widths]
    if not np.any(more):
        return value
    shape = tuple(n if n < 0 else n + sum(each) for n, each in zip(shape, more, strict=True))
    return step(program, "pad", [value, np.asarray(filling, dtype)], Variable(-1, dtype, shape), widths=more)


def split(program: Program, value: Value, parts: Sequence[int], axis: int) -> list[Value]:
    """The parts of a value along an axis, of these sizes."""
    out, start = [], 0
    for size in parts:
        shape = tuple(size if at == axis else whole for at, whole in enumerate(value.shape))
        slices = [[start, start + int(size), 1] if at == axis else [0, None, 1] for at in range(len(shape))]
        out.append(step(program, "slice", [value], Variable(-1, dtype_of(value), shape), slices=slices))
        start += int(size)
    return out
