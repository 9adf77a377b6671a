"""A decoder kept secret: how well three attacks reconstruct rows from their codes without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console, metrics, optimizers
from aejax.config.bounds import Count, NonNegative
from aejax.errors import UserError
from aejax.figures.tasks.methods import ENCRYPTION
from aejax.optimizers import schedules
from aejax.tasks import needs
from aejax.tasks.common import Pair, generator, outputs
from aejax.training.minimise import minimise
from aejax.types import Dataset, Evaluation, Model, Params, Range, Task

RATE, INVERSION_RATE = 3e-3, 0.05
BATCH = 64
VALIDATIONS = 20  # times that a surrogate decoder is evaluated on its held-out pairs
HELD_OUT = 0.2
SHOWN = 25  # steps of an inversion between which progress is shown
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


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if (attacked := min(len(dataset.test.x), options.rows)) < FEWEST:
        raise UserError(
            f"encryption: {attacked} test rows are too few to attack; allowed: {FEWEST} or more (data.test, task.rows)"
        )
    needs.is_whole("encryption", dataset)
    most, pairs = len(dataset.train.x), options.pairs
    if not pairs or min(pairs) < 5 or min(pairs) > most:
        raise UserError(f"task.pairs: {tuple(pairs)}; allowed: one or more numbers from 5 to the {most} training rows")


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
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
    train = outputs(model, params, dataset, "train")
    x, code, x_hat = (part[: options.rows] for part in outputs(model, params, dataset, "test")[:3])
    order = generator(key).permutation(len(train.x))
    known, codes = train.x[order], train.code[order]
    counts = sorted({count for count in options.pairs if count <= len(known)})
    console.say("attack: decoders of one's own, from leaked pairs")
    for_pairs, _ = jax.random.split(key)
    leaked = from_pairs(for_pairs, model, (codes, known), code, counts, options.surrogate_steps)
    console.say("attack: inverting the encoder by gradient")
    settings = {"steps": options.inversion_steps, "prior": options.prior}
    inverted = by_gradient(model, params, code, known.mean(0), dataset.range, **settings)
    attacks = {f"{count} leaked pairs": rebuilt for count, rebuilt in leaked.items()}
    attacks |= {"encoder known": inverted, "codes only": from_codes(codes, known, code)}
    errors = {name: metrics.mse(x, rebuilt) for name, rebuilt in attacks.items()}
    mean, owner = metrics.mse(x, np.broadcast_to(known.mean(0), x.shape)), metrics.mse(x, x_hat)
    whole = mean - owner if mean != owner else float("nan")
    judged = lambda error: {"mse": error, "recovered": (mean - error) / whole}
    baselines = {name: judged(error) for name, error in {**errors, "mean row": mean}.items()}
    curve = np.array([(count, errors[f"{count} leaked pairs"]) for count in counts])
    arrays = {"x": x, "owner": x_hat, "attacks": attacks, "mean": known.mean(0), "curve": curve}
    by_split = {"test": judged(owner) | {"trustworthiness": metrics.trustworthiness(x, code)}}
    return Evaluation(by_split, baselines, arrays)


def from_pairs(
    key: jax.Array, model: Model, pairs: Pair, code: np.ndarray, counts: list[int], steps: int
) -> dict[int, np.ndarray]:
    """Rows rebuilt by whoever knows the first n pairs, for each n: (m, n) by n.

    Args:
        key: of the surrogate decoders.
        model: the owner's, whose shape is known.
        pairs: codes (rows, d) and rows (rows, n).
        code: (m, d) to rebuild.
        counts: n.
        steps: of training.
    """
    codes, known = (part[: max(counts)] for part in pairs)
    surrogates = train_surrogates(key, model, jnp.asarray(codes), jnp.asarray(known), counts, steps)
    decode, by_count = jax.jit(model.decode), {}
    for count, surrogate in zip(counts, surrogates, strict=True):
        net, out = lambda codes, surrogate=surrogate: np.asarray(decode(surrogate, codes)), held_out(count)
        line = fitted_line(codes[out:count], known[out:count])
        by_net, by_line = (metrics.mse(known[:out], rebuilt(codes[:out])) for rebuilt in (net, line))
        by_count[count] = net(code) if by_net <= by_line else line(code)
    return by_count


def held_out(count: int) -> int:
    """How many of the first pairs, a fifth, a surrogate decoder is not trained on."""
    return max(1, round(HELD_OUT * count))


def fitted_line(codes: np.ndarray, known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Ridge regression from codes to rows, its penalty chosen by leaving one pair out."""
    from sklearn.linear_model import RidgeCV

    size = np.maximum(codes.std(0), 1e-6)
    fitted = RidgeCV(np.logspace(-3, 3, 7)).fit(codes / size, known)
    return lambda code: fitted.predict(code / size).astype(np.float32).reshape(len(code), -1)


def train_surrogates(
    key: jax.Array, model: Model, codes: jax.Array, known: jax.Array, counts: Sequence[int], steps: int
) -> list[Params]:
    """Decoders of the model's shape fitted to the first pairs, for each number of these.

    Of each the parameters are kept that were best on its held-out pairs, which are the first of its pairs.
    """
    adam, hparams = optimizers.build("adam", {}, schedules.cosine), {"learning_rate": jnp.float32(RATE)}
    error = lambda params, codes, rows: jnp.square(model.decode(params, codes) - rows).sum(-1)

    def loss(params: Params, key: jax.Array, step: jax.Array, data: tuple[jax.Array, ...]) -> jax.Array:
        codes, known, count, out = data
        chosen = jax.random.randint(jax.random.fold_in(key, step + 1), (BATCH,), out, count)
        return error(params, codes[chosen], known[chosen]).mean()

    @jax.jit
    def validation_loss(params: Params, data: tuple[jax.Array, ...]) -> jax.Array:
        codes, known, _, out = data
        return jnp.where(jnp.arange(codes.shape[0]) < out, error(params, codes, known), 0.0).sum() / out

    init, surrogates = jax.jit(model.init), []
    until = {"steps": steps, "evaluate_every": max(1, steps // VALIDATIONS), "patience": steps}
    with console.progress(len(counts) * steps, 0) as show:
        for number, (count, part_key) in enumerate(zip(counts, jax.random.split(key, len(counts)), strict=True)):
            data = (codes, known, jnp.int32(count), jnp.int32(held_out(count)))
            measure = lambda params, _, data=data: {"validation_loss": float(validation_loss(params, data))}
            tell = lambda step, values, _, done=number * steps: show(done + step, values["validation_loss"])
            options = until | {"measure": measure, "on_evaluation": tell}
            start = init(jax.random.fold_in(part_key, 0))
            surrogates.append(minimise(loss, start, part_key, data, adam, hparams, **options)[1].best)
    return surrogates


def by_gradient(
    model: Model, params: Params, code: np.ndarray, mean: np.ndarray, within: Range, *, steps: int, prior: float
) -> np.ndarray:
    """Rows whose codes come near the given ones, by Adam from the mean row on: (m, n).

    The codes are measured in units of their standard deviation over the attacked rows.
    """
    target, size = jnp.asarray(code), jnp.asarray(np.maximum(code.std(0, keepdims=True), 1e-6))
    middle = jnp.asarray(mean)[None]
    adam, rate = optimizers.build("adam", {}, schedules.constant), {"learning_rate": jnp.float32(INVERSION_RATE)}

    def cost(x: jax.Array, key: jax.Array, step: jax.Array, params: Params) -> jax.Array:
        apart = jnp.square((model.encode(params, x) - target) / size).sum()
        return 0.5 * apart + 0.5 * prior * jnp.square(x - middle).sum()

    start, key = jnp.broadcast_to(middle, (len(code), middle.shape[1])), jax.random.key(0)
    within_range = lambda x: jnp.clip(x, within.low, within.high)
    with console.progress(steps, 0) as show:
        tell = lambda step, history, _: show(step, float(history["loss"][-1]) / len(code))
        options = {"steps": steps, "evaluate_every": SHOWN, "on_chunk": tell, "project": within_range}
        return np.asarray(minimise(cost, start, key, params, adam, rate, **options)[0])


def from_codes(codes: np.ndarray, known: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Rows guessed from codes without a single pair: principal components of codes as those of rows, (m, n).

    The i-th component of the codes, in units of its deviation, is taken for the i-th of the rows, with the sign that
    makes both skewed to the same side.
    """
    from scipy.stats import skew
    from sklearn.decomposition import PCA

    size = min(codes.shape[1], *known.shape)
    codes_pca, rows_pca = PCA(size).fit(codes), PCA(size).fit(known)
    of_codes, of_rows = codes_pca.transform(codes), rows_pca.transform(known)
    deviation = np.where(of_codes.std(0) > 0, of_codes.std(0), 1.0)
    sign = np.where(np.nan_to_num(skew(of_codes) * skew(of_rows)) < 0, -1.0, 1.0)
    guessed = codes_pca.transform(code) / deviation * sign * of_rows.std(0)
    return rows_pca.inverse_transform(guessed).astype(np.float32)


TASK = Task(
    Options,
    evaluate,
    needs=_needs,
    validated=(),
    figures=ENCRYPTION,
    imports=("sklearn.linear_model", "sklearn.decomposition", "scipy.stats"),
)
