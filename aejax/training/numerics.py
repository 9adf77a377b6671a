"""What decides the bits of a run beside its seed: settings of JAX fixed while it lasts, and what is recorded."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import jax

ONEDNN = "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"
"""The variable by which XLA's products of matrices are oneDNN's, which depend on the processor, or Eigen's (false)."""

SETTINGS = {
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_softmax_custom_jvp": False,
    "jax_disable_jit": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_transfer_guard": None,
}
"""Of JAX, that have no context manager there; one that a version lacks is of no account."""
UNOPTIMISED = "JAX_DISABLE_MOST_OPTIMIZATIONS"
"""The variable by which XLA compiles faster, and to other bits."""


@contextmanager
def fixed() -> Iterator[None]:
    """Give JAX the settings that recorded numbers were made with, whatever the shell or the program had set.

    Keys are those of Threefry, split in its partitionable form; values have 32 bits, and types are promoted as JAX does
    where nobody says otherwise. ``JAX_ENABLE_X64=1``, ``JAX_DEFAULT_PRNG_IMPL=rbg`` and their like change none of it.
    Optimisations that the shell turns off are on; a program's own ``jax_disable_most_optimizations`` stays.
    Afterwards all is as before. Also a decorator.

    >>> import jax
    >>> from aejax.training.numerics import fixed
    >>> with jax.enable_x64(True), fixed():
    ...     print(jax.numpy.zeros(1, float).dtype)
    float32
    """
    with ExitStack() as stack:
        stack.enter_context(jax.default_prng_impl("threefry2x32"))
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(jax.enable_x64(False))
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.default_matmul_precision(None))
        for name, value in SETTINGS.items():
            if (before := getattr(jax.config, name, value)) != value:
                stack.callback(jax.config.update, name, before)
                jax.config.update(name, value)
        if os.environ.get(UNOPTIMISED, "").lower() in ("1", "true", "on", "yes", "t", "y"):
            stack.callback(jax.config.update, UNOPTIMISED.lower(), True)
            jax.config.update(UNOPTIMISED.lower(), False)
        yield


def machine() -> dict[str, Any]:
    """What is not fixed and may decide the last bits: XLA's flags and kernels, and the cores that it cuts sums for."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = os.environ.get("NPROC", "")
    return {
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "onednn": os.environ.get(ONEDNN, "true"),
        "cores": int(cores) if cores.isdigit() else available,
    }
