"""How Sphinx builds the guide and the API reference."""

import ast
import html
import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes

import aejax
from aejax import __version__
from aejax.config.files import experiments_folder
from aejax.report import folders
from aejax.report.page import code, experiment
from aejax.report.page import command as pages
from aejax.report.page.render import MATH_FONT
from aejax.report.words import LANGUAGES, catalogue, shared

FIELD = type(NamedTuple("_", [("field", int)]).field)

project = "aejax"
author = "The aejax authors"
copyright = "2026, The aejax authors"
release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton", "myst_nb"]
html_theme = "furo"
html_title = f"aejax {release}"
html_static_path, html_css_files = ["_static"], ["gallery.css"]
default_role = "literal"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
ROUTING = ("set_fit_request", "set_score_request")  # scikit-learn's, with links into its own documentation
autodoc_default_options = {"members": True, "exclude-members": ",".join(ROUTING)}
myst_heading_anchors = 3
nb_execution_mode = "force"  # what notebooks show was computed by this build
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
napoleon_use_ivar = True


RECORDED = experiments_folder() / "lecture" / folders.RECORDED
THUMBNAILS = Path(__file__).parent / "_static" / "gallery"
CHAPTERS = {"en": ("chapters", "lecture.html"), "es": ("capitulos", "lecture.es.html")}
"""By language the page of the chapters, which the search knows, and the page of the lecture, which can be touched."""
PACKAGE, REFERENCE = Path(aejax.__file__).parent, Path(__file__).parent / "api"
LATE = ("data.published.images",)
"""Modules that are imported where a package is there that the documentation does not need."""


def modules():
    """Every module by its name, of each room and of the root, in the order of their names."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")
        if name and name.partition(".")[0] not in ("experiments", "__main__"):
            yield name, path


def write_reference(app):
    """A page for each room of the package, with the docstrings of all its modules; made anew at every build."""
    rooms = {}
    for name, path in modules():
        rooms.setdefault(name.partition(".")[0], []).append((name, path))
    REFERENCE.mkdir(exist_ok=True)
    for room, inside in rooms.items():
        first = ast.get_docstring(ast.parse(inside[0][1].read_text(encoding="utf-8"))).partition("\n\n")[0]
        parts = [f"# {room}\n\n" + first.replace("\n", " ") + "\n"]
        shown = [name for name, _ in inside if name not in LATE]
        parts += [f"## `aejax.{name}`\n\n```{{eval-rst}}\n.. automodule:: aejax.{name}\n```\n" for name in shown]
        (REFERENCE / f"{room}.md").write_text("\n".join(parts), encoding="utf-8")
    index = ["# Reference", "", "Made from the docstrings, a page a room.", "", "```{toctree}", ":maxdepth: 2", ""]
    (REFERENCE / "index.md").write_text("\n".join([*index, *rooms, "```", ""]), encoding="utf-8")


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


TYPING, OURS = r"(?:~?typing\.)?", r"(?:~?aejax\.config\.bounds\.)?"
BOUNDED = re.compile(
    rf"{TYPING}Annotated\[(\w+), {OURS}Within\(low=(\S+), high=(\S+), open_low=(\w+), open_high=(\w+)\)\]"
)
CHOICE = re.compile(rf"{TYPING}Annotated\[str, {OURS}Choice\(names=\(([^)]*)\)\)\]")
ENDLESS = 2.0**31 - 1
"""From here on an upper end is that of the machine, and says nothing."""


def _interval(match):
    """A bounded number as it is said: ``int ≥ 1``, ``float in [0, 1)``."""
    kind, low, high, open_low, open_high = match.groups()
    above, below = float(low) > -ENDLESS, float(high) < ENDLESS
    if above and below:
        said = f"{kind} in {'(' if open_low == 'True' else '['}{low}, {high}{')' if open_high == 'True' else ']'}"
    else:
        said = f"{kind} {'>' if open_low == 'True' else '≥'} {low}" if above else f"finite {kind}"
    return repr(said)


def say_bounds(app, what, name, obj, options, signature, annotation):
    """Signatures with the bounds of numbers as text in quotes, which `without_quotes` takes off again."""
    if signature:
        signature = CHOICE.sub(lambda match: repr(match[1].replace("'", "").replace(", ", " | ")), signature)
        return BOUNDED.sub(_interval, signature), annotation
    return None


def without_quotes(app, doctree):
    """Annotations of signatures that are texts, without their quotes."""
    for parameter in doctree.findall(addnodes.desc_parameter):
        for literal in parameter.findall(addnodes.desc_sig_literal_string):
            if "default_value" not in literal["classes"]:
                literal.children = [nodes.Text(literal.astext().strip("'"))]


def skip_fields(app, what, name, obj, skip, options):
    """The fields of a named tuple are told in its own docstring."""
    return skip or isinstance(obj, FIELD)


def write_chapters(app):
    """A page of the chapters of the lecture in each language, from its recorded runs, and cards that lead to them."""
    THUMBNAILS.mkdir(parents=True, exist_ok=True)
    shutil.copy(MATH_FONT, THUMBNAILS)
    for language, (name, page) in CHAPTERS.items():
        words, data = catalogue(language), shared("lecture")
        others = [f"[{catalogue(each).text['language']}]({CHAPTERS[each][0]})" for each in CHAPTERS if each != language]
        parts, cards = [f"# {words.text['page']['lecture_title']}", " · ".join(others)], []
        for chapter in data["chapters"]:
            text, first = words.text["chapters"][chapter["id"]], chapter["experiments"][0]
            run = folders.read_run(RECORDED / first.replace(":", "-") / "seed-0")
            names = chapter.get("figures") or data["figures_of"].get(first) or data["figures"][run.task]
            (figure,) = experiment.figures(run, names[:1], words, 600).values()
            path = THUMBNAILS / f"{language}-{chapter['id']}.svg"
            path.write_text(unquote(figure.picture.source.partition(",")[2]), encoding="utf-8")
            small = THUMBNAILS / f"{language}-{chapter['id']}-small.svg"
            small.write_text(unquote((figure.narrow or figure.picture).source.partition(",")[2]), encoding="utf-8")
            link, title = f"{page}#{chapter['id']}", html.escape(text["title"])
            image = f'<img src="_static/gallery/{small.name}" alt="">'
            cards.append(f'<li><a href="{link}">{image}<strong>{title}</strong></a></li>')
            formulas = [f'<div class="formula">{shared("formulas")[each]}</div>' for each in chapter["formulas"]]
            picture = f'<img class="figure" src="_static/gallery/{path.name}" alt="{html.escape(figure.alt)}">'
            stem, _, variant = first.partition(":")
            config = code.of_config(experiments_folder() / "lecture" / f"{stem}.py", variant)
            parts += [
                f"## {text['title']}",
                text["idea"],
                _raw(*formulas),
                f"```bash\naejax run lecture/{first}\n```\n\n```python\n{config}\n```",
                _raw(f'<a href="{link}">{picture}</a>'),
                text["finding"],
                _raw(f'<p><a href="{link}">{html.escape(words.text["page"]["lecture_title"])}: {title}</a></p>'),
            ]
        (Path(__file__).parent / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        cards = '<ul class="gallery">' + "".join(cards) + "</ul>"
        (THUMBNAILS / f"{language}.html").write_text(cards, encoding="utf-8")


def _raw(*lines):
    return "\n".join(["```{raw} html", *lines, "```"])


BLOCK = re.compile(r"^```(\w*)\n.*?^```$", re.DOTALL | re.MULTILINE)
MOST_LINES = 24  # of what a block prints; of more, the last ones


def show_outputs(app, name, source):
    """What each block of the guide printed when it was recorded, below it; see tests/test_guide.py."""
    path = Path(__file__).parent / "guide" / "outputs" / f"{name.removeprefix('guide/')}.json"
    if not path.exists():
        return
    outputs = iter(json.loads(path.read_text(encoding="utf-8")))

    def with_output(block):
        lines = next(outputs, "").rstrip().splitlines()
        if not lines:
            return block[0]
        lines = ["…", *lines[-MOST_LINES:]] if len(lines) > MOST_LINES else lines
        return "\n".join([block[0], "", "````{code-block} text", ":class: output", "", *lines, "````"])

    source[0] = BLOCK.sub(with_output, source[0])


def write_lecture(app, error):
    """The page of the lecture, from its recorded runs, in every language."""
    if error is None and app.builder.name == "html":
        pages.write([RECORDED], Path(app.outdir) / "lecture.html", [catalogue(name) for name in LANGUAGES])


def setup(app):
    """Sphinx calls it."""
    app.connect("builder-inited", write_chapters)
    app.connect("source-read", show_outputs)
    app.connect("build-finished", write_lecture)
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before the sections are read
    app.connect("autodoc-process-signature", say_bounds)
    app.connect("doctree-read", without_quotes)
    app.connect("autodoc-skip-member", skip_fields)
