"""A net as one page that needs no network: a row or an image goes in, and the page computes what comes out."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.data.scaling import original
from aejax.export.actions import Net
from aejax.export.steps import Program
from aejax.files import to_json


def page(net: Net, programs: Mapping[str, Program], card: Mapping[str, Any]) -> bytes:
    """The page.

    Args:
        net: that is exported.
        programs: by action.
        card: what is known of it, with ``columns`` and ``actions``.
    """
    read = lambda name: Path(__file__).with_name(name).read_text(encoding="utf-8")
    arrays = {name: array for program in programs.values() for name, array in program.arrays.items()}
    low, high = _levels(net, card)
    data = {
        "shape": net.model.feature_shape,
        **{field: card[field] for field in ("columns", "actions", "takes_missing")},
        "programs": {name: program.record() for name, program in programs.items()},
        "arrays": {name: _stored(array) for name, array in arrays.items()},
        "middle": _middle(net),
        "low": low,
        "high": high,
        "card": {name: value for name, value in card.items() if name not in ("columns", "actions")},
    }
    name = (card.get("data") or {}).get("name") or "aejax"
    title = f"{name}: {net.settings.get('name', 'autoencoder')}".replace("&", "&amp;").replace("<", "&lt;")
    text = json.dumps(json.loads(to_json(data)), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    parts = {"title": title, "script": f"{read('net.js')}\n{read('page.js')}", "data": text}
    out = read("page.html")
    for key, part in parts.items():
        out = out.replace(f"{{{{ {key} }}}}", part)
    return out.encode()


def _stored(array: np.ndarray) -> tuple[str, list[int], str]:
    return array.dtype.name, list(array.shape), base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _middle(net: Net) -> list[float]:
    """The row that the page begins with: what the data were shifted by, and the first category of each column."""
    row = original(net.shift.astype(np.float64)[None], net.origin, net.log)[0]
    for column in net.columns:
        if column.size > 1:
            row[column.start : column.start + column.size] = np.arange(column.size) == 0
    return row.tolist()


def _levels(net: Net, card: Mapping[str, Any]) -> tuple[float, float]:
    """The values of black and white."""
    scaling = ((card.get("config") or {}).get("data") or {}).get("scaling")
    shift, span = float(net.shift[0]), 1 / float(net.scale[0])
    return {"unit": (shift, shift + span), "signed": (shift - span, shift + span)}.get(scaling, (0.0, 255.0))
