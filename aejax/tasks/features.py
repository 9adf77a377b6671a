"""Features of rows: the last hidden layer of a small classifier that is trained on real ones."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console, optimizers
from aejax.data.batches import batch_rows
from aejax.optimizers import schedules
from aejax.training.minimise import minimise

WIDTHS = (256, 64)
STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 2000, 128, 2e-3, 1e-4


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
    layers = [
        {"kernel": he(layer_key, shape), "bias": jnp.zeros(shape[1])}
        for layer_key, shape in zip(jax.random.split(start, len(sizes) - 1), pairwise(sizes), strict=True)
    ]
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
