"""Estimators of scikit-learn: the tasks of aejax for people with a table or a frame, and pipelines."""

from aejax.estimators.base import Estimator
from aejax.estimators.classification import AutoencoderClassifier
from aejax.estimators.imputation import AutoencoderImputer
from aejax.estimators.nets import Autoencoder
from aejax.estimators.outliers import AutoencoderDetector
from aejax.estimators.saved import load

__all__ = ["Autoencoder", "AutoencoderClassifier", "AutoencoderDetector", "AutoencoderImputer", "Estimator", "load"]
