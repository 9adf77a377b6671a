"""The table of README.md: runs the experiments it names and prints a row for each.

    python scripts/readme_table.py                      # on bundled data, about two minutes
    python scripts/readme_table.py --fashion-mnist      # those on fashion_mnist, about six minutes

Runs are kept under runs/readme; a second call reads those that are finished.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

BUNDLED = (
    "lecture/vanilla",
    "lecture/vanilla:squared_error",
    "lecture/multilayer",
    "lecture/convolutional",
    "lecture/sparse_l1",
    "lecture/sparse_kl",
    "lecture/ufldl_sparse",
)
FASHION = (
    "lecture/vanilla:fashion_mnist",
    "lecture/multilayer:fashion_mnist",
    "lecture/convolutional:fashion_mnist",
    "lecture/sparse_l1:fashion_mnist",
    "lecture/sparse_kl:fashion_mnist",
)


def row(spec):
    folder = Path("runs/readme") / spec.replace("/", "-").replace(":", "-")
    command = [sys.executable, "-m", "aejax", "run", spec, "--workdir", str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    summary, config = (json.loads((folder / name).read_text()) for name in ("summary.json", "config.json"))
    net, widths = config["model"], config["model"].get("widths", config["model"].get("channels", []))
    shape = "-".join(map(str, [*widths, net["code"]]))
    test, pca = summary["metrics"]["test"], summary["baselines"]["pca"]["mse"]
    same_length = {name: values["mse"] for name, values in summary["baselines"].items() if name.startswith("pca_")}
    other = "".join(f" ({name.replace('pca_', 'PCA-')}: {value:.4f})" for name, value in same_length.items())
    seconds = summary["timing"]["train_seconds"]
    pca = "0" if pca < 1e-6 else f"{pca:.4f}"
    return (
        f"| `aejax run {spec}` | {config['data']['name']} | {shape} | **{test['mse']:.4f}** | {pca}{other} "
        f"| {test['active_fraction']:.2f} | {seconds:.1f} s |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion-mnist", action="store_true")
    rows = [row(spec) for spec in (FASHION if parser.parse_args().fashion_mnist else BUNDLED)]
    print("| command | data | net, to the code | test error | PCA, same code size | active units | training |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
