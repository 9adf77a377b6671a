"""Autoencoders as pure functions, a file a family, and nets of one's own as models; the only part that knows Flax.

>>> from aejax import models
>>> model = models.multilayer((8, 8, 1), widths=(32,), code=4)
>>> model.code_size
4

A config names the same functions by their modules: ``"dense.multilayer"`` is `multilayer`, ``"variational.dense"`` is
``models.variational.dense``.
"""

from aejax.models import binary, clustered, masked, unet, variational
from aejax.models.adapters import from_functions, from_linen, from_nnx
from aejax.models.conv import convolutional
from aejax.models.dense import multilayer, vanilla
from aejax.models.inspection import Layer, layers, summary

__all__ = [
    "Layer",
    "binary",
    "clustered",
    "convolutional",
    "from_functions",
    "from_linen",
    "from_nnx",
    "layers",
    "masked",
    "multilayer",
    "summary",
    "unet",
    "vanilla",
    "variational",
]


def __dir__() -> list[str]:
    return __all__
