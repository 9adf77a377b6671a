"""A net as a folder that the Hugging Face Hub shows: weights, a config and a card; `aejax.open` reads it again."""

import hashlib
import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from aejax import __version__
from aejax.errors import UserError
from aejax.export.actions import Net
from aejax.storage.checksums import sealed
from aejax.storage.trees import named_arrays, pack
from aejax.training.context import outline

WEIGHTS, CONFIG, README = "model.safetensors", "config.json", "README.md"
FORMAT = 1


def files(net: Net, card: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the folder, by name.

    Raises:
        UserError: no constructor of aejax made the model, so that nobody else could make it again.
    """
    if not net.settings:
        line = "export: no constructor of aejax made the model, so that the Hub's users could not make it again"
        raise UserError(f"{line}; allowed: the formats numpy, onnx and stablehlo")
    arrays = {f"params/{name}": array for name, array in named_arrays(net.params).items()}
    arrays |= {"scaling/shift": _folded(net, net.shift), "scaling/scale": _folded(net, net.scale)}
    arrays |= {f"kept/{name}": np.asarray(array) for name, array in (net.kept.tree if net.kept else {}).items()}
    weights = pack(arrays)
    record = {
        "library_name": "aejax",
        "format": FORMAT,
        "model": dict(net.settings),
        "config": card.get("config"),
        "info": {**net.info, "linked": bool(net.columns) and "natural" in outline(net.model).extra},
        "kept": dict(net.kept.info) if net.kept else None,
        "leaves": {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()},
        "sha256": hashlib.sha256(weights).hexdigest(),
        "card": {name: value for name, value in card.items() if name not in ("config", "model")},
    }
    return {WEIGHTS: weights, CONFIG: sealed(record).encode(), README: readme(net, card, record["sha256"]).encode()}


def _folded(net: Net, values: np.ndarray) -> np.ndarray:
    """In the shape of a row; one number where all are the same, so that images may be of another size."""
    return values[:1].reshape(()) if (values == values[0]).all() else values.reshape(net.model.feature_shape)


def readme(net: Net, card: Mapping[str, Any], sha256: str) -> str:
    """The card as people read it, under the header that the Hub reads."""
    data, versions = card.get("data") or {}, card.get("versions") or {}
    name, text = net.settings["name"], lambda value: json.dumps(str(value), ensure_ascii=False)
    shape = "x".join(map(str, net.model.feature_shape))
    lines = ["---", "library_name: aejax", "tags:", "- aejax", "- autoencoder", "- jax", "---", ""]
    lines += [f"# {name}: {shape} values to a code of {net.model.code_size}", ""]
    lines += [f"An autoencoder that [aejax](https://pypi.org/project/aejax/) {__version__} trained. Use it:", ""]
    lines += ["```python", "import aejax", "from huggingface_hub import snapshot_download", ""]
    lines += ['fitted = aejax.open(snapshot_download("OWNER/NAME"))', "codes = fitted.encode(x)", "```", ""]
    lines += ["## Data", "", f"- name: {text(data.get('name'))}", f"- source: {text(data.get('source'))}"]
    lines += [f"- licence: {text(data.get('licence') or 'unknown')}", ""]
    lines += [*_metrics(card.get("metrics") or {}, card.get("baselines") or {})]
    lines += ["## Net", "", f"- parameters: {sum(prod(a.shape) for a in named_arrays(net.params).values()):,}"]
    lines += [f"- `{WEIGHTS}`: SHA-256 `{sha256}`; aejax checks it and executes nothing of this folder"]
    lines += [f"- versions: {', '.join(f'{package} {number}' for package, number in versions.items() if number)}", ""]
    lines += ["```json", json.dumps({"model": net.settings}, indent=2, ensure_ascii=False, default=list), "```", ""]
    return "\n".join(lines)


def _metrics(metrics: Mapping[str, Any], baselines: Mapping[str, Any]) -> list[str]:
    """A table of the metrics of the test rows, the net's beside those of its baselines."""
    of_net = metrics.get("test") or {}
    if not of_net:
        return []
    names, shown = list(of_net), lambda value: f"{float(value):.4g}" if value is not None else ""
    rows = {"this net": of_net, **baselines}
    lines = ["## Metrics of the test rows", "", "|  | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {who} | " + " | ".join(shown(row.get(name)) for name in names) + " |" for who, row in rows.items()]
    return [*lines, ""]
