"""How far a member of a sweep departs from the same run alone: the rounding of another program, amplified by training.

    python scripts/sweep_tolerance.py

Each net is swept over two weights or rates and two seeds, as one program and with --exact, which is bit for bit what
`aejax run` does. Printed is the largest difference over the members: of a parameter, relative to the largest of its
array, and of the validation error, relative to itself.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

SWEEPS = {
    "lecture/multilayer": ("optimizer.learning_rate=[0.001,0.003]", "seed=0:2"),
    "lecture/sparse_l1": ("terms.sparsity.weight=[0.1,1.0]", "seed=0:2"),
}


def departed(config, specs, steps):
    """The largest relative difference of a parameter and of the validation error."""
    from aejax.storage import checkpoint
    from aejax.sweep import axes, plan
    from aejax.sweep.block import PARTS, Options, run_block
    from aejax.sweep.engines.groups import cost
    from aejax.sweep.prepared import prepare

    overrides = [f"train.steps={steps}", "train.evaluate_every=1000000", "train.checkpoint_every=1000000"]
    made = plan.make(config, overrides, axes.collect({}, specs))
    prepared = prepare(made.groups[0][0].config, None)
    found = []
    for options in (Options(strategy="vmap"), Options(exact=True)):
        (block,) = cost(made.groups[0], prepared, options)[0]
        with tempfile.TemporaryDirectory() as folder:
            results = run_block(block, prepared, options, Path(folder))
            params = checkpoint.restore_flat(Path(folder) / PARTS / block.id / "params")
        found.append((params, np.array([result["metrics"]["validation/mse"] for result in results])))
    (swept, error), (alone, wanted) = found
    apart = [
        np.abs(swept[name][member] - leaf[member]).max() / np.abs(leaf[member]).max()
        for name, leaf in alone.items()
        for member in range(len(leaf))
    ]
    return max(apart), (np.abs(error - wanted) / wanted).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 1000, 10_000])
    arguments = parser.parse_args()
    print("| config | steps | parameters | validation error |\n|---|---|---|---|")
    for config, specs in SWEEPS.items():
        for steps in arguments.steps:
            params, error = departed(config, specs, steps)
            print(f"| {config} | {steps} | {params:.1e} | {error:.1e} |", flush=True)


if __name__ == "__main__":
    main()
