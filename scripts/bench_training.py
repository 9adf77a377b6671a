"""Training speed beside PyTorch: a 784-32-784 autoencoder on 60,000 uint8 images, batches of 128, cross-entropy, Adam.

    pip install torch
    python scripts/bench_training.py                # one thread
    python scripts/bench_training.py --threads 2

Both sides run in this process, in turns; the ratio is taken turn by turn and its median is printed. The PyTorch
side is a hand-written loop: rows shuffled once an epoch, contiguous slices, fused Adam. The aejax side is the
product's own run as one compiled loop. Images are random bytes: speed does not depend on what they show.
"""

import argparse
import os
import platform
import statistics
import sys
import time

ROWS, BATCH, FEATURES, CODE = 60_000, 128, 784, 32


def aejax_side(steps, images):
    import jax
    import jax.numpy as jnp

    from aejax import losses, optimizers
    from aejax.data import corrupt
    from aejax.losses import reconstruction
    from aejax.models import dense
    from aejax.optimizers import schedules
    from aejax.training import step as train
    from aejax.training.context import Rows
    from aejax.types import Range

    run = train.make_run(
        dense.vanilla((28, 28, 1), code=CODE),
        losses.weighted_sum({"reconstruction": reconstruction.cross_entropy}),
        corrupt.none,
        optimizers.build("adam", {}, schedules.constant),
        steps=10**6,
        batch_size=BATCH,
        data_range=Range(0, 1),
    )
    hparams = jax.tree.map(
        jnp.float32,
        {
            "terms": {"reconstruction": {"weight": 1.0}},
            "corruption": {},
            "optimizer": {"learning_rate": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
        },
    )
    key = jax.random.key(0)
    rows = Rows(jnp.asarray(images), None, jnp.float32(0), jnp.float32(1 / 255))
    state = jax.jit(run.init)(key, hparams)
    advance = jax.jit(run.advance, static_argnums=5)

    def turn():
        started = time.perf_counter()
        jax.block_until_ready(advance(state, key, hparams, rows, jnp.int32(steps), steps))
        return time.perf_counter() - started

    return turn, f"jax {jax.__version__}"


def torch_side(steps, images, threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = torch.from_numpy(images)
    encoder, decoder = torch.nn.Linear(FEATURES, CODE), torch.nn.Linear(CODE, FEATURES)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, fused=True)
    cost = torch.nn.functional.binary_cross_entropy_with_logits
    per_epoch = ROWS // BATCH

    def turn():
        started = time.perf_counter()
        for step in range(steps):
            place = step % per_epoch
            if place == 0:
                shuffled = data[torch.randperm(ROWS)]
            x = shuffled[place * BATCH : (place + 1) * BATCH].float() / 255
            loss = cost(decoder(torch.sigmoid(encoder(x))), x, reduction="sum") / BATCH
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    return turn, f"torch {torch.__version__}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="processor cores that each side may use")
    parser.add_argument("--steps", type=int, default=1000, help="training steps in one turn")
    parser.add_argument("--turns", type=int, default=9, help="timed turns of each side, after one untimed")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[: arguments.threads]
        os.sched_setaffinity(0, cores)  # before either library starts its threads
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        sys.exit("bench_training: PyTorch is the peer of this benchmark; install it with: pip install torch")
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (ROWS, FEATURES), dtype=np.uint8)
    ours, our_version = aejax_side(arguments.steps, images)
    peer, peer_version = torch_side(arguments.steps, images, arguments.threads)
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(arguments.turns)]
    rate = lambda seconds: arguments.steps * BATCH / statistics.median(seconds)
    ratios = [theirs / mine for mine, theirs in pairs]
    print(f"{platform.machine()}, {arguments.threads} thread(s), Python {platform.python_version()}")
    print(f"aejax ({our_version}): {rate([mine for mine, _ in pairs]):,.0f} samples/s (median of {len(pairs)} turns)")
    print(f"PyTorch ({peer_version}): {rate([theirs for _, theirs in pairs]):,.0f} samples/s")
    print(f"ratio: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
