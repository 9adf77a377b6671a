"""A block of runs as one compiled program: vmap or map over its members, on one device or several.

Which form it gets is the likeliest one, unless a short trial says that another pays.
"""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from aejax.training.compilation import quick_compile
from aejax.training.loop import GOING_ON
from aejax.training.members import Carry, advance_member, likely_form, likely_level, over_members
from aejax.types import Hparams, Rows, Run

FORMS = ("vmap", "map")
TRIAL_SECONDS = 0.1
WORTH_SECONDS = 10.0
"""Other forms are compiled and tried only where the block would train for longer than this with the likeliest."""
AXIS = "members"


class Swept(NamedTuple):
    """Hyperparameters of a block.

    Attributes:
        leaves: a scalar where all members have the same, else (streams, settings).
        varied: of each leaf, whether it is the latter.
        structure: of the whole tree.
    """

    leaves: tuple[np.ndarray, ...]
    varied: tuple[bool, ...]
    structure: Any


def stack_hparams(hparams: Sequence[Hparams], grid: np.ndarray, varied: Collection[int] = ()) -> Swept:
    """The hyperparameters of all members, apart where they differ, and for the leaves in `varied` even where not.

    A number that all members share stays a scalar: what depends on it alone, such as the corrupted batch, is then
    computed once for all of them.
    """
    columns = [np.array(column, np.float32) for column in zip(*map(jax.tree.leaves, hparams), strict=True)]
    apart = tuple(i in varied or bool((column != column[0]).any()) for i, column in enumerate(columns))
    leaves = tuple(column[grid] if each else column[0] for column, each in zip(columns, apart, strict=True))
    return Swept(leaves, apart, jax.tree.structure(hparams[0]))


class Data(NamedTuple):
    """The training rows of a block.

    Attributes:
        common: a tree that all streams see.
        streams: a tree with a leading axis of streams; () without cross-validation.
        rows: ``(common, one of streams) -> Rows``.
    """

    common: Any
    streams: Any = ()
    rows: Callable[[Any, Any], Rows] = lambda common, stream: common


class Program(NamedTuple):
    """A compiled block.

    Attributes:
        init: ``() -> Carry``.
        advance: ``(carry, step, n) -> (carry, history)``: at most `aejax.training.loop.CAPACITY` steps, from a step;
            history leaves are (streams, settings, CAPACITY). It uses up the buffers of its carry.
        put: puts a tree of (streams, settings, ...) arrays where the program wants it.
        bound: the same compiled program for other `Swept.leaves`.
    """

    init: Callable[[], Carry]
    advance: Callable[..., tuple[Carry, dict[str, jax.Array]]]
    put: Callable[[Any], Any]
    bound: Callable[[Sequence[np.ndarray]], "Program"]


class Form(NamedTuple):
    """How a block is compiled.

    Attributes:
        strategy: ``"vmap"`` or ``"map"``.
        level: of `aejax.training.compilation.quick_compile`.
    """

    strategy: str
    level: int | None


def forms(strategy: str, parameters: int) -> list[Form]:
    """The forms that a block may have, the likeliest first.

    Args:
        strategy: ``"vmap"``, ``"map"`` or ``"auto"``.
        parameters: of one member.
    """
    likely = Form(likely_form(parameters) if strategy == "auto" else strategy, likely_level(parameters))
    thorough = [Form(name, None) for name in FORMS] if strategy == "auto" else []
    return [likely, *(form for form in thorough if form != likely)]


def compile_block(
    run: Run,
    seeds: Sequence[int],
    swept: Swept,
    data: Data,
    form: Form,
    shape: tuple[int, int],
    devices: Sequence[Any],
) -> Program:
    """Compile a block.

    Args:
        run: its static part.
        seeds: of the streams.
        swept: from `stack_hparams`.
        data: the training rows.
        form: of the program.
        shape: (streams, settings).
        devices: over which settings or streams are spread, whichever their number divides; the first where neither.
    """
    along = next((axis for axis in (1, 0) if shape[axis] % len(devices) == 0), None)
    mesh = Mesh(np.array(devices[:1] if along is None else devices), (AXIS,))
    whole, streams = PartitionSpec(), PartitionSpec(AXIS) if along == 0 else PartitionSpec()
    members = PartitionSpec(None, AXIS) if along == 1 else PartitionSpec(AXIS)
    of_leaves = tuple(members if each else whole for each in swept.varied)
    where = lambda spec: jax.tree.map(lambda each: NamedSharding(mesh, each), spec)
    put = lambda tree, spec: jax.device_put(tree, where(spec))
    keys = put(jax.vmap(jax.random.key)(np.array(seeds, np.uint32)), streams)
    fixed = (keys, put(data.streams, streams), put(data.common, whole))
    start, advance = _start(run, swept, shape), _advance(run, swept, data.rows, form.strategy)
    if mesh.size > 1:
        specs = (members, whole, whole, streams, streams, whole, *of_leaves)
        advance = jax.shard_map(advance, mesh=mesh, in_specs=specs, out_specs=members, check_vma=False)
    start = jax.jit(start, out_shardings=where(members))
    leaves = put(swept.leaves, of_leaves)
    lowered = start.lower(keys, *leaves)
    shaped = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where(members))
    carry = jax.tree.map(shaped, jax.eval_shape(start, keys, *leaves))
    number = lambda value: put(jnp.int32(value), whole)
    with ThreadPoolExecutor(1) as other:  # XLA needs no Python: one is compiled while the other is traced
        compiling = other.submit(quick_compile, lowered, 0)
        chunk = jax.jit(advance, donate_argnums=0).lower(carry, number(1), number(1), *fixed, *leaves)
        compiled, started = quick_compile(chunk, form.level), compiling.result()

    def bound(leaves: Sequence[np.ndarray]) -> Program:
        leaves = put(tuple(leaves), of_leaves)
        go = lambda carry, step, n: compiled(carry, number(step), number(n), *fixed, *leaves)
        return Program(lambda: started(keys, *leaves), go, lambda tree: put(tree, members), bound)

    return bound(swept.leaves)


def _start(run: Run, swept: Swept, shape: tuple[int, int]) -> Callable[..., Carry]:
    """``(keys, *leaves) -> carry`` of all members before their first step."""

    def one(key: jax.Array, *leaves: jax.Array) -> Carry:
        state = run.init(key, swept.structure.unflatten(leaves))
        return Carry(state.params, state.opt_state, jnp.int32(GOING_ON))

    each = tuple(0 if varied else None for varied in swept.varied)
    return jax.vmap(jax.vmap(one, (None, *each), axis_size=shape[1]), (0, *each), axis_size=shape[0])


def _advance(run: Run, swept: Swept, rows: Callable[[Any, Any], Rows], strategy: str) -> Callable[..., Any]:
    """``(carry, step, n, keys, streams, common, *leaves) -> (carry, history)`` of all members."""

    def one(carry: Carry, step: Any, n: Any, key: Any, stream: Any, common: Any, *leaves: Any) -> Any:
        if strategy == "map":  # a frozen member costs nothing here
            n = jnp.where(carry.stopped == GOING_ON, n, 0)
        return advance_member(run, carry, step, key, swept.structure.unflatten(leaves), rows(common, stream), n)

    settings = over_members(one, strategy, (True, False, False, False, False, False, *swept.varied))
    return over_members(settings, strategy, (True, False, False, True, True, False, *swept.varied))


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
    carry, _ = jax.block_until_ready(program.advance(program.init(), 0, 1))  # pays for what is done once
    n, spent = 1, 0.0
    while spent < TRIAL_SECONDS and n < min(steps, 256):
        n = min(n * 4, steps, 256)
        started = time.perf_counter()
        carry, _ = jax.block_until_ready(program.advance(carry, 0, n))
        spent = time.perf_counter() - started
        if spent / n * steps < WORTH_SECONDS / 2:
            break
    return spent / n
