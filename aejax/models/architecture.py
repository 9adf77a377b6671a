"""What a net looks like: its layers, their shapes, and the parameters that each of them reads."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Model, Params


class Layer(NamedTuple):
    """A layer of a net.

    Attributes:
        name: ``"input"``, then the names of the activations such as ``"encoder0"`` and ``"code"``, then ``"output"``.
        shape: of what it puts out for one row.
        parameters: paths of the leaves of the parameters that it reads and no layer before it does.
    """

    name: str
    shape: tuple[int, ...]
    parameters: tuple[tuple[Any, ...], ...] = ()


def layers(model: Model) -> tuple[Layer, ...]:
    """The layers of a net from the input to the output, found by tracing one training pass; nothing is computed.

    >>> from aejax import models
    >>> [(layer.name, layer.shape) for layer in models.layers(models.multilayer((12,), widths=(7,), code=2))]
    [('input', (12,)), ('encoder0', (7,)), ('code', (2,)), ('decoder0', (7,)), ('output', (12,))]
    """
    names, target_shape = [], tuple(model.target_shape or model.feature_shape)

    def activations(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> list[jax.Array]:
        ctx = model.apply(params, x, x_in, key)
        names[:] = ctx.hidden  # in the order that the model gives them
        return [*ctx.hidden.values(), ctx.x_hat]

    row = lambda shape: jax.ShapeDtypeStruct((1, prod(shape)), jnp.float32)
    key = jax.random.key(0)
    params = jax.eval_shape(model.init, key)
    traced = _traced(activations, params, row(target_shape), row(model.feature_shape), key)
    layers = [Layer(name, *each) for name, each in zip([*names, "output"], traced, strict=True)]
    return _in_order(tuple(model.feature_shape), target_shape, layers)


def _in_order(
    feature_shape: tuple[int, ...], target_shape: tuple[int, ...], layers: Sequence[Layer]
) -> tuple[Layer, ...]:
    """Layers in order, each with the parameters that none before it reads; the code reads those of the encoder."""
    code = next(layer for layer in layers if layer.name == "code")
    *hidden, output = (layer for layer in layers if layer is not code)
    encoder = [layer for layer in hidden if set(layer.parameters) <= set(code.parameters)]
    decoder = [*(layer for layer in hidden if layer not in encoder), output]
    read: set[tuple[Any, ...]] = set()
    ordered = [Layer("input", feature_shape)]
    for layer in (*encoder, code, *decoder):
        shape = target_shape if layer.name == "output" else layer.shape
        ordered.append(Layer(layer.name, shape, tuple(path for path in layer.parameters if path not in read)))
        read |= set(layer.parameters)
    return tuple(ordered)


def leaves_read(function: Callable[..., jax.Array], params: Params, *arguments: Any) -> list[tuple[Any, ...]]:
    """The paths of those leaves of `params` that ``function(params, *arguments)`` may depend on.

    Args:
        function: traced, not run.
        params: arrays or their shapes.
        arguments: arrays or their shapes.
    """
    return list(_traced(lambda *every: [function(*every)], params, *arguments)[0][1])


def _traced(
    function: Callable[..., list[jax.Array]], params: Params, *arguments: Any
) -> list[tuple[tuple[int, ...], tuple[tuple[Any, ...], ...]]]:
    """Of each output of a function the shape for one row, and the paths of those of `params` that it may depend on."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    flat = lambda values, *others: function(structure.unflatten(values), *others)
    program = jax.make_jaxpr(flat)([leaf for _, leaf in leaves], *arguments).jaxpr

    def read(output: Any) -> tuple[tuple[Any, ...], ...]:
        needed = {id(output)}
        for equation in reversed(program.eqns):
            if needed & {id(variable) for variable in equation.outvars}:
                needed |= {id(variable) for variable in equation.invars}
        pairs = zip(leaves, program.invars, strict=False)
        return tuple(path for (path, _), variable in pairs if id(variable) in needed)

    return [(output.aval.shape[1:], read(output)) for output in program.outvars]


def first_kernels(model: Model, params: Params) -> np.ndarray | None:
    """The kernels of the first layer, each as a part of a row: (units, *feature_shape), or smaller of a convolution.

    None where the first layer has no kernel that reads the input as it is.
    """
    leaves = dict(jax.tree_util.tree_leaves_with_path(params))
    for path in layers(model)[1].parameters:
        kernel = np.asarray(leaves[path])
        if getattr(path[-1], "key", None) != "kernel":
            continue
        if kernel.ndim == 2 and len(kernel) == prod(model.feature_shape):
            return kernel.T.reshape(-1, *model.feature_shape)
        if kernel.ndim == 4 and len(model.feature_shape) == 3 and kernel.shape[2] == model.feature_shape[2]:
            return np.moveaxis(kernel, -1, 0)  # height, width, channels in, channels out
    return None


def summary(model: Model, params: Params | None = None, *, terms: Mapping[str, Any] | None = None) -> str:
    """A net as text: its layers with their shapes, how many parameters each has, and the terms of the loss.

    >>> import aejax
    >>> print(aejax.summary(aejax.models.multilayer((12,), widths=(7,), code=2)))
    layer     shape  parameters
    input     12
    encoder0  7              91
    code      2              16
    decoder0  7              21
    output    12             96
    all                     224

    Args:
        model: the net.
        params: its parameters; None counts those that `Model.init` would make.
        terms: by name, those of the loss: a config's ``terms``, or `aejax.losses.Loss.hparams`.

    Returns:
        Lines of text.
    """
    params = jax.eval_shape(model.init, jax.random.key(0)) if params is None else params
    sizes = {path: prod(jnp.shape(leaf)) for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    rows, beside = [("layer", "shape", "parameters")], dict(sizes)
    for layer in layers(model):
        count = sum(beside.pop(path, 0) for path in layer.parameters)
        rows.append((layer.name, "x".join(map(str, layer.shape)), f"{count:,}" if count else ""))
    if beside:
        rows.append(("other", "", f"{sum(beside.values()):,}"))
    rows.append(("all", "", f"{sum(sizes.values()):,}"))
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}".rstrip() for a, b, c in rows]
    return "\n".join([*lines, *([f"loss: {' + '.join(map(_term, terms.items()))}"] if terms else [])])


def _term(term: tuple[str, Mapping[str, Any]]) -> str:
    """``"0.3 sparsity (sparsity.l1)"``."""
    name, settings = term
    weight, function = settings.get("weight", 1.0), settings.get("name")
    return f"{'' if weight == 1 else f'{weight} '}{name}{f' ({function})' if function else ''}"
