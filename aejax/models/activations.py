"""Activations by name: the function, where its values lie, and the initialiser that suits it."""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import jax
from flax.linen import initializers

from aejax.errors import one_of
from aejax.types import Range


class Activation(NamedTuple):
    """An elementwise function and what is known of it without running it."""

    function: Callable[[jax.Array], jax.Array]
    range: Range
    kernel_init: Callable[..., jax.Array]

    @property
    def is_sigmoid(self) -> bool:
        """Whether what goes in are log-odds of what comes out."""
        return self.function is jax.nn.sigmoid


_GLOROT = initializers.glorot_uniform()
_HE = initializers.he_normal()
_LECUN = initializers.lecun_normal()

# Lower ends of the smooth ones are their minima, rounded down in the third digit.
ACTIVATIONS = {
    "linear": Activation(lambda x: x, Range(), _GLOROT),
    "sigmoid": Activation(jax.nn.sigmoid, Range(0, 1), _GLOROT),
    "hard_sigmoid": Activation(jax.nn.hard_sigmoid, Range(0, 1), _GLOROT),
    "tanh": Activation(jax.nn.tanh, Range(-1, 1), _GLOROT),
    "hard_tanh": Activation(jax.nn.hard_tanh, Range(-1, 1), _GLOROT),
    "soft_sign": Activation(jax.nn.soft_sign, Range(-1, 1), _GLOROT),
    "relu": Activation(jax.nn.relu, Range(0, inf), _HE),
    "relu6": Activation(jax.nn.relu6, Range(0, 6), _HE),
    "leaky_relu": Activation(jax.nn.leaky_relu, Range(), _HE),
    "softplus": Activation(jax.nn.softplus, Range(0, inf), _HE),
    "elu": Activation(jax.nn.elu, Range(-1, inf), _HE),
    "celu": Activation(jax.nn.celu, Range(-1, inf), _HE),
    "selu": Activation(jax.nn.selu, Range(-1.759, inf), _LECUN),
    "gelu": Activation(jax.nn.gelu, Range(-0.171, inf), _HE),
    "silu": Activation(jax.nn.silu, Range(-0.279, inf), _HE),
    "mish": Activation(jax.nn.mish, Range(-0.309, inf), _HE),
}

OUTPUTS = ("linear", "sigmoid", "tanh")


def name_of(activation: Activation) -> str:
    """The name of an activation function, whatever its initialiser."""
    return next(name for name, kind in ACTIVATIONS.items() if kind.function is activation.function)


def named(name: str, *, what: str, allowed: tuple[str, ...] | None = None) -> Activation:
    """The activation of that name.

    Args:
        name: one of `ACTIVATIONS`.
        what: the field that named it, for the error.
        allowed: the names that may stand there; None for all.

    Raises:
        UserError: there is none of that name; the line lists those there are.
    """
    allowed = allowed or tuple(ACTIVATIONS)
    if name not in allowed:
        raise one_of(name, allowed, what=what)
    return ACTIVATIONS[name]


def of_layers(hidden: str, code: str, output: str) -> dict[str, Activation]:
    """The activations of hidden layers, of the code and of the output, by what `aejax.models.assemble` calls them.

    Raises:
        UserError: as `named`.
    """
    return {
        "hidden": named(hidden, what="model.activation"),
        "code": named(code, what="model.code_activation"),
        "x_hat": named(output, what="model.output", allowed=OUTPUTS),
    }
