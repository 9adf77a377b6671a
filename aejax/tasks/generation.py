"""Generation of new rows from random codes: their quality, whether they are copies, and their use as training data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Choice, Count, Within
from aejax.figures.tasks.spaces import GENERATION
from aejax.metrics import generation as metrics
from aejax.tasks import likelihood, needs, samplers
from aejax.tasks.features import features, fit_classifier
from aejax.tasks.pca import fitted_pca
from aejax.training.context import outline
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

Samples = Annotated[int, Within(2)]
Features = Annotated[str, Choice(("classifier", "rows"))]

LOOKED_UP = 1000  # generated rows whose nearest training row is searched
BALLS = 2000  # rows, of each kind, that precision, recall, density and coverage are counted over
SHOWN, IN_PLANE = 10, 1000
COPY = 0.01  # share of test rows that are as near to a training row as what counts as a copy

Decode = Callable[[np.ndarray], np.ndarray]
Makers = Mapping[str, tuple[Callable[..., np.ndarray], Decode]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        sampler: where the codes of ``metrics["test"]`` are drawn from: a function of `aejax.tasks.samplers`, or the
            import path of another one.
        components: of Gaussian mixtures, of codes and of principal components alike.
        samples: how many rows each sampler makes.
        neighbours: k, of precision, recall, density and coverage.
        features: ``"classifier"``: rows are compared in the last hidden layer of a classifier of the training rows;
            ``"rows"``: as they are.
        draws: for each row, of the log-likelihood; of variational nets and binary rows only.
    """

    sampler: str = "mixture"
    components: Count = 20
    samples: Samples = 2000
    neighbours: Count = 5
    features: Features = "classifier"
    draws: Count = 50


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    if options.features == "classifier":
        labels, instead, train = dataset.train.labels, "task.features=rows", [dataset.train]
        needs.has_labels(
            "generation", dataset, "for a classifier whose features rows are compared in", splits=train, instead=instead
        )
        needs.has_classes("generation", dataset, labels, rows="all training rows", instead=instead)
    rows, test = len(dataset.train.x), len(dataset.test.x)
    samplers.sampler(options.sampler, what="task.sampler")
    needs.at_most("components", options.components, min(rows, samplers.FITTED), f"{rows} training rows")
    needs.has_rows("generation", dataset, "train", least=3)
    most, of = min(options.samples, test, BALLS) - 1, f"{options.samples} samples and {test} test rows"
    needs.at_most("neighbours", options.neighbours, most, of, hint="with 2 of both or more")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
    """Decoded random codes beside test rows: Fréchet distance, precision, recall, density, coverage, nearest rows.

    Everything is fitted to training rows, and real rows are test rows; a missing value holds its column's mean. Of
    tables with labels also the accuracy of a classifier that is trained on generated rows, as many of each class as
    there are, and tested on real ones.

    Returns:
        ``metrics["test"]`` with ``frechet``, ``precision``, ``recall``, ``density``, ``coverage``, ``nearest``, the
        mean distance to the nearest training row, ``copies``, the share nearer than a hundredth of the test rows are,
        and ``accuracy``; also the numbers of `aejax.tasks.likelihood.bounds`, where there are any. ``baselines``: the
        same for the other samplers, for a Gaussian and a mixture of principal components, for training rows drawn at
        random (what is best) and for decoded test rows (what the net can do); ``nearest`` of test rows.
        ``arrays``: ``made``, ``nearest`` and ``plane``, by name: a few rows, their nearest training rows, and more of
        them on two principal components.
    """
    components, samples, fitting = options.components, options.samples, jax.random.fold_in(key, 1)
    for_classifier, likely = jax.random.split(key)
    train, codes, _ = encode_and_reconstruct(model, params, on_device(dataset.train, dataset))
    test, _, x_hat = encode_and_reconstruct(model, params, on_device(dataset.test, dataset))
    labels = dataset.train.labels
    random = np.random.default_rng(np.asarray(jax.random.key_data(for_classifier)))
    fit = partial(_makers, options.sampler, fitting, model, params)
    makers = fit(train, codes, components)
    made = {name: make(codes_of(random, samples)) for name, (codes_of, make) in makers.items()}
    made["training rows"] = train[random.permutation(len(train))[:samples]]
    made["decoded test rows"] = x_hat[:samples]
    view = lambda x: x
    if options.features == "classifier":
        classifier = fit_classifier(for_classifier, train, labels, int(labels.max()) + 1)
        view = lambda x: features(classifier, x)
    numbers = _compare(made, test[:samples], train, view, options.neighbours)
    if dataset.kind == "table" and labels is not None and dataset.test.labels is not None:
        for name, accuracy in _usefulness(fit, dataset, train, codes, test, components, random).items():
            numbers[name]["accuracy"] = accuracy
    chosen = numbers.pop(options.sampler.removeprefix("samplers."))
    if likelihood.is_bernoulli(model) and likelihood.is_binary(dataset):
        chosen |= likelihood.bounds(likely, model, params, dataset, options.draws)
        numbers["independent values"] = likelihood.independent(dataset)
    shown = {name: rows[:SHOWN] for name, rows in made.items()}
    nearest = {name: train[metrics.nearest_rows(rows, train)[0]] for name, rows in shown.items()}
    to_plane = fitted_pca(train, 2).transform
    plane = {name: to_plane(rows[:IN_PLANE]) for name, rows in made.items()}
    return Evaluation({"test": chosen}, numbers, {"made": shown, "nearest": nearest, "plane": plane})


def _makers(
    chosen: str, key: jax.Array, model: Model, params: Params, train: np.ndarray, codes: np.ndarray, components: int
) -> Makers:
    """By name, where codes are drawn from and what makes rows of them; a `chosen` sampler of somebody else is last."""
    given, decode = (key, model, params, codes), decoder(model, params)
    drawn = {
        "uniform": samplers.uniform(*given),
        "normal": samplers.normal(*given),
        "gaussian": samplers.gaussian(*given),
        "mixture": samplers.mixture(*given, components=components),
        "kernel": samplers.kernel(*given),
    }
    if is_variational(model) or model.prior is not None:
        drawn["prior"] = samplers.prior(*given)
    pca = fitted_pca(train, model.code_size)
    points = key, model, params, pca.transform(train).astype(np.float32)
    back = lambda points: pca.inverse_transform(points).astype(np.float32)
    makers = {name: (sampler.draw, decode) for name, sampler in drawn.items()} | {
        "pca gaussian": (samplers.gaussian(*points).draw, back),
        "pca mixture": (samplers.mixture(*points, components=components).draw, back),
    }
    name = chosen.removeprefix("samplers.")
    return (
        makers if name in drawn else makers | {name: (samplers.sampler(name, what="task.sampler")(*given).draw, decode)}
    )


def decoder(model: Model, params: Params) -> Decode:
    """Codes to rows, (m, d) -> (m, n), a thousand at a time."""
    decode = jax.jit(model.decode)

    def rows(codes: np.ndarray) -> np.ndarray:
        parts = np.array_split(codes.astype(np.float32), -(-len(codes) // 1000))
        return np.concatenate([np.asarray(decode(params, jnp.asarray(part))) for part in parts])

    return rows


def is_variational(model: Model) -> bool:
    """Whether the model's training pass draws codes from a Gaussian that is pulled towards a standard one."""
    return "log_variance" in outline(model).extra


def _compare(
    made: Mapping[str, np.ndarray], test: np.ndarray, train: np.ndarray, view: Decode, neighbours: int
) -> dict[str, dict[str, Any]]:
    """The measures of each set of rows against the test rows, and how near it comes to the training rows."""
    seen, usual = view(test), metrics.nearest_rows(test[:LOOKED_UP], train)[1]
    threshold = np.quantile(usual, COPY)
    measures: dict[str, dict[str, Any]] = {"test rows": {"nearest": float(usual.mean())}}
    for name, rows in made.items():
        here = view(rows)
        apart = metrics.nearest_rows(rows[:LOOKED_UP], train)[1]
        measures[name] = {
            "frechet": metrics.frechet_distance(seen, here),
            **metrics.coverage(seen[:BALLS], here[:BALLS], neighbours=neighbours),
            "nearest": float(apart.mean()),
            "copies": float((apart <= threshold).mean()),
        }
    return measures


def _usefulness(
    fit: Callable[[np.ndarray, np.ndarray, int], Makers],
    dataset: Dataset,
    train: np.ndarray,
    codes: np.ndarray,
    test: np.ndarray,
    components: int,
    random: np.random.Generator,
) -> dict[str, float]:
    """Accuracy on test rows of a random forest trained on rows that each sampler, fitted class by class, makes.

    A mixture has its share of the components in each class, at least one and at most one for two rows.
    """
    from sklearn.ensemble import RandomForestClassifier

    labels, parts = dataset.train.labels, {}
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        of_class, share = labels == label, round(components * (labels == label).mean())
        if count < 3:
            continue
        makers = fit(train[of_class], codes[of_class], int(np.clip(share, 1, count // 2)))
        makers = {name: maker for name, maker in makers.items() if name != "prior"}  # which is the same for every class
        for name, (draw, make) in makers.items():
            parts.setdefault(name, []).append((make(draw(random, count)), np.full(count, label)))
    sets = {name: tuple(map(np.concatenate, zip(*pairs, strict=True))) for name, pairs in parts.items()}
    sets["training rows"] = train, labels
    accuracy = {}
    for name, (x, y) in sets.items():
        forest = RandomForestClassifier(100, random_state=0).fit(x, y)
        accuracy[name] = float((forest.predict(test) == dataset.test.labels).mean())
    return accuracy


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=GENERATION)
