"""A piece of a page that reacts: its HTML with the data inside, and the script that all of them share."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
FILES = ("decoder", "drawing", "plane", "walk", "trade_off", "start")
SCRIPT = "(() => {\n" + "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in FILES) + "})();\n"
STYLE = (HERE / "touch.css").read_text(encoding="utf-8")


class Fragment(NamedTuple):
    """A piece of a page.

    Attributes:
        title: what it is.
        caption: what to do, and what there is to see.
        html: to be put in place; its data are inside.
        script: to be put once at the end of the page, however many fragments share it.
    """

    title: str
    caption: str
    html: str
    script: str


def make(kind: str, owner: str, texts: Mapping[str, str], data: Mapping[str, Any], body: str) -> Fragment:
    """A fragment of a kind.

    Args:
        kind: the name of its function in the script.
        owner: of the folder that it shows, so that two of equal content have two ids.
        texts: ``title`` and ``caption``, and what the script says.
        data: what the script needs.
        body: HTML.
    """
    told = {name: text for name, text in texts.items() if name not in ("title", "caption")}
    content = json.dumps({**data, "texts": told}, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    digest = hashlib.sha256("\n".join((owner, content)).encode()).hexdigest()
    name = f"touch-{kind}-{digest[:10]}"
    html = (
        f'<div class="touchable" data-touch="{kind}" role="group" aria-label="{escape(texts["title"])}">\n'
        f'<script type="application/json" id="{name}">{content}</script>\n{body}\n</div>'
    )
    return Fragment(texts["title"], texts["caption"], html, SCRIPT)


def packed(values: np.ndarray) -> str:
    """An array as base64: uint8 as it is, all else as little-endian float32."""
    values = np.asarray(values)
    return base64.b64encode(values.astype("u1" if values.dtype == np.uint8 else "<f4").tobytes()).decode()


def slider(label: str, low: float, high: float, value: float, step: str = "any") -> str:
    """A named range input, and the place where its value is written."""
    return (
        f'<label class="touch-slider"><span>{escape(label)}</span>'
        f'<input type="range" min="{low:.9g}" max="{high:.9g}" step="{step}" value="{value:.9g}">'
        "<output></output></label>"
    )
