"""Many learning rates of one net: as one compiled program, and by PyTorch one after the other."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

SETTINGS = 64
OF_TORCH = 4
"""How many settings PyTorch trains in a turn; their time is scaled, as each takes equally long."""


class Net(NamedTuple):
    """Values of a row, widths, code, steps, rows of a batch, rows of the data."""

    features: int
    widths: tuple[int, ...]
    code: int
    steps: int
    batch: int
    rows: int


NETS = {"36-16-2": Net(36, (16,), 2, 2000, 32, 4435), "784-32": Net(784, (), 32, 1000, 128, 60_000)}


def data_of(net: Net) -> np.ndarray:
    """Random bytes, (rows, features)."""
    return np.random.default_rng(0).integers(0, 256, (net.rows, net.features), dtype=np.uint8)


def of_aejax(threads: int, net: str) -> Callable[[], float]:
    """A block of a sweep, compiled afresh in each turn."""
    from aejax.sweep.command import split_processor

    split_processor(None)
    turn = together(net, SETTINGS)
    return lambda: sum(turn())


def together(net: str, settings: int) -> Callable[[], tuple[float, float]]:
    """Seconds of training, and of compiling, of a sweep over learning rates; each JAX device is a core."""
    import jax
    import jax.numpy as jnp

    from aejax import losses, optimizers
    from aejax.data import corrupt
    from aejax.losses import reconstruction
    from aejax.models import dense
    from aejax.optimizers import schedules
    from aejax.sweep import block, plan, program
    from aejax.training import compilation
    from aejax.training import step as train
    from aejax.training.context import Rows
    from aejax.training.members import few_shapes
    from aejax.types import Range

    about = NETS[net]
    rows = few_shapes(Rows(jnp.asarray(data_of(about)), None, jnp.float32(0), jnp.float32(1 / 255)), about.batch)
    grid = np.arange(settings)[None]
    fixed: dict[str, Any] = {"terms": {"reconstruction": {"weight": 1.0}}, "corruption": {}}
    adam = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
    rates = np.geomspace(1e-4, 1e-2, settings)
    hparams = program.stack_hparams([{**fixed, "optimizer": {"learning_rate": r, **adam}} for r in rates], grid)
    plain = {"steps": about.steps, "patience": None, "evaluate_every": about.steps, "checkpoint_every": about.steps}
    members = tuple(plan.Member(number, {}, {"seed": 0, "train": plain}) for number in range(settings))
    members = plan.Block(members, ((0, None),), grid)
    prepared = SimpleNamespace(parts=SimpleNamespace(hparams=fixed))

    def turn() -> tuple[float, float]:
        compilation.compiled.cache_clear()
        layers = {"widths": about.widths, "activation": "sigmoid"} if about.widths else {}
        model = (dense.multilayer if layers else dense.vanilla)((about.features,), code=about.code, **layers)
        objective = losses.weighted_sum({"reconstruction": reconstruction.cross_entropy})
        optimizer = optimizers.build("adam", {}, schedules.constant)
        kind = {"steps": about.steps, "batch_size": about.batch, "data_range": Range(0, 1)}
        arguments = (
            train.make_run(model, objective, corrupt.none, optimizer, **kind),
            [0],
            hparams,
            program.Data(rows),
        )
        compile_form = lambda form: program.compile_block(*arguments, form, grid.shape, jax.devices())
        started = time.perf_counter()
        size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))
        chosen = program.choose(compile_form, program.forms("auto", size), about.steps)
        jax.block_until_ready(chosen.init())
        compiled = time.perf_counter() - started
        block.train_block(chosen, members, prepared)
        return time.perf_counter() - started - compiled, compiled

    return turn


def of_torch(threads: int, net: str) -> Callable[[], float]:
    """A loop for each setting, on one thread or on all, whichever is faster."""
    import torch

    from aejax.bench.steps import model_of_torch

    about = NETS[net]
    data, cost = torch.from_numpy(data_of(about)), torch.nn.functional.binary_cross_entropy_with_logits

    def train(rate: float) -> None:
        torch.manual_seed(0)
        model = model_of_torch((about.features,), about.code, about.widths, kind="sigmoid")
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
        per_epoch = about.rows // about.batch
        for step in range(about.steps):
            at = step % per_epoch
            if at == 0:
                shuffled = data[torch.randperm(about.rows)]
            x = shuffled[at * about.batch : (at + 1) * about.batch].float() / 255
            loss = cost(model(x), x, reduction="sum") / about.batch
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    def turn() -> float:
        seconds = []
        for cores in {1, threads}:
            torch.set_num_threads(cores)
            started = time.perf_counter()
            for number in range(OF_TORCH):
                train(10 ** (-4 + 2 * number / OF_TORCH))
            seconds.append(time.perf_counter() - started)
        return min(seconds) * SETTINGS / OF_TORCH

    return turn
