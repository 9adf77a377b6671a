"""What is written in figures: every text has its Spanish, fits where it stands, and names of the data stay names."""

import base64
import itertools
import re
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import test_figures
import test_sweep_figures
from looking import SPANISH, assert_apart, assert_in_spanish, svg, untranslated
from PIL import Image

from aejax.errors import UserError
from aejax.figures import curves, kernels, maps, names, search, sweep
from aejax.report.page import fitting, images, labels, vectors, words
from aejax.report.page.fitting import Letters
from aejax.types import Dataset

ENGLISH = words.catalogue("en")
OWN = {"a", "b", "c", "d", "one", "roll", "angle", "mse", "loss", "_kl $x$", "_code $", "b_$", "_d", "_b", "e"}
OWN |= {"c" * 17 + "…", "c" * 21 + "…", "PCA, MSE 1"}
AXES = {"optimizer.learning_rate": [1e-4, 1e-3, 1e-2], "terms.sparsity.weight": [0.0, 0.1], "model.code": [2, 4]}


@pytest.mark.parametrize("name", test_figures.CASES)
def test_a_figure_is_drawn_in_spanish(tmp_path, name):
    path = test_figures.CASES[name](tmp_path / "picture.png")
    found = [line for line in untranslated(tmp_path, OWN) if test_figures.LONG[:20] not in line]
    assert not found, found[0]
    root = svg(path)
    assert_apart(root)
    vectors.translate(root, SPANISH)
    assert_apart(root)


def test_the_figures_of_sweeps_and_searches_are_drawn_in_spanish(tmp_path):
    sweep.draw(tmp_path / "grid", test_sweep_figures.summary(AXES, 2))
    sweep.draw(tmp_path / "pair", test_sweep_figures.summary(dict(list(AXES.items())[:2])))
    series = {"ours": [3, 2, 1.0], "theirs": [4, 4, 4.0]}
    sweep.time_per_setting(tmp_path / "time.png", [1, 2, 4], {"small": series})
    trials = [{"trial": n, "state": ("complete", "pruned")[n % 2], "value": 1 / (n + 1)} for n in range(6)]
    told = {"history": trials, "importance": {"a.b": 0.7, "c.d": 0.3}}
    search.draw(tmp_path / "search", {"search": told, "metric": "validation/mse", "maximise": False})
    known = {*AXES, "validation/mse", "validation/active_fraction", "ours", "theirs", "a.b", "c.d"}
    known |= {part for name in known for part in re.split(r"(?<=\.)", name)}
    settings = [[f"{axis} {sweep.tick(value)}" for value in values] for axis, values in AXES.items()]
    known |= {", ".join(own) for count in (1, 2) for some in itertools.combinations(settings, count)
              for own in itertools.product(*some)}  # fmt: skip
    assert len(list(tmp_path.rglob("*.svg"))) == len(list(tmp_path.rglob("*.png"))) > 8
    assert_in_spanish(tmp_path, known)


def test_a_text_that_nobody_translated_is_named(tmp_path):
    curves.loss_curves(tmp_path / "new.png", [1, 2], {"loss": [2.0, 1.0]}, unit="furlongs")
    (line,) = untranslated(tmp_path)
    assert line == (
        "new.svg says 'furlongs', which aejax/report/page/text/es/figures.toml lacks: add it there with its Spanish"
    )


def test_a_name_of_the_data_stays_though_it_is_a_word_of_the_catalogue(tmp_path):
    points = np.arange(12.0).reshape(6, 2)
    draw = lambda path: maps.scatter_2d(path, {"code": (points, np.arange(6) % 2)}, ["training", "value"])
    dataset = Dataset._make([None] * len(Dataset._fields))._replace(label_names=("training", "value"), feature_names=())
    with names.kept(dataset):
        path = draw(tmp_path / "named.png")
    root = svg(path)
    vectors.translate(root, SPANISH)
    said = {" ".join(label.text) for label in vectors.texts(root)}
    assert {"training", "value", "código"} <= said
    root = svg(draw(tmp_path / "not.png"))
    vectors.translate(root, SPANISH)
    assert {"entrenamiento", "valor"} <= {" ".join(label.text) for label in vectors.texts(root)}


def test_a_name_of_any_letters_leaves_a_figure_whole(tmp_path):
    strange = ['<b onload="x">&amp;', "]]>", "a\x0bb\x00"]
    points = np.arange(12.0).reshape(6, 2)
    path = maps.scatter_2d(tmp_path / "a.png", {"<script>": (points, np.arange(6) % 3)}, strange)
    root = svg(path)
    said = {" ".join(label.text) for label in vectors.texts(root)}
    assert {"<script>", *strange[:2], "a\ufffdb\ufffd"} <= said
    assert not [element for element in root.iter() if element.tag.endswith(("}b", "}script"))]
    assert images.embedded(path.with_suffix(".svg"), 900, SPANISH).width > 0


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("step", "paso"),
        ("0.25", "0,25"),
        ("−1,250.5", "−1\u202f250,5"),
        ("12.3% of the values are exactly 0", "el 12,3\u00a0% de los valores es exactamente 0"),
        ("loss of a row\n (log  scale)", "costo de una muestra (escala logarítmica)"),
        ("PCA: error 0.155, accuracy 0.821", "PCA: error 0,155, exactitud 0,821"),
        ("isolation forest: 0.9", "bosque de aislamiento: 0,9"),
        ("autoencoder 1.5-0.25-1.5", "autoencoder 1.5-0.25-1.5"),
        ("a {step}: 1, not 2", "a {step}: 1, no 2"),
        ("somebody's own words: 0.9", None),
        (" 0.9", " 0,9"),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_a_text_by_the_catalogue(english, spanish):
    assert labels.translated(english, SPANISH) == spanish


def test_a_catalogue_of_figures_has_the_same_blanks_on_both_sides():
    for language in set(words.LANGUAGES) - {"en"}:
        for english, other in words.catalogue(language)["figures"].items():
            assert sorted(labels.BLANK.findall(english)) == sorted(labels.BLANK.findall(other)), english
            assert {*re.findall("{.*?}", english)} == {*re.findall("{.*?}", other)}, english


def figure(*texts, height=144):
    """An SVG figure with these texts: what they say, and attributes."""
    lines = "".join(
        f'<g id="text_{n}"><text style="font-size: 10px; text-anchor: {anchor}" x="{x}" y="{y}">{text}</text></g>'
        for n, (text, anchor, x, y) in enumerate(texts)
    )
    return ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 {height}">{lines}</svg>')


def spanish(root):
    vectors.translate(root, SPANISH)
    return [label.text for label in vectors.texts(root)]


LONG = "share of the rows of a kind"
LONGER = "proporción de las muestras de un tipo"


def test_a_longer_text_is_broken_between_its_neighbours_and_the_figure_grows():
    side_by_side = figure((LONG, "middle", 75, 140), (LONG, "middle", 225, 140))
    (one, other) = spanish(side_by_side)
    assert len(one) == len(other) == 2
    assert " ".join(one) == LONGER
    assert_apart(side_by_side)
    assert float(side_by_side.get("viewBox").split()[3]) > 144


def test_a_longer_text_at_the_edge_makes_the_figure_wider():
    root = figure(("with holes", "end", 58, 50), ("nearest training rows", "end", 150, 90))
    assert spanish(root) == [("con huecos",), ("las de entrenamiento más cercanas",)]
    assert_apart(root)
    left, _, wide, _ = vectors.size(root)
    assert left < 0
    assert left + wide == pytest.approx(300, abs=0.1)


def test_a_text_without_any_room_is_written_smaller():
    root = figure(
        ("step", "middle", 75, 20), (LONG, "middle", 75, 40), ("step", "middle", 75, 60), (LONG, "middle", 225, 40)
    )
    assert (LONGER,) in spanish(root)
    sizes = [label.letters.size for label in vectors.texts(root)]
    assert 10 * fitting.SMALLEST <= min(sizes) < 8


def test_lines_are_as_few_and_as_equal_as_can_be():
    letters = Letters(10, bold=False, anchor="start")
    assert fitting.broken("aaaa bbbb cccc dddd", 70, letters) == ["aaaa bbbb", "cccc dddd"]
    assert fitting.broken("aaaa bbbb cccc", 40, letters) == ["aaaa", "bbbb", "cccc"]


def test_english_and_spanish_pictures_of_a_page(tmp_path):
    path = test_figures.CASES["loss terms"](tmp_path / "loss.png").with_suffix(".svg")
    said = {}
    for language, catalogue in (("en", ENGLISH), ("es", SPANISH)):
        picture = images.embedded(path, 900, catalogue)
        assert picture.source.startswith("data:image/svg+xml,")
        assert not set('"<>\n#&') & set(picture.source.partition(",")[2])
        assert picture.width == pytest.approx(900, abs=60)
        said[language] = unquote(picture.source)
        assert ElementTree.fromstring(said[language].partition(",")[2]).get("viewBox")
    assert ">step<" in said["en"]
    assert ">paso<" in said["es"]
    assert ">step<" not in said["es"]
    assert ">validación<" in said["es"]


@pytest.mark.parametrize("content", ["", "<svg", "<svg/>", '<svg viewBox="0 0 a b"/>'])
def test_a_damaged_figure_is_refused(tmp_path, content):
    (tmp_path / "loss.svg").write_text(content)
    with pytest.raises(UserError, match=r"loss\.svg: is damaged: no picture can be read from it"):
        images.embedded(tmp_path / "loss.svg", 900, SPANISH)


def test_a_cloud_of_points_takes_less_of_a_page_than_of_a_run(tmp_path):
    cloud = np.random.default_rng(0).normal(size=(3000, 2))
    drawn = maps.scatter_2d(tmp_path / "cloud.png", {"a": (cloud, cloud[:, 0])}, ["b"]).with_suffix(".svg")
    assert drawn.stat().st_size < 400_000
    wide, narrow = (len(images.embedded(drawn, widest, ENGLISH).source) for widest in (1200, 600))
    assert wide < 0.6 * drawn.stat().st_size
    assert narrow < 0.7 * wide


def pixels_inside(source):
    """The first image inside an embedded SVG, (height, width, 3)."""
    data = re.search(r"base64,([^\"]*)\"", unquote(source))[1]
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGBA"))[..., :3].astype(int)


def test_an_image_with_a_few_colours_too_many_keeps_the_others(tmp_path):
    weights = np.random.default_rng(0).normal(size=(100, 12, 12))
    path = kernels.filters(tmp_path / "filters.png", weights).with_suffix(".svg")
    before = pixels_inside(path.read_text())
    after = pixels_inside(images.embedded(path, 1200, ENGLISH).source)
    assert len(np.unique(before.reshape(-1, 3), axis=0)) > 256
    assert after.shape == before.shape
    assert (np.abs(after - before).max(-1) > 0).mean() < 0.01
    assert np.abs(after - before).max() < 12
