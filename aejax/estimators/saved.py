"""Estimators in folders: what `aejax.estimators.base.Estimator.save` wrote is read, and nothing of it is called."""

import re
from pathlib import Path

import numpy as np

from aejax.errors import UserError, one_of
from aejax.estimators.base import FILE, Estimator
from aejax.estimators.classification import AutoencoderClassifier
from aejax.estimators.clustering import AutoencoderClusterer
from aejax.estimators.hashing import SemanticHasher
from aejax.estimators.imputation import AutoencoderImputer
from aejax.estimators.nets import Autoencoder, DenoisingAutoencoder
from aejax.estimators.outliers import AutoencoderDetector
from aejax.estimators.sampling import AutoencoderSampler
from aejax.runs.fitted import open_folder
from aejax.storage import checksums, records
from aejax.storage.records import Fields, Named

ALL = (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderClusterer,
    AutoencoderDetector,
    AutoencoderImputer,
    AutoencoderSampler,
    DenoisingAutoencoder,
    SemanticHasher,
)
ESTIMATORS: dict[str, type[Estimator]] = {each.__name__: each for each in ALL}
LEARNED = re.compile(r"[a-z]\w{0,40}_")
RECORD = Fields({"estimator": str, "hyperparameters": Named(object), "attributes": Named(object)}, {})


def load(path: str | Path, *, trust: bool = False) -> Estimator:
    """What `Estimator.save` wrote, ready to predict; nothing that the folder names is called, nor by a later `fit`.

    A config or changes that are not the estimator's own defaults come back as the config that they led to, which has
    been looked at: with `trust` as they were.

    Args:
        path: of the folder.
        trust: whether the folder may name a model from outside aejax.

    Raises:
        UserError: there is no such folder, or it is damaged.
    """
    fitted, where = open_folder(path, trust=trust), Path(path) / FILE
    checksums.check(Path(path), FILE)
    record = records.read(where, RECORD)
    if record["estimator"] not in ESTIMATORS:
        raise one_of(record["estimator"], ESTIMATORS, what=f"{where}: estimator")
    made = ESTIMATORS[record["estimator"]]()
    hyperparameters, attributes = record["hyperparameters"], record["attributes"]
    if unknown := set(hyperparameters) - set(made.get_params(deep=False)):
        raise UserError(f"{where}: is damaged: {record['estimator']} has no hyperparameter {min(unknown)!r}")
    if other := [name for name in attributes if not LEARNED.fullmatch(name) or hasattr(made, name)]:
        raise UserError(f"{where}: is damaged: {other[0]!r} is nothing that was learned")
    settled = {"config": fitted.config, "changes": None}
    if not trust and any(hyperparameters.get(name) != getattr(made, name) for name in settled):
        hyperparameters = hyperparameters | settled
    made.set_params(**hyperparameters)
    for name, value in attributes.items():
        text = isinstance(value, list) and len(value) and isinstance(value[0], str)
        setattr(made, name, np.array(value, object if text else None) if isinstance(value, list) else value)
    made.fitted_, made.history_ = fitted, fitted.history
    made.loss_curve_ = fitted.history.get("train_loss", np.zeros(0))
    return made
