"""Anomaly detection: an ensemble of nets, and a threshold from a stated rate of false alarms."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import OutlierMixin

from aejax.data.inspection import columns_of
from aejax.estimators.base import Estimator


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderDetector(OutlierMixin, Estimator):
    """Tells rows that are unlike those that it was fitted to; see `aejax.tasks.anomaly`.

    The threshold is drawn from rows that no net was trained on, so that of new normal rows `false_alarm_rate` raise an
    alarm: how many anomalies there are need not be guessed.

    The ensemble is trained to the last step. `history_` and early stopping are those of one more net, of all rows,
    which encodes and reconstructs in `fitted_`.

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderDetector
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> detector = AutoencoderDetector(steps=100, random_state=0).fit(x)
    >>> detector.predict([[0, 0, 0, 0], [9, 9, -9, 9]]).tolist()
    [1, -1]

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        false_alarm_rate: share of normal rows that may raise an alarm, in (0, 1).
        anomaly_score: one of `aejax.tasks.anomaly.SCORES`, such as ``"trimmed"`` where anomalies are among the rows.

    Attributes:
        offset_: the threshold: rows whose `score_samples` are below it are alarms.
    """

    config: Any = "lecture/anomaly"
    false_alarm_rate: float = 0.05
    anomaly_score: str = "neighbours"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows X, (m, n), most of which are normal, drawn in proportion to `sample_weight`, (m,).

        The threshold counts each row of a weight above 0 once; y is passed over.
        """
        task = {"task.threshold": "quantile", "task.level": 1 - self.false_alarm_rate, "task.score": self.anomaly_score}
        self._train(X, weight=sample_weight, **task)
        self.offset_ = -float(self.fitted_.kept.tree["scorer"]["threshold"])
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """How normal rows are, lower where they are odder: (m, n) -> (m,)."""
        return -np.asarray(self._apply("score", X).values["score"])

    def explain(self, X: Any) -> Any:
        """Why rows are as odd as they are, a pandas frame: the three columns that have most to do with it.

        Its columns are ``column_1``, ``value_1``, ``expected_1``, …, text in the units of the data; see
        `aejax.runs.fitted.Fitted.explain`. Of a missing cell the value is empty.
        """
        import pandas

        missing, reasons = np.isnan(self._values(X)), self.fitted_.explain("score", self._rows(X))
        columns = columns_of(self.fitted_.data)
        first = {column.name: column.start for column in columns} or {str(at): at for at in range(missing.shape[1])}
        for rank in range(1, len(reasons) // 3 + 1):
            is_hole = [missing[row, first[name]] for row, name in enumerate(reasons[f"column_{rank}"])]
            reasons[f"value_{rank}"] = np.where(is_hole, "", reasons[f"value_{rank}"])
        return pandas.DataFrame(reasons, index=getattr(X, "index", None))

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` less the threshold, below 0 for alarms: (m,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for alarms and 1 for other rows: (m,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)
