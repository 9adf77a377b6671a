"""Pure metrics: arrays in, one number out, in NumPy float64."""

import numpy as np


def mse(x: np.ndarray, x_hat: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean squared error per feature: Σ_observed (x − x̂)² / number observed.

    Args:
        x: (m, n) scaled targets.
        x_hat: (m, n) reconstructions.
        mask: (m, n) bool, True where observed; None where everything is.

    Returns:
        The mean, in squared units of the scaled data; nan where nothing was observed.
    """
    squares = np.square(x.astype(np.float64) - x_hat.astype(np.float64))
    weights = np.ones(x.shape, bool) if mask is None else mask
    count = int(weights.sum())
    return float(squares[weights].sum() / count) if count else float("nan")


def active_fraction(code: np.ndarray, *, threshold: float = 0.1) -> float:
    """Share of the units of a code that matter to a row: those above a tenth of its largest activation.

    Args:
        code: (m, d).
        threshold: |a| counts where it is above this share of the row's max |a|.

    Returns:
        Near 1 for a dense code, near 0 for a sparse one; 0 for a code that is zero everywhere.
    """
    size = np.abs(code)
    return float((size > threshold * size.max(-1, keepdims=True)).mean()) if code.size else 0.0
