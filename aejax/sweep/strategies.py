"""Which form of program a block gets: the likeliest one, unless a short trial says that another pays."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from aejax.sweep.programs import Program
from aejax.training.retrain import likely_form, likely_level

NAMES = ("vmap", "map")
TRIAL_SECONDS = 0.1
WORTH_SECONDS = 10.0
"""Other forms are compiled and tried only where the block would train for longer than this with the likeliest."""


class Form(NamedTuple):
    """How a block is compiled.

    Attributes:
        strategy: ``"vmap"`` or ``"map"``.
        level: of `aejax.training.compilation.quick_compile`.
    """

    strategy: str
    level: int | None


class Choice(NamedTuple):
    """A form, its program, and why.

    Attributes:
        form: that the program has.
        program: compiled.
        step_seconds: of one step of all members, for each form that was tried.
        compile_seconds: of all that was compiled.
    """

    form: Form
    program: Program
    step_seconds: list[tuple[Form, float]]
    compile_seconds: float


def forms(asked: str, parameters: int) -> list[Form]:
    """The forms that a block may have, the likeliest first.

    Args:
        asked: ``"vmap"``, ``"map"`` or ``"auto"``.
        parameters: of one member.
    """
    likely = Form(likely_form(parameters) if asked == "auto" else asked, likely_level(parameters))
    thorough = [Form(name, None) for name in NAMES] if asked == "auto" else []
    return [likely, *(form for form in thorough if form != likely)]


def choose(compile_form: Callable[[Form], Program], likely: Sequence[Form], steps: int) -> Choice:
    """Compile a block in the only form that it may have, or in the one that a trial finds fastest.

    The trial trains a carry of its own, so that results do not depend on how it went. It is over after a few steps
    where these say that the block is soon trained in the likeliest form.

    Args:
        compile_form: form -> program.
        likely: the forms, the likeliest first.
        steps: that are to be trained.
    """
    programs, seconds, spent = {}, {}, 0.0
    for form in likely:
        started = time.perf_counter()
        programs[form] = compile_form(form)
        spent += time.perf_counter() - started
        if len(likely) > 1:
            seconds[form] = trial(programs[form], steps)
        if seconds.get(likely[0], 0.0) * steps < WORTH_SECONDS:
            break
    best = min(programs, key=lambda form: seconds.get(form, 0.0))
    return Choice(best, programs[best], list(seconds.items()), spent)


def trial(program: Program, steps: int) -> float:
    """Seconds that one step of all members takes, from a few of them; very few where the whole block is soon done."""
    carry: Any = program.init()
    carry, _ = jax.block_until_ready(program.advance(carry, 0, 1))  # pays for what is done once
    n, spent = 1, 0.0
    while spent < TRIAL_SECONDS and n < min(steps, 256):
        n = min(n * 4, steps, 256)
        started = time.perf_counter()
        carry, _ = jax.block_until_ready(program.advance(carry, 0, n))
        spent = time.perf_counter() - started
        if spent / n * steps < WORTH_SECONDS / 2:
            break
    return spent / n
