"""Autoencoders as pure functions, one file a family; your own nets as models. The only room that imports Flax.

>>> from aejax import models
>>> model = models.multilayer((8, 8, 1), widths=(32,), code=4)
>>> model.code_size
4

A config names the same functions by their modules: ``"dense.multilayer"`` is `multilayer`, ``"variational.dense"`` is
``models.variational.dense``.
"""

from aejax.models import binary, clustered, dictionary, masked, unet, vamp, variational, vector
from aejax.models.adapters import from_functions, from_linen, from_nnx
from aejax.models.architecture import Layer, layers, summary
from aejax.models.conv import convolutional
from aejax.models.dense import multilayer, shortcut, vanilla

__all__ = [
    "Layer",
    "binary",
    "clustered",
    "convolutional",
    "dictionary",
    "from_functions",
    "from_linen",
    "from_nnx",
    "layers",
    "masked",
    "multilayer",
    "shortcut",
    "summary",
    "unet",
    "vamp",
    "vanilla",
    "variational",
    "vector",
]


def __dir__() -> list[str]:
    return __all__
