"""A net that left aejax, from the folder in which this file lies: rows in, answers out.

``net = load()`` checks the SHA-256 of every file and executes nothing of them; ``net("reconstruct", x)`` answers rows
(m, n), or a table: a dict or frame of columns, or a list of dicts. ``card.json`` lists the actions. A folder of the
format numpy needs NumPy alone, one of the format onnx onnxruntime, one of the format stablehlo JAX.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

UFUNCS = {
    *("absolute", "add", "arcsinh", "ceil", "cos", "divide", "equal", "exp", "expm1", "floor", "greater"),
    *("greater_equal", "isfinite", "less", "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or"),
    *("logical_xor", "matmul", "maximum", "minimum", "multiply", "negative", "not_equal", "power", "rint", "sign"),
    *("sin", "sqrt", "square", "subtract", "tan", "tanh", "where"),
}


def load(folder=Path(__file__).parent):
    """What answers rows: ``(action, rows) -> array``, or a dict of arrays where the action has several answers."""
    folder = Path(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    for name, digest in card["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{folder / name}: is damaged: it does not have the SHA-256 that card.json names")
    run = {"numpy": _numpy, "onnx": _onnx, "stablehlo": _stablehlo}[card["format"]](folder, card)

    def net(action, rows):
        if action not in card["actions"]:
            raise ValueError(f"unknown action {action!r}; allowed: {', '.join(card['actions'])}")
        about = card["actions"][action]
        x = np.asarray(rows if action == "decode" else features(rows, card["columns"]), about["dtype"])
        if x.ndim < 2 or x[:1].size != np.prod(about["shape"]):
            raise ValueError(f"expected rows of {about['shape']} values, got an array of shape {x.shape}")
        if np.isnan(x).any() and (action == "decode" or not card["takes_missing"]):
            raise ValueError(f"row {np.argwhere(np.isnan(x))[0][0] + 1} has a missing value, and this net takes none")
        answers = dict(zip(about["answers"], run(action, x.reshape(len(x), *about["shape"])), strict=True))
        return answers if len(answers) > 1 else next(iter(answers.values()))

    return net


def features(table, columns):
    """The rows of a table as numbers: of a column of categories a 0 or 1 for each, NaN where a cell is empty."""
    if isinstance(table, list) and table and isinstance(table[0], dict):
        table = {column["name"]: [row.get(column["name"]) for row in table] for column in columns}
    if not isinstance(table, dict) and not hasattr(table, "columns"):
        return table
    if missing := [column["name"] for column in columns if column["name"] not in table] or ["names"] * (not columns):
        raise ValueError(f"the table has no column {missing[0]!r}, or the net knows no names")
    parts = []
    for column in columns:
        kinds, size = column["categories"], column["size"]
        cells = [None if cell is None or cell != cell or cell == "" else cell for cell in table[column["name"]]]
        cells = [int(c) if kinds and isinstance(c, float) and c == int(c) else c for c in cells]
        if unknown := [cell for cell in cells if kinds and cell is not None and str(cell) not in kinds]:
            raise ValueError(f"column {column['name']!r}: unknown {unknown[0]!r}; allowed: {', '.join(kinds)}")
        numbers = np.array([np.nan if c is None else kinds.index(str(c)) if kinds else float(c) for c in cells])
        one_hot = np.where(np.isnan(numbers)[:, None], np.nan, numbers[:, None] == np.arange(size))
        parts.append(one_hot if size > 1 else numbers[:, None])
    return np.concatenate(parts, axis=1)


def _numpy(folder, card):
    with np.load(folder / "net.npz", allow_pickle=False) as file:
        arrays = dict(file)
    programs = json.loads(arrays.pop("programs").tobytes())
    return lambda action, x: evaluate(programs[action], arrays, x)


def evaluate(program, arrays, x):
    """The answers of a program: steps ``[operation, operands, settings]``, whose results are the values 1, 2, …."""
    values, last = [x], {}
    for number, (_, operands, _) in enumerate(program["steps"]):
        last |= dict.fromkeys(operands, number)
    last |= dict.fromkeys(program["answers"])
    with np.errstate(all="ignore"):
        for number, (operation, operands, settings) in enumerate(program["steps"]):
            inputs = [arrays[each] if isinstance(each, str) else values[each] for each in operands]
            values.append(compute(operation, inputs, settings, len(x)))
            for each in operands:
                if last[each] == number and not isinstance(each, str):
                    values[each] = None  # its memory is free
    return [arrays[each] if isinstance(each, str) else values[each] for each in program["answers"]]


def compute(operation, inputs, settings, rows=0):
    """One operation; a size below 0 in a shape is that many times the number of rows."""
    a, axes = inputs[0], tuple(settings.get("axes", ()))
    shape = [-size * rows if size < 0 else size for size in settings.get("shape", ())]
    if operation in UFUNCS:
        return getattr(np, operation)(*inputs)
    match operation:
        case "sum" | "prod":
            return getattr(a, operation)(axis=axes, dtype=a.dtype)
        case "max" | "min" | "any" | "all":
            return getattr(a, operation)(axis=axes)
        case "argmax" | "argmin":
            return getattr(a, operation)(axis=axes[0]).astype(settings["dtype"])
        case "reshape":
            return a.reshape(shape)
        case "broadcast":
            return np.broadcast_to(a, shape)
        case "transpose":
            return a.transpose(axes)
        case "flip":
            return np.flip(a, axes)
        case "concatenate":
            return np.concatenate(inputs, axes[0])
        case "slice":
            return a[tuple(slice(*each) for each in settings["slices"])]
        case "pad":
            return np.pad(a, settings["widths"], constant_values=inputs[1])
        case "cast":
            return a.astype(settings["dtype"])
        case "take":
            return np.take(a, inputs[1], axes[0])
        case "top":
            return np.sort(a, axis=-1)[..., ::-1][..., : settings["count"]]
    raise ValueError(f"unknown operation {operation!r}")


def _onnx(folder, card):
    import onnxruntime

    names = {action: str(folder / f"{action}.onnx") for action in card["actions"]}
    sessions = {action: onnxruntime.InferenceSession(name) for action, name in names.items()}
    return lambda action, x: sessions[action].run(None, {"x": x})


def _stablehlo(folder, card):
    import jax
    from jax import export

    read = lambda action: export.deserialize((folder / f"{action}.bin").read_bytes())
    nets = {action: jax.jit(read(action).call) for action in card["actions"]}

    def run(action, x):
        with jax.enable_x64(True):  # columns far from 0, and scores, are computed in float64
            return [np.asarray(each) for each in nets[action](x)]

    return run
