"""Log-likelihood of binary rows under a variational net: the evidence lower bound and a tighter estimate."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.losses.latent import unit_divergences
from aejax.tasks import needs
from aejax.tasks.common import Numbers, scaled_rows
from aejax.training.context import outline, scaled
from aejax.training.evaluate import batches, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Rows, Task

ACTIVE = 0.01  # variance of a unit's mean above which it says something of a row, Burda et al. 2016, section 5.2


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        draws: k, of the code of each row.
    """

    draws: Count = 50


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if not is_bernoulli(model):
        raise UserError(
            "likelihood: the model gives no probabilities of binary rows; "
            "allowed: model.name=variational.dense or variational.convolutional, with model.output=sigmoid"
        )
    needs.has_rows("likelihood", dataset)
    if not is_binary(dataset):
        raise UserError(
            f"likelihood: the values of {dataset.name} are not all 0 or 1; allowed: data.name=binary:{dataset.name} "
            "for images, with data.scaling=unit"
        )


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """Bound and importance-sampled estimate of the mean log-likelihood of a test row, in nats.

    Returns:
        ``metrics["test"]`` with the numbers of `bounds`. ``baselines["independent values"]["log_likelihood"]``: each
        value is 1 as often as in the training rows, whatever the others are. ``arrays`` is empty.
    """
    by_split = {"test": bounds(key, model, params, dataset, options.draws)}
    return Evaluation(by_split, {"independent values": independent(dataset)}, {})


def is_bernoulli(model: Model) -> bool:
    """Whether the model's training pass draws codes, and puts out probabilities of rows of 0 and 1."""
    ctx = outline(model)
    return "log_variance" in ctx.extra and "x_hat" in ctx.log_odds


def is_binary(dataset: Dataset) -> bool:
    """Whether every scaled value of the test rows is 0 or 1."""
    return bool(np.isin(scaled_rows(dataset.test, dataset), (0, 1)).all())


def bounds(key: jax.Array, model: Model, params: Params, dataset: Dataset, draws: int) -> Numbers:
    """What a variational net says of the log-likelihood of the test rows, in nats, in the mean over them.

    With k draws z_l of q(z|x): ``bound`` is (1/k) Σ_l log p(x|z_l) − KL(q(z|x)‖p(z)), and ``log_likelihood`` is
    log (1/k) Σ_l p(x|z_l) p(z_l) / q(z_l|x), which lies between the bound and the truth in expectation. Where the
    model has a prior of its own, its KL term is estimated from the same draws.

    Args:
        key: of the draws.
        model: a variational net for rows of 0 and 1.
        params: its parameters.
        dataset: binary rows.
        draws: k.

    Returns:
        ``bound``, ``log_likelihood``, ``divergence`` (the KL term) and ``active_units``, of d.

    References:
        Kingma & Welling 2014, Auto-encoding variational Bayes, equation 10. Burda, Grosse & Salakhutdinov 2016,
        Importance weighted autoencoders, equation 8, and section 5.2 (active units).
    """
    on_batch = jax.jit(partial(_on_batch, model, draws=draws))
    parts = enumerate(batches(on_device(dataset.test, dataset)))
    by_batch = [on_batch(params, part, jax.random.fold_in(key, number)) for number, part in parts]
    joined = {name: np.concatenate([np.asarray(each[name], np.float64) for each in by_batch]) for name in by_batch[0]}
    active = int((joined.pop("mean").var(0) > ACTIVE).sum())
    return {name: float(values.mean()) for name, values in joined.items()} | {"active_units": active}


def _on_batch(model: Model, params: Params, rows: Rows, key: jax.Array, *, draws: int) -> dict[str, jax.Array]:
    """The numbers of `bounds` for each row, and the mean of its code."""
    x, _ = scaled(rows, slice(None))

    def draw(carry: tuple[jax.Array, ...], one: jax.Array) -> tuple[tuple[jax.Array, ...], None]:
        total, ratio, weight = carry
        ctx = model.apply(params, x, x, one)
        z, log_odds, extra = ctx.code, ctx.log_odds["x_hat"], ctx.extra
        # log p(x|z) = Σ x log σ(t) + (1 − x) log σ(−t) = Σ x t − log(1 + e^t)
        log_p = (x * log_odds - jax.nn.softplus(log_odds)).sum(-1)
        noise = (z - extra["mean"]) * jnp.exp(-0.5 * extra["log_variance"])
        log_ratio = 0.5 * (jnp.square(noise) + extra["log_variance"] - jnp.square(z)).sum(-1)
        if "log_prior" in extra:  # of the model's own, instead of N(0, 1)
            constant = jnp.log(jnp.float32(2 * jnp.pi))
            log_ratio = extra["log_prior"] + 0.5 * (jnp.square(noise) + extra["log_variance"] + constant).sum(-1)
        return (total + log_p, ratio + log_ratio, jnp.logaddexp(weight, log_p + log_ratio)), None

    empty = jnp.zeros(x.shape[0]), jnp.zeros(x.shape[0]), jnp.full(x.shape[0], -jnp.inf)
    last, many = jax.random.split(key)
    (total, ratio, weight), _ = jax.lax.scan(draw, empty, jax.random.split(many, draws))
    extra = model.apply(params, x, x, last).extra  # which is the same for every draw
    divergence = unit_divergences(extra["mean"], extra["log_variance"]).sum(-1)
    divergence = -ratio / draws if "log_prior" in extra else divergence
    bound, log_likelihood = total / draws - divergence, weight - jnp.log(jnp.float32(draws))
    return {"bound": bound, "log_likelihood": log_likelihood, "divergence": divergence, "mean": extra["mean"]}


def independent(dataset: Dataset) -> Numbers:
    """The mean log-likelihood of the test rows where each value is drawn for itself, from rates of the training rows.

    Rates are (ones + 1) / (rows + 2), so that a value that no training row has is still possible.
    """
    train, test = (scaled_rows(split, dataset).astype(np.float64) for split in (dataset.train, dataset.test))
    rate = (train.sum(0) + 1) / (len(train) + 2)
    return {"log_likelihood": float((test @ np.log(rate) + (1 - test) @ np.log1p(-rate)).mean())}


TASK = Task(Options, evaluate, needs=_needs, validated=())
