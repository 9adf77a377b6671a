"""A first config for a person's own file: an experiment that is shipped, with what the file and its size ask for."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

from aejax import config as configs
from aejax import data
from aejax.data.columns import understand
from aejax.data.dates import are_dates
from aejax.data.encoding import MOST_CATEGORIES
from aejax.data.files import checked, is_table, table_of
from aejax.data.images import path_of
from aejax.data.inspection import for_logarithms
from aejax.data.labels import separate
from aejax.data.tables import AS_SEEN
from aejax.errors import UserError, one_of
from aejax.runs import defaults, experiment
from aejax.training.build import load_data

PASSES, FEWEST_STEPS, EVALUATIONS = 100, 300, 20
Fields = dict[str, tuple[Any, str]]
"""Of a config, by their paths: the value of each, and why."""
TEXT = '''"""{question} A config for {name}.

What was understood of the file; `aejax data show` says more:
{understood}
"""

from aejax.config import shipped


def get_config():
    config = shipped("{experiment}")
{lines}
    return config
'''


class Facts(NamedTuple):
    """What a config depends on.

    Attributes:
        rows: how many there are.
        features: how many values a row has.
        classes: how many rows have each label; empty without labels.
    """

    rows: int
    features: int
    classes: Mapping[str, int]


class Start(NamedTuple):
    """Where the config of a task starts from.

    Attributes:
        question: that it answers.
        experiment: that is shipped.
        changes: of the fields of its config, each with a comment.
        passes: through the rows, at most.
    """

    question: str
    experiment: str
    changes: Callable[[Facts], Fields] = lambda facts: {}
    passes: int = PASSES


def _anomaly(facts: Facts) -> Fields:
    if not facts.classes:
        why = "compares rows with those that look usual: anomalies may be among the rows that are trained on"
        return {
            "data.normal": (None, "nobody says which rows are normal"),
            "data.test": (0.0, "all rows are looked at, each by nets that were trained without it"),
            **{path: (value, why) for path, value in defaults.anomaly(labelled=False).items()},
        }
    usual = max(facts.classes, key=facts.classes.get)
    return {
        "data.normal": ((usual,), f"of {', '.join(facts.classes)}: a guess, the label with most rows"),
        "data.test": (0.5, "share of the normal rows; all others are test rows"),
    }


def _imputation(facts: Facts) -> Fields:
    hidden = {"name": "completely_at_random", "rate": 0.2}
    sizes = {path: (value, "by the number of rows") for path, value in defaults.imputation(facts.rows).items()}
    return {"data.missing": (hidden, "what is hidden, to see how well it is filled in"), **sizes}


def _neighbours(facts: Facts) -> Fields:
    code = max(round(facts.features / 4), min(facts.features, 4))
    return {"model.widths": ((round(1.5 * facts.features),), "by the columns"), "model.code": (code, "")}


def _clustering(facts: Facts) -> Fields:
    if facts.classes:
        return {"task.clusters": (len(facts.classes), "as many as labels")}
    return {"task.clusters": (None, "as many as the code shows, from 2 to 15; or say how many")}


def _reduction(facts: Facts) -> Fields:
    train = {"train.steps": (4000, "at most: the validation rows say when"), "train.evaluate_every": (50, "")}
    no_labels = {"task": ({"name": "reconstruction"}, "there are no labels to judge codes by")}
    return train if facts.classes else train | no_labels


def _generation(facts: Facts) -> Fields:
    return {
        "task.components": (min(30, max(1, facts.rows // 70)), "of the mixture, by the rows"),
        "task.samples": (min(2000, facts.rows), "new rows that are judged"),
    }


STARTS = {
    "anomaly": Start("Which rows are odd?", "lecture/anomaly", _anomaly),
    "imputation": Start("What stands in the holes?", "lecture/imputation", _imputation),
    "aeknn": Start("Of which class is a row?", "lecture/aeknn", _neighbours),
    "clustering": Start("Which rows go together?", "tables/clustering", _clustering),
    "hashing": Start("Which rows are like this one?", "lecture/hashing"),
    "generation": Start("How would more rows like these look?", "tables/generation", _generation, 400),
    "reduction": Start("How do the rows lie in a plane?", "tables/reduction", _reduction),
}


def first_config(path: Path, task: str, label: str | None = None) -> str:
    """The text of a config file, which `aejax run` runs as it is.

    Args:
        path: of a table, or of rows in .npy or .npz.
        task: one of `STARTS`.
        label: the column, or array, of labels.

    Raises:
        UserError: the file cannot be read, or the task cannot serve it.
    """
    if task not in STARTS:
        raise one_of(task, STARTS, what="--task")
    if path_of(path):
        variant = f":{task}" if task in ("anomaly", "generation") else ""
        ready = f"aejax run photographs/autoencoder{variant} --set data.name=images:{path}"
        raise UserError(f"{path}: photographs need no config of their own; allowed: {ready}")
    start, path = STARTS[task], path.absolute()
    fields = {"data.name": (f"file:{path}", ""), "data.scaling": ("standard", "to mean 0 and standard deviation 1")}
    fields |= {"data.label_column": (label, "")} if label else {}
    fields |= _columns(path, label) if is_table(checked(path, ())) else {}
    dataset = data.load(**{field.partition(".")[2]: value for field, (value, _) in fields.items()})
    if len(dataset.feature_shape) > 1:
        raise UserError(f"{path}: holds images; allowed: a table, or rows in .npy and .npz")
    dates = fields.get("data.dates", ((), ""))[0]
    logarithms = tuple(name for name in for_logarithms(dataset) if not {name, name.rpartition(".")[0]} & {*dates})
    if logarithms and task != "anomaly":  # those few rows may be the odd ones, and a logarithm would hide them
        fields["data.log"] = (logarithms, "a guess: their logarithms, since a few rows make most of their spread")
    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if len(part.x)]
    labels = [dataset.label_names[at] for part in parts if part.labels is not None for at in part.labels]
    facts = Facts(sum(len(part.x) for part in parts), dataset.feature_shape[0], Counter(labels))
    shipped = configs.load(start.experiment)
    fields |= _sizes(shipped["train"], facts.rows, start.passes) | start.changes(facts)
    config = configs.varied(shipped, {field: value for field, (value, _) in fields.items()})
    experiment.check_task(config, load_data(config["data"]))  # what is written can be run
    return _written(path, start, fields, dataset.understood)


def _columns(path: Path, label: str | None) -> Fields:
    """What has to be said of the columns of a table: those of categories, of dates, those that are left out, keys."""
    columns, _ = separate(table_of(path, (), label, AS_SEEN).columns, label, path)
    seen = understand(columns, (), AS_SEEN, path, lenient=True)
    dates, categories, ignored = [], [], []
    for name, cells in seen.columns.items():
        if cells.values.dtype != object:
            continue
        texts = cells.values[~cells.missing]
        if are_dates(texts):
            dates.append(name)
        elif 2 <= len(set(texts)) <= min(MOST_CATEGORIES, len(cells.values) // 2):
            categories.append(name)
        else:
            ignored.append(name)
    fields = {
        "data.categories": (tuple(categories), "columns of text"),
        "data.dates": (tuple(dates), "become days since 1970, month, weekday and hour"),
        "data.ignore": (tuple(ignored), "text with one value, or with too many for categories"),
        "data.key": (seen.reading.key_names(), "names the rows, in the tables of results too"),
    }
    return {field: (names, why) for field, (names, why) in fields.items() if names}


def _sizes(train: Mapping[str, Any], rows: int, passes: int) -> Fields:
    """The batch and the number of steps, by the number of rows; never more than the experiment has."""
    batch = min(train["batch_size"], 2 ** max(int(log2(max(rows // 4, 1))), 1))
    steps = min(train["steps"], max(FEWEST_STEPS, passes * rows // batch))
    return {
        "train.batch_size": (batch, f"of {rows} rows"),
        "train.steps": (steps, f"at most {passes} times through the rows"),
        "train.evaluate_every": (max(1, steps // EVALUATIONS), ""),
    }


def _written(path: Path, start: Start, fields: Fields, understood: Sequence[str]) -> str:
    """The text of the config."""
    lines = [
        f"    config.{field} = {value!r}" + (f"  # {why}" if why else "") for field, (value, why) in fields.items()
    ]
    listed = "\n".join(f"- {line}" for line in understood).replace("\\", "\\\\").replace('"', "'")
    known = {"question": start.question, "name": path.name.replace('"', "'"), "experiment": start.experiment}
    return TEXT.format(**known, understood=listed, lines="\n".join(lines))
