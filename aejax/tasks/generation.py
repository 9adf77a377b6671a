"""Generation of new rows from random codes: their quality, whether they are copies, and their use as training data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console, optimizers
from aejax.config.bounds import Choice, Count
from aejax.data.batches import batch_rows
from aejax.errors import UserError
from aejax.figures.tasks.spaces import GENERATION
from aejax.metrics import generation as metrics
from aejax.optimizers import schedules
from aejax.tasks import likelihood, likeness, needs, samplers, synthesis
from aejax.tasks.common import (
    Decode,
    Numbers,
    Several,
    attempted,
    decoder,
    fitted_pca,
    generator,
    outputs,
)
from aejax.tasks.likeness import COPY, LOOKED_UP, Makers
from aejax.training.context import outline
from aejax.training.minimise import minimise
from aejax.types import Dataset, Evaluation, Kept, Model, Params, Task

BALLS = 2000  # rows, of each kind, that precision, recall, density and coverage are counted over
SHOWN, IN_PLANE = 10, 1000
WIDTHS = (256, 64)
STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 2000, 128, 2e-3, 1e-4


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
            ``"rows"``: as they are; ``"columns"``: as rows of a table, column by column, with other measures.
        draws: for each row, of the log-likelihood; of variational nets and binary rows only.
    """

    sampler: str = "mixture"
    components: Count = 20
    samples: Several = 2000
    neighbours: Count = 5
    features: Annotated[str, Choice(("classifier", "rows", "columns"))] = "classifier"
    draws: Count = 50


def _keep_needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    rows = len(dataset.train.x)
    samplers.sampler(options.sampler, what="task.sampler")
    needs.at_most("components", options.components, min(rows, samplers.FITTED), f"{rows} training rows")


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    train, test = dataset.train, len(dataset.test.x)
    if options.features == "classifier":
        purpose, instead = "for a classifier whose features rows are compared in", "task.features=rows"
        needs.has_labels("generation", dataset, purpose, splits=[train], instead=instead)
        needs.has_classes("generation", dataset, train.labels, rows="all training rows", instead=instead)
    _keep_needs(dataset, model, config, options)
    needs.has_rows("generation", dataset, "train", least=3)
    if options.features == "columns":
        if dataset.kind in ("image", "text"):
            raise UserError(f"task.features: columns are of tables, and {dataset.name} is none; allowed: rows")
        needs.has_rows("generation", dataset, least=2)
        return
    most, of = min(options.samples, test, BALLS) - 1, f"{options.samples} samples and {test} test rows"
    needs.at_most("neighbours", options.neighbours, most, of, hint="with 2 of both or more")


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
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

        Of ``features="columns"``, rows in the form of the data: ``c2st_auc``, how well a random forest tells them from
        test rows; ``column_error`` and ``pair_error``, how far columns and pairs of columns are from those of the test
        rows; ``nearer_to_training``, the share nearer to a training row than to one of as many test rows; ``copies``
        and ``accuracy``. ``baselines``: the same of a Gaussian and a mixture of the scaled rows, of columns drawn
        independently of each other, and of training rows.

        ``arrays``: ``made``, ``nearest`` and ``plane``, by name: a few rows, their nearest training rows, and more of
        them on two principal components. ``kept``: what new rows are made by, where it is a mixture of normal
        distributions.
    """
    if options.features == "columns":
        return likeness.evaluate(key, model, params, dataset, options.sampler, options.components, options.samples)
    components, samples, fitting = options.components, options.samples, jax.random.fold_in(key, 1)
    for_classifier, likely = jax.random.split(key)
    train, test = (outputs(model, params, dataset, name) for name in ("train", "test"))
    labels, random = dataset.train.labels, generator(for_classifier)
    fit = partial(_makers, options.sampler, fitting, model, params)
    makers = fit(train.x, train.code, components)
    made = {name: make(sampler.draw(random, samples)) for name, (sampler, make) in makers.items()}
    made["training rows"] = train.x[random.permutation(len(train.x))[:samples]]
    made["decoded test rows"] = test.x_hat[:samples]
    view = lambda x: x
    if options.features == "classifier":
        view = partial(features, fit_classifier(for_classifier, train.x, labels, int(labels.max()) + 1))
    numbers = _compare(made, test.x[:samples], train.x, view, options.neighbours)
    if dataset.kind == "table" and labels is not None and dataset.test.labels is not None:
        for name, accuracy in likeness.usefulness(fit, dataset, train, test.x, components, random).items():
            if name in numbers:  # else a sampler that serves some classes, and not all rows
                numbers[name]["accuracy"] = accuracy
    name = options.sampler.removeprefix("samplers.")
    chosen = numbers.pop(name)
    if likelihood.is_bernoulli(model) and likelihood.is_binary(dataset):
        chosen |= likelihood.bounds(likely, model, params, dataset, options.draws)
        numbers["independent values"] = likelihood.independent(dataset)
    shown = {name: rows[:SHOWN] for name, rows in made.items()}
    nearest = {name: train.x[metrics.nearest_rows(rows, train.x)[0]] for name, rows in shown.items()}
    to_plane = fitted_pca(train.x, 2).transform
    plane = {name: to_plane(rows[:IN_PLANE]) for name, rows in made.items()}
    arrays = {"made": shown, "nearest": nearest, "plane": plane}
    return Evaluation({"test": chosen}, numbers, arrays, synthesis.kept(makers[name][0], train, dataset, model, params))


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Kept | None:
    """What `evaluate` keeps to make new rows: the sampler where it is a mixture of normal distributions."""
    train = outputs(model, params, dataset, "train")
    more = {"components": options.components} if options.sampler.removeprefix("samplers.") == "mixture" else {}
    make = samplers.sampler(options.sampler, what="task.sampler")
    sampler = make(jax.random.fold_in(key, 1), model, params, train.code, **more)
    return synthesis.kept(sampler, train, dataset, model, params)


def _makers(
    chosen: str, key: jax.Array, model: Model, params: Params, train: np.ndarray, codes: np.ndarray, components: int
) -> Makers:
    """By name, where codes are drawn from and what makes rows of them; a `chosen` sampler of somebody else is last."""
    pca, of_codes = fitted_pca(train, model.code_size), (key, model, params, codes)
    of_points = (key, model, params, pca.transform(train).astype(np.float32))
    decode, back = decoder(model, params), lambda points: pca.inverse_transform(points).astype(np.float32)
    mixture, name = partial(samplers.mixture, components=components), chosen.removeprefix("samplers.")
    drawn = {"uniform": samplers.uniform, "normal": samplers.normal, "gaussian": samplers.gaussian}
    drawn |= {"mixture": mixture, "kernel": samplers.kernel}
    if "log_variance" in outline(model).extra or model.prior is not None:
        drawn["prior"] = samplers.prior
    of_rows = {"pca gaussian": samplers.gaussian, "pca mixture": mixture}
    made = {each: (partial(make, *of_codes), decode) for each, make in drawn.items()}
    made |= {each: (partial(make, *of_points), back) for each, make in of_rows.items()}
    if name not in drawn:
        made[name] = partial(samplers.sampler(name, what="task.sampler"), *of_codes), decode
    fitted = attempted({each: make for each, (make, _) in made.items() if each != name})
    fitted[name] = made[name][0]()
    return {each: (fitted[each], back) for each, (_, back) in made.items() if each in fitted}


def _compare(made: Mapping, test: np.ndarray, train: np.ndarray, view: Decode, neighbours: int) -> dict[str, Numbers]:
    """The measures of each set of rows against the test rows, and how near it comes to the training rows."""
    real, usual = view(test), metrics.nearest_rows(test[:LOOKED_UP], train)[1]
    threshold = np.quantile(usual, COPY)
    measures: dict[str, Numbers] = {"test rows": {"nearest": float(usual.mean())}}
    for name, rows in made.items():
        generated, apart = view(rows), metrics.nearest_rows(rows[:LOOKED_UP], train)[1]
        measures[name] = {
            "frechet": metrics.frechet_distance(real, generated),
            **metrics.coverage(real[:BALLS], generated[:BALLS], neighbours=neighbours),
            "nearest": float(apart.mean()),
            "copies": float((apart <= threshold).mean()),
        }
    return measures


# Features of rows: the last hidden layer of a small classifier that is trained on real ones.


class Classifier(NamedTuple):
    """A trained classifier n-256-64-classes; see `fit_classifier`.

    Attributes:
        layers: kernels and biases, from the rows on.
        shift: (n,) mean of the training rows.
        scale: the inverse of the standard deviation of all their values.
    """

    layers: list[dict[str, jax.Array]]
    shift: jax.Array
    scale: jax.Array


def fit_classifier(key: jax.Array, x: np.ndarray, labels: np.ndarray, classes: int) -> Classifier:
    """Train a classifier of scaled rows: two hidden layers, relu, cross-entropy, Adam with a cosine schedule.

    Args:
        key: of initial kernels and of the batches.
        x: (m, n) scaled rows.
        labels: (m,) in 0 … classes − 1.
        classes: how many there are.

    Returns:
        The classifier, a function of its arguments alone.
    """
    start, order = jax.random.split(key)
    rows, targets = jnp.asarray(x, jnp.float32), jnp.asarray(labels)
    shift, scale = rows.mean(0), 1 / jnp.maximum(rows.std(), 1e-12)
    adam = optimizers.build("adam", {}, schedules.cosine)
    hparams = {"learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, "schedule": {}}

    def loss(layers: Any, key: jax.Array, number: jax.Array, data: tuple[jax.Array, ...]) -> jax.Array:
        rows, targets, shift, scale = data
        index = batch_rows(key, number, min(BATCH, len(x)), len(x))
        log_odds = _log_odds(Classifier(layers, shift, scale), rows[index])[-1]
        return -jnp.take_along_axis(jax.nn.log_softmax(log_odds), targets[index][:, None], axis=1).mean()

    sizes, he = (x.shape[1], *WIDTHS, classes), jax.nn.initializers.he_normal()
    shapes = zip(jax.random.split(start, len(sizes) - 1), pairwise(sizes), strict=True)
    layers = [{"kernel": he(layer_key, shape), "bias": jnp.zeros(shape[1])} for layer_key, shape in shapes]
    console.say("training a classifier of the rows to judge by")
    with console.progress(STEPS, 0) as show:
        on_chunk = lambda step, history, _: show(step, float(history["loss"][-1]))
        data, chunks = (rows, targets, shift, scale), {"steps": STEPS, "evaluate_every": STEPS, "on_chunk": on_chunk}
        layers, _ = minimise(loss, layers, order, data, adam, hparams, **chunks)
    return Classifier(layers, shift, scale)


def _log_odds(classifier: Classifier, x: jax.Array) -> list[jax.Array]:
    """What each layer puts out, before the softmax."""
    outputs = [(x - classifier.shift[None]) * classifier.scale]
    for number, layer in enumerate(classifier.layers, start=1):
        z = outputs[-1] @ layer["kernel"] + layer["bias"][None]
        outputs.append(jax.nn.relu(z) if number < len(classifier.layers) else z)
    return outputs[1:]


def features(classifier: Classifier, x: np.ndarray) -> np.ndarray:
    """The activations of the last hidden layer, (m, 64)."""
    return np.asarray(_outputs(classifier, jnp.asarray(x, jnp.float32))[-2])


def predict(classifier: Classifier, x: np.ndarray) -> np.ndarray:
    """The likeliest class of each row, (m,)."""
    return np.asarray(_outputs(classifier, jnp.asarray(x, jnp.float32))[-1]).argmax(1)


_outputs = jax.jit(_log_odds)


NEW_ROWS = {"keep": keep, "keep_needs": _keep_needs, "sample": synthesis.sample}
TASK = Task(
    Options,
    evaluate,
    needs=_needs,
    validated=(),
    figures=GENERATION,
    **NEW_ROWS,
    imports=("sklearn.ensemble", "sklearn.mixture"),
)
