"""Attacks on codes: what is rebuilt from them without the decoder."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console, metrics, optimizers
from aejax.optimizers import schedules
from aejax.training.minimise import minimise
from aejax.types import Model, Params, Range

RATE, INVERSION_RATE = 3e-3, 0.05
BATCH = 64
JUDGED = 20  # times that a surrogate decoder is judged on its held-out pairs
HELD_OUT = 0.2
SHOWN = 25  # steps of an inversion between which progress is shown


def from_pairs(
    key: jax.Array, model: Model, pairs: tuple[np.ndarray, np.ndarray], code: np.ndarray, counts: list[int], steps: int
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
    held = np.array([max(1, round(HELD_OUT * count)) for count in counts])
    surrogates = train_surrogates(key, model, jnp.asarray(codes), jnp.asarray(known), np.array(counts), held, steps)
    decode = jax.jit(model.decode)
    found = {}
    for place, count in enumerate(counts):
        decoder = jax.tree.map(lambda leaf, place=place: leaf[place], surrogates)
        test, fitted = slice(0, held[place]), slice(held[place], count)
        line = fitted_line(codes[fitted], known[fitted])
        by_net, by_line = metrics.mse(known[test], np.asarray(decode(decoder, codes[test]))), line(codes[test])
        better = by_net <= metrics.mse(known[test], by_line)
        found[count] = np.asarray(decode(decoder, code)) if better else line(code)
    return found


def fitted_line(codes: np.ndarray, known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Ridge regression from codes to rows, its penalty chosen by leaving one pair out."""
    from sklearn.linear_model import RidgeCV

    size = np.maximum(codes.std(0), 1e-6)
    fitted = RidgeCV(np.logspace(-3, 3, 7)).fit(codes / size, known)
    return lambda code: fitted.predict(code / size).astype(np.float32).reshape(len(code), -1)


def train_surrogates(
    key: jax.Array, model: Model, codes: jax.Array, known: jax.Array, counts: np.ndarray, held: np.ndarray, steps: int
) -> Params:
    """Decoders of the model's shape fitted to the first pairs, n by n: leaves (attacks, ...).

    Of each the parameters are kept that were best on its held-out pairs, which are the first `held` ones.
    """
    adam, hparams = optimizers.build("adam", {}, schedules.cosine), {"learning_rate": jnp.float32(RATE)}
    error = lambda params, codes, rows: jnp.square(model.decode(params, codes) - rows).sum(-1)

    def loss(params: Params, key: jax.Array, step: jax.Array, data: tuple[jax.Array, ...]) -> jax.Array:
        codes, known, count, out = data
        chosen = jax.random.randint(jax.random.fold_in(key, step + 1), (BATCH,), out, count)
        return error(params, codes[chosen], known[chosen]).mean()

    @jax.jit
    def held_out(params: Params, data: tuple[jax.Array, ...]) -> jax.Array:
        codes, known, _, out = data
        return jnp.where(jnp.arange(codes.shape[0]) < out, error(params, codes, known), 0.0).sum() / out

    init, every = jax.jit(model.init), max(1, steps // JUDGED)

    def fitted(number: int, key: jax.Array, show: Callable[[int, float], None]) -> Params:
        data = (codes, known, jnp.asarray(counts[number]), jnp.asarray(held[number]))
        judged = {
            "measure": lambda params, _: {"validation_loss": float(held_out(params, data))},
            "on_evaluation": lambda step, values, _: show(number * steps + step, values["validation_loss"]),
        }
        start, whole = init(jax.random.fold_in(key, 0)), {"steps": steps, "evaluate_every": every, "patience": steps}
        return minimise(loss, start, key, data, adam, hparams, **whole, **judged)[1].best

    with console.progress(len(counts) * steps, 0) as show:
        trained = [fitted(number, own, show) for number, own in enumerate(jax.random.split(key, len(counts)))]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trained)


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
        shown = {"steps": steps, "evaluate_every": SHOWN, "on_chunk": tell}
        return np.asarray(minimise(cost, start, key, params, adam, rate, project=within_range, **shown)[0])


def from_codes(codes: np.ndarray, known: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Rows guessed from codes without a single pair: principal components of codes as those of rows, (m, n).

    The i-th component of the codes, in units of its deviation, is taken for the i-th of the rows, with the sign that
    makes both skewed to the same side.
    """
    from scipy.stats import skew
    from sklearn.decomposition import PCA

    size = min(codes.shape[1], *known.shape)
    seen, real = PCA(size).fit(codes), PCA(size).fit(known)
    of_codes, of_rows = seen.transform(codes), real.transform(known)
    deviation = np.where(of_codes.std(0) > 0, of_codes.std(0), 1.0)
    sign = np.where(np.nan_to_num(skew(of_codes) * skew(of_rows)) < 0, -1.0, 1.0)
    guessed = seen.transform(code) / deviation * sign * of_rows.std(0)
    return real.inverse_transform(guessed).astype(np.float32)
