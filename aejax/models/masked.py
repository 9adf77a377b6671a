"""Autoencoders of rows with missing values: they see which values are missing, and predict them."""

from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Fraction, Natural, Positive
from aejax.data.corrupt import dropout as drop
from aejax.models.activations import ACTIVATIONS, Activation, named
from aejax.models.assemble import Extra, Outputs, as_they_are, assemble, component
from aejax.types import Model, Params

SMALL = nn.initializers.variance_scaling(0.02, "fan_in", "normal")  # so that a block begins near the identity
OUTPUTS = ("linear", "softplus")
SPEED = 3.0  # the coefficients of the equations are this many times their parameters, so they learn faster


class Waves(nn.Module):
    """x as (v, 1, sin 2πfv, cos 2πfv), v = arsinh gx, frequencies f of each feature learned; 0 where missing."""

    frequencies: int
    scale: float
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, seen: jax.Array) -> jax.Array:
        """(m, n) and (m, n) bool -> (m, n · (2 + 2 · frequencies))."""
        f = self.param("frequency", nn.initializers.normal(self.scale), (x.shape[1], self.frequencies))
        v = jnp.arcsinh(self.gain * x)[..., None]
        angle = 2 * jnp.pi * v * f[None]
        parts = [v, jnp.ones_like(v), jnp.sin(angle), jnp.cos(angle)]
        return jnp.where(seen[..., None], jnp.concatenate(parts, -1), 0.0).reshape(x.shape[0], -1)


def chained(params: Params, x: jax.Array, seen: jax.Array, rounds: int) -> jax.Array:
    """Chained linear equations: u = x, but b at first where x is missing, and then u B + b of the last round's u.

    Args:
        params: ``coefficients`` B / `SPEED` (n, n) and ``offset`` b (n,).
        x: (m, n).
        seen: (m, n) bool, False where missing.
        rounds: how often the missing values are filled again.

    Returns:
        u, (m, n).
    """
    coefficients, offset = SPEED * params["coefficients"], params["offset"][None]
    u = jnp.where(seen, x, offset)
    for _ in range(rounds):
        u = jnp.where(seen, x, u @ coefficients + offset)
    return u


class Residual(nn.Module):
    """h₀ = W x + b, then h + W₂ f(W₁ f(h) + b₁) + b₂ a few times, and a last linear layer; f(W₁ …) may drop out."""

    half: str
    width: int
    blocks: int
    units: int
    activation: Activation
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> tuple[Outputs, jax.Array]:
        """(m, inputs) -> what each block puts out, (m, width), and (m, units); without a key nothing drops out."""
        f, plain = self.activation.function, nn.initializers.lecun_normal()
        layer = lambda units, init, name: nn.Dense(units, kernel_init=init, name=name)
        h = layer(self.width, plain, "first")(x)
        outputs = {}
        for index in range(self.blocks):
            inner = f(layer(self.width, self.activation.kernel_init, f"inner{index}")(f(h)))
            if key is not None and self.dropout:
                inner = drop(jax.random.fold_in(key, index), inner, probability=self.dropout)
            h = h + layer(self.width, SMALL, f"outer{index}")(inner)
            outputs |= as_they_are({f"{self.half}{index}": h})
        return outputs, layer(self.units, plain, "last")(f(h))


@component
def residual(
    feature_shape: tuple[int, ...],
    *,
    width: Count = 256,
    blocks: Count = 2,
    code: Count = 128,
    activation: str = "silu",
    frequencies: Count = 4,
    frequency_scale: Positive = 0.1,
    gain: Positive = 1.0,
    output: str = "linear",
    dropout: Fraction = 0.0,
    rounds: Natural = 0,
) -> Model:
    """Residual blocks down to a linear code and up again, on rows in which NaN stands where a value is missing.

    Each value x goes in as v = arsinh gx, which is near gx for small ones and grows like a logarithm for large ones, so
    that the tail of a skewed column does not rule the net, a 1 that says that it is there, and sines and cosines of v
    with learned frequencies; zeros where it is missing. Out comes x̂ = φ(z)/g, of x itself and not of v: squared errors
    ask for the mean of x, which sinh of the mean of arsinh gx is not.

    With `rounds`, the row as `chained` linear equations fill it, u, goes in beside it and is handed on in the code, and
    x̂ = φ(z + gu)/g: the equations are trained with the net, which learns what they leave.

    Its named activations are ``encoder0``, …, ``code``, ``decoder0``, …; what `apply` could see of each row is
    ``extra["seen"]``.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        width: units of the blocks.
        blocks: before the code, and after it.
        code: d, units of the code; with `rounds`, the n values of u stand behind them.
        activation: f, of the blocks.
        frequencies: sines, and cosines, of each value.
        frequency_scale: standard deviation of the frequencies before training, per unit of the scaled data.
        gain: g, above 1 where most values are far below 1, as those of a skewed column in units of its range are.
        output: φ, of the last layer: ``"linear"``, or ``"softplus"`` where no value is negative, as with
            ``data.scaling="unit"``.
        dropout: probability that a unit inside a block is left out in training.
        rounds: of the equations; 0 for a net without them.

    Returns:
        The model, which takes missing values.

    Raises:
        UserError: an activation or an output that does not exist.

    References:
        He et al. 2016, Identity mappings in deep residual networks, section 4 (the activation before the layer);
        Gorishniy et al. 2022, On embeddings for numerical features in tabular deep learning, section 3.3 (the sines and
        cosines); van Buuren & Groothuis-Oudshoorn 2011, mice (chained equations, there one regression at a time).
    """
    features, kind = prod(feature_shape), named(activation, what="model.activation")
    last = named(output, what="model.output", allowed=OUTPUTS)
    waves = Waves(frequencies, frequency_scale, gain)
    encoder = Residual("encoder", width, blocks, code, kind, dropout)
    decoder = Residual("decoder", width, blocks, features, kind, dropout)

    def init(key: jax.Array) -> Params:
        keys, nothing = jax.random.split(key, 3), jnp.zeros((1, features))
        params: Params = {"waves": waves.init(keys[0], nothing, nothing == 0)["params"]}
        wide = jnp.zeros((1, features * (2 + 2 * frequencies + bool(rounds))))
        if rounds:
            params["equations"] = {"coefficients": jnp.zeros((features, features)), "offset": jnp.zeros(features)}
        params["encoder"] = encoder.init(keys[1], wide)["params"]
        return params | {"decoder": decoder.init(keys[2], jnp.zeros((1, code)))["params"]}

    def encode(params: Params, x: jax.Array, key: jax.Array | None = None) -> tuple[Outputs, Extra]:
        seen = ~jnp.isnan(x)
        x = jnp.where(seen, x, 0.0)
        inputs = waves.apply({"params": params["waves"]}, x, seen)
        u = [chained(params["equations"], x, seen, rounds)] if rounds else []
        outputs, z = encoder.apply({"params": params["encoder"]}, jnp.concatenate([inputs, *u], 1), key)
        return outputs | as_they_are({"code": jnp.concatenate([z, *u], 1)}), {"seen": seen}

    def decode(params: Params, z: jax.Array, key: jax.Array | None = None) -> Outputs:
        outputs, x_hat = decoder.apply({"params": params["decoder"]}, z[:, :code], key)
        if rounds:
            x_hat = x_hat + gain * z[:, code:]
        return outputs | {"x_hat": (x_hat, last.function(x_hat) / gain)}

    def train(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Outputs, Extra]:
        first, second = jax.random.split(key)
        below, extra = encode(params, x_in, first)
        return below | decode(params, below["code"][1], second), extra

    kinds = {"hidden": ACTIVATIONS["linear"], "x_hat": last}
    functions = {"init": init, "encode": encode, "decode": decode, "train": train}
    model = assemble(feature_shape, code + features * bool(rounds), **functions, activations=kinds)
    return model._replace(takes_missing=True)
