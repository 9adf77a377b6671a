"""A function of rows as a short list of array operations, which NumPy, ONNX and a page can run without JAX.

JAX traces the function for any number of rows; each primitive becomes one or a few of the operations of
`aejax.export.net`. What depends on parameters alone is computed here, once.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.errors import UserError
from aejax.export import net

ROWS = "rows"
"""The name of the number of rows while a function is traced."""

ELEMENTWISE = {
    **{name: name for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sqrt", "square", "floor")},
    **{"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "max": "maximum", "min": "minimum"},
    **{"neg": "negative", "abs": "absolute", "sign": "sign", "ceil": "ceil", "round": "rint", "asinh": "arcsinh"},
    **{"gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal"},
    **{"and": "logical_and", "or": "logical_or", "xor": "logical_xor", "not": "logical_not"},
    **{"pow": "power", "is_finite": "isfinite"},
}
REDUCTIONS = {f"reduce_{name}": name for name in ("sum", "prod", "max", "min")}
REDUCTIONS |= {"reduce_or": "any", "reduce_and": "all"}
SAME = ("copy", "copy_p", "stop_gradient", "optimization_barrier", "device_put", "sharding_constraint")
"""Primitives that change no value."""
INSIDE = ("jaxpr", "call_jaxpr", "fun_jaxpr")
CALLS = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call")
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


def symbolic(shape: Sequence[int], dtype: str) -> jax.ShapeDtypeStruct:
    """Any number of rows of a shape."""
    (rows,) = jax.export.symbolic_shape(ROWS)
    return jax.ShapeDtypeStruct((rows, *shape), dtype)


def trace(function: Callable[..., Mapping[str, Any]], shape: Sequence[int], dtype: str) -> Program:
    """The program of a function of rows (m, *shape) to arrays by name.

    Raises:
        UserError: it does something that there is no operation for.
    """
    with jax.enable_x64(True):
        closed, answers = jax.make_jaxpr(function, return_shape=True)(symbolic(shape, dtype))
    program = Program([], {}, {}, [Variable(0, dtype, (-1, *shape))])
    values = _run(program, closed.jaxpr, [np.asarray(each) for each in closed.consts], program.variables[:1])
    program.answers.update(zip(sorted(answers), (_operand(program, each) for each in values), strict=True))
    return program


def _run(program: Program, jaxpr: Any, consts: Sequence[np.ndarray], inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a jaxpr, whose equations become steps."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))
    read = lambda atom: np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]
    for equation in jaxpr.eqns:
        outputs = _equation(program, equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=False))
    return [read(atom) for atom in jaxpr.outvars]


def _equation(program: Program, equation: Any, inputs: list[Value]) -> list[Value]:
    """What an equation makes; of several outputs those that there is an operation for."""
    name, settings = equation.primitive.name, equation.params
    if name in CALLS:
        return _called(program, next(settings[key] for key in INSIDE if key in settings), inputs)
    if name == "cond" and settings.get("branches_platforms"):
        platforms = settings["branches_platforms"]
        branch = next(n for n, names in enumerate(platforms) if names is None or "cpu" in names)
        return _called(program, settings["branches"][branch], inputs[1:])
    if name == "platform_index":
        return [np.zeros((), np.int32)]
    if name in SAME:
        return inputs
    if name == "split":
        return _split(program, inputs[0], settings["sizes"], settings["axis"])
    aval = equation.outvars[0].aval
    out = Variable(-1, aval.dtype.name, sizes(aval.shape))
    kinds = {dtype_of(each) for each in inputs}
    logical = name in ("and", "or", "xor", "not") and kinds != {"bool"}
    whole = name in ("div", "pow") and not all(kind.startswith("float") for kind in kinds)
    if name in ELEMENTWISE and not (logical or whole):
        return [_step(program, ELEMENTWISE[name], inputs, out)]
    if name in REDUCTIONS:
        return [_step(program, REDUCTIONS[name], inputs, out, axes=list(map(int, settings["axes"])))]
    rule = RULES.get(name)
    value = rule(program, inputs, settings, out) if rule and not (logical or whole) else None
    if value is None:
        line = f"export: the net uses {name} in a way that there is no operation for outside JAX"
        raise UserError(f"{line}; allowed: the format stablehlo")
    return [value]


def _called(program: Program, inner: Any, inputs: list[Value]) -> list[Value]:
    jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
    return _run(program, jaxpr, [np.asarray(each) for each in consts], inputs)


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


def _step(program: Program, operation: str, inputs: Sequence[Value], like: Variable, **settings: Any) -> Value:
    """One more step; an array where all that goes in are arrays."""
    dtype, shape = like.dtype, like.shape
    if not any(isinstance(each, Variable) for each in inputs):
        grows = operation == "broadcast" and (min(shape, default=0) < 0 or prod(shape) > LARGEST_FOLDED)
        if not grows:
            with np.errstate(all="ignore"):
                return np.ascontiguousarray(net.compute(operation, inputs, settings)).astype(dtype).reshape(shape)
    operands = [_operand(program, each) for each in inputs]
    program.steps.append((operation, operands, settings))
    program.variables.append(Variable(len(program.steps), dtype, shape))
    return program.variables[-1]


def _operand(program: Program, value: Value) -> int | str:
    """The number of a variable; of an array its name, by its contents."""
    if isinstance(value, Variable):
        return value.number
    content = f"{value.dtype.name} {value.shape}".encode() + value.tobytes()
    name = hashlib.sha256(content).hexdigest()[:16]
    program.arrays[name] = value
    return name


def _cast(program: Program, value: Value, dtype: str) -> Value:
    if dtype_of(value) == dtype:
        return value
    return _step(program, "cast", [value], Variable(-1, dtype, tuple(value.shape)), dtype=dtype)


def _reshape(program: Program, value: Value, shape: Sequence[int]) -> Value:
    if tuple(value.shape) == tuple(shape):
        return value
    return _step(program, "reshape", [value], Variable(-1, dtype_of(value), tuple(shape)), shape=list(shape))


def _transpose(program: Program, value: Value, axes: Sequence[int]) -> Value:
    if list(axes) == list(range(len(axes))):
        return value
    like = Variable(-1, dtype_of(value), tuple(value.shape[axis] for axis in axes))
    return _step(program, "transpose", [value], like, axes=list(map(int, axes)))


def _broadcast(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    value, ones = inputs[0], [1] * len(out.shape)
    for axis, size in zip(settings["broadcast_dimensions"], value.shape, strict=True):
        ones[axis] = size
    value = _reshape(program, value, ones)
    return value if tuple(ones) == out.shape else _step(program, "broadcast", [value], out, shape=list(out.shape))


def _product(shape: Sequence[int]) -> int:
    if sum(size < 0 for size in shape) > 1:
        raise UserError(
            "export: an array of the net grows with the square of the rows; allowed: a multiple of the rows"
        )
    return prod(shape)


def _dot(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    """A sum of products over any axes as one product of matrices."""
    (summed_a, summed_b), (batch_a, batch_b) = settings["dimension_numbers"]
    a, b = (_cast(program, each, out.dtype) for each in inputs)
    free_a = [axis for axis in range(len(a.shape)) if axis not in (*summed_a, *batch_a)]
    free_b = [axis for axis in range(len(b.shape)) if axis not in (*summed_b, *batch_b)]
    sizes_of = lambda value, axes: [value.shape[axis] for axis in axes]
    batch, inner = sizes_of(a, batch_a), _product(sizes_of(a, summed_a))
    left = [*batch, _product(sizes_of(a, free_a)), inner]
    right = [*batch, inner, _product(sizes_of(b, free_b))]
    a = _reshape(program, _transpose(program, a, [*batch_a, *free_a, *summed_a]), left)
    b = _reshape(program, _transpose(program, b, [*batch_b, *summed_b, *free_b]), right)
    like = Variable(-1, out.dtype, (*batch, left[-2], right[-1]))
    return _reshape(program, _step(program, "matmul", [a, b], like), out.shape)


def _select(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value | None:
    if len(inputs) != 3 or dtype_of(inputs[0]) != "bool":
        return None
    return _step(program, "where", [inputs[0], inputs[2], inputs[1]], out)


def _slice(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    starts, stops = settings["start_indices"], sizes(settings["limit_indices"])
    steps = settings["strides"] or [1] * len(starts)
    slices = [[int(a), None if b < 0 else b, int(step)] for a, b, step in zip(starts, stops, steps, strict=True)]
    return _step(program, "slice", inputs, out, slices=slices)


def _dynamic_slice(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value | None:
    value, *starts = inputs
    if any(isinstance(start, Variable) for start in starts):
        return None
    first = [0 if n < 0 else max(0, min(int(s), n - k)) for s, n, k in zip(starts, value.shape, out.shape, strict=True)]
    slices = [[start, None if size < 0 else start + size, 1] for start, size in zip(first, out.shape, strict=True)]
    return value if tuple(value.shape) == out.shape else _step(program, "slice", [value], out, slices=slices)


def _split(program: Program, value: Value, parts: Sequence[int], axis: int) -> list[Value]:
    out, start = [], 0
    for size in parts:
        shape = tuple(size if at == axis else whole for at, whole in enumerate(value.shape))
        slices = [[start, start + int(size), 1] if at == axis else [0, None, 1] for at in range(len(shape))]
        out.append(_step(program, "slice", [value], Variable(-1, dtype_of(value), shape), slices=slices))
        start += int(size)
    return out


def _pad(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value | None:
    (value, filling), config = inputs, settings["padding_config"]
    if any(inner for _, _, inner in config) or isinstance(filling, Variable):
        return None
    if any(min(low, high) < 0 for low, high, _ in config):
        slices = [[max(-low, 0), min(high, 0) or None, 1] for low, high, _ in config]
        crop = lambda n, low, high: n if n < 0 else n + min(low, 0) + min(high, 0)
        shape = tuple(crop(n, low, high) for n, (low, high, _) in zip(value.shape, config, strict=True))
        value = _step(program, "slice", [value], Variable(-1, out.dtype, shape), slices=slices)
    widths = [[max(int(low), 0), max(int(high), 0)] for low, high, _ in config]
    return _step(program, "pad", [value, filling], out, widths=widths) if np.any(widths) else value


def _iota(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value | None:
    axis = settings["dimension"]
    if out.shape[axis] < 0:
        return None
    line = np.arange(out.shape[axis], dtype=out.dtype)
    return _broadcast(program, [line], {"broadcast_dimensions": (axis,)}, out)


def _gather(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value | None:
    """A part of an array that begins at a place known beforehand, or entries along one axis by their numbers."""
    (value, index), how = inputs, settings["dimension_numbers"]
    cut, axes = sizes(settings["slice_sizes"]), tuple(how.start_index_map)
    if how.operand_batching_dims:
        return None
    if isinstance(index, np.ndarray) and index.ndim == 1:
        starts = np.zeros(len(cut), int)
        starts[list(axes)] = index
        part = _dynamic_slice(program, [value, *starts], settings, Variable(-1, out.dtype, cut))
        return _reshape(program, part, out.shape)
    lead = len(index.shape) - 1
    beside = [at for at in range(len(out.shape)) if not axes[0] <= at < axes[0] + lead]
    whole = tuple(1 if at == axes[0] else size for at, size in enumerate(value.shape))
    if len(axes) > 1 or tuple(how.collapsed_slice_dims) != axes or list(how.offset_dims) != beside or cut != whole:
        return None
    numbers = _reshape(program, index, index.shape[:-1])
    return _step(program, "take", [value, numbers], out, axes=[int(axes[0])])


def _stack(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    axis = int(settings["axis"])
    shape = [1 if at == axis else size for at, size in enumerate(out.shape)]
    return _step(program, "concatenate", [_reshape(program, each, shape) for each in inputs], out, axes=[axis])


def _extreme(operation: str) -> Callable[..., Value]:
    def extreme(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
        return _step(program, operation, inputs, out, axes=list(map(int, settings["axes"])), dtype=out.dtype)

    return extreme


def _logistic(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    """1 / (1 + exp(-z))."""
    one = np.ones((), out.dtype)
    away = _step(program, "exp", [_step(program, "negative", inputs, out)], out)
    return _step(program, "divide", [one, _step(program, "add", [one, away], out)], out)


def _power(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    return _step(program, "power", [inputs[0], np.asarray(settings["y"], out.dtype)], out)


def _inverse_root(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    return _step(program, "divide", [np.ones((), out.dtype), _step(program, "sqrt", inputs, out)], out)


def _clamp(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    low, value, high = inputs
    return _step(program, "minimum", [_step(program, "maximum", [value, low], out), high], out)


def _top(program: Program, inputs: list[Value], settings: Mapping[str, Any], out: Variable) -> Value:
    count = int(settings["k"]) if "k" in settings else out.shape[-1]
    return _step(program, "top", inputs, out, count=count)


RULES = {
    "argmax": _extreme("argmax"),
    "argmin": _extreme("argmin"),
    "broadcast_in_dim": _broadcast,
    "clamp": _clamp,
    "concatenate": lambda program, inputs, settings, out: _step(
        program, "concatenate", inputs, out, axes=[int(settings["dimension"])]
    ),
    "convert_element_type": lambda program, inputs, settings, out: _cast(program, inputs[0], out.dtype),
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "expand_dims": lambda program, inputs, settings, out: _reshape(program, inputs[0], out.shape),
    "gather": _gather,
    "integer_pow": _power,
    "iota": _iota,
    "logistic": _logistic,
    "pad": _pad,
    "reshape": lambda program, inputs, settings, out: _reshape(program, inputs[0], out.shape),
    "rev": lambda program, inputs, settings, out: _step(
        program, "flip", inputs, out, axes=list(map(int, settings["dimensions"]))
    ),
    "rsqrt": _inverse_root,
    "select_n": _select,
    "slice": _slice,
    "squeeze": lambda program, inputs, settings, out: _reshape(program, inputs[0], out.shape),
    "stack": _stack,
    "top_k": _top,
    "transpose": lambda program, inputs, settings, out: _transpose(program, inputs[0], settings["permutation"]),
}
"""By the name of a primitive, what makes a value of it; None where there is no operation for it."""
