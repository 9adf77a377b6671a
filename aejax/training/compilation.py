"""Compilation: JAX's persistent cache, so that the second run of a config does not compile again, and a quick way."""

import ctypes
import gc
import logging
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from aejax.files import cache_folder

SWITCH = "AEJAX_COMPILE_CACHE"
FORGETTING: list[Callable[[], Any]] = []
"""What `forget` calls: modules that keep functions for their programs add to it."""


def enable_cache() -> None:
    """Keep compiled programs, unless the environment variable `AEJAX_COMPILE_CACHE` is ``off``.

    A cache that is damaged, deleted or cannot be written costs a compilation and nothing else.
    """
    if os.environ.get(SWITCH, "on").lower() in ("off", "0", "false", "no"):
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(cache_folder("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # a cache that cannot be read or written is no news to the user: the program is compiled
    warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")
    logging.getLogger("jax._src.compiler").setLevel(logging.ERROR)
    logging.getLogger("jax._src.compilation_cache").setLevel(logging.ERROR)
    _compress_with_checksum()


def _compress_with_checksum() -> None:
    """Keep JAX from zstandard where that is installed: as JAX calls it, it stores no checksum.

    A program with one changed byte would be loaded, and end the process without a word; zlib finds the change.
    """
    with suppress(ImportError):
        from jax._src import compilation_cache

        if getattr(compilation_cache, "zstandard", None) is not None:
            compilation_cache.zstandard = None


def quick_compile(lowered: Any, level: int | None, arguments: Any = ()) -> Any:
    """Compile, once for each program, on a CPU with less optimisation than XLA's usual 3, in half the time.

    Matrix products are library calls whatever the level, and `level` 1 vectorises the rest, so that programs of small
    layers are as fast: 64 nets of 36-16-2 took 10 µs a net and step either way. What fuses the loops over large arrays
    is left out, so those of large layers are not: a step of 784-32 took 600 µs, and 380 with all optimisations, which
    None asks for (CPU time, jax 0.10.2, one core of an Intel Xeon). A program belongs to the devices that its
    `arguments` lie on, where they are not all on the usual one.
    """
    import jax

    faster = {"xla_backend_optimization_level": level, "xla_cpu_use_fusion_emitters": False}
    quick = level is not None and jax.default_backend() == "cpu"
    options = tuple(option for option in faster.items() if quick and _known(*option))
    if getattr(jax.config, "jax_use_simplified_jaxpr_constants", False):  # then a text does not tell all of a program
        return lowered.compile(compiler_options=dict(options) or None)
    on = {device for leaf in jax.tree.leaves(arguments) if isinstance(leaf, jax.Array) for device in leaf.devices()}
    on = f"{sorted(map(repr, on))} {jax.config.jax_default_device!r} {jax.default_backend()}"
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), lowered.args_info)  # also of what it does not read
    text = sha256(f"{on} {shapes} {lowered.as_text()}".encode()).hexdigest()
    return compiled(Lowered(text, lowered.in_tree, lowered.out_tree, [lowered]), options)


_PROGRAMS: WeakKeyDictionary[Callable[..., Any], dict[Any, Any]] = WeakKeyDictionary()
"""Of each function, while it is in use, its programs: of one that was seen before not even the text is made again."""
_TRACED_BY = ("x64_enabled", "numpy_dtype_promotion", "default_matmul_precision", "default_device", "disable_jit")


def program(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    change: tuple[Any, ...] = (),
    *,
    level: int | None = None,
    donate: tuple[int, ...] = (),
) -> Any:
    """A function, compiled for arguments of these shapes, types and devices.

    Args:
        function: pure; the same object is the same program.
        arguments: trees of arrays.
        change: ``(transform, *its further arguments)``: what is compiled is ``transform(function, *those)``.
        level: as of `quick_compile`.
        donate: places of the arguments whose memory it may use.
    """
    import jax

    leaves, structure = jax.tree.flatten(arguments)
    devices = {device for leaf in leaves if isinstance(leaf, jax.Array) for device in leaf.devices()}
    settings = tuple(str(getattr(jax.config, f"jax_{name}", None)) for name in _TRACED_BY)
    form = (change, level, donate, structure, settings, frozenset(devices), *map(jax.typeof, leaves))
    programs = _PROGRAMS.setdefault(function, {})
    if form not in programs:
        changed = change[0](function, *change[1:]) if change else function
        programs[form] = quick_compile(jax.jit(changed, donate_argnums=donate).lower(*arguments), level, arguments)
    return programs[form]


def compiled_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `jax.jit`, and a program that the process has compiled for another function is not compiled again."""
    return lambda *arguments: program(function, arguments)(*arguments)


@dataclass(frozen=True)
class Lowered:
    """A program that is to be compiled, known by its text: that of other rows of the same shapes is the same one.

    Attributes:
        text: SHA-256 of it.
        in_tree: of its arguments.
        out_tree: of its results.
        lowered: the program, which `compiled` takes away: it is larger than what is kept.
    """

    text: str
    in_tree: Any
    out_tree: Any
    lowered: list[Any] = field(compare=False)


@lru_cache(maxsize=16)
def compiled(program: Lowered, options: tuple[tuple[str, bool | int], ...]) -> Any:
    """The last few programs are kept; ``compiled.cache_clear()`` forgets them."""
    return program.lowered.pop().compile(compiler_options=dict(options) or None)


def forget() -> None:
    """Give back what is kept of every program that was compiled, 20 MB for one of a small net; those in use stay."""
    import jax

    compiled.cache_clear()
    _PROGRAMS.clear()
    for function in FORGETTING:
        function()
    jax.clear_caches()
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # glibc alone keeps to itself what was freed
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _known(option: str, value: bool | int) -> bool:
    """Whether this version of XLA has a compiler option; an empty program tells."""
    import jax

    try:
        jax.jit(lambda: ()).lower().compile(compiler_options={option: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True
