"""A block of runs as one compiled program, in four forms: vmap or map over its members, on one device or several."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from aejax.training.chunks import CAPACITY
from aejax.training.compilation import quick_compile
from aejax.training.context import Rows
from aejax.types import Hparams, Run, State

GOING_ON = -1
AXIS = "members"


class Carry(NamedTuple):
    """What the next step of a member needs.

    Attributes:
        params: of the model.
        opt_state: of the optimiser.
        stopped: the step that it was frozen at; `GOING_ON` while it is not.
    """

    params: Any
    opt_state: Any
    stopped: jax.Array


class Swept(NamedTuple):
    """Hyperparameters of a block: those that are the same for all members, and those that are not.

    Attributes:
        common: by position among the leaves, scalars.
        own: by position, (streams, settings) arrays.
        structure: of the whole tree.
    """

    common: dict[str, jax.Array]
    own: dict[str, jax.Array]
    structure: Any


class Program(NamedTuple):
    """A compiled block.

    Attributes:
        init: ``() -> Carry``.
        advance: ``(carry, step, n) -> (carry, history)``: at most `aejax.training.chunks.CAPACITY` steps, from a step;
            history leaves are (streams, settings, CAPACITY). It uses up the buffers of its carry.
        place: puts a tree of (streams, settings, ...) arrays where the program wants it.
        bound: the same compiled program for other values of `Swept.own`.
    """

    init: Callable[[], Carry]
    advance: Callable[..., tuple[Carry, dict[str, jax.Array]]]
    place: Callable[[Any], Any]
    bound: Callable[[dict[str, Any]], "Program"]


def stack_hparams(hparams: Sequence[Hparams], places: np.ndarray, own: Collection[str] = ()) -> Swept:
    """The hyperparameters of all members, apart where they differ, and for the positions in `own` even where not.

    A number that all members share stays a scalar: what depends on it alone, such as the corrupted batch, is then
    computed once for all of them.
    """
    structure = jax.tree.structure(hparams[0])
    columns = [np.array(column, np.float32) for column in zip(*map(jax.tree.leaves, hparams), strict=True)]
    common = {str(i): jnp.float32(v[0]) for i, v in enumerate(columns) if (v == v[0]).all() and str(i) not in own}
    apart = {str(i): v[places] for i, v in enumerate(columns) if str(i) not in common}
    return Swept(common, apart, structure)


def _joined(common: Mapping[str, Any], own: Mapping[str, Any], structure: Any) -> Hparams:
    both = {**common, **own}
    return structure.unflatten([both[str(i)] for i in range(structure.num_leaves)])


def advance_member(
    run: Run, carry: Carry, step: jax.Array, key: jax.Array, hparams: Hparams, rows: Rows, n: jax.Array
) -> tuple[Carry, dict[str, jax.Array]]:
    """Up to n steps of one member, which is frozen before the first that is not finite.

    A step is not finite if its loss, a term of it, or a parameter after it is not; it is then undone, and the member's
    `stopped` names it. The counter of steps is no part of the carry: it is the same for all members, so that they draw
    the same batches and these are gathered once.
    """
    one = lambda params, opt_state, i: run.advance(State(params, opt_state, step + i), key, hparams, rows, 1)
    record = jax.eval_shape(one, carry.params, carry.opt_state, jnp.int32(0))[1]

    def body(i: jax.Array, inner: tuple[Carry, dict[str, jax.Array]]) -> tuple[Carry, dict[str, jax.Array]]:
        (params, opt_state, stopped), history = inner
        new, values = one(params, opt_state, i)
        history = {name: history[name].at[i].set(value[0]) for name, value in values.items()}
        # 0·v is 0 where v is finite and nan elsewhere, and unlike v the sum of it cannot overflow.
        trace = sum((0 * leaf).sum() for leaf in jax.tree.leaves((values, new.params)))
        going_on = stopped == GOING_ON
        keep = going_on & jnp.isfinite(trace)
        pick = partial(jax.tree.map, partial(jnp.where, keep))
        stopped = jnp.where(going_on & ~keep, step + i, stopped)
        return Carry(pick(new.params, params), pick(new.opt_state, opt_state), stopped), history

    empty = {name: jnp.zeros((CAPACITY,), leaf.dtype) for name, leaf in record.items()}
    return jax.lax.fori_loop(0, n, body, (carry, empty))


def over_members(function: Callable[..., Any], strategy: str) -> Callable[..., Any]:
    """``function(carry, step, key, own, stream, n)`` of one member, for (streams, settings) of them."""
    if strategy == "vmap":
        settings = jax.vmap(function, in_axes=(0, None, None, 0, None, None))
        return jax.vmap(settings, in_axes=(0, None, 0, 0, 0, None))

    def one_by_one(carry: Carry, step: Any, keys: Any, own: Any, streams: Any, n: Any) -> Any:
        def of_stream(part: tuple) -> Any:
            carry, key, own, stream = part

            def of_setting(part: tuple) -> Any:
                carry, own = part
                steps = jnp.where(carry.stopped == GOING_ON, n, 0)  # a frozen member costs nothing here
                return function(carry, step, key, own, stream, steps)

            return jax.lax.map(of_setting, (carry, own))

        return jax.lax.map(of_stream, (carry, keys, own, streams))

    return one_by_one


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
    given = (put(keys, of_streams), put(swept.own, members), put(data.streams, of_streams))
    shared = (put(swept.common, whole), put(data.common, whole))

    def start(keys: jax.Array, own: Any, common: Any) -> Carry:
        def one(key: jax.Array, own: Any) -> Carry:
            state = run.init(key, _joined(common, own, swept.structure))
            return Carry(state.params, state.opt_state, jnp.int32(GOING_ON))

        settings = jax.vmap(one, in_axes=(None, 0), axis_size=shape[1])
        return jax.vmap(settings, axis_size=shape[0])(keys, own)

    def advance(carry: Carry, step: Any, n: Any, keys: Any, own: Any, streams: Any, common: Any, rows: Any) -> Any:
        def one(carry: Carry, step: Any, key: Any, own: Any, stream: Any, n: Any) -> Any:
            hparams = _joined(common, own, swept.structure)
            return advance_member(run, carry, step, key, hparams, data.rows(rows, stream), n)

        return over_members(one, strategy)(carry, step, keys, own, streams, n)

    if mesh.size > 1:
        specs = (members, whole, whole, of_streams, members, of_streams, whole, whole)
        advance = jax.shard_map(advance, mesh=mesh, in_specs=specs, out_specs=members, check_vma=False)
    begin = jax.jit(start, out_shardings=NamedSharding(mesh, members))
    lowered = begin.lower(given[0], given[1], shared[0])
    placed = lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=NamedSharding(mesh, members))
    carry = jax.tree.map(placed, jax.eval_shape(begin, given[0], given[1], shared[0]))
    number = put(jnp.int32(1), whole)
    with ThreadPoolExecutor(1) as beside:  # XLA needs no Python: one is compiled while the other is traced
        beginning = beside.submit(quick_compile, lowered, 0)
        whole_step = jax.jit(advance, donate_argnums=0).lower(carry, number, number, *given, *shared)
        compiled, begun = quick_compile(whole_step, level), beginning.result()

    def bound(own: dict[str, Any]) -> Program:
        keys, own, streams = given[0], put(own, members), given[2]

        def go(carry: Carry, step: int, n: int) -> tuple[Carry, dict[str, jax.Array]]:
            return compiled(carry, put(jnp.int32(step), whole), put(jnp.int32(n), whole), keys, own, streams, *shared)

        return Program(lambda: begun(keys, own, shared[0]), go, lambda tree: put(tree, members), bound)

    return bound(swept.own)
