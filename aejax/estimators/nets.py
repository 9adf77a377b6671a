"""Autoencoders as transformers: to codes, and to rows without noise."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from aejax.estimators.base import Estimator
from aejax.tasks.reduction import better_pca


@dataclass(kw_only=True, repr=False, eq=False)
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """An autoencoder whose code is the transformed rows.

    Beside its layers lies a linear way (`aejax.models.shortcut`), and held-out rows say when training stops. Where
    their error is still above that of as many principal components, the net becomes these.

    >>> import numpy as np
    >>> from aejax.estimators import Autoencoder
    >>> x = np.random.default_rng(0).normal(size=(100, 6))
    >>> Autoencoder(code=2, steps=30, random_state=0).fit(x).transform(x[:3]).shape
    (3, 2)

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        code: units of the code, d.

    Attributes:
        is_pca_: whether the code is that of principal components.
    """

    config: Any = "tables/reduction"
    code: int = 2
    steps: int | None = 4000

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows X, (m, n), drawn in proportion to `sample_weight`, (m,); y is passed over."""
        changes = {"model.code": self.code, "task": {"name": "reconstruction"}}
        dataset = self._train(X, weight=sample_weight, **changes)
        params = better_pca(self.fitted_.model, self.fitted_.params, dataset)
        self.is_pca_ = params is not None
        if self.is_pca_:
            self.fitted_ = replace(self.fitted_, params=params)
        return self

    @property
    def _n_features_out(self) -> int:
        return self.fitted_.model.code_size

    def transform(self, X: Any) -> np.ndarray:
        """The codes of rows: (m, n) -> (m, d) float32."""
        return self.fitted_.encode(self._rows(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Codes as rows in the units of the data: (m, d) -> (m, n) float32."""
        check_is_fitted(self)
        return self.fitted_.decode(np.asarray(X, np.float32))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Rows through the encoder and the decoder: (m, n) -> (m, n) float32."""
        return self.fitted_.reconstruct(self._rows(X))

    def score_samples(self, X: Any) -> np.ndarray:
        """The negative mean squared error of each row's scaled values: (m, n) -> (m,) float32, at most 0."""
        rows = self._rows(X)
        error = (self.fitted_.reconstruct(rows) - rows) * np.reshape(self.fitted_.data.scale, -1)
        return -np.square(error).mean(1, dtype=np.float64).astype(np.float32)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())


@dataclass(kw_only=True, repr=False, eq=False)
class DenoisingAutoencoder(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Rows without their noise: trained to make rows of what Gaussian noise left of them.

    x̂ = x + f(x), f the residual blocks of `aejax.models.masked.residual`, with the least E ‖x̂(x + σ ε) − x‖², ε
    standard normal, σ on the standardised values. What is missing is filled in.

    >>> import numpy as np
    >>> from aejax.estimators import DenoisingAutoencoder
    >>> x = np.random.default_rng(0).normal(size=(100, 1)) * np.ones(6)
    >>> denoiser = DenoisingAutoencoder(width=16, steps=100, random_state=0).fit(x)
    >>> noisy = x + 0.3 * np.random.default_rng(1).normal(size=x.shape)
    >>> bool(np.square(denoiser.transform(noisy) - x).mean() < np.square(noisy - x).mean())
    True

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        noise: σ, the standard deviation of the noise that it learns to remove.
        width: units of the blocks.

    References:
        Vincent et al. 2010, Stacked denoising autoencoders, section 2.3.
    """

    config: Any = "lecture/imputation"
    noise: float = 0.3
    width: int = 128

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows X, (m, n), drawn in proportion to `sample_weight`, (m,), with noise; y is passed over."""
        terms = {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}}
        corruption, task = {"name": "gaussian", "scale": self.noise}, {"name": "reconstruction"}
        net = {"model.width": self.width, "model.rounds": 1}  # the equations hand the row on, beside the blocks
        self._train(X, weight=sample_weight, **net, terms=terms, corruption=corruption, task=task)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the columns; of a frame with categories those of its features, such as ``sex=male``."""
        check_is_fitted(self)
        if self.fitted_.data.columns:
            return np.array(self.fitted_.data.feature_names, object)
        return super().get_feature_names_out(input_features)

    def transform(self, X: Any) -> np.ndarray:
        """Rows without noise, in the units of the data: (m, n) -> (m, n) float32, as the net computes."""
        return self.fitted_.reconstruct(self._rows(X))
