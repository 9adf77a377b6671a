"""Missing values of new rows filled by a net that takes them."""

import numpy as np

from aejax.errors import UserError
from aejax.training.context import Rows
from aejax.training.evaluate import at_once, rebuilt
from aejax.types import Kept, Model, Params


def fill(model: Model, params: Params, rows: Rows, kept: Kept | None) -> np.ndarray:
    """Rows, (m, n) in the units of the data, with what the net makes of them in place of what is missing.

    See `aejax.types.Task`.

    Raises:
        UserError: the net takes no missing values, or none is missing.
    """
    if not model.takes_missing:
        raise UserError(
            "fill: this net takes no missing values; allowed: a run whose model does, such as masked.residual"
        )
    if rows.mask is None:
        raise UserError("fill: the input has no missing values to fill; allowed: a table with empty cells")
    x_hat = rebuilt(model, params, (rows.x - rows.shift) * rows.scale, at_once(model))
    return np.where(rows.mask, rows.x, x_hat / rows.scale + rows.shift)
