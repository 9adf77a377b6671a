"""Attacks on codes: what is rebuilt from them without the decoder."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console, metrics, optimizers
from aejax.optimizers import schedules
from aejax.types import Model, Params, Range

RATE, INVERSION_RATE = 3e-3, 0.05
BATCH = 64
JUDGED = 20  # times that a surrogate decoder is judged on its held-out pairs
HELD_OUT = 0.2
SHOWN = 25  # steps of an inversion between which progress is shown


def _moved(rule: Any, gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
    """Parameters and the optimiser's state after one step."""
    updates, state = rule.update(gradient, state, params)
    return jax.tree.map(jnp.add, params, updates), state


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
    optimizer = optimizers.build("adam", {}, schedules.cosine)
    rule = lambda progress: optimizer({"learning_rate": jnp.float32(RATE)}, progress)
    error = lambda params, codes, rows: jnp.square(model.decode(params, codes) - rows).sum(-1)

    @jax.jit
    def begin(key: jax.Array) -> tuple:
        params = model.init(jax.random.fold_in(key, 0))
        return params, rule(jnp.float32(0)).init(params), params, jnp.float32(jnp.inf)

    @jax.jit  # the pairs are arguments: closed over, they would be constants in the program
    def judge(
        part: jax.Array,
        carry: tuple,
        key: jax.Array,
        count: jax.Array,
        out: jax.Array,
        pairs: tuple[jax.Array, jax.Array],
    ) -> tuple:
        codes, known = pairs

        def step(i: jax.Array, carry: tuple) -> tuple:
            params, state = carry
            chosen = jax.random.randint(jax.random.fold_in(key, i + 1), (BATCH,), out, count)
            gradient = jax.grad(lambda p: error(p, codes[chosen], known[chosen]).mean())(params)
            return _moved(rule(i / steps), gradient, state, params)

        params, state, best, lowest = carry
        first, end = part * steps // JUDGED, (part + 1) * steps // JUDGED
        params, state = jax.lax.fori_loop(first, end, step, (params, state))
        found = jnp.where(jnp.arange(codes.shape[0]) < out, error(params, codes, known), 0.0).sum()
        best = jax.tree.map(lambda new, old: jnp.where(found < lowest, new, old), params, best)
        return params, state, best, jnp.minimum(found, lowest)

    trained = []
    with console.progress(len(counts) * steps, 0) as show:
        for place, (own, count, out) in enumerate(zip(jax.random.split(key, len(counts)), counts, held, strict=True)):
            carry = begin(own)
            for part in range(JUDGED):
                carry = judge(jnp.int32(part), carry, own, jnp.asarray(count), jnp.asarray(out), (codes, known))
                show(place * steps + (part + 1) * steps // JUDGED, float(carry[3]) / int(out))
            trained.append(carry[2])
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trained)


def by_gradient(
    model: Model, params: Params, code: np.ndarray, mean: np.ndarray, within: Range, *, steps: int, prior: float
) -> np.ndarray:
    """Rows whose codes come near the given ones, by Adam from the mean row on: (m, n).

    The codes are measured in units of their standard deviation over the attacked rows.
    """
    target, size = jnp.asarray(code), jnp.asarray(np.maximum(code.std(0, keepdims=True), 1e-6))
    middle = jnp.asarray(mean)[None]
    rate = {"learning_rate": jnp.float32(INVERSION_RATE)}
    rule = optimizers.build("adam", {}, schedules.constant)(rate, jnp.float32(0))

    def cost(x: jax.Array) -> jax.Array:
        apart = jnp.square((model.encode(params, x) - target) / size).sum()
        return 0.5 * apart + 0.5 * prior * jnp.square(x - middle).sum()

    def step(_: jax.Array, carry: tuple) -> tuple:
        x, state = _moved(rule, jax.grad(cost)(carry[0]), carry[1], carry[0])
        return jnp.clip(x, within.low, within.high), state

    advance = jax.jit(lambda carry, n: jax.lax.fori_loop(0, n, step, carry))
    x = jnp.broadcast_to(middle, (len(code), middle.shape[1]))
    carry, mean_cost = (x, rule.init(x)), jax.jit(lambda x: cost(x) / len(code))
    with console.progress(steps, 0) as show:
        for done in range(0, steps, SHOWN):
            carry = advance(carry, jnp.int32(min(SHOWN, steps - done)))
            show(min(done + SHOWN, steps), float(mean_cost(carry[0])))
    return np.asarray(carry[0])


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
