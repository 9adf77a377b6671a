"""How much memory a member of a sweep takes, and how many fit into a budget."""

import math
import os
import re
from typing import Any

import jax

from aejax.errors import UserError
from aejax.training.build import Parts
from aejax.training.chunks import CAPACITY
from aejax.types import Dataset

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_budget(text: str, option: str = "--memory-budget") -> int:
    """Bytes: ``"2GB"``, ``"500 MiB"``, ``"1e9"``.

    Raises:
        UserError: no amount, or not above 0.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:[eE][0-9]+)?)\s*([A-Za-z]*)\s*", text)
    try:
        amount = int(float(found[1]) * UNITS[found[2].upper()])
    except (TypeError, KeyError, ValueError, OverflowError):
        amount = 0
    if amount < 1:
        raise UserError(f"{option} {text}: expected an amount such as 500MB or 2GiB")
    return amount


def available() -> int:
    """Half of the memory that is free now: of the accelerator, or of the machine where there is none."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) // 2
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on this system
        free = 2 * 2**30
    return free // 2


def of_member(parts: Parts, dataset: Dataset, batch_size: int | None) -> int:
    """An estimate of the bytes that one member adds to a program.

    Three times its parameters and optimiser state (before, after, and the best or the gradient), twice what a training
    pass leaves for its gradient, and its history. Data and clean batches are shared and do not count.
    """
    state = jax.eval_shape(parts.run.init, parts.key, parts.hparams)
    history = 4 * CAPACITY * (1 + len(parts.hparams["terms"]))
    activations = of_pass(parts, dataset, batch_size or len(dataset.train.x))
    return 3 * _size((state.params, state.opt_state)) + 2 * activations + history


def of_pass(parts: Parts, dataset: Dataset, rows: int) -> int:
    """The bytes of all that a training pass computes of some rows before its gradient."""
    params = jax.eval_shape(parts.run.init, parts.key, parts.hparams).params
    x = jax.ShapeDtypeStruct((rows, math.prod(dataset.train.x.shape[1:])), "float32")

    def forward(params: Any, x: Any, key: Any) -> Any:
        seen = parts.model.apply(params, x, x, key)
        return seen.x_in, seen.code, seen.x_hat, dict(seen.hidden), dict(seen.log_odds), dict(seen.extra)

    return _size(jax.eval_shape(forward, params, x, parts.key))


def _size(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def members_that_fit(budget: int, member: int, shared: int, what: str) -> int:
    """How many members a program may have.

    Raises:
        UserError: not even one fits.
    """
    if budget < shared + member:
        raise UserError(
            f"--memory-budget: {readable(budget)} is too small for {what}: the data take {readable(shared)} and "
            f"one run {readable(member)}; allowed: {readable(shared + member)} or more"
        )
    return (budget - shared) // member


def readable(amount: int) -> str:
    """Bytes in words: ``"1.5 GB"``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount} B"
