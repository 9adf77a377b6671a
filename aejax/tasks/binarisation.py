"""Bits of rows without a net: random hyperplanes, signs of principal components, and ITQ, a rotation of these."""

from typing import Any, NamedTuple

import numpy as np

ITERATIONS = 50  # of ITQ, as in its paper


def hyperplanes(train: Any, rows: Any, bits: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """On which side of random planes through the origin rows lie: the more bits agree, the smaller their angle.

    Args:
        train: (m, n) training rows, an array or sparse rows of scipy.
        rows: (k, n) others.
        bits: how many planes.
        random: of the planes.

    Returns:
        Bits of both, (m, bits) and (k, bits) bool.

    References:
        Charikar 2002, Similarity estimation techniques from rounding algorithms, section 3.
    """
    planes = random.normal(size=(train.shape[1], bits)).astype(np.float32)
    return train @ planes > 0, rows @ planes > 0


class Rotation(NamedTuple):
    """What `itq` finds.

    Attributes:
        matrix: (d, d) orthogonal.
        losses: ‖B − V R‖²_F before each update of R.
    """

    matrix: np.ndarray
    losses: np.ndarray


def itq(points: np.ndarray, random: np.random.Generator) -> Rotation:
    """The rotation R that makes centred points most like their signs: min ‖B − V R‖²_F, B ∈ {−1, 1}, R orthogonal.

    In turns: B = sign(V R), and, by the singular value decomposition Bᵀ V = S Ω Ŝᵀ, R = Ŝ Sᵀ.

    Args:
        points: V, (m, d) centred.
        random: of the orthogonal matrix that is begun with.

    References:
        Gong & Lazebnik 2011, Iterative quantization: a procrustean approach to learning binary codes, section 2.2.
    """
    matrix, losses = np.linalg.qr(random.normal(size=(points.shape[1],) * 2))[0], []
    for _ in range(ITERATIONS):
        turned = points @ matrix
        signs = np.where(turned > 0, 1.0, -1.0)
        losses.append(np.square(signs - turned).sum())
        left, _, right = np.linalg.svd(signs.T @ points)
        matrix = (left @ right).T
    return Rotation(matrix, np.array(losses))
