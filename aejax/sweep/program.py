"""A block of runs as one compiled program: vmap or map over its members, on one device or several.

Which form it gets is the likeliest one, unless a short trial says that another pays.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
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


def stack_hparams(hparams: Sequence[Hparams], grid: np.ndarray, varied: Collection[int] = ()) -> Hparams:
    """The hyperparameters of a block: a scalar where all members have the same, else (streams, settings).

    A number that all members share stays a scalar: what depends on it alone, such as the corrupted batch, is then
    computed once for all of them.

    Args:
        hparams: of each member.
        grid: (streams, settings), the member that is trained there.
        varied: positions of leaves that are (streams, settings) even where all members have the same.
    """
    columns = [np.array(column, np.float32) for column in zip(*map(jax.tree.leaves, hparams), strict=True)]
    same = [i not in varied and bool((column == column[0]).all()) for i, column in enumerate(columns)]
    leaves = [column[0] if each else column[grid] for column, each in zip(columns, same, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(hparams[0]), leaves)


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


class Form(NamedTuple):
    """How a block is compiled.

    Attributes:
        strategy: ``"vmap"`` or ``"map"``.
        level: of `aejax.training.compilation.quick_compile`.
    """

    strategy: str
    level: int | None


class Program(NamedTuple):
    """A compiled block.

    Attributes:
        form: that it has.
        init: ``() -> Carry``.
        advance: ``(carry, step, n) -> (carry, history)``: at most `aejax.training.loop.CAPACITY` steps, from a step;
            history leaves are (streams, settings, CAPACITY). It uses up the buffers of its carry.
        put: puts a tree of (streams, settings, ...) arrays where the program wants it.
        bound: the same compiled program for other hyperparameters.
        seconds: of its compilation, and of that of other forms that were tried.
        tried: seconds of one step of all members, for each form that was tried.
    """

    form: Form
    init: Callable[[], Carry]
    advance: Callable[..., tuple[Carry, dict[str, jax.Array]]]
    put: Callable[[Any], Any]
    bound: Callable[[Hparams], "Program"] | None = None
    seconds: float = 0.0
    tried: Mapping[Form, float] = {}


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
    hparams: Hparams,
    data: Data,
    form: Form,
    shape: tuple[int, int],
    devices: Sequence[Any],
) -> Program:
    """Compile a block.

    Args:
        run: its static part.
        seeds: of the streams.
        hparams: from `stack_hparams`.
        data: the training rows.
        form: of the program.
        shape: (streams, settings).
        devices: over which settings or streams are spread, whichever their number divides; the first where neither.
    """
    started = time.perf_counter()
    along = next((axis for axis in (1, 0) if shape[axis] % len(devices) == 0), None)
    mesh = Mesh(np.array(devices[:1] if along is None else devices), (AXIS,))
    whole, streams = PartitionSpec(), PartitionSpec(AXIS) if along == 0 else PartitionSpec()
    members = PartitionSpec(None, AXIS) if along == 1 else PartitionSpec(AXIS)
    varied = jax.tree.map(lambda leaf: np.ndim(leaf) > 0, hparams)
    of_hparams = jax.tree.map(lambda each: members if each else whole, varied)
    where = lambda specs: jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    put = lambda tree, specs: jax.device_put(tree, where(specs))
    keys = put(jax.vmap(jax.random.key)(np.array(seeds, np.uint32)), streams)
    fixed = (keys, put(data.streams, streams), put(data.common, whole))
    start, advance = _start(run, varied, shape), _advance(run, varied, data.rows, form.strategy)
    if mesh.size > 1:
        specs = (members, whole, whole, streams, streams, whole, of_hparams)
        advance = jax.shard_map(advance, mesh=mesh, in_specs=specs, out_specs=members, check_vma=False)
    start, first = jax.jit(start, out_shardings=where(members)), put(hparams, of_hparams)
    lowered = start.lower(keys, first)
    shaped = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where(members))
    carry = jax.tree.map(shaped, jax.eval_shape(start, keys, first))
    number = lambda value: put(jnp.int32(value), whole)
    with ThreadPoolExecutor(1) as other:  # XLA needs no Python: one is compiled while the other is traced
        compiling = other.submit(quick_compile, lowered, 0)
        chunk = jax.jit(advance, donate_argnums=0).lower(carry, number(1), number(1), *fixed, first)
        compiled, begun = quick_compile(chunk, form.level), compiling.result()

    def bound(hparams: Hparams) -> Program:
        numbers = put(hparams, of_hparams)
        go = lambda carry, step, n: compiled(carry, number(step), number(n), *fixed, numbers)
        return Program(form, lambda: begun(keys, numbers), go, lambda tree: put(tree, members), bound)

    return bound(hparams)._replace(seconds=time.perf_counter() - started)


def _start(run: Run, varied: Any, shape: tuple[int, int]) -> Callable[[jax.Array, Hparams], Carry]:
    """``(keys, hparams) -> carry`` of all members before their first step."""

    def one(key: jax.Array, hparams: Hparams) -> Carry:
        state = run.init(key, hparams)
        return Carry(state.params, state.opt_state, jnp.int32(GOING_ON))

    each = jax.tree.map(lambda each: 0 if each else None, varied)
    return jax.vmap(jax.vmap(one, (None, each), axis_size=shape[1]), (0, each), axis_size=shape[0])


def _advance(run: Run, varied: Any, rows: Callable[[Any, Any], Rows], strategy: str) -> Callable[..., Any]:
    """``(carry, step, n, keys, streams, common, hparams) -> (carry, history)`` of all members."""
    leaves, structure = jax.tree.flatten(varied)

    def one(carry: Carry, step: Any, n: Any, key: Any, stream: Any, common: Any, *hparams: Any) -> Any:
        if strategy == "map":  # a frozen member costs nothing here
            n = jnp.where(carry.stopped == GOING_ON, n, 0)
        return advance_member(run, carry, step, key, structure.unflatten(hparams), rows(common, stream), n)

    settings = over_members(one, strategy, (True, False, False, False, False, False, *leaves))
    members = over_members(settings, strategy, (True, False, False, True, True, False, *leaves))

    def advance(*arguments: Any) -> Any:
        return members(*arguments[:-1], *jax.tree.leaves(arguments[-1]))

    return advance


def choose(compile_form: Callable[[Form], Program], likely: Sequence[Form], steps: int) -> Program:
    """Compile a block in the only form that it may have, or in the one that a trial finds fastest.

    The trial trains a carry of its own, so that results do not depend on how it went. It is over after a few steps
    where these say that the block is soon trained in the likeliest form.

    Args:
        compile_form: form -> program.
        likely: the forms, the likeliest first.
        steps: that are to be trained.
    """
    programs, tried = [], {}
    for form in likely:
        programs.append(compile_form(form))
        if len(likely) > 1:
            tried[form] = trial(programs[-1], steps)
        if tried.get(likely[0], 0.0) * steps < WORTH_SECONDS:
            break
    best = min(programs, key=lambda program: tried.get(program.form, 0.0))
    return best._replace(seconds=sum(program.seconds for program in programs), tried=tried)


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
