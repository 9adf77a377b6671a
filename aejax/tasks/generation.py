"""New rows from random codes: how like real ones they are, whether they are copies, and of what use they are."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Choice, Count, Within
from aejax.errors import UserError
from aejax.metrics import generation as metrics
from aejax.tasks import likelihood, samplers
from aejax.tasks.features import features as features_of
from aejax.tasks.features import fit_classifier
from aejax.tasks.reconstruction import fitted_pca
from aejax.tasks.samplers import Draw
from aejax.training.context import outline
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED: tuple[str, ...] = ()

Samples = Annotated[int, Within(2)]
Sampler = Annotated[str, Choice(("uniform", "normal", "gaussian", "mixture", "kernel"))]
Features = Annotated[str, Choice(("classifier", "rows"))]

LOOKED_UP = 1000  # generated rows whose nearest training row is searched
BALLS = 2000  # rows, of each kind, that precision, recall, density and coverage are counted over
SHOWN, IN_PLANE = 10, 1000
COPY = 0.01  # share of test rows that are as near to a training row as what counts as a copy

Decode = Callable[[np.ndarray], np.ndarray]


def check(
    dataset: Dataset,
    *,
    sampler: Sampler = "mixture",
    components: Count = 20,
    samples: Samples = 2000,
    neighbours: Count = 5,
    features: Features = "classifier",
    draws: Count = 50,
) -> None:
    """Refuse data of which the task cannot say anything.

    Raises:
        UserError: no labels for a classifier, a single class, or too few rows for the components or the neighbours.
    """
    del sampler, draws
    if features == "classifier":
        _check_labels(dataset)
    rows, held_out = len(dataset.train.x), len(dataset.test.x)
    if components > (bound := min(rows, samplers.FITTED)):
        raise UserError(f"task.components: {components} are too many for {rows} training rows; allowed: 1 to {bound}")
    if rows < 3:
        raise UserError(f"generation: {dataset.name} has {rows} training rows; allowed: 3 or more")
    most = min(samples, held_out, BALLS) - 1
    if neighbours > most:
        raise UserError(
            f"task.neighbours: {neighbours} are too many for {samples} samples and {held_out} test rows; "
            f"allowed: 1 to {most}, with 2 of both or more"
        )


def _check_labels(dataset: Dataset) -> None:
    if dataset.train.labels is None:
        raise UserError(
            f"generation: {dataset.name} has no labels for a classifier whose features rows are compared in; "
            "allowed: data with labels (a file's data.label_column), or task.features=rows"
        )
    if len(np.unique(dataset.train.labels)) < 2:
        raise UserError(
            f"generation: all training rows of {dataset.name} are of one class; "
            "allowed: two classes or more, or task.features=rows"
        )


def evaluate(
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain | None = None,
    *,
    sampler: Sampler = "mixture",
    components: Count = 20,
    samples: Samples = 2000,
    neighbours: Count = 5,
    features: Features = "classifier",
    draws: Count = 50,
) -> Evaluation:
    """Decoded random codes beside test rows: Fréchet distance, precision, recall, density, coverage, nearest rows.

    Everything is fitted to training rows, and real rows are test rows; a missing value holds its column's mean. Of
    tables with labels also the accuracy of a classifier that is trained on generated rows, as many of each class as
    there are, and tested on real ones.

    Args:
        key: of the classifier and of what is drawn.
        model: the autoencoder.
        params: its parameters.
        dataset: the data.
        retrain: not used: nothing is trained again.
        sampler: where the codes of ``metrics["test"]`` are drawn from, a function of `aejax.tasks.samplers`.
        components: of Gaussian mixtures, of codes and of principal components alike.
        samples: how many rows each sampler makes.
        neighbours: k, of precision, recall, density and coverage.
        features: ``"classifier"``: rows are compared in the last hidden layer of a classifier of the training rows;
            ``"rows"``: as they are.
        draws: for each row, of the log-likelihood; of variational nets and binary rows only.

    Returns:
        ``metrics["test"]`` with ``frechet``, ``precision``, ``recall``, ``density``, ``coverage``, ``nearest``, the
        mean distance to the nearest training row, ``copies``, the share nearer than a hundredth of the test rows are,
        and ``accuracy``; also the numbers of `aejax.tasks.likelihood.bounds`, where there are any. ``baselines``: the
        same for the other samplers, for a Gaussian and a mixture of principal components, for training rows drawn at
        random (what is best) and for decoded test rows (what the net can do); ``nearest`` of test rows.
        ``arrays``: ``made``, ``nearest`` and ``plane``, by name: a few rows, their nearest training rows, and more of
        them on two principal components.
    """
    del retrain
    own, likely = jax.random.split(key)
    train, codes, _ = encode_and_reconstruct(model, params, on_device(dataset.train, dataset))
    test, _, x_hat = encode_and_reconstruct(model, params, on_device(dataset.test, dataset))
    labels = dataset.train.labels
    random = np.random.default_rng(np.asarray(jax.random.key_data(own)))
    makers = _makers(model, params, train, codes, components)
    made = {name: make(codes_of(random, samples)) for name, (codes_of, make) in makers.items()}
    made["training rows"] = train[random.permutation(len(train))[:samples]]
    made["decoded test rows"] = x_hat[:samples]
    view = lambda x: x
    if features == "classifier":
        classifier = fit_classifier(own, train, labels, int(labels.max()) + 1)
        view = lambda x: features_of(classifier, x)
    found = _compare(made, test[:samples], train, view, neighbours)
    if dataset.kind == "table" and labels is not None and dataset.test.labels is not None:
        for name, accuracy in _usefulness(model, params, dataset, train, codes, test, components, random).items():
            found[name]["accuracy"] = accuracy
    chosen = found.pop(sampler)
    if likelihood.is_bernoulli(model) and likelihood.is_binary(dataset):
        chosen |= likelihood.bounds(likely, model, params, dataset, draws)
        found["independent values"] = likelihood.independent(dataset)
    shown = {name: rows[:SHOWN] for name, rows in made.items()}
    nearest = {name: train[metrics.nearest_rows(rows, train)[0]] for name, rows in shown.items()}
    to_plane = fitted_pca(train, 2).transform
    plane = {name: to_plane(rows[:IN_PLANE]) for name, rows in made.items()}
    return Evaluation({"test": chosen}, found, {"made": shown, "nearest": nearest, "plane": plane})


def _makers(
    model: Model, params: Params, train: np.ndarray, codes: np.ndarray, components: int
) -> dict[str, tuple[Draw, Decode]]:
    """By name, where codes are drawn from and what makes rows of them."""
    decode = decoder(model, params)
    drawn = {
        "uniform": samplers.uniform(codes),
        "normal": samplers.normal(codes),
        "gaussian": samplers.gaussian(codes),
        "mixture": samplers.mixture(codes, components=components, seed=0),
        "kernel": samplers.kernel(codes, seed=0),
    }
    if is_variational(model):
        drawn["prior"] = samplers.prior(model.code_size)
    pca = fitted_pca(train, model.code_size)
    points = pca.transform(train).astype(np.float32)
    back = lambda points: pca.inverse_transform(points).astype(np.float32)
    return {name: (draw, decode) for name, draw in drawn.items()} | {
        "pca gaussian": (samplers.gaussian(points), back),
        "pca mixture": (samplers.mixture(points, components=components, seed=0), back),
    }


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
    found: dict[str, dict[str, Any]] = {"test rows": {"nearest": float(usual.mean())}}
    for name, rows in made.items():
        here = view(rows)
        apart = metrics.nearest_rows(rows[:LOOKED_UP], train)[1]
        found[name] = {
            "frechet": metrics.frechet_distance(seen, here),
            **metrics.coverage(seen[:BALLS], here[:BALLS], neighbours=neighbours),
            "nearest": float(apart.mean()),
            "copies": float((apart <= threshold).mean()),
        }
    return found


def _usefulness(
    model: Model,
    params: Params,
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
        own, share = labels == label, round(components * (labels == label).mean())
        if count < 3:
            continue
        makers = _makers(model, params, train[own], codes[own], int(np.clip(share, 1, count // 2)))
        makers.pop("prior", None)  # which is the same for every class
        for name, (draw, make) in makers.items():
            parts.setdefault(name, []).append((make(draw(random, count)), np.full(count, label)))
    sets = {name: tuple(map(np.concatenate, zip(*pairs, strict=True))) for name, pairs in parts.items()}
    sets["training rows"] = train, labels
    accuracy = {}
    for name, (x, y) in sets.items():
        forest = RandomForestClassifier(100, random_state=0).fit(x, y)
        accuracy[name] = float((forest.predict(test) == dataset.test.labels).mean())
    return accuracy
