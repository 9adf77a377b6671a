"""How Sphinx builds the guide and the API reference."""

import re
from typing import NamedTuple

from aejax import __version__

FIELD = type(NamedTuple("_", [("field", int)]).field)

project = "aejax"
author = "The aejax authors"
copyright = "2026, The aejax authors"
release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "myst_parser"]
html_theme = "furo"
html_title = f"aejax {release}"
default_role = "literal"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
myst_heading_anchors = 3
napoleon_use_ivar = True


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text in which backticks alone mean something: formulas keep their stars and bars."""
    inside = False
    for place, line in enumerate(lines):
        parts = re.split("(`+)", line)
        for index, part in enumerate(parts):
            if part.startswith("`"):
                inside = not inside
            elif not inside:
                parts[index] = re.sub(r"(?=[*|])|(?<=\w)(?=_(?!\w))", r"\\", part)
        lines[place] = "".join(parts)


def skip_fields(app, what, name, obj, skip, options):
    """The fields of a named tuple are told in its own docstring."""
    return skip or isinstance(obj, FIELD)


def setup(app):
    """Sphinx calls it."""
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before the sections are read
    app.connect("autodoc-skip-member", skip_fields)
