"""New rows: codes drawn from a mixture fitted to those of the training rows, decoded, in the form of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from aejax.data.dates import DAY
from aejax.data.encoding import level_of
from aejax.data.scaling import stored
from aejax.errors import UserError
from aejax.estimators.base import Estimator, is_mixed
from aejax.estimators.frames import cells_of_categories
from aejax.storage.trees import named_arrays
from aejax.tasks import synthesis
from aejax.types import Dataset, Kept

ROWS, MOST = 50, 30  # training rows for each component of the mixture, and components
BLOCK = 64  # rows that go through the net at a time, at least


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderSampler(Estimator):
    """Makes new rows that are like those that it was fitted to; see `aejax.tasks.generation`.

    x = x̂(z) + s ε with z from a mixture of normal distributions that is fitted to the codes of the training rows, ε
    standard normal, and s what the decoder misses of each column. A category is drawn by its probability. Each column
    of numbers gets the quantiles of the training rows, and stays in their range with as many decimals as they have;
    dates are to the second.

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderSampler
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> AutoencoderSampler(steps=30, random_state=0).fit(x).sample(5).shape
    (5, 3)

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        code: units of the code, d.
        components: of the mixture; None: one for each 50 rows, at most 30.
        noise: factor of s; 0 gives the decoder's rows as they are, with its quantiles.

    Attributes:
        categories_: of the columns of a frame that hold categories, by name, the categories in their order.
        dtypes_: the types of the columns of a pandas frame, as text.

    References:
        Ghosh et al. 2020, From variational to deterministic autoencoders, section 4, for the mixture.
    """

    passes = 400

    config: Any = "tables/generation"
    code: int = 10
    components: int | None = None
    noise: float = 1.0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X, (m, n); y is passed over."""
        dataset = self._train(X, **{"model.code": self.code})
        self.categories_ = cells_of_categories(X, dataset.columns) if is_mixed(X) else {}
        dtypes = getattr(X, "dtypes", None)
        self.dtypes_ = [str(dtype) for dtype in dtypes] if hasattr(dtypes, "items") else []
        return self

    def _sizes(self, dataset: Dataset) -> dict[str, Any]:
        by_rows = min(MOST, max(1, len(dataset.train.x) // ROWS))
        return {"task.components": by_rows if self.components is None else self.components}

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        given: Mapping[str, Any] | None = None,
        unique: Sequence[str] = (),
    ) -> Any:
        """New rows in the units of the data.

        Args:
            n_samples: m, how many.
            random_state: as in scikit-learn; None: that of the estimator.
            given: by the name of a column of a frame, the number or category that every row has there; codes are drawn
                by how likely they make it. Or a pair (low, high), between which its numbers lie.
            unique: names of columns in which no two rows are alike.

        Returns:
            (m, n) float64, or a pandas frame with the columns of the frame that it was fitted to. Nothing is missing.

        Raises:
            UserError: `n_samples` is below 1, a given value is none of its column, or there are no such rows.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise UserError(f"n_samples: {n_samples}; allowed: 1 or more")
        chosen = self.random_state if random_state is None else random_state
        seed, given = int(check_random_state(chosen).randint(2**31 - 1)), given or {}
        rows = self.fitted_.sample(int(n_samples), seed, given=given, noise=self.noise, unique=unique)
        if not hasattr(self, "feature_names_in_"):
            return rows
        columns = [column for column in self.fitted_.data.columns if column.categories]
        levels = {column.name: level_of(rows, column) for column in columns}
        cells = {name: [self.categories_[name][at] for at in drawn] for name, drawn in levels.items()}
        return self._frame(rows, cells)

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(z) + log p(x | z) of each row and its code z = f(x), in nats: (m, n) -> (m,) float64.

        It is the density that `sample` draws a row and its code from, before columns get their quantiles, of
        standardised values; missing ones are left out. That of a row alone would be an integral over codes.
        """
        values, rows, net = self._values(X), self._rows(X), self.fitted_
        data, whole = net.data, -(-len(rows) // BLOCK) * BLOCK  # so that a row's last bits do not depend on the others
        codes = net.encode(np.resize(rows, (whole, *rows.shape[1:])))
        decoded, codes = net.decode(codes)[: len(rows)], codes[: len(rows)]
        shift, scale = (np.asarray(each, np.float64).reshape(-1) for each in (data.shift, data.scale))
        scaled = lambda x: (stored(np.asarray(x, np.float64), data.origin, data.log) - shift) * scale
        kept = Kept(named_arrays(net.kept.tree), net.kept.info)
        return synthesis.log_density(net.model, kept, codes, scaled(values), scaled(decoded))

    def _frame(self, numbers: np.ndarray, cells: dict[str, list[Any]]) -> Any:
        """A frame of features (m, n), and of the cells of some columns, those of categories."""
        import pandas

        data, columns = self.fitted_.data, {}
        starts = {column.name: column.start for column in data.columns}
        starts = starts or {name: at for at, name in enumerate(data.feature_names)}
        dates = {date.partition("=")[0] for date in data.reading.dates} if data.reading else set()
        for name in map(str, self.feature_names_in_):
            values = cells[name] if name in cells else numbers[:, starts[name]]
            columns[name] = pandas.to_datetime(np.round(values * DAY), unit="s") if name in dates else values
        frame = pandas.DataFrame(columns)
        for name, dtype in zip(frame.columns, self.dtypes_, strict=False):
            frame[name] = _typed(frame[name], dtype)
        return frame


def _typed(values: Any, dtype: str) -> Any:
    """A column in the type that it had, or as it is where that does not hold it."""
    try:
        return values.dt.tz_localize("UTC").astype(dtype) if "," in dtype else values.astype(dtype)
    except (TypeError, ValueError, AttributeError):
        return values
