"""Which form of program a block gets: the likelier one, unless a short trial says that the other pays."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from aejax.sweep.programs import Program

NAMES = ("vmap", "map")
TRIAL_SECONDS = 0.3
WORTH_SECONDS = 10.0
"""A second form is compiled and tried only where the block would train for longer than this with the first."""


class Choice(NamedTuple):
    """A form, its program, and why.

    Attributes:
        strategy: ``"vmap"`` or ``"map"``.
        program: compiled.
        step_seconds: of one step of all members, by form, for those that were tried.
        compile_seconds: of all that was compiled.
    """

    strategy: str
    program: Program
    step_seconds: dict[str, float]
    compile_seconds: float


def choose(compile_form: Callable[[str], Program], asked: str, first: str, steps: int) -> Choice:
    """Compile a block in the form that was asked for, or in the one that a trial finds faster.

    The trial trains a carry of its own, so that results do not depend on how it went.

    Args:
        compile_form: form -> program.
        asked: ``"vmap"``, ``"map"`` or ``"auto"``.
        first: the form to begin with.
        steps: that are to be trained.
    """
    started = time.perf_counter()
    if asked != "auto":
        program = compile_form(asked)
        return Choice(asked, program, {}, time.perf_counter() - started)
    programs = {first: compile_form(first)}
    spent = time.perf_counter() - started
    seconds = {first: trial(programs[first], steps)}
    if seconds[first] * steps > WORTH_SECONDS:
        other = next(name for name in NAMES if name != first)
        started = time.perf_counter()
        programs[other] = compile_form(other)
        spent += time.perf_counter() - started
        seconds[other] = trial(programs[other], steps)
    best = min(seconds, key=lambda name: seconds[name])
    return Choice(best, programs[best], seconds, spent)


def trial(program: Program, steps: int) -> float:
    """Seconds that one step of all members takes, from a few of them."""
    carry: Any = program.init()
    n, spent = 1, 0.0
    for _ in range(2):  # the first call pays for what is done once
        started = time.perf_counter()
        carry, _ = jax.block_until_ready(program.advance(carry, 0, n))
        spent = time.perf_counter() - started
    while spent < TRIAL_SECONDS / 3 and n < min(steps, 300):
        n = min(n * 4, steps, 300)
        started = time.perf_counter()
        carry, _ = jax.block_until_ready(program.advance(carry, 0, n))
        spent = time.perf_counter() - started
    return spent / n
