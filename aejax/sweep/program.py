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


class Swept(NamedTuple):
    """Hyperparameters of a block: those that are the same for all members, and those that are not.

    Attributes:
        common: by position among the leaves, scalars.
        varied: by position, (streams, settings) arrays.
        structure: of the whole tree.
    """

    common: dict[str, jax.Array]
    varied: dict[str, jax.Array]
    structure: Any


class Program(NamedTuple):
    """A compiled block.

    Attributes:
        init: ``() -> Carry``.
        advance: ``(carry, step, n) -> (carry, history)``: at most `aejax.training.loop.CAPACITY` steps, from a step;
            history leaves are (streams, settings, CAPACITY). It uses up the buffers of its carry.
        place: puts a tree of (streams, settings, ...) arrays where the program wants it.
        bound: the same compiled program for other values of `Swept.varied`.
    """

    init: Callable[[], Carry]
    advance: Callable[..., tuple[Carry, dict[str, jax.Array]]]
    place: Callable[[Any], Any]
    bound: Callable[[dict[str, Any]], "Program"]


def stack_hparams(hparams: Sequence[Hparams], places: np.ndarray, varied: Collection[str] = ()) -> Swept:
    """The hyperparameters of all members, apart where they differ, and for the positions in `varied` even where not.

    A number that all members share stays a scalar: what depends on it alone, such as the corrupted batch, is then
    computed once for all of them.
    """
    structure = jax.tree.structure(hparams[0])
    columns = [np.array(column, np.float32) for column in zip(*map(jax.tree.leaves, hparams), strict=True)]
    common = {str(i): jnp.float32(v[0]) for i, v in enumerate(columns) if (v == v[0]).all() and str(i) not in varied}
    apart = {str(i): v[places] for i, v in enumerate(columns) if str(i) not in common}
    return Swept(common, apart, structure)


def _joined(common: Mapping[str, Any], varied: Mapping[str, Any], structure: Any) -> Hparams:
    both = {**common, **varied}
    return structure.unflatten([both[str(i)] for i in range(structure.num_leaves)])


class Data(NamedTuple):
    """The training rows of a block.

    Attributes:
        common: a tree that all streams see.
        streams: a tree with a leading axis of streams; () without cross-validation.
        rows: ``(common, one of streams) -> Rows``.
    """

    common: Any
    streams: Any
    rows: Callable[[Any, Any], Rows]


def compile_block(
    run: Run,
    keys: jax.Array,
    swept: Swept,
    data: Data,
    *,
    strategy: str,
    level: int | None,
    devices: Sequence[Any],
    shape: tuple[int, int],
) -> Program:
    """Compile a block.

    Args:
        run: its static part.
        keys: (streams,) typed keys.
        swept: from `stack_hparams`.
        data: the training rows.
        strategy: ``"vmap"`` or ``"map"``.
        level: of `aejax.training.compilation.quick_compile`.
        devices: over which settings or streams are spread, whichever their number divides; the first where neither.
        shape: (streams, settings).
    """
    count = len(devices)
    along = next((axis for axis in (1, 0) if shape[axis] % count == 0), None)
    mesh = Mesh(np.array(devices[: 1 if along is None else count]), (AXIS,))
    whole, of_streams = PartitionSpec(), PartitionSpec(AXIS) if along == 0 else PartitionSpec()
    members = PartitionSpec(None, AXIS) if along == 1 else PartitionSpec(AXIS)
    put = lambda tree, spec: jax.device_put(tree, NamedSharding(mesh, spec))
    keys, varied, streams = put(keys, of_streams), put(swept.varied, members), put(data.streams, of_streams)
    common, rows = put(swept.common, whole), put(data.common, whole)

    def start(keys: jax.Array, varied: Any, common: Any) -> Carry:
        def one(key: jax.Array, varied: Any) -> Carry:
            state = run.init(key, _joined(common, varied, swept.structure))
            return Carry(state.params, state.opt_state, jnp.int32(GOING_ON))

        settings = jax.vmap(one, in_axes=(None, 0), axis_size=shape[1])
        return jax.vmap(settings, axis_size=shape[0])(keys, varied)

    def advance(carry: Carry, step: Any, n: Any, keys: Any, varied: Any, streams: Any, common: Any, rows: Any) -> Any:
        def one(carry: Carry, step: Any, key: Any, varied: Any, stream: Any, n: Any) -> Any:
            if strategy == "map":  # a frozen member costs nothing here
                n = jnp.where(carry.stopped == GOING_ON, n, 0)
            hparams = _joined(common, varied, swept.structure)
            return advance_member(run, carry, step, key, hparams, data.rows(rows, stream), n)

        of_stream = over_members(one, strategy, own=(True, False, False, True, False, False))
        of_all = over_members(of_stream, strategy, own=(True, False, True, True, True, False))
        return of_all(carry, step, keys, varied, streams, n)

    if mesh.size > 1:
        specs = (members, whole, whole, of_streams, members, of_streams, whole, whole)
        advance = jax.shard_map(advance, mesh=mesh, in_specs=specs, out_specs=members, check_vma=False)
    begin = jax.jit(start, out_shardings=NamedSharding(mesh, members))
    lowered = begin.lower(keys, varied, common)
    placed = lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=NamedSharding(mesh, members))
    carry = jax.tree.map(placed, jax.eval_shape(begin, keys, varied, common))
    number = lambda value: put(jnp.int32(value), whole)
    with ThreadPoolExecutor(1) as other:  # XLA needs no Python: one is compiled while the other is traced
        beginning = other.submit(quick_compile, lowered, 0)
        chunk = jax.jit(advance, donate_argnums=0)
        chunk = chunk.lower(carry, number(1), number(1), keys, varied, streams, common, rows)
        compiled, begun = quick_compile(chunk, level), beginning.result()

    def bound(varied: dict[str, Any]) -> Program:
        varied = put(varied, members)
        go = lambda carry, step, n: compiled(carry, number(step), number(n), keys, varied, streams, common, rows)
        return Program(lambda: begun(keys, varied, common), go, lambda tree: put(tree, members), bound)

    return bound(swept.varied)


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
    thorough = [Form(name, None) for name in FORMS] if asked == "auto" else []
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
