"""aejax: autoencoders as pure functions, on JAX, Flax and Optax.

Importing this package is light: what it lists loads when it is first used.

>>> import aejax
>>> aejax.fit.__module__
'aejax.runs.fit'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

ROOMS = (
    *(
        "bench",
        "config",
        "data",
        "errors",
        "estimators",
        "export",
        "figures",
        "losses",
        "metrics",
        "models",
        "optimizers",
    ),
    *("relations", "report", "reproduce", "runs", "storage", "sweep", "tasks", "training", "types"),
)
FRONT_DOOR = {
    "Fitted": ("runs.fitted", "Fitted"),
    "fit": ("runs.fit", "fit"),
    "open": ("runs.fitted", "open_folder"),
    "run": ("runs.from_config", "run_config"),
    "summary": ("models", "summary"),
}
"""What a researcher types first, and where it lives."""

__all__ = ["__version__", *FRONT_DOOR, *ROOMS]


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return import_module(f"aejax.{name}")
    if name == "apply":  # the name of the module before there were rooms
        return import_module("aejax.runs.apply")
    if name in FRONT_DOOR:
        module, member = FRONT_DOOR[name]
        return getattr(import_module(f"aejax.{module}"), member)
    raise AttributeError(f"module 'aejax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
