"""A training step of a convolutional autoencoder: aejax's convolutions in a scan beside PyTorch and XLA's own.

    pip install torch
    python scripts/bench_convolution.py                 # one thread, 28x28x1 -> 16 -> 32 -> 32, batches of 128
    python scripts/bench_convolution.py --net layer     # one 3x3 layer 3 -> 32 on 32x32, and its mirror image
    python scripts/bench_convolution.py --threads 2

All sides run in this process, in turns; ratios are taken turn by turn and their median is printed. Each side trains
the same net (ReLU, mean squared error, Adam) on batches that it holds. PyTorch runs channels-last with fused Adam;
`lax` is the aejax side with `lax.conv_general_dilated` and `lax.conv_transpose` in place of its convolutions.
Images are random: speed does not depend on what they show.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from typing import NamedTuple


class Net(NamedTuple):
    """Side and channels of the images, channels of the layers, their stride, units of the code (0: none), batch."""

    side: int
    channels: tuple[int, ...]
    stride: int
    code: int
    batch: int


NETS = {
    "small": Net(28, (1, 16, 32), 2, 32, 128),
    "colour": Net(32, (3, 32, 64), 2, 128, 64),
    "layer": Net(32, (3, 32), 1, 0, 64),
}


def inner_side(net):
    return net.side // net.stride ** (len(net.channels) - 1)


def jax_side(net, steps, convolve, convolve_transposed):
    import jax
    import jax.numpy as jnp

    side, depth = inner_side(net), len(net.channels) - 1
    features = side * side * net.channels[-1]
    shapes = [(3, 3, a, b) for a, b in zip(net.channels, net.channels[1:], strict=False)]
    shapes += [(3, 3, b, a) for _, _, a, b in reversed(shapes)]
    shapes += [(features, net.code), (net.code, features)] if net.code else []

    def init(key):
        keys = jax.random.split(key, len(shapes))
        draw = lambda key, shape: (
            jax.random.normal(key, shape) * (2 / (shape[-2] * (9 if len(shape) == 4 else 1))) ** 0.5
        )
        params = [(draw(k, shape), jnp.zeros(shape[-1])) for k, shape in zip(keys, shapes, strict=True)]
        return params, jax.tree.map(jnp.zeros_like, (params, params)), jnp.float32(0)

    def loss(params, x):
        h = x
        for kernel, bias in params[:depth]:
            h = jax.nn.relu(convolve(h, kernel, stride=net.stride) + bias)
        if net.code:
            (to_code, bias), (from_code, bias_back) = params[2 * depth :]
            h = (h.reshape(-1, features) @ to_code + bias) @ from_code + bias_back
            h = jax.nn.relu(h).reshape(-1, side, side, net.channels[-1])
        for place, (kernel, bias) in enumerate(params[depth : 2 * depth]):
            h = h if place == 0 else jax.nn.relu(h)
            h = convolve_transposed(h, kernel, stride=net.stride) + bias
        return jnp.mean((h - x) ** 2)

    def step(state, x):
        params, (first, second), count = state
        value, gradient = jax.value_and_grad(loss)(params, x)
        count += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, first, second)
        return (params, (first, second), count), value

    state = jax.jit(init)(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (steps, net.batch, net.side, net.side, net.channels[0]))
    train = jax.jit(lambda state, images: jax.lax.scan(step, state, images))

    def turn():
        started = time.perf_counter()
        jax.block_until_ready(train(state, images))
        return time.perf_counter() - started

    return turn


def torch_side(net, steps, threads):
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    side, last = inner_side(net), net.channels[-1]
    pairs = list(zip(net.channels, net.channels[1:], strict=False))
    layers = []
    for a, b in pairs:
        layers += [nn.Conv2d(a, b, 3, net.stride, 1), nn.ReLU()]
    if net.code:
        layers += [nn.Flatten(), nn.Linear(last * side**2, net.code), nn.Linear(net.code, last * side**2)]
        layers += [nn.ReLU(), nn.Unflatten(1, (last, side, side))]
    for a, b in reversed(pairs):
        layers += [nn.ConvTranspose2d(b, a, 3, net.stride, 1, net.stride - 1), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    shape = (net.batch, net.channels[0], net.side, net.side)
    images = [torch.rand(shape).to(memory_format=torch.channels_last) for _ in range(steps)]

    def turn():
        started = time.perf_counter()
        for x in images:
            loss = ((model(x) - x) ** 2).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    return turn


def lax_convolutions():
    from jax import lax

    def down(x, kernel, *, stride):
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=layout)

    def up(x, kernel, *, stride):
        return lax.conv_transpose(x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    return down, up


def processor():
    """The processor as its own system names it."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, default="small", help="which net (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="processor cores that each side may use")
    parser.add_argument("--steps", type=int, default=10, help="training steps in one turn")
    parser.add_argument("--turns", type=int, default=9, help="timed turns of each side, after one untimed")
    parser.add_argument("--core", type=int, default=0, help="first processor core to use, of those allowed")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[arguments.core :][: arguments.threads]
        if len(cores) < arguments.threads:
            sys.exit(f"bench_convolution: --threads {arguments.threads} from core {arguments.core} on: too few cores")
        os.sched_setaffinity(0, cores)  # before either library starts its threads
    try:
        import torch
    except ModuleNotFoundError:
        sys.exit("bench_convolution: PyTorch is the peer of this benchmark; install it with: pip install torch")
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    from aejax.models.convolution import convolve, convolve_transposed

    net, steps = NETS[arguments.net], arguments.steps
    sides = {
        f"aejax (jax {jax.__version__})": jax_side(net, steps, convolve, convolve_transposed),
        f"PyTorch ({torch.__version__})": torch_side(net, steps, arguments.threads),
        "lax in the scan": jax_side(net, steps, *lax_convolutions()),
    }
    for turn in sides.values():
        turn()
    seconds = list(zip(*[[turn() for turn in sides.values()] for _ in range(arguments.turns)], strict=True))
    print(f"{processor()}, {arguments.threads} thread(s), Python {platform.python_version()}; {arguments.net}: {net}")
    for name, taken in zip(sides, seconds, strict=True):
        ratios = [theirs / ours for ours, theirs in zip(seconds[0], taken, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        milliseconds = 1000 * statistics.median(taken) / steps
        print(f"{name}: {milliseconds:.1f} ms a step, {statistics.median(ratios):.2f} of aejax's time ({spread})")


if __name__ == "__main__":
    main()
