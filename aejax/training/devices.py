"""Several devices as one: a mesh, where arrays lie on it, and what all processes of a run agree upon.

The mesh has two axes: a batch is cut along ``data``, and the parameters of the code's units along ``code``; all else is
whole on every device. The program stays that of one device: JAX's compiler cuts it and adds the communication.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from aejax.errors import UserError

DATA, CODE = "data", "code"


def make_mesh(settings: Mapping[str, int | None], batch: int) -> Mesh | None:
    """The mesh of a config's `devices`; None for one device, which needs none.

    Args:
        settings: ``data``, how many devices share a batch, None for all of a run of several processes and else 1; and
            ``code``, how many share the code's units.
        batch: rows in a step.

    Raises:
        UserError: more devices than there are, processes that would have none, or a batch that cannot be shared
            equally.
    """
    there, code, processes = jax.device_count(), settings["code"], jax.process_count()
    data = settings["data"] or (max(1, there // code) if processes > 1 else 1)
    asked = f"devices: data={data} times code={code}"
    if data * code > there:
        hint = "; XLA_FLAGS=--xla_force_host_platform_device_count=N makes N of a CPU"
        number = "is 1" if there == 1 else f"are {there}"
        raise UserError(
            f"{asked} are {data * code} devices and there {number}; allowed: {there} or fewer"
            f"{hint if jax.default_backend() == 'cpu' else ''}"
        )
    if processes > 1 and data * code < there:
        raise UserError(
            f"{asked} leave some of the {there} devices of {processes} processes without work; "
            f"allowed: a product of {there}, or devices.data=null for all"
        )
    if batch % data:
        near = ", ".join(str(size) for size in (batch - batch % data, batch - batch % data + data) if size)
        raise UserError(
            f"train.batch_size: {batch} rows cannot be shared equally by {data} devices (devices.data); "
            f"allowed: a multiple of {data}, such as {near}"
        )
    if data * code == 1:
        return None
    kinds = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((data, code), (DATA, CODE), kinds, devices=jax.devices()[: data * code])


def layout(mesh: Mesh, state: Any, code_size: int) -> Any:
    """Where each leaf of a run's state lies: whole on every device, or cut along the units of the code.

    A leaf is cut along an axis as long as the code: the last such one of an encoder's, the first of a decoder's. Where
    two axes are as long, either is right: results do not depend on where numbers lie, beyond rounding.

    Args:
        mesh: from `make_mesh`.
        state: shapes, of parameters and of what the optimiser keeps for each.
        code_size: units of the code.

    Raises:
        UserError: the code cannot be shared equally, or no parameter belongs to a unit of it alone.
    """
    count = mesh.shape[CODE]
    if code_size % count:
        raise UserError(
            f"devices.code: {count} devices cannot share the {code_size} units of the code equally; "
            f"allowed: a divisor of {code_size}"
        )

    def of_leaf(path: tuple, leaf: Any) -> NamedSharding:
        axes = [axis for axis, size in enumerate(leaf.shape) if size == code_size]
        if count == 1 or not axes:
            return whole(mesh)
        axis = axes[0] if any(getattr(entry, "key", None) == "decoder" for entry in path) else axes[-1]
        return NamedSharding(mesh, PartitionSpec(*[None] * axis, CODE))

    shardings = jax.tree_util.tree_map_with_path(of_leaf, state)
    if count > 1 and all(leaf.is_fully_replicated for leaf in jax.tree.leaves(shardings)):
        raise UserError(f"devices.code: no parameter of this model has an axis of the code's {code_size} units")
    return shardings


def whole(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def cut_batch(mesh: Mesh) -> Callable[[jax.Array], jax.Array]:
    """``x -> x``, its first axis cut along ``data``, inside a compiled program."""
    return lambda x: jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec(DATA)))


def put(tree: Any, sharding: NamedSharding | None) -> Any:
    """Arrays, of which every process has the same, as arrays of all devices; nothing is sent between processes.

    Without a sharding they are arrays of one device.
    """
    if sharding is None:
        return jax.tree.map(jnp.asarray, tree)

    def of_leaf(leaf: Any) -> jax.Array:
        values = np.asarray(leaf)
        return jax.make_array_from_callback(values.shape, sharding, values.__getitem__)

    return jax.tree.map(of_leaf, tree)


def fetch(tree: Any) -> Any:
    """Arrays of all devices on the host, whole; every process has to call it, since they may hold parts of them."""

    def of_leaf(leaf: jax.Array) -> np.ndarray:
        if leaf.is_fully_addressable or leaf.is_fully_replicated:
            return np.asarray(leaf)
        from jax.experimental.multihost_utils import process_allgather

        return process_allgather(leaf, tiled=True)

    return jax.tree.map(of_leaf, tree)


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def of_all(values: Any) -> np.ndarray:
    """The numbers of every process, (processes, ...), in each of them; every process has to call it."""
    if jax.process_count() == 1:
        return np.asarray(values)[None]
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(jnp.asarray(values)))


def agreed(value: Any) -> Any:
    """The number that the first process has: for decisions that all have to take alike."""
    return value if jax.process_count() == 1 else of_all(value)[0].item()


@contextmanager
def all_or_none() -> Iterator[None]:
    """Let all processes go on, or none: a mistake that one of them finds ends every one.

    Raises:
        UserError: the process's own, or one that says whose line to look at.
    """
    fault = None
    try:
        yield
    except Exception as error:
        fault = error
        raise
    finally:
        refused = np.flatnonzero(of_all(fault is not None))
        if fault is None and len(refused):
            raise UserError(f"process {refused[0]} of this run cannot go on; its own last line says why")


def check_same(**texts: str) -> None:
    """Refuse processes that do not have the same of something, named by the keyword.

    Raises:
        UserError: in every process.
    """
    for what, text in texts.items():
        marks = of_all(np.frombuffer(sha256(text.encode()).digest()[:4], np.int32)[0])
        others = np.flatnonzero(marks != marks[0])
        if len(others):
            raise UserError(
                f"process {others[0]} of this run has not the {what} of process 0; allowed: one command, the same "
                "data and one folder for all processes"
            )
