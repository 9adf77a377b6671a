"""The code of a U-shaped net: what the decoder is to see of its maps and its input, laid flat."""

from itertools import accumulate
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp

Shape = tuple[int, int, int]


class Layout(NamedTuple):
    """What the code holds: maps, then the input without holes, then where it was observed.

    Attributes:
        shapes: of the image, then of the maps, the finest first.
        all_maps: whether all of them, or the last one only.
        image: whether the input.
        observed: whether where it was observed.
    """

    shapes: tuple[Shape, ...]
    all_maps: bool
    image: bool
    observed: bool

    def parts(self) -> list[Shape]:
        """The shapes of what the code holds, in order."""
        maps = self.shapes[1:] if self.all_maps else self.shapes[-1:]
        return [*maps, *([self.shapes[0]] * (self.image + self.observed))]


class Seen(NamedTuple):
    """What the encoder made of images: maps, the finest first, the images without holes, and where they had none."""

    maps: list[jax.Array]
    image: jax.Array | None
    observed: jax.Array | None


def flat(layout: Layout, seen: Seen) -> jax.Array:
    """What the encoder made of m images as m codes."""
    parts = [*(seen.maps if layout.all_maps else seen.maps[-1:])]
    parts += [seen.image] * layout.image + ([seen.observed.astype(jnp.float32)] if layout.observed else [])
    return jnp.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def folded(layout: Layout, code: jax.Array) -> Seen:
    """The inverse of `flat`."""
    shapes = layout.parts()
    ends = list(accumulate(prod(shape) for shape in shapes))
    cut = [part.reshape(-1, *shape) for part, shape in zip(jnp.split(code, ends[:-1], axis=1), shapes, strict=True)]
    observed = cut.pop() > 0.5 if layout.observed else None
    image = cut.pop() if layout.image else None
    return Seen(cut, image, observed)
