"""The time of a training step by width, depth, batch, rows and nets, beside its arithmetic: one picture.

    python scripts/bench_growth.py --picture growth.png

The arithmetic is XLA's count of operations, at the rate of a product of matrices of 1,024 by 1,024 on the same machine,
one core. A step does not depend on the number of rows; small nets take the time of what is not arithmetic.
"""

import argparse
import os

import numpy as np

FIRST = {"widths": (256,), "code": 32, "shape": (784,), "batch": 128}
PANELS = {
    "width of the hidden layers": [(n, {"widths": (n,)}) for n in (64, 128, 256, 512, 1024, 2048)],
    "hidden layers of 256 units": [(n, {"widths": (256,) * n}) for n in (1, 2, 4, 8, 16)],
    "rows of a batch": [(n, {"batch": n}) for n in (16, 64, 256, 1024, 4096)],
    "rows of the data": [(n, {"rows": n}) for n in (1000, 4000, 16_000, 60_000)],
}
NETS = (1, 4, 16, 64, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--picture", metavar="FILE", required=True)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, about")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    from aejax.bench import steps, sweeps
    from aejax.figures import canvas, words

    steps.SECONDS, rate = arguments.seconds, max(steps.product_rate() for _ in range(3))

    def measured(settings: dict) -> tuple[float, float]:
        turn = steps.of_aejax(1, **FIRST | settings)
        return min(turn() for _ in range(3)), turn.operations / rate

    panels = {about: ([at for at, _ in few], [measured(each) for _, each in few]) for about, few in PANELS.items()}
    net = sweeps.NETS["36-16-2"]
    _, one = measured({"shape": (net.features,), "widths": net.widths, "code": net.code, "batch": net.batch})
    taken = [sweeps.together("36-16-2", count)()[0] / net.steps for count in NETS]
    pairs = [(seconds, one * count) for seconds, count in zip(taken, NETS, strict=True)]
    panels["nets of 36-16-2 trained together"] = (NETS, pairs)
    title, columns = "Seconds of a training step of 784-256-32 on one core, and of its arithmetic", len(panels)
    figure, grid = canvas.new_panels(3.6, title, [(about, "seconds") for about in panels], width=3.4 * columns)
    for axes, (about, (sizes, pairs)) in zip(grid, panels.items(), strict=True):
        for name, values, marker in zip(("measured", "arithmetic"), np.transpose(pairs), "os", strict=True):
            axes.plot(sizes, values, label=name, marker=marker, markersize=5)
            listed = ", ".join(f"{size}: {1000 * value:.3g} ms" for size, value in zip(sizes, values, strict=True))
            print(f"{about}, {name}: {listed}", flush=True)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(np.min(pairs) / 3, 3 * np.max(pairs))  # where nothing grows, the axis has a decade all the same
        canvas.legend_above(axes)
    print(canvas.save_figure(canvas.finish(figure, words.load("en")), arguments.picture))


if __name__ == "__main__":
    main()
