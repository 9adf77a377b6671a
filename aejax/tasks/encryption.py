"""A decoder kept secret: how well three attacks reconstruct rows from their codes without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from aejax import console, metrics
from aejax.config.bounds import Count, NonNegative
from aejax.errors import UserError
from aejax.figures.tasks.methods import ENCRYPTION
from aejax.tasks import needs
from aejax.tasks.attacks import by_gradient, from_codes, from_pairs
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

FEWEST = 12  # test rows of which five neighbours say anything


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        pairs: n, the numbers of leaked pairs; those above the number of training rows are left out.
        rows: how many test rows are attacked.
        surrogate_steps: of the surrogate decoders.
        inversion_steps: of the inversion by gradient.
        prior: λ, how much an inverted row keeps to the mean row.
    """

    pairs: tuple[Count, ...] = (10, 30, 100, 300, 1000, 3000, 10_000)
    rows: Count = 200
    surrogate_steps: Count = 4000
    inversion_steps: Count = 500
    prior: NonNegative = 1e-2


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    if (attacked := min(len(dataset.test.x), options.rows)) < FEWEST:
        raise UserError(
            f"encryption: {attacked} test rows are too few to attack; allowed: {FEWEST} or more (data.test, task.rows)"
        )
    needs.is_whole("encryption", dataset)
    most, pairs = len(dataset.train.x), options.pairs
    if not pairs or min(pairs) < 5 or min(pairs) > most:
        raise UserError(f"task.pairs: {tuple(pairs)}; allowed: one or more numbers from 5 to the {most} training rows")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
    """The mean squared error of test rows rebuilt from their codes: by the owner's decoder, and by three attackers.

    - Leaked pairs: n codes and their rows are known, and a decoder of the owner's shape, or a linear map where that is
      better on a fifth of the pairs held out, is fitted to them. Whoever has the encoder and rows of the same kind
      makes as many pairs as they like.
    - Encoder known, no rows: gradient descent on x for ½‖f(x) − c‖² + ½ λ ‖x − x̄‖², x kept in the range of the data.
    - Codes only, and other rows of the same kind: principal components of the codes are taken for those of the rows.

    Returns:
        ``metrics["test"]``: ``mse`` of the owner, per value; ``recovered``, 1 here. ``baselines`` with both for every
        attack and for the ``mean row``; ``recovered`` is (mse of the mean row − mse) / (that − the owner's): the
        share of what the owner rebuilds. ``trustworthiness`` (5 neighbours) says that codes alone tell which rows are
        alike. ``arrays`` holds the rows ``x``, the ``owner``'s, the ``mean`` row, ``attacks`` by name, and ``curve``:
        (pairs, 2) of n and mse.
    """
    known, codes, _ = encode_and_reconstruct(model, params, on_device(dataset.train, dataset))
    x, code, x_hat = (
        part[: options.rows] for part in encode_and_reconstruct(model, params, on_device(dataset.test, dataset))
    )
    order = np.random.default_rng(np.asarray(jax.random.key_data(key))).permutation(len(known))
    known, codes = known[order], codes[order]
    counts = sorted({count for count in options.pairs if count <= len(known)})
    keys = jax.random.split(key)
    console.say("attack: decoders of one's own, from leaked pairs")
    leaked = from_pairs(keys[0], model, (codes, known), code, counts, options.surrogate_steps)
    console.say("attack: inverting the encoder by gradient")
    steps, prior = options.inversion_steps, options.prior
    inverted = by_gradient(model, params, code, known.mean(0), dataset.range, steps=steps, prior=prior)
    attacks = {f"{count} leaked pairs": leaked[count] for count in counts}
    attacks |= {"encoder known": inverted, "codes only": from_codes(codes, known, code)}
    errors = {name: metrics.mse(x, rebuilt) for name, rebuilt in attacks.items()}
    mean, owner = metrics.mse(x, np.broadcast_to(known.mean(0), x.shape)), metrics.mse(x, x_hat)
    recovered = lambda error: (mean - error) / (mean - owner) if mean != owner else float("nan")
    judged = lambda error: {"mse": error, "recovered": recovered(error)}
    return Evaluation(
        {"test": judged(owner) | {"trustworthiness": metrics.trustworthiness(x, code)}},
        {name: judged(error) for name, error in {**errors, "mean row": mean}.items()},
        {
            "x": x,
            "owner": x_hat,
            "attacks": attacks,
            "mean": known.mean(0),
            "curve": np.array([(count, errors[f"{count} leaked pairs"]) for count in counts]),
        },
    )


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=ENCRYPTION)
