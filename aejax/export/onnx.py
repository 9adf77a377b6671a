"""Programs of `aejax.export.program` as models of ONNX."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.export.steps import Program

INPUT = "x"
OPSET, IR = 18, 9
"""Versions of 2023, which onnxruntime reads since 1.15."""
PLAIN = {
    **{"absolute": "Abs", "add": "Add", "arcsinh": "Asinh", "ceil": "Ceil", "cos": "Cos", "divide": "Div"},
    **{"equal": "Equal", "exp": "Exp", "floor": "Floor", "greater": "Greater", "greater_equal": "GreaterOrEqual"},
    **{"less": "Less", "less_equal": "LessOrEqual", "log": "Log", "logical_and": "And", "logical_not": "Not"},
    **{"logical_or": "Or", "logical_xor": "Xor", "matmul": "MatMul", "maximum": "Max", "minimum": "Min"},
    **{"multiply": "Mul", "negative": "Neg", "power": "Pow", "rint": "Round", "sign": "Sign", "sin": "Sin"},
    **{"sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh", "where": "Where"},
}
"""Operations that are one of ONNX's."""
REDUCTIONS = {"sum": "ReduceSum", "prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin"}
END = 2**62
"""Beyond the end of every axis."""

Node = Callable[..., str]


def model(program: Program, text: Mapping[str, str]) -> bytes:
    """The program as a model: ``x`` in, the answers out, their names as in `Program.answers`.

    Args:
        program: of a function of rows.
        text: what stands in the model's metadata.
    """
    from onnx import helper, numpy_helper

    nodes, arrays = [], dict(program.arrays)
    kind = lambda value: helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    described = lambda name, value: helper.make_tensor_value_info(name, kind(value), _shape(value.shape))

    def constant(value: Any, dtype: str) -> str:
        array = np.asarray(value, dtype)
        name = f"{array.dtype.name}{array.shape}{array.tolist()}"
        arrays[name] = array
        return name

    def node(operation: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        output = output or f"inner{len(nodes)}"
        outputs = [output] if operation != "TopK" else [output, f"{output} index"]
        nodes.append(helper.make_node(operation, list(inputs), outputs, **attributes))
        return output

    names = [INPUT, *(f"value{number}" for number in range(1, len(program.variables)))]
    for number, (operation, operands, settings) in enumerate(program.steps, 1):
        inputs = [each if isinstance(each, str) else names[each] for each in operands]
        first = program.arrays[operands[0]] if isinstance(operands[0], str) else program.variables[operands[0]]
        dtype = np.dtype(first.dtype).name
        _translate(node, constant, operation, inputs, settings, dtype, names[number])
    outputs = []
    for name, operand in program.answers.items():
        node("Identity", [operand if isinstance(operand, str) else names[operand]], name)
        value = program.arrays[operand] if isinstance(operand, str) else program.variables[operand]
        outputs.append(described(name, value))
    used = {name for each in nodes for name in each.input}
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used]
    graph = helper.make_graph(nodes, "aejax", [described(INPUT, program.variables[0])], outputs, stored)
    versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR}
    made = helper.make_model(graph, **versions, producer_name="aejax")
    helper.set_model_props(made, dict(text))
    return made.SerializeToString()


def _shape(sizes: Sequence[int]) -> list[int | str]:
    return [size if size >= 0 else "rows" if size == -1 else f"rows*{-size}" for size in sizes]


def _translate(
    node: Node, constant: Node, operation: str, inputs: list[str], settings: Mapping[str, Any], dtype: str, out: str
) -> None:
    """The nodes of one step."""
    axes = settings.get("axes", [])
    if operation in PLAIN:
        node(PLAIN[operation], inputs, out)
    elif operation in REDUCTIONS:
        node(REDUCTIONS[operation], [inputs[0], constant(axes, "int64")], out, keepdims=0)
    elif operation in COMPOSED:
        COMPOSED[operation](node, lambda value: constant(value, dtype), inputs, out)
    elif operation in STRUCTURAL:
        STRUCTURAL[operation](node, constant, inputs, settings, out)
    else:
        raise UserError(f"export: {operation} has no translation to ONNX; allowed: the formats numpy and stablehlo")


def _sizes(node: Node, constant: Node, shape: Sequence[int]) -> str:
    """A shape as a vector, with the number of rows in it."""
    if min(shape, default=0) >= 0:
        return constant(list(shape), "int64")
    rows = node("Shape", [INPUT], start=0, end=1)
    one = lambda size: constant([size], "int64") if size >= 0 else node("Mul", [rows, constant([-size], "int64")])
    return node("Concat", [one(size) for size in shape], axis=0)


def _cast(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
    from onnx import helper

    node("Cast", inputs, out, to=helper.np_dtype_to_tensor_dtype(np.dtype(settings["dtype"])))


def _slice(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
    parts = settings["slices"]
    ends = [[a for a, _, _ in parts], [END if b is None else b for _, b, _ in parts]]
    every = [*ends, list(range(len(parts))), [step for _, _, step in parts]]
    node("Slice", [inputs[0], *(constant(each, "int64") for each in every)], out)


def _flip(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
    axes = settings["axes"]
    every = [[-1] * len(axes), [-END] * len(axes), axes, [-1] * len(axes)]
    node("Slice", [inputs[0], *(constant(each, "int64") for each in every)], out)


def _pad(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
    widths = [low for low, _ in settings["widths"]] + [high for _, high in settings["widths"]]
    node("Pad", [inputs[0], constant(widths, "int64"), inputs[1]], out)


def _extreme(operation: str) -> Callable[..., None]:
    def extreme(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
        index = node(operation, inputs, axis=settings["axes"][0], keepdims=0)
        _cast(node, constant, [index], settings, out)

    return extreme


def _of_truths(operation: str) -> Callable[..., None]:
    def reduced(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
        numbers = node("Cast", inputs, to=6)  # int32
        most = node(operation, [numbers, constant(settings["axes"], "int64")], keepdims=0)
        node("Cast", [most], out, to=9)  # bool

    return reduced


def _top(node: Node, constant: Node, inputs: list[str], settings: Mapping[str, Any], out: str) -> None:
    node("TopK", [inputs[0], constant([settings["count"]], "int64")], out)


COMPOSED: dict[str, Callable[..., Any]] = {
    "expm1": lambda node, number, inputs, out: node("Sub", [node("Exp", inputs), number(1)], out),
    "log1p": lambda node, number, inputs, out: node("Log", [node("Add", [*inputs, number(1)])], out),
    "square": lambda node, number, inputs, out: node("Mul", inputs * 2, out),
    "not_equal": lambda node, number, inputs, out: node("Not", [node("Equal", inputs)], out),
    "isfinite": lambda node, number, inputs, out: node(
        "Not", [node("Or", [node("IsNaN", inputs), node("IsInf", inputs)])], out
    ),
}
"""Operations that are a few of ONNX's."""
STRUCTURAL: dict[str, Callable[..., Any]] = {
    "all": _of_truths("ReduceMin"),
    "any": _of_truths("ReduceMax"),
    "argmax": _extreme("ArgMax"),
    "argmin": _extreme("ArgMin"),
    "broadcast": lambda node, constant, inputs, settings, out: node(
        "Expand", [inputs[0], _sizes(node, constant, settings["shape"])], out
    ),
    "cast": _cast,
    "concatenate": lambda node, constant, inputs, settings, out: node("Concat", inputs, out, axis=settings["axes"][0]),
    "flip": _flip,
    "pad": _pad,
    "reshape": lambda node, constant, inputs, settings, out: node(
        "Reshape", [inputs[0], _sizes(node, constant, settings["shape"])], out, allowzero=1
    ),
    "slice": _slice,
    "take": lambda node, constant, inputs, settings, out: node("Gather", inputs, out, axis=settings["axes"][0]),
    "top": _top,
    "transpose": lambda node, constant, inputs, settings, out: node("Transpose", inputs, out, perm=settings["axes"]),
}
"""Operations of shapes and places."""
