"""A figure as SVG: its letters as text, few of them, and the same bytes each time."""

import re
from typing import Any

from aejax.figures import canvas

FONTS = "'DejaVu Sans', Verdana, sans-serif"  # those of a machine without the first are as wide (Verdana), or narrower
SHARP = 2.0  # points: from that size on, the pixels of an image look equally large as squares

SIDES = {"left": "start", "center": "middle", "right": "end"}

INK, PAPER, LINES = "#e8e6e1", "#16181b", "#3a3f46"
DARK = {
    "fill": {"#ffffff": PAPER, "#f2f2f2": "#24282d", "#ececec": "#282c32", "#e6e6e6": "#2c3137", "#0072b2": "#3f9bd8"},
    "stroke": {"#000000": INK, "#d9d9d9": LINES, "#f2f2f2": LINES, "#ececec": LINES, "#e6e6e6": LINES}
    | {"#0072b2": "#3f9bd8", "#6b6b6b": "#a3a8b0"},
}
"""Colours in the dark, by those that they replace; letters that have no colour of their own are in the first."""

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in XML
GROUP = re.compile(r'<g id="(text_of_lines_\d+)">.*?</g>')
LINE = re.compile(r'; " transform="translate\(\S+ (\S+)\)"')
IMAGE = re.compile(r'(<image [^>]*transform="matrix\((\S+) [^>]*?)style="image-rendering[^"]*"')
LEAD = re.compile(r">( +)([^<]*</text>)")
NUMBER = re.compile(r"-?\d+\.\d{3,}")
PLACES = re.compile(r'\b(d|x|y|points)="[^"]*"')
FAMILY = re.compile(r"font-family: ([^;\"]*);? ?")


def svg(figure: Any, dpi: float) -> str:
    """The SVG of a figure.

    Args:
        figure: of matplotlib; its layout is fixed afterwards.
        dpi: of what stands in it as pixels: clouds of points, and images that are not shown enlarged.
    """
    from matplotlib import rc_context

    canvas.lay_out(figure)
    figure.set_layout_engine("none")  # everything stays where it stands
    _sharpen(figure, dpi)
    sides = _sides(figure)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "aejax"}):
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        text = _compact(canvas.rendered(figure, format="svg", dpi=dpi, metadata=unsaid).decode())
    # Images whose pixels would be uneven squares, so small are they, are smoothed.
    smoothed = lambda image: image[0] if float(image[2]) >= SHARP else image[1]
    return GROUP.sub(lambda group: LINE.sub(sides[group[1]], group[0]), IMAGE.sub(smoothed, text))


def _sharpen(figure: Any, dpi: int) -> None:
    """Images that are not shown smaller than they are go into the file as their own pixels, and no more of them."""
    from matplotlib.image import AxesImage

    for image in figure.findobj(AxesImage):
        if image.get_window_extent().width * dpi / figure.dpi >= image.get_array().shape[1]:
            image.set_interpolation("none")


def _sides(figure: Any) -> dict[str, str]:
    """By the ids of texts of several lines, what sets each line at its side or middle.

    Other letters than those measured would let it end elsewhere.
    """
    from matplotlib.text import Text

    sides, points = {}, 72 * figure.get_size_inches()[0] / figure.bbox.width
    for number, text in enumerate(figure.findobj(Text)):
        if "\n" in text.get_text() and not text.get_rotation():
            text.set_gid(f"text_of_lines_{number}")
            x = text.get_transform().transform(text.get_unitless_position())[0]
            sides[text.get_gid()] = rf'; text-anchor: {SIDES[text.get_ha()]}" x="{points * x:.2f}" y="\1"'
    return sides


def _compact(text: str) -> str:
    """The same picture in fewer letters: places to a hundredth of a point, fonts said once."""
    text = FORBIDDEN.sub("\ufffd", text[text.index("<svg") :]).replace("base64,\n", "base64,")
    rounded = lambda match: f"{float(match[0]) + 0:.2f}".rstrip("0").rstrip(".")
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = PLACES.sub(lambda match: NUMBER.sub(rounded, match[0]), text)
    text = FAMILY.sub(_family, text)
    text = re.sub(r">\s*\n\s*<", "><", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = LEAD.sub(lambda match: ">" + "\u00a0" * len(match[1]) + match[2], text)  # spaces that no browser leaves out
    text = text.replace("</style>", f" {_in_the_dark()}</style>", 1)
    return text.replace("<svg ", f'<svg font-family="{FONTS}" ', 1)


def _in_the_dark() -> str:
    """The style sheet of a figure on a page that is shown light on dark; images inside it stay as they are."""
    rules = [
        f'[style*="{what}: {light}"]:not(text){{{what}: {dark} !important}}'
        for what, colours in DARK.items()
        for light, dark in colours.items()
    ]
    letters = f'text{{fill: {INK}}} text[style*="fill: #6b6b6b"]{{fill: #a3a8b0 !important}}'
    return f"@media screen and (prefers-color-scheme: dark){{{letters} {' '.join(rules)}}}"


def _family(match: re.Match) -> str:
    """Nothing where the font is the usual one; others, as those of letters that it lacks, with what replaces them."""
    from matplotlib import rcParams

    first, *others = (name.strip() for name in match[1].split(","))
    usual = {"sans-serif", *(repr(name) for name in rcParams["font.sans-serif"]), *rcParams["font.sans-serif"]}
    others = [name for name in others if name not in usual]
    if first in usual:
        return f"font-family: {', '.join([first, *others])}, sans-serif; " if others else ""
    return f"font-family: {first}, Menlo, Consolas, monospace; " if "Mono" in first else match[0]
