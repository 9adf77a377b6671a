"""Sweeps beside sequential PyTorch: many learning rates of one autoencoder, as one program and one after the other.

    pip install torch
    python scripts/bench_sweep.py                          # both nets, 64 settings
    python scripts/bench_sweep.py --picture sweep.png      # and time a setting from 1 to 256 settings

Both sides run in this process, in turns; ratios are taken turn by turn and the median is printed. The PyTorch side is
a hand-written loop: rows shuffled once an epoch, contiguous slices, fused Adam, one thread or two, whichever is
faster; of its settings a few are trained in each turn and their time is scaled, as each takes equally long. The aejax
side is the product's own block of a sweep, compiled afresh in each turn. Values are random: speed does not depend on
what they show.
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import time
from types import SimpleNamespace

NETS = {"36-16-2": (36, (16,), 2, 2000, 32, 4435), "784-32": (784, (), 32, 1000, 128, 60_000)}
"""Values of a row, widths, code, steps, rows of a batch, rows of the data."""


def data_of(net):
    import numpy as np

    features, _, _, _, _, rows = NETS[net]
    return np.random.default_rng(0).integers(0, 256, (rows, features), dtype=np.uint8)


def aejax_side(net, settings, strategy):
    import jax
    import jax.numpy as jnp
    import numpy as np

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

    features, widths, code, steps, batch, _ = NETS[net]
    rows = few_shapes(Rows(jnp.asarray(data_of(net)), None, jnp.float32(0), jnp.float32(1 / 255)), batch)
    grid = np.arange(settings)[None]
    rates = np.geomspace(1e-4, 1e-2, settings)
    fixed = {"terms": {"reconstruction": {"weight": 1.0}}, "corruption": {}}
    own = [{**fixed, "optimizer": {"learning_rate": r, "b1": 0.9, "b2": 0.999, "eps": 1e-8}} for r in rates]
    hparams = program.stack_hparams(own, grid)
    plain = {"steps": steps, "patience": None, "evaluate_every": steps, "checkpoint_every": steps}
    members = tuple(plan.Member(number, {}, {"seed": 0, "train": plain}) for number in range(settings))
    members = plan.Block(members, ((0, None),), grid)
    prepared = SimpleNamespace(parts=SimpleNamespace(hparams=fixed))

    def turn():
        compilation.compiled.cache_clear()
        own = {"widths": widths, "activation": "sigmoid"} if widths else {}
        build = dense.multilayer if widths else dense.vanilla
        model = build((features,), code=code, **own)
        objective = losses.weighted_sum({"reconstruction": reconstruction.cross_entropy})
        adam = optimizers.build("adam", {}, schedules.constant)
        kind = {"steps": steps, "batch_size": batch, "data_range": Range(0, 1)}
        run = train.make_run(model, objective, corrupt.none, adam, **kind)
        arguments = (run, [0], hparams, program.Data(rows))
        compile_form = lambda form: program.compile_block(*arguments, form, grid.shape, jax.devices())
        started = time.perf_counter()
        size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))
        chosen = program.choose(compile_form, program.forms(strategy, size), steps)
        jax.block_until_ready(chosen.init())
        compiled = time.perf_counter() - started
        block.train_block(chosen, members, prepared)
        return time.perf_counter() - started - compiled, compiled, chosen.form

    return turn


def torch_side(net, threads, settings):
    import torch

    features, widths, code, steps, batch, rows = NETS[net]
    data = torch.from_numpy(data_of(net))
    cost = torch.nn.functional.binary_cross_entropy_with_logits

    def train(rate):
        torch.manual_seed(0)
        sizes = [features, *widths, code, *reversed(widths), features]
        layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        chain = [part for layer in layers for part in (layer, torch.nn.Sigmoid())][:-1]
        model = torch.nn.Sequential(*chain)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
        per_epoch = rows // batch
        for step in range(steps):
            place = step % per_epoch
            if place == 0:
                shuffled = data[torch.randperm(rows)]
            x = shuffled[place * batch : (place + 1) * batch].float() / 255
            loss = cost(model(x), x, reduction="sum") / batch
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    def turn():
        torch.set_num_threads(threads)
        started = time.perf_counter()
        for number in range(settings):
            train(10 ** (-4 + 2 * number / settings))
        return (time.perf_counter() - started) / settings

    return turn


def compare(net, arguments):
    """Print the ratios of one net; seconds a setting of both sides, ours without and with the compile."""
    ours = aejax_side(net, arguments.settings, arguments.strategy)
    peers = [torch_side(net, threads, arguments.torch_settings) for threads in (1, 2)[: os.cpu_count()]]
    turns = []
    for _ in range(arguments.turns):
        theirs = min(peer() for peer in peers) * arguments.settings
        turns.append((*ours(), theirs))
    warm = [theirs / train for train, _, _, theirs in turns]
    cold = [theirs / (train + prepared) for train, prepared, _, theirs in turns]
    middle = statistics.median
    form = turns[0][2].strategy
    print(f"net {net}, {arguments.settings} settings, {NETS[net][3]} steps of {NETS[net][4]} rows, form {form}")
    print(f"  PyTorch {middle([t[3] for t in turns]):.1f} s, aejax {middle([t[0] for t in turns]):.2f} s ", end="")
    print(f"and {middle([t[1] for t in turns]):.2f} s to compile")
    print(f"  without the compile {middle(warm):.1f} times faster (from {min(warm):.1f} to {max(warm):.1f})")
    print(
        f"  with a cold compile {middle(cold):.1f} times faster (from {min(cold):.1f} to {max(cold):.1f})", flush=True
    )


def picture(nets, arguments):
    """Draw the time a setting takes over the number of settings."""
    import numpy as np

    from aejax.figures import canvas, words

    counts, panels = [2**power for power in range(9)], {}
    for net in nets:
        found = [aejax_side(net, count, arguments.strategy)() for count in counts]
        theirs = min(torch_side(net, threads, 2)() for threads in (1, 2)[: os.cpu_count()])
        panels[f"net {net}"] = {
            "aejax, compiled before": np.array([t[0] / count for t, count in zip(found, counts, strict=True)]),
            "aejax, with the compile": np.array(
                [(t[0] + t[1]) / count for t, count in zip(found, counts, strict=True)]
            ),
            "PyTorch, one after the other": np.full(len(counts), theirs),
        }
        for name, values in panels[f"net {net}"].items():
            told = ", ".join(f"{c}: {v:.3g} s" for c, v in zip(counts, values, strict=True))
            print(f"net {net}, {name}: {told}", flush=True)
    title = "Seconds a setting takes, by the number that is trained together"
    labels = [(f"settings, {net}", "seconds for each") for net in panels]
    figure, grid = canvas.new_panels(4.2, title, labels)
    for axes, series in zip(grid, panels.values(), strict=True):
        for (name, values), colour, marker in zip(series.items(), canvas.OKABE_ITO, "osD", strict=False):
            axes.plot(counts, values, label=name, color=colour, marker=marker, markersize=5)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, map(str, counts))
        canvas.legend_above(axes)
    print(canvas.save_figure(canvas.finish(figure, words.load("en")), arguments.picture))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, help="one of the two; else both")
    parser.add_argument("--settings", type=int, default=64)
    parser.add_argument("--torch-settings", type=int, default=4, help="settings that PyTorch trains in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--strategy", choices=("auto", "vmap", "map"), default="auto")
    parser.add_argument("--picture", metavar="FILE", help="also draw time a setting from 1 to 256 settings")
    arguments = parser.parse_args()
    from aejax.sweep.command import split_processor

    split_processor(None)
    try:
        import torch
    except ModuleNotFoundError:
        sys.exit("bench_sweep: PyTorch is the peer of this benchmark; install it with: pip install torch")
    import jax

    cores = len(jax.devices())
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, jax {jax.__version__}, ", end="")
    print(f"torch {torch.__version__}")
    nets = [arguments.net] if arguments.net else list(NETS)
    for net in nets:
        compare(net, arguments)
    if arguments.picture:
        picture(nets, arguments)


if __name__ == "__main__":
    main()
