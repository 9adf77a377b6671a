"""Makes aejax/report/page/templates/math.woff2: of Latin Modern Math the letters that the formulas of the lecture need.

    apt-get install fonts-lmodern; pip install fonttools brotli
    python scripts/make_math_font.py /usr/share/texmf/fonts/opentype/public/lm-math/latinmodern-math.otf

Latin Modern Math 1.959 (Bogusław Jackowski, Piotr Strzelczyk and Piotr Pianowski for the GUST e-foundry) is under the
GUST Font License, which allows parts under another name: the family is called "aejax math" on the page.
"""

import re
import sys
from pathlib import Path

from fontTools import subset

TEXT = Path(__file__).parent.parent / "aejax" / "report" / "text" / "formulas.toml"
FONT = Path(__file__).parent.parent / "aejax" / "report" / "page" / "templates" / "math.woff2"
ITALIC = {"h": 0x210E, "∂": 0x1D715, "ϵ": 0x1D716, "ϑ": 0x1D717}  # those that do not stand in their row
ROWS = {("a", "z"): 0x1D44E, ("A", "Z"): 0x1D434, ("α", "ω"): 0x1D6FC, ("Α", "Ω"): 0x1D6E2}


def italic(letter):
    """The mathematical italic of a letter, which browsers draw in the place of one that stands by itself."""
    if letter in ITALIC:
        return ITALIC[letter]
    return next((code + ord(letter) - ord(low) for (low, high), code in ROWS.items() if low <= letter <= high), None)


def main(path):
    shown = set(re.sub(r"<[^>]*>", "", TEXT.read_text(encoding="utf-8")))
    codes = {ord(letter) for letter in shown} | {code for letter in shown if (code := italic(letter))}
    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True, desubroutinize=True)
    font = subset.load_font(path, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    subset.save_font(font, FONT, options)
    print(f"{FONT}: {FONT.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
