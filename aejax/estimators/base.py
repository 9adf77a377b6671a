"""What all estimators share: rows in any form that scikit-learn's users have, a config, and a net trained in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from aejax import config as configs
from aejax import console
from aejax.config.files import literals
from aejax.data import from_arrays, from_frame
from aejax.data.arrays import rows_of_frame
from aejax.data.scaling import original
from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.files import to_json
from aejax.runs import workdir
from aejax.runs.from_config import train_in_memory
from aejax.storage import checksums
from aejax.training import compilation
from aejax.types import Columns, Dataset

FILE = "estimator.json"
OF_NET = ("fitted_", "history_", "loss_curve_")  # what the saved net holds
FEWEST, EVALUATIONS = 300, 20
"""Of steps and of training, where nobody says how many."""


@dataclass(kw_only=True, repr=False, eq=False)
class Estimator(BaseEstimator):
    """An estimator that trains a config on rows in memory.

    Hyperparameters:
        config: a shipped experiment, the path of a config file, or a dict; its `data` section is passed over.
        changes: fields of the config by their dotted paths, such as ``{"model.code": 4}``; None for none.
        steps: of training; None for 100 passes over the rows (the sampler: 400), from 300 steps to what the config has.
        validation_fraction: share of the rows that are held out to stop by, and to draw thresholds from, in [0, 1).
        warm_start: whether `fit` goes on from the parameters of the fit before, which has to be of the same net.
        patience: evaluations without a lower validation loss after which training stops; None trains to the end.
        random_state: an integer for the same bits every time, a `numpy.random.RandomState`, or None.
        verbose: 1 shows how far training is.

    Attributes:
        fitted_: the trained net, an `aejax.Fitted`.
        history_: by name an array with a value for each evaluation, as `aejax.Fitted.history`.
        loss_curve_: the training loss at each evaluation, in the units of the config's loss.
        n_features_in_: columns of the rows that it was fitted to.
        feature_names_in_: their names, where they had some.
    """

    passes = 100  # over the rows, where nobody says how many steps

    config: Any = None
    changes: Mapping[str, Any] | None = None
    steps: int | None = None
    validation_fraction: float = 0.1
    warm_start: bool = False
    patience: int | None = 10
    random_state: Any = None
    verbose: int = 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def save(self, path: str | Path) -> Path:
        """Write what was fitted into a new folder, which `load` reads; nothing of it is pickled. Its path.

        Raises:
            NotFittedError: `fit` has not been called.
            UserError: the folder is not empty, or cannot be written.
        """
        check_is_fitted(self)
        folder = self.fitted_.save(path)
        learned = {name: value for name, value in vars(self).items() if name.endswith("_") and name not in OF_NET}
        listed = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in learned.items()}
        hyperparameters = {name: _plain(value) for name, value in self.get_params(deep=False).items()}
        if not isinstance(hyperparameters["random_state"], int):
            hyperparameters["random_state"] = None
        record = {"estimator": type(self).__name__, "hyperparameters": hyperparameters, "attributes": listed}
        checksums.write(folder, [*workdir.WRITTEN, workdir.HISTORY], {FILE: to_json(record)})
        return folder

    def _train(self, x: Any, y: Any = None, weight: Any = None, **changes: Any) -> Dataset:
        """Train on rows, with labels and weights where they count; the data set of them."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if weight is not None:
            weight = _check_sample_weight(weight, x, dtype=np.float64, ensure_non_negative=True)
            x = x if hasattr(x, "shape") else np.asarray(x)
            x, weight = (_safe_indexing(each, np.flatnonzero(weight)) for each in (x, weight))
        dataset = self._dataset(x, y, seed, weight)
        config = self._config()
        changes = {**self._sizes(dataset), **changes, **(self.changes or {})}
        changes = {path: _plain(value) for path, value in changes.items()}
        config = configs.varied(config, changes)
        settings, rows, held_out = config["train"], len(dataset.train.x), len(dataset.validation.x)
        batch = settings["batch_size"] and min(settings["batch_size"], rows)
        usual = min(settings["steps"], max(FEWEST, self.passes * rows // (batch or rows)))
        steps = usual if self.steps is None else self.steps
        every = max(1, min(settings["evaluate_every"], steps // EVALUATIONS))
        train = {"steps": steps, "evaluate_every": every, "patience": self.patience if held_out else None}
        data = {"validation": float(self.validation_fraction) if held_out else 0.0, "test": 0.0, "normal": None}
        sections = {"seed": seed, "train": config["train"] | train, "data": config["data"] | data}
        config = configs.varied(config, sections | changes)
        shown = {"progress": console.progress, "say": console.say} if self.verbose else {}
        if jax.config.jax_compilation_cache_dir is None:  # so that the first fit of another process compiles nothing
            compilation.enable_cache()
        before = self.fitted_.params if self.warm_start and hasattr(self, "fitted_") else None
        self.fitted_ = train_in_memory(config, dataset, params=before, **shown)
        self.history_ = self.fitted_.history
        self.loss_curve_ = self.history_["train_loss"]
        return dataset

    def _config(self) -> Mapping[str, Any]:
        """The config that it starts from, resolved."""
        if isinstance(self.config, str | Path):
            return configs.load(self.config)
        return configs.resolve(literals(self.config, what="config"))

    def _sizes(self, dataset: Dataset) -> dict[str, Any]:
        """The fields of the config, by their dotted paths, that follow from the rows."""
        return {}

    def _dataset(self, x: Any, y: Any, seed: int, weight: np.ndarray | None) -> Dataset:
        """The data set of rows that it is to be fitted to."""
        share, mixed = float(self.validation_fraction), is_mixed(x)
        if mixed:
            self._refuse_empty(x, 2)
            validate_data(self, x, skip_check_array=True)
        else:
            x = validate_data(self, x, ensure_min_samples=2, **self._accepted(x))
        drawn = {"validation": share, "seed": seed} if int(rows_of(x) * share) >= 1 else {"validation": 0.0}
        held_out = {"test": 0.0, "scaling": "standard", "weight": weight, **drawn}
        if mixed:
            dates = [str(name) for name in x.columns if _is_date(x[name].dtype)]
            dataset = from_frame(x, y, key=(), dates=dates, **held_out)
        else:
            dataset = from_arrays(x, y, names=tuple(getattr(self, "feature_names_in_", ())), **held_out)
        rows = dataset.train
        if is_sparse(rows.x):
            self.fill_ = np.zeros(dataset.feature_shape)
            return dataset
        observed = rows.x if rows.mask is None else np.where(rows.mask, rows.x, np.nan)
        self.fill_ = np.nanmean(observed, 0, dtype=np.float64)
        return dataset

    def _refuse_empty(self, frame: Any, least: int) -> None:
        """Refuse a frame of too few rows in scikit-learn's words."""
        if rows_of(frame) < least:
            line = f"Found array with {rows_of(frame)} sample(s) (shape={frame.shape})"
            raise ValueError(f"{line} while a minimum of {least} is required by {type(self).__name__}.")

    def _accepted(self, x: Any) -> dict[str, Any]:
        """How rows that are no mixed frame are checked: sparse ones, where they are taken, have no holes."""
        sparse = "csr" if get_tags(self).input_tags.sparse else False
        finite = True if sparse and hasattr(x, "tocsr") else "allow-nan"
        return {"dtype": np.float64, "accept_sparse": sparse, "ensure_all_finite": finite}

    def _values(self, x: Any) -> np.ndarray:
        """New rows, (m, n) float64 in the units of the data, NaN where a value is missing."""
        check_is_fitted(self)
        data = self.fitted_.data
        if data.columns and not hasattr(x, "columns"):
            names = ", ".join(column.name for column in data.columns)
            raise UserError(f"X: has no names of columns, and some hold categories; allowed: a frame with {names}")
        if is_mixed(x) or data.columns:
            self._refuse_empty(x, 1)
            validate_data(self, x, reset=False, skip_check_array=True)
            rows = rows_of_frame(x, data, "X")
            values = original(rows.x, data.origin, data.log).astype(np.float64)
            return values if rows.mask is None else np.where(rows.mask, values, np.nan)
        values = validate_data(self, x, reset=False, **self._accepted(x))
        return values.toarray() if hasattr(values, "toarray") else values

    def _rows(self, x: Any) -> np.ndarray:
        """New rows as `_values` reads them; NaN where the net takes it, else the column mean."""
        values = self._values(x)
        missing, data = np.isnan(values), self.fitted_.data
        if not missing.any():
            return values
        filled = np.nan if self.fitted_.model.takes_missing else original(self.fill_, data.origin, data.log)
        return np.where(missing, filled, values)

    def _apply(self, action: str, x: Any) -> np.ndarray | Columns:
        """What the config's task does with new rows under that name."""
        check_is_fitted(self)
        return self.fitted_.apply(action, self._rows(x))


def _plain(value: Any) -> Any:
    """A number of NumPy, as in the grids that people search, as one of Python; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def is_mixed(x: Any) -> bool:
    """Whether rows are a frame of which some column is no plain number."""
    if not hasattr(x, "columns") or hasattr(x, "tocsr"):
        return False
    return any(getattr(dtype, "kind", "O") not in "biuf" for dtype in x.dtypes)


def _is_date(dtype: Any) -> bool:
    """Whether a type of a column of pandas or polars is one of dates or times."""
    return getattr(dtype, "kind", "") in ("m", "M") or str(dtype).startswith("Date")


def rows_of(x: Any) -> int:
    """How many rows there are, 0 of what has none."""
    shape = getattr(x, "shape", None)
    return shape[0] if shape else len(x) if hasattr(x, "__len__") else 0
