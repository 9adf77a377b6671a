"""aejax: autoencoders as pure functions, on JAX, Flax and Optax.

Importing this package is light: submodules load when they are first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_SUBMODULES = (
    "config",
    "data",
    "errors",
    "figures",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "relations",
    "report",
    "reproduce",
    "runs",
    "storage",
    "sweep",
    "tasks",
    "training",
    "types",
)

__all__ = ["__version__", *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"aejax.{name}")
    raise AttributeError(f"module 'aejax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
