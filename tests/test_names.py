"""Names in figures: without folders, and never in letters that would be drawn as boxes."""

import warnings

import numpy as np
import pytest
from looking import read
from running import TINY, arguments, call

from aejax.figures import canvas, names
from aejax.types import Dataset, Range, Split

NOWHERE = "\U0010fffd"  # at the end of a private plane: no font has it


def data(name="rows", features=(), labels=()):
    part, one = Split(np.zeros((2, max(len(features), 1)), np.float32)), np.float32(1)
    shape = (max(len(features), 1),)
    return Dataset(name, part, part, part, shape, "table", Range(), 0 * one, one, labels, features, "", "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("digits", "digits"),
        ("tfds:mnist/3d:1.0", "tfds:mnist/3d:1.0"),
        ("file:/somewhere/far/wine.csv", "wine.csv"),
        ("file:wine.csv", "wine.csv"),
        ("stream:/somewhere/far/", "far"),
        ("binary:file:/somewhere/x.npz", "binary:x.npz"),
        ("binary:digits", "binary:digits"),
    ],
)
def test_a_file_is_named_without_its_folders(name, shown):
    assert names.of_data(name) == shown
    assert names.drawable(data(name)).name == shown


def test_names_that_no_font_can_draw_are_numbered_and_that_is_said_once(capsys):
    unnamed = data(f"file:/x/{NOWHERE}.csv", ("größe", f"a {NOWHERE}", "ñ", NOWHERE), ("Étiquette", NOWHERE))
    shown = names.drawable(unnamed)
    assert shown.feature_names == ("größe", "column 2", "ñ", "column 4")
    assert shown.label_names == ("Étiquette", "class 2")
    assert shown.name == "the data"
    assert capsys.readouterr().out.count("\n") == 1
    named = unnamed._replace(name="x", feature_names=("größe", "µ"), label_names=())
    assert names.drawable(named) == named
    assert capsys.readouterr().out == ""


def test_letters_of_another_installed_font_are_drawn_with_it(capsys):
    from matplotlib.font_manager import fontManager, get_font

    files = {font.name: font.fname for font in fontManager.ttflist if font.name in ("STIXGeneral", "DejaVu Sans")}
    has = {name: set(get_font(path).get_charmap()) for name, path in files.items()}
    letter = chr(min(has["STIXGeneral"] - has["DejaVu Sans"]))
    dataset = data("rows", (f"a {letter}",))
    assert (names.drawable(dataset), capsys.readouterr().out) == (dataset, "")
    for inside in ({"features": [f"a {letter}"]}, {}):
        with names.fonts(inside), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read(canvas.new_figure(2, f"a {letter}"))
        assert any("Glyph" in str(each.message) for each in caught) == (not inside)


def test_a_run_on_such_a_table_draws_its_figures_without_a_warning(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).random((40, 3)).round(3)
    lines = [f"größe,{NOWHERE},漢", *(",".join(map(str, row)) for row in rows)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {**TINY, "data.name": f"file:{table}", "data.rows": "none", "report.figures": "true"}
    answer = call(arguments(settings, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("figures: no font of this machine has ") == 1
    assert (tmp_path / "run" / "figures" / "reconstructions.png").exists()
