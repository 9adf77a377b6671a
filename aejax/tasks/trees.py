"""Trees of scikit-learn as arrays, so that they go into the folder of a run and out of it without pickle."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Trees(NamedTuple):
    """Trees whose nodes lie one after the other.

    Attributes:
        roots: (trees,) int32, the first node of each.
        feature: (nodes,) int32, which value of a row a node looks at.
        threshold: (nodes,) float32; rows with that value or a lower one go on to the left.
        left: (nodes,) int32, the next node there; of a leaf the leaf itself, which lies on both its sides.
        right: (nodes,) int32, the next node of other rows.
        value: (nodes,) float32, what a leaf says.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


NONE = Trees(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "f4", "i4", "i4", "f4")))


def as_arrays(grown: Sequence[tuple[Any, np.ndarray]], value: Callable[[Any], np.ndarray]) -> Trees:
    """Trees, each a ``tree_`` of scikit-learn and the places in a row of the features that it was grown from.

    Args:
        grown: the trees.
        value: what the nodes of a tree say, (nodes,).
    """
    starts = np.cumsum([0, *(tree.node_count for tree, _ in grown)])
    parts = []
    for (tree, features), start in zip(grown, starts, strict=False):
        leaf, itself = tree.children_left < 0, np.arange(tree.node_count)
        left, right = (start + np.where(leaf, itself, side) for side in (tree.children_left, tree.children_right))
        feature = np.where(leaf, 0, features[np.maximum(tree.feature, 0)])
        parts.append((feature, tree.threshold, left, right, value(tree)))
    arrays = [starts[:-1], *map(np.concatenate, zip(*parts, strict=True))]
    return Trees(*(array.astype(like.dtype) for array, like in zip(arrays, NONE, strict=True)))


def is_whole(trees: Trees, features: int) -> bool:
    """Whether arrays are trees of rows with so many features, out of which no node leads."""
    if any(array.ndim != 1 or (len(array) != len(trees.value) and array is not trees.roots) for array in trees):
        return False
    inside = lambda array, end: array.dtype.kind == "i" and bool(((array >= 0) & (array < end)).all())
    nodes = (trees.roots, trees.left, trees.right)
    return inside(trees.feature, features) and all(inside(array, len(trees.value)) for array in nodes)


def leaves(x: np.ndarray, trees: Trees, depth: int) -> np.ndarray:
    """What the leaf says in which a row ends, (m, trees) float32; rows x, (m, n), have no holes."""
    x, at = x.astype(np.float32), np.broadcast_to(trees.roots, (len(x), len(trees.roots)))
    for _ in range(depth):
        lower = np.take_along_axis(x, trees.feature[at], axis=1) <= trees.threshold[at]
        at = np.where(lower, trees.left[at], trees.right[at])
    return trees.value[at]
