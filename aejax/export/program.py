"""A function of rows as a short list of array operations, which NumPy, ONNX and a page can run without JAX.

JAX traces the function for any number of rows; each primitive becomes one or a few of the operations of
`aejax.export.net`. What depends on parameters alone is computed here, once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from aejax.errors import UserError
from aejax.export.rules import RULES
from aejax.export.steps import ROWS, Program, Value, Variable, dtype_of, operand, sizes, split, step

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
    program.answers.update(zip(sorted(answers), (operand(program, each) for each in values), strict=True))
    return program


def _run(program: Program, jaxpr: Any, consts: Sequence[np.ndarray], inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a jaxpr, whose equations become steps."""
    values: dict[Any, Value | str] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

    def read(atom: Any) -> Value:
        value = np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]
        if isinstance(value, str):
            raise _refused(value)
        return value

    for equation in jaxpr.eqns:
        values |= dict.fromkeys(equation.outvars, equation.primitive.name)  # of outputs that there is no operation for
        outputs = _equation(program, equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=False))
    return [read(atom) for atom in jaxpr.outvars]


def _refused(name: str) -> UserError:
    line = f"export: the net uses {name} in a way that there is no operation for outside JAX"
    return UserError(f"{line}; allowed: the format stablehlo")


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
        return split(program, inputs[0], settings["sizes"], settings["axis"])
    aval = equation.outvars[0].aval
    out = Variable(-1, aval.dtype.name, sizes(aval.shape))
    kinds = {dtype_of(each) for each in inputs}
    logical = name in ("and", "or", "xor", "not") and kinds != {"bool"}
    whole = name in ("div", "pow") and not all(kind.startswith("float") for kind in kinds)
    if name in ELEMENTWISE and not (logical or whole):
        return [step(program, ELEMENTWISE[name], inputs, out)]
    if name in REDUCTIONS:
        return [step(program, REDUCTIONS[name], inputs, out, axes=list(map(int, settings["axes"])))]
    rule = RULES.get(name)
    value = rule(program, inputs, settings, out) if rule and not (logical or whole) else None
    if value is None:
        raise _refused(name)
    return [value]


def _called(program: Program, inner: Any, inputs: list[Value]) -> list[Value]:
    jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
    return _run(program, jaxpr, [np.asarray(each) for each in consts], inputs)
