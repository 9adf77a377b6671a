"""Estimators of scikit-learn: the tasks of aejax for people with a table or a frame, and pipelines."""

from aejax.estimators.base import Estimator
from aejax.estimators.classification import AutoencoderClassifier
from aejax.estimators.clustering import AutoencoderClusterer
from aejax.estimators.hashing import SemanticHasher
from aejax.estimators.imputation import AutoencoderImputer
from aejax.estimators.nets import Autoencoder, DenoisingAutoencoder
from aejax.estimators.outliers import AutoencoderDetector
from aejax.estimators.sampling import AutoencoderSampler
from aejax.estimators.saved import load

__all__ = [
    "Autoencoder",
    "AutoencoderClassifier",
    "AutoencoderClusterer",
    "AutoencoderDetector",
    "AutoencoderImputer",
    "AutoencoderSampler",
    "DenoisingAutoencoder",
    "Estimator",
    "SemanticHasher",
    "load",
]
