"""The time that a setting of a sweep takes, by how many are trained together, beside PyTorch: one picture.

    pip install '.[bench]'
    python scripts/bench_sweep.py --picture sweep.png

Both sides are those of `aejax bench --only sweep-36 sweep-784`, which compares 64 settings in turns.
"""

import argparse
import os

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--picture", metavar="FILE", required=True)
    arguments = parser.parse_args()
    from aejax.sweep.command import split_processor

    split_processor(None)
    from aejax.bench import sweeps
    from aejax.figures import canvas, words

    counts, panels = [2**power for power in range(9)], {}
    for net in sweeps.NETS:
        seconds = [sweeps.together(net, count)() for count in counts]
        theirs = sweeps.of_torch(os.cpu_count() or 1, net)() / sweeps.SETTINGS
        panels[f"net {net}"] = {
            "aejax, compiled before": np.array([train / n for (train, _), n in zip(seconds, counts, strict=True)]),
            "aejax, with the compile": np.array([sum(both) / n for both, n in zip(seconds, counts, strict=True)]),
            "PyTorch, one after the other": np.full(len(counts), theirs),
        }
        for name, values in panels[f"net {net}"].items():
            listed = ", ".join(f"{count}: {value:.3g} s" for count, value in zip(counts, values, strict=True))
            print(f"net {net}, {name}: {listed}", flush=True)
    title = "Seconds a setting takes, by the number that is trained together"
    figure, grid = canvas.new_panels(4.2, title, [(f"settings, {net}", "seconds for each") for net in panels])
    for axes, series in zip(grid, panels.values(), strict=True):
        for (name, values), colour, marker in zip(series.items(), canvas.OKABE_ITO, "osD", strict=False):
            axes.plot(counts, values, label=name, color=colour, marker=marker, markersize=5)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, map(str, counts))
        canvas.legend_above(axes)
    print(canvas.save_figure(canvas.finish(figure, words.load("en")), arguments.picture))


if __name__ == "__main__":
    main()
