"""Loss terms as pure functions `(ctx, *, hyperparameters) -> scalar`, and how they add up.

From Python a term is a value: ``losses.l1(layer="code")`` binds its hyperparameters, ``0.3 * losses.l1()`` gives it a
weight, and `compose` adds named terms to a `Loss`:

>>> from aejax import losses
>>> loss = losses.compose(reconstruction=losses.squared_error(), sparsity=0.3 * losses.l1(layer="code"))
>>> loss.hparams["sparsity"]
{'weight': 0.3}

A config names the same functions by their modules, ``"sparsity.l1"``; a term of one's own is any function of that form,
by its import path in a config and through `term` in Python.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aejax.config.components import complete, parameters, split
from aejax.errors import UserError, one_of, shown
from aejax.types import Context

MODULES = {
    "reconstruction": ("cross_entropy", "squared_error", "multinomial", "huber", "correntropy"),
    "sparsity": ("l1", "l2", "kl_bernoulli"),
    "structure": ("contractive", "contractive_estimate", "strain", "stochastic_neighbours"),
    "latent": ("kl_standard_normal",),
    "bounds": ("importance_weighted", "kl_prior"),
    "weights": ("weight_decay",),
    "supervised": ("soft_nearest_neighbour",),
    "binary": ("quantized", "balanced", "uncorrelated"),
    "neighbours": ("contrastive", "same_code"),
    "clustering": ("centres", "joint"),
    "dictionary": ("revival",),
    "quantization": ("commitment", "perplexity"),
}
TERMS = {name: f"{module}.{name}" for module, names in MODULES.items() for name in names} | {
    "missing_likelihood": "imputation.likelihood",
    "neighbours_error": "neighbours.squared_error",
    "same_cluster": "clustering.neighbours",
}
"""The terms that Python code names as ``aejax.losses.NAME(...)``, and the function that each of them is."""

__all__ = ["Loss", "Term", "compose", "term", "weighted_sum", *TERMS]


@dataclass(frozen=True)
class Term:
    """A loss term with its hyperparameters bound: ``weight · schedule(progress) · function(ctx, **hyperparameters)``.

    Attributes:
        function: ``(ctx, *, hyperparameters) -> scalar``.
        hyperparameters: of the function; floats among them can be swept.
        weight: what the term counts for in the sum of a `Loss`; ``0.3 * term`` multiplies it.
        schedule: ``progress -> factor of the weight``, progress in [0, 1) being the share of the run that is done; None
            for 1. `aejax.optimizers.schedules` has such functions.
    """

    function: Callable[..., jax.Array]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    schedule: Callable[[jax.Array], jax.Array] | None = None

    def __mul__(self, factor: float) -> "Term":
        return replace(self, weight=factor * self.weight)

    __rmul__ = __mul__

    def __call__(self, ctx: Context) -> jax.Array:
        """The value of the term, unweighted."""
        return self.function(ctx, **self.hyperparameters)


class Loss(NamedTuple):
    """What a run minimises.

    Attributes:
        objective: ``(ctx, hparams, progress=0.0) -> (weighted sum, {name: unweighted value})``.
        hparams: by the name of each term its ``weight`` and its floats, which may be swept.
    """

    objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
    hparams: Mapping[str, Mapping[str, float]]


def term(function: Callable[..., jax.Array], /, **hyperparameters: Any) -> Term:
    """A function of one's own as a term.

    Args:
        function: ``(ctx, *, hyperparameters) -> scalar``, see `aejax.types.Context`.
        hyperparameters: to bind; the others keep their defaults.

    Raises:
        UserError: a hyperparameter that the function does not have, or a value that does not fit its annotation.
    """
    name = getattr(function, "__name__", "term")
    return Term(function, complete(hyperparameters, parameters(function), what=name, name=name))


def compose(**terms: Term | Callable[..., jax.Array]) -> Loss:
    """The weighted sum of named terms: Σ_t weight_t · schedule_t(progress) · term_t(ctx).

    Args:
        terms: by name, terms, or plain functions of a `Context`, which count with the weight 1.

    Raises:
        UserError: no term, one with a name of its own use (``loss``, ``mse``), or a value that is no term.
    """
    if not terms:
        raise UserError("losses.compose: there is no term; allowed: reconstruction=losses.squared_error(), …")
    functions, schedules, hparams = {}, {}, {}
    for name, value in terms.items():
        if name in ("loss", "mse"):
            raise UserError(f"losses.compose: a term cannot be named {name!r}, which the history uses itself")
        value = value() if getattr(value, "makes_term", False) else value  # losses.l1 as losses.l1()
        made = value if isinstance(value, Term) else term(value) if callable(value) else None
        if made is None:
            raise UserError(f"losses.compose: {name}={shown(value)}; allowed: a term, such as 0.3 * losses.l1()")
        static, floats = split(made.hyperparameters, dict.fromkeys(made.hyperparameters))
        functions[name] = partial(made.function, **static) if static else made.function
        hparams[name] = {"weight": float(made.weight), **floats}
        if made.schedule is not None:
            schedules[name] = made.schedule
    return Loss(weighted_sum(functions, schedules), hparams)


def weighted_sum(
    terms: Mapping[str, Callable[..., jax.Array]], schedules: Mapping[str, Callable[..., jax.Array]] | None = None
) -> Callable[..., tuple[jax.Array, dict[str, jax.Array]]]:
    """The objective of a `Loss`: total = Σ_t weight_t · schedule_t(progress) · term_t(ctx), the numbers as arguments.

    Args:
        terms: name of each term -> function of a `Context` and keyword hyperparameters.
        schedules: name of a term -> factor of its weight as a function of the share of the run that is done.

    Returns:
        ``total(ctx, hparams, progress=0.0) -> (weighted sum, {name: unweighted value})``. ``hparams[name]``
        holds the term's ``weight``, its own hyperparameters, and, where it has a schedule, those of the
        schedule under ``schedule``.
    """
    schedules = dict(schedules or {})

    def total(
        ctx: Context, hparams: Mapping[str, Mapping[str, Any]], progress: jax.Array | float = 0.0
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        loss, values = jnp.float32(0.0), {}
        for number, (name, function) in enumerate(terms.items()):
            arguments = {key: value for key, value in hparams[name].items() if key not in ("weight", "schedule")}
            key = None if ctx.key is None else jax.random.fold_in(ctx.key, number)  # no two terms draw the same
            values[name] = function(ctx._replace(key=key), **arguments)
            if jnp.shape(values[name]):
                shape = jnp.shape(values[name])
                raise UserError(
                    f"{name}: the loss term returned the shape {shape}; allowed: one number, such as a mean"
                )
            weight = hparams[name]["weight"]
            if name in schedules:
                weight = weight * schedules[name](progress, **hparams[name].get("schedule", {}))
            loss = loss + weight * values[name]
        return loss, values

    return total


def __getattr__(name: str) -> Callable[..., Term]:
    if name not in TERMS:
        raise AttributeError(f"{one_of(name, TERMS, what='aejax.losses')}")
    module, _, function = TERMS[name].rpartition(".")
    bound = getattr(import_module(f"aejax.losses.{module}"), function)

    def make(**hyperparameters: Any) -> Term:
        return term(bound, **hyperparameters)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = bound.__doc__
    make.makes_term = True
    signature = inspect.signature(bound)
    keywords = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    make.__signature__ = signature.replace(parameters=keywords, return_annotation=Term)
    return make


def __dir__() -> list[str]:
    return sorted(__all__)
