"""Missing values filled in: the most plausible ones, several draws of them, and intervals."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state

from aejax.data.scaling import original, stored
from aejax.errors import UserError
from aejax.estimators.base import Estimator, is_mixed
from aejax.estimators.frames import cells_of_categories, with_cells
from aejax.runs import defaults
from aejax.storage.trees import named_arrays
from aejax.tasks.imputation import new_rows
from aejax.types import Dataset, Kept

SHIPPED = "lecture/imputation"


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderImputer(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Fills missing values by a net that knows which are missing, with a Gaussian, trees and neighbours beside it.

    Each column gets all, in the shares that are best for values of held-out rows; see
    `aejax.tasks.imputation.methods`.

    Values stay in the range that their column had in training, those of a column of whole numbers are whole, and of
    categories the most likely one is taken. Rows that were fitted to may be complete.

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderImputer
    >>> x = np.random.default_rng(0).normal(size=(200, 1)) * [1.0, 2.0, 3.0]
    >>> imputer = AutoencoderImputer(steps=30, random_state=0).fit(x)
    >>> new = [[0.5, np.nan, 1.5], [np.nan, 0.2, 0.3]]
    >>> np.isnan(imputer.transform(new)).any(), imputer.draw(new, draws=7).shape
    (np.False_, (7, 2, 3))

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        width: units of a block of the net, twice as many as its code has; None for a number by the rows, about
            3 √rows, with the shipped config, and what another config says.

    Attributes:
        categories_: of the columns of a frame that hold categories, by name, the categories in their order.
    """

    config: Any = SHIPPED
    width: int | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows X, (m, n) or a mixed frame, NaN or an empty cell where a value is missing; y is passed over.

        Rows are drawn in proportion to `sample_weight`, (m,); what stands beside the net counts each above 0 once.
        """
        dataset = self._train(X, weight=sample_weight)
        self.categories_ = cells_of_categories(X, dataset.columns) if is_mixed(X) else {}
        return self

    def _sizes(self, dataset: Dataset) -> dict[str, Any]:
        width, sizes = self.width, {}
        if self.config == SHIPPED:
            sizes = defaults.imputation(len(dataset.train.x))
            sizes["train.batch_size"] = sizes["model.width"]
            width = sizes["model.width"] if width is None else width
        return sizes if width is None else sizes | {"model.width": width, "model.code": max(1, width // 2)}

    def transform(self, X: Any) -> Any:
        """Rows without holes: (m, n) float64, or a frame like X of a mixed one; what was observed is as it was."""
        rows = self._rows(X)
        if np.isnan(rows).any():
            rows = np.where(np.isnan(rows), self.fitted_.apply("fill", rows), rows)
        return self._like(X, rows)

    def draw(self, X: Any, draws: int = 10, random_state: Any = None) -> Any:
        """Several plausible fills, whose differences tell how uncertain each value is.

        A number is what the net says and one of the errors that it made on like values that were hidden from it; a
        category is drawn with the probabilities that the net gives.

        Args:
            X: as in `transform`.
            draws: how many.
            random_state: of the draws; None for that of the estimator.

        Returns:
            (draws, m, n) float64, or of a mixed frame a list of as many frames.

        References:
            Schenker & Taylor 1996, Partially parametric techniques for multiple imputation.
        """
        if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
            raise UserError(f"draws: expected a whole number of 1 or more, got {draws!r}")
        guide, pair = self._predicted(X)
        seed = check_random_state(self.random_state if random_state is None else random_state).randint(2**31 - 1)
        drawn = new_rows.several(pair, guide, np.random.default_rng(seed), draws)
        rows = self._rows(X)
        drawn = np.where(np.isnan(rows), original(drawn, guide.ranges.origin, guide.ranges.log), rows)
        return [self._like(X, each) for each in drawn] if is_mixed(X) else drawn

    def intervals(self, X: Any, level: float = 0.9) -> tuple[Any, Any]:
        """The lower and upper ends between which the true value of each hole lies with probability `level`.

        They are what the net says and quantiles of the errors that it made on like values that were hidden from it
        (Vovk, Gammerman & Shafer 2005, Algorithmic learning in a random world, section 2.3), within the range of the
        column. Both ends of what was observed are the value itself.

        Returns:
            (m, n) float64 and (m, n) float64, or two frames like a mixed one, where missing categories stay missing.
        """
        if not 0 < level < 1:
            raise UserError(f"level: expected a number in (0, 1), got {level!r}")
        guide, pair = self._predicted(X)
        rows = self._rows(X)
        ends = original(new_rows.ends(pair, guide, float(level)), guide.ranges.origin, guide.ranges.log)
        low, high = (self._like(X, np.where(np.isnan(rows), end, rows)) for end in ends)
        return low, high

    def _predicted(self, x: Any) -> tuple[new_rows.Guide, tuple[np.ndarray, np.ndarray]]:
        """What draws are made by, and rows as stored beside what the net says of all their values."""
        rows = self._rows(x)
        kept = self.fitted_.kept
        guide = new_rows.read(Kept(named_arrays(kept.tree), kept.info))
        form = (guide.ranges.origin, guide.ranges.log)
        predicted = self.fitted_.reconstruct(rows).astype(np.float64)
        x = stored(rows, *form)
        return guide, (x, new_rows.blended(x, stored(predicted, *form), guide))

    def _like(self, x: Any, rows: np.ndarray) -> Any:
        """Rows, (m, features), as a frame like x where that is a mixed one."""
        return with_cells(x, rows, self._rows(x), self.fitted_.data, self.categories_) if is_mixed(x) else rows
