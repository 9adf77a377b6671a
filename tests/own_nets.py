"""Nets as somebody would write them with Flax, as models; named by import path (``own_nets.nnx_net``) in configs."""

from math import prod

import flax.linen as nn
from flax import nnx

from aejax import models
from aejax.config.bounds import Count, Fraction


class Net(nnx.Module):
    """Dropout and batch normalisation on the way to the code."""

    def __init__(self, features, code, dropout, rngs):
        self.down = nnx.Linear(features, code, use_bias=False, rngs=rngs)  # the norm takes a bias away
        self.norm = nnx.BatchNorm(code, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.up = nnx.Linear(code, features, rngs=rngs)

    def encode(self, x):
        return self.dropout(self.norm(self.down(x.reshape(len(x), -1))))

    def decode(self, code):
        return self.up(code)


def nnx_net(feature_shape, *, code: Count = 3, dropout: Fraction = 0.25):
    """By NNX."""
    return models.from_nnx(lambda rngs: Net(prod(feature_shape), code, dropout, rngs), feature_shape=feature_shape)


class Encoder(nn.Module):
    """The same with Linen, and with an activation that has a name."""

    code: int
    dropout: float

    @nn.compact
    def __call__(self, x, train):
        h = nn.Dense(self.code, use_bias=False, name="down")(x.reshape(len(x), -1))
        h = nn.BatchNorm(use_running_average=not train, name="norm")(h)
        self.sow("intermediates", "normal", h)
        return nn.Dropout(self.dropout, deterministic=not train)(h)


def linen_net(feature_shape, *, code: Count = 3, dropout: Fraction = 0.25):
    """By Linen."""
    return models.from_linen(Encoder(code, dropout), nn.Dense(prod(feature_shape)), feature_shape=feature_shape)
