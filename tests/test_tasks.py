"""One battery for all tasks: options, what they refuse and find of tiny data, figures, many nets at once."""

import re
from inspect import getdoc
from typing import NamedTuple

import jax
import numpy as np
import pytest
import tasking
from looking import task_figures
from running import assert_refused, call

from aejax import config
from aejax.config import components
from aejax.data.outliers import NAMES
from aejax.errors import UserError
from aejax.models import binary, dense, variational
from aejax.training.compilation import compiled
from aejax.training.retrain import retrainer
from aejax.types import Dataset, Evaluation, Members, Range, Task

TASKS = components.available("aejax.tasks")
every = pytest.mark.parametrize("name", TASKS)
ROWS, FEATURES = (30, 12, 18), 6
BASE = config.load("lecture/multilayer")

# Tiny data and nets; most tasks share them, and so the programs that are compiled.


def data(kind="table", shape=(FEATURES,), x=None, names=("a", "b"), **columns):
    of = np.arange(sum(ROWS), dtype=np.int32) % 2
    if x is None:
        x = np.random.default_rng(0).random((sum(ROWS), *shape)) * 0.5 + 0.5 * of.reshape(-1, *(1 for _ in shape))
    columns = {"labels": of} | columns
    made = tasking.dataset(x.astype(np.float32), np.cumsum(ROWS), name="tiny", kind=kind, names=names, **columns)
    return made._replace(range=Range(0, 1))


LABELLED, PLAIN = data(), data(labels=None, names=())
BITS = data(x=(np.random.default_rng(1).random((sum(ROWS), FEATURES)) < 0.5).astype(float))
HOLES = np.random.default_rng(2).random((sum(ROWS), FEATURES)) < 0.85
HOLES[:, 0] = True
HIDDEN = data(mask=HOLES)
FLAT = np.random.default_rng(3).random((sum(ROWS), 2)).astype(np.float32)
SHEET = data(shape=(3,), x=np.column_stack([FLAT, FLAT[:, 0] * FLAT[:, 1]]), coordinates=FLAT)
PIXELS = np.random.default_rng(4).random((sum(ROWS), 8, 8, 1))
PIXELS[:, :2] = 0.25  # some of them never change
IMAGES = data("image", (8, 8, 1), x=PIXELS, labels=None, names=())

NET = dense.multilayer((FEATURES,), widths=(4,), code=2, output="linear")
IN_SPACE = dense.multilayer((3,), widths=(4,), code=2, output="linear")
OF_IMAGES = dense.multilayer((8, 8, 1), widths=(), code=4, output="linear")
OF_BITS = variational.dense((FEATURES,), widths=(4,), code=2, output="sigmoid")
NOISY = binary.noisy((FEATURES,), widths=(), code=3)


class Case(NamedTuple):
    dataset: Dataset
    model: object
    options: dict


CASES = {
    "aeknn": Case(LABELLED, NET, {"layouts": (), "folds": 2, "repeats": 1, "neighbours": 3}),
    "anomaly": Case(data(names=NAMES), NET, {"members": 2}),
    "clustering": Case(LABELLED, NET, {"neighbours": 4, "restarts": 1}),
    "denoising": Case(IMAGES, OF_IMAGES, {"rows": 6, "tuning": 2, "strengths": (0.1,), "plain_steps": 1}),
    "encryption": Case(PLAIN, NET, {"pairs": (10, 20), "surrogate_steps": 20, "inversion_steps": 25}),
    "generation": Case(PLAIN, NET, {"features": "rows", "components": 2, "samples": 20, "neighbours": 3}),
    "grouping": Case(LABELLED, NOISY, {"nets": 2}),
    "hashing": Case(LABELLED, NOISY, {"retrieved": 5}),
    "imputation": Case(HIDDEN, NET, {"draws": 2}),
    "latent": Case(IMAGES, OF_IMAGES, {"walks": 4, "steps": 3, "side": 2}),
    "likelihood": Case(BITS, OF_BITS, {"draws": 3}),
    "manifold": Case(SHEET, IN_SPACE, {"neighbours": 5, "plain_steps": 1}),
    "reconstruction": Case(LABELLED, NET, {}),
    "reduction": Case(LABELLED, NET, {"neighbours": 3, "folds": 2}),
    "walk": Case(IMAGES, OF_IMAGES, {"walks": 4, "steps": 3}),
}
EVALUATIONS = {}


def params_of(model, count=None):
    keys = jax.random.split(jax.random.key(5), count or 1)
    nets = jax.jit(jax.vmap(model.init))(keys)
    return nets if count else jax.tree.map(lambda leaf: leaf[0], nets)


def evaluation(name) -> Evaluation:
    """What a task finds of its case; computed once."""
    if name not in EVALUATIONS:
        case, task = CASES[name], TASKS[name]
        retrain = lambda keys, changes=None, datasets=None: Members(case.model, params_of(case.model, len(keys)))
        given = (case.model, params_of(case.model), case.dataset, retrain, task.options(**case.options))
        EVALUATIONS[name] = task.evaluate(jax.random.key(0), *given)
    return EVALUATIONS[name]


def leaves(tree):
    return [(name, value) for part in tree.values() for name, value in part.items()]


def test_every_task_has_a_case():
    assert set(CASES) == set(TASKS)


@every
def test_options_are_frozen_and_the_config_has_them_all(name):
    task = TASKS[name]
    options = task.options(**CASES[name].options)
    resolved = config.load("lecture/multilayer", [f"task.name={name}"])["task"]
    assert resolved == {"name": name} | vars(task.options())
    assert config.load("lecture/multilayer", [f"task.name={name}.evaluate"])["task"] == resolved | {
        "name": f"{name}.evaluate"
    }
    with pytest.raises(AttributeError):
        options.anything = 1
    with pytest.raises(UserError, match=rf"^task \({name}\): unknown 'nothing'|^config field: unknown"):
        config.load("lecture/multilayer", [f"task.name={name}", "task.nothing=1"])


@every
def test_the_numbers_are_finite_and_documented(name):
    found, text = evaluation(name), getdoc(TASKS[name].evaluate)
    assert found.metrics
    for metric, value in leaves(found.metrics) + leaves(found.baselines):
        assert np.isfinite(value), metric
        short = re.sub(r"_at_.*|\d+$|_sd$", "", metric)
        assert short in text or metric in text or name in ("aeknn", "likelihood", "generation"), metric
    assert len(set(dict(leaves(found.baselines))) & set(dict(leaves(found.metrics)))) > 0 or name == "walk"
    if TASKS[name].validated is not None:
        assert set(found.metrics.get("validation", {})) <= set(TASKS[name].validated)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.figures])
def test_figures_are_drawn_and_can_be_read_in_every_language(name):
    case, task = CASES[name], TASKS[name]
    settings = BASE | {"task": {"name": name} | vars(task.options(**case.options))}
    arguments = (case.dataset, case.model, params_of(case.model), settings)
    assert task_figures(task.figures, evaluation(name), *arguments)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.baselines])
def test_baselines_of_validation_rows_are_of_what_is_found_there(name):
    case, task = CASES[name], TASKS[name]
    by_metric = task.baselines(case.dataset, task.options(**case.options))
    assert set(by_metric) <= set(task.validated)
    assert all(np.isfinite(value) for _, value in leaves(by_metric))


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.members])
@pytest.mark.parametrize("together", [1, 2, 9])
def test_many_nets_are_evaluated_as_each_alone(name, together):
    case, task = CASES[name], TASKS[name]
    options, nets = task.options(**case.options), params_of(case.model, 3)
    found = task.members(case.model, nets, case.dataset, options, together)
    for number in range(3):
        one = jax.tree.map(lambda leaf, n=number: leaf[n], nets)
        alone = task.evaluate(jax.random.key(0), case.model, one, case.dataset, None, options).metrics
        assert {split: dict(named) for split, named in alone.items()} == {
            split: {metric: pytest.approx(values[number], rel=1e-5) for metric, values in named.items()}
            for split, named in found.items()
        }


def test_tasks_that_train_the_same_net_again_share_its_programs():
    """The folds of one task and the ensemble of another are trained by the same two programs."""
    net = ["model.widths=(4,)", "model.code=2", "train.steps=3", "train.batch_size=8"]
    settings = config.load("lecture/multilayer", net)

    def programs(name, **changes):
        """How many are compiled for a task."""
        case, task = CASES[name], TASKS[name]
        before, retrain = compiled.cache_info().misses, retrainer(settings, case.dataset)
        options = task.options(**case.options | changes)
        task.evaluate(jax.random.key(0), NET, params_of(NET), case.dataset, retrain, options)
        return compiled.cache_info().misses - before

    compiled.cache_clear()
    assert programs("aeknn") == 2, "one for how nets begin, and one for how they are trained"
    assert programs("anomaly") == 0
    assert programs("anomaly", members=3) == 2, "another number of nets is another program"


# What is refused.


def without(dataset, split):
    rows = getattr(dataset, split)
    return dataset._replace(**{split: jax.tree.map(lambda values: values[:0], rows)})


def one_class(dataset):
    same = lambda split: split._replace(labels=0 * split.labels)
    return dataset._replace(train=same(dataset.train), validation=same(dataset.validation), test=same(dataset.test))


@every
def test_what_is_served_is_not_refused(name):
    case, task = CASES[name], TASKS[name]
    if task.needs is not None:
        task.needs(case.dataset, case.model, BASE, task.options(**case.options))


NOTHING_VARIES = data(x=np.ones((sum(ROWS), FEATURES)))
REFUSED = [
    ("aeknn", PLAIN, {}, "^aeknn: tiny has no labels to classify by; allowed: data with labels .*, or task.name=rec"),
    ("aeknn", one_class(LABELLED), {}, "^aeknn: all rows of tiny are of one class; allowed: two classes or more$"),
    ("aeknn", NOTHING_VARIES, {}, "^aeknn: all rows of tiny are the same; allowed: features that vary$"),
    ("aeknn", LABELLED, {"folds": 31}, "^task.folds: 31 folds, but the smallest class has 30 rows; allowed: 2 to 30"),
    ("anomaly", LABELLED, {}, "^anomaly: which labels of tiny are normal is not said; allowed: data.normal, .* a, b$"),
    ("clustering", one_class(LABELLED), {}, "^clustering: all training rows of tiny are of one class; .* without lab"),
    ("denoising", LABELLED, {}, "^denoising: needs images, and rows of tiny are 6; allowed: data of images$"),
    ("denoising", without(IMAGES, "test"), {}, "^denoising: tiny has no test rows; allowed: a larger data.test$"),
    ("encryption", HIDDEN, {}, "^encryption: tiny has missing values; allowed: data without missing values$"),
    ("encryption", PLAIN, {"rows": 9}, r"^encryption: 9 test rows are too few to attack; allowed: 12 or more"),
    ("encryption", PLAIN, {"pairs": (4,)}, r"^task.pairs: \(4,\); allowed: one or more numbers from 5 to the 30"),
    ("generation", PLAIN, {}, "^generation: tiny has no labels for a classifier .*, or task.features=rows$"),
    ("generation", LABELLED, {}, "^task.neighbours: 5 are too many for 4 samples and 18 test rows; allowed: 1 to 3, w"),
    ("generation", LABELLED, {"components": 31}, "^task.components: 31 are too many for 30 training rows"),
    ("grouping", PLAIN, {}, "^grouping: tiny has no labels to judge groups by; allowed: data with labels"),
    ("grouping", without(LABELLED, "test"), {}, "^grouping: tiny has fewer than 2 test rows; allowed: a larger"),
    ("grouping", one_class(LABELLED), {}, "^grouping: all test rows of tiny are of one class; allowed: two"),
    ("hashing", PLAIN, {}, "^hashing: tiny has no labels to judge what is retrieved by"),
    ("hashing", without(LABELLED, "test"), {}, "^hashing: tiny has no test rows to be queries; allowed: a larger"),
    (
        "hashing",
        LABELLED,
        {"retrieved": 31},
        "^task.retrieved: 31 are too many for 30 training rows; allowed: 1 to 30$",
    ),
    ("imputation", PLAIN, {}, "^imputation: tiny has no missing values; allowed: a table with empty cells, or data.mi"),
    ("imputation", without(HIDDEN, "validation"), {}, "^imputation: tiny has no validation rows to measure errors on"),
    ("latent", without(PLAIN, "test"), {}, "^latent: tiny has fewer than 2 test rows; allowed: a larger data.test$"),
    ("likelihood", LABELLED, {}, "^likelihood: the values of tiny are not all 0 or 1; allowed: data.name=binary:tiny"),
    ("manifold", PLAIN, {}, "^manifold: where the rows of tiny lie .*; allowed: data.name=swiss_roll or s_curve"),
    (
        "manifold",
        SHEET,
        {"neighbours": 9},
        "^task.neighbours: 9 are too many for 30 training and 18 test rows; .* 8, w",
    ),
    ("reduction", PLAIN, {}, "^reduction: tiny has no labels to classify codes by; allowed: data with labels"),
    ("manifold", without(SHEET, "test"), {}, "^task.neighbours: 5 are too many for 30 training and 0 test rows"),
    ("reduction", one_class(LABELLED), {}, "^reduction: all rows of tiny are of one class"),
    ("reduction", without(LABELLED, "test"), {}, "^task.neighbours: 3 are too many for 0 test rows"),
    ("reduction", LABELLED, {"neighbours": 9}, "^task.neighbours: 9 are too many for 18 test rows; allowed: 1 to 8$"),
    ("walk", one_class(LABELLED), {}, "^walk: all test rows of tiny are of one class; allowed: two classes or more$"),
]


@pytest.mark.parametrize(("name", "dataset", "options", "message"), REFUSED)
def test_data_that_it_cannot_serve_are_refused_in_one_line(name, dataset, options, message):
    case, task = CASES[name], TASKS[name]
    chosen = case.options | options
    if name == "generation" and not options:
        chosen = {"components": 2, "samples": 4}
    with pytest.raises(UserError, match=message) as caught:
        task.needs(dataset, case.model, BASE, task.options(**chosen))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("aeknn", "data.name=swiss_roll", "aeknn: swiss_roll has no labels"),
        ("generation", "task.samples=1", "task.samples: expected int >= 2"),
        ("generation", "task.sampler=gausian", "unknown 'gausian' (did you mean 'gaussian'?)"),
        ("generation", "task.components=5000", "task.components: 5000 are too many"),
        ("generation", "model.name=dense.multilayer", "allowed: model.name=variational.dense"),
        ("generation", "data.name=swiss_roll", "generation: swiss_roll has no labels"),
        ("grouping", "model.code=20", "model.code: 20 bits make too many groups"),
        ("latent", "model.code=1", "latent: a grid needs a code of 2 units or more"),
        ("latent", "data.test=0.0", "latent: digits has fewer than 2 test rows"),
        ("latent", "task.steps=2", "task.steps: expected int >= 3"),
        ("latent", "task.side=1", "task.side: expected int in [2"),
        ("reduction", "data.name=swiss_roll", "reduction: swiss_roll has no labels"),
    ],
)
def test_a_run_is_refused_before_it_has_a_folder(name, change, line, tmp_path, capsys):
    folder = tmp_path / "run"
    assert_refused(call(["run", f"lecture/{name}", "--workdir", str(folder), "--set", change], capsys), line)
    assert not folder.exists()


# Tasks of one's own; docs/guide/own_task.md takes one through run, sweep and apply.


def test_a_plain_function_is_a_task(tmp_path, monkeypatch):
    text = """from aejax.types import Evaluation
def count(key, model, params, dataset, retrain, *, times: int = 2, ways=(1, 2)):
    return Evaluation({"test": {"rows": times * len(dataset.test.x)}}, {}, {})
"""
    (tmp_path / "plain_task.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    settings = config.load("lecture/multilayer", ["task.name=plain_task.count", "task.times=3"])["task"]
    assert settings == {"name": "plain_task.count", "times": 3, "ways": (1, 2)}
    task, options = components.configured_task(settings)
    assert isinstance(task, Task)
    assert (task.validated, task.needs, dict(task.apply)) == (None, None, {})
    found = task.evaluate(jax.random.key(0), NET, None, LABELLED, None, options)
    assert found.metrics == {"test": {"rows": 54}}
    with pytest.raises(UserError, match=r"^task\.name: 'plain_task\.conut': plain_task has no task 'conut' .*'count'"):
        components.resolve("plain_task.conut", "aejax.tasks", what="task.name")
