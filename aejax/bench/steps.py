"""Training steps of one net, by aejax's own compiled loop and by a loop in PyTorch that its users would write.

Both train with Adam on the cross-entropy of 60,000 rows of random bytes, shuffled once an epoch: speed does not depend
on what they show.
"""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

ROWS = 60_000
SECONDS = 8.0
"""That a turn takes at most, about."""


def rows_of(shape: Sequence[int], rows: int | None = None) -> np.ndarray:
    """Random bytes, (rows, *shape): 60,000, or as many as 50 MB hold."""
    count = min(rows or ROWS, 50_000_000 // math.prod(shape))
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def of_aejax(
    threads: int, shape: Sequence[int], batch: int, rows: int | None = None, **net: Any
) -> Callable[[], float]:
    """Steps of a net that a config describes."""
    import jax
    import jax.numpy as jnp

    from aejax import config as configs
    from aejax.data import from_arrays
    from aejax.training import build
    from aejax.training.evaluate import on_device

    activation = {"activation": "relu"} if len(net) > 1 else {}
    name = "conv.convolutional" if "channels" in net else "dense.multilayer" if "widths" in net else "dense.vanilla"
    fields = {"model": {"name": name, **activation, **net}, "train.batch_size": batch, "train.steps": 10**6}
    config = configs.varied(configs.load("lecture/vanilla"), fields)
    dataset = from_arrays(rows_of(shape, rows), test=0.0, validation=0.0, scaling="unit")
    parts = build.build(config, dataset)
    x, key, hparams = on_device(dataset.train, dataset), parts.key, parts.hparams
    state = jax.jit(parts.run.init)(key, hparams)
    advance = jax.jit(parts.run.advance, static_argnums=5)

    def turn(steps: int) -> float:
        started = time.perf_counter()
        jax.block_until_ready(advance(state, key, hparams, x, jnp.int32(steps), 10_000))
        return time.perf_counter() - started

    unit = per_step(turn, len(x.x) // batch)
    step = jax.jit(partial(parts.run.advance, capacity=1)).lower(state, key, hparams, x, jnp.int32(1)).compile()
    unit.operations, unit.peak = step.cost_analysis()["flops"], product_rate()
    return unit


def compiled(threads: int) -> Callable[[], float]:
    """Trace and compile the training of 784-w-256-32, w another in each turn."""
    from aejax import config as configs
    from aejax.data import from_arrays
    from aejax.training import build
    from aejax.training.evaluate import on_device
    from aejax.training.loop import compile_advance

    dataset, widths = from_arrays(rows_of((784,)), test=0.0, validation=0.0, scaling="unit"), itertools.count(512)
    rows, config = on_device(dataset.train, dataset), configs.load("lecture/multilayer")

    def turn() -> float:
        parts = build.build(configs.varied(config, {"model.widths": (next(widths), 256), "model.code": 32}), dataset)
        state = parts.run.init(parts.key, parts.hparams)
        started = time.perf_counter()
        compile_advance(parts.run, state, parts.key, parts.hparams, rows)
        return time.perf_counter() - started

    return turn


def product_rate(size: int = 1024) -> float:
    """The operations in a second of a product of matrices, the best of ten."""
    import jax

    a = jax.random.normal(jax.random.key(0), (size, size))
    product, seconds = jax.jit(lambda a: a @ a), []
    for _ in range(11):
        started = time.perf_counter()
        product(a).block_until_ready()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds[1:])


def of_torch(threads: int, shape: Sequence[int], batch: int, **net: Any) -> Callable[[], float]:
    """Steps in PyTorch: slices of shuffled rows, channels last, fused Adam."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = torch.from_numpy(rows_of(shape))
    model = unet_of_torch(shape, net["channels"]) if net.get("name") == "unet.unet" else model_of_torch(shape, **net)
    if len(shape) == 3:
        data = data.permute(0, 3, 1, 2)  # which stays channels last in memory
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    cost, per_epoch = torch.nn.functional.binary_cross_entropy_with_logits, len(data) // batch

    def turn(steps: int) -> float:
        started = time.perf_counter()
        for step in range(steps):
            at = step % per_epoch
            if at == 0:
                shuffled = data[torch.randperm(len(data))]
            x = shuffled[at * batch : (at + 1) * batch].float() / 255
            loss = cost(model(x), x, reduction="sum") / batch
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    return per_step(turn, per_epoch)


def per_step(turn: Callable[[int], float], per_epoch: int) -> Callable[[], float]:
    """The seconds of a step, over an epoch, which shuffles once, or over as many as take `SECONDS` if these are fewer.

    Args:
        turn: the seconds of so many steps, from the start of an epoch on.
        per_epoch: steps of an epoch.
    """
    turn(3)
    steps = max(10, min(per_epoch, round(10 * SECONDS / turn(10))))
    return lambda: turn(steps) / steps


def model_of_torch(
    shape: Sequence[int], code: int, widths: Sequence[int] = (), channels: Sequence[int] = (), kind: str = ""
) -> Any:
    """The same layers in PyTorch: dense ones, or 3×3 convolutions of stride 2, a code, and their mirror image."""
    from torch import nn

    hidden = {"silu": nn.SiLU, "sigmoid": nn.Sigmoid}.get(kind, nn.ReLU)
    if not channels:
        sizes = [math.prod(shape), *widths, code, *reversed(widths), math.prod(shape)]
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        middle = len(layers) // 2 - 1
        linear = {middle} if widths else set()  # the code of a deep net is linear, that of one layer a sigmoid
        after = lambda at: () if at in linear else (hidden() if widths else nn.Sigmoid(),)
        parts = [part for at, layer in enumerate(layers[:-1]) for part in (layer, *after(at))]
        return nn.Sequential(*parts, layers[-1])
    side, pairs = shape[0] // 2 ** len(channels), list(itertools.pairwise((shape[2], *channels)))
    size = channels[-1] * side**2
    down = [part for a, b in pairs for part in (nn.Conv2d(a, b, 3, 2, 1), hidden())]
    middle = [nn.Flatten(), nn.Linear(size, code), nn.Linear(code, size), hidden()]
    up = [part for a, b in reversed(pairs) for part in (nn.ConvTranspose2d(b, a, 3, 2, 1, 1), hidden())]
    return nn.Sequential(*down, *middle, nn.Unflatten(1, (channels[-1], side, side)), *up[:-1])


def unet_of_torch(shape: Sequence[int], channels: Sequence[int]) -> Any:
    """`aejax.models.unet` in PyTorch: levels of a residual block each, whose maps are added on the way up."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            layers = nn.Conv2d(size, size, 3, padding=1), nn.ReLU(), nn.Conv2d(size, size, 3, padding=1)
            self.inner = nn.Sequential(*layers)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.inner(x)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs, first = list(itertools.pairwise(channels)), channels[0]
            down = [nn.Conv2d(shape[2], first, 4, 2, 1), *(nn.Conv2d(a, b, 2, 2) for a, b in pairs)]
            self.down = nn.ModuleList(nn.Sequential(each, Block(each.out_channels)) for each in down)
            self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in reversed(pairs))
            self.refined = nn.ModuleList(Block(a) for a, _ in reversed(pairs))
            self.out = nn.ConvTranspose2d(first, shape[2], 4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = []
            for layer in self.down:
                maps.append(x := layer(x))
            for layer, block, skip in zip(self.up, self.refined, maps[-2::-1], strict=True):
                x = block(layer(x) + skip)
            return self.out(x)

    return UNet()
