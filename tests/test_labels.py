"""What is written in figures: the same in every language, numbers with its marks; and figures as part of a page."""

import base64
import re
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import test_figures
from looking import ENGLISH, SPANISH, read
from PIL import Image
from running import ROOT

from aejax.figures import canvas, panels, vector, words
from aejax.figures import images as pictures
from aejax.figures.run import UNITS
from aejax.report.page import images

SOURCES = sorted((ROOT / "aejax/figures").rglob("*.py"))


def test_languages_have_the_same_texts_with_the_same_blanks():
    assert {path.stem for path in words.TEXT.glob("*.toml")} == {"en", "es"}
    assert list(ENGLISH.texts) == list(SPANISH.texts)
    for key, text in ENGLISH.texts.items():
        assert sorted(re.findall("{.*?}", text)) == sorted(re.findall("{.*?}", SPANISH.texts[key])), key
        assert text
        assert SPANISH.texts[key]


def test_every_text_that_a_figure_asks_for_is_in_the_catalogue_and_no_other():
    # groups whose texts are looked up by names
    by_name = {"numbers", "terms", "corruptions", "generation.samplers", "rows", "measures", "methods", "fields"}
    tables = {key.partition(".")[0] for key in ENGLISH.texts}
    literals = [text for path in SOURCES for text in re.findall(r"[\"']([a-z_]+\.[^\"' /]+)[\"']", path.read_text())]
    asked = {text for text in literals if text.partition(".")[0] in tables} - by_name - set(UNITS)
    patterns = [re.compile(re.sub(r"\\{.*?\\}", ".+", re.escape(key))) for key in asked]
    assert len(asked) > 100
    for pattern in patterns:
        assert any(map(pattern.fullmatch, ENGLISH.texts)), pattern
    for key in ENGLISH.texts:
        groups = {key.partition(".")[0], key.rpartition(".")[0]}
        assert groups & by_name or any(pattern.fullmatch(key) for pattern in patterns), key


@pytest.mark.parametrize(
    ("key", "blanks", "english", "spanish"),
    [
        ("loss.step", {}, "step", "paso"),
        ("common.log_scale", {"label": "x"}, "x (log scale)", "x (escala logarítmica)"),
        ("clustering.size", {"size": 1250}, "1,250 samples", "1\u202f250 muestras"),
        ("anomaly.value", {"feature": "a {x}", "x": -1.5, "x_hat": 2}, "a {x}: −1.5, not 2", "a {x}: −1,5, no 2"),
        ("a person's own words: 0.9", {}, "a person's own words: 0.9", "a person's own words: 0.9"),
    ],
)  # fmt: skip
def test_a_text_by_the_catalogue(key, blanks, english, spanish):
    assert (ENGLISH(key, **blanks), SPANISH(key, **blanks)) == (english, spanish)


def test_numbers_with_the_marks_of_a_language():
    assert [SPANISH.number(value, ",.2f") for value in (-1250.5, np.float64(0.25), np.array(3))] == [
        "−1\u202f250,50",
        "0,25",
        "3,00",
    ]
    assert SPANISH.number(0.123, ".1%") == "12,3\u00a0%"
    assert SPANISH.number(float("inf")) == "∞"
    assert SPANISH.number(float("nan")) == "no es un número"
    assert SPANISH.marked(r"$\mathdefault{10^{-2}}$") == r"$\mathdefault{10^{-2}}$"


def test_a_name_of_the_data_stays_though_it_is_a_word_of_the_catalogue():
    points = np.arange(12.0).reshape(6, 2)
    figure = panels.maps(SPANISH, {"code": (points, np.arange(6) % 2)}, ["training", "value"])
    said = read(canvas.finish(figure, SPANISH))
    assert {"training", "value", "code", "primera coordenada"} <= set(said)


def test_numbers_along_axes_are_in_the_language():
    drawn = test_figures.CASES["loss"]
    said = {words.language: read(canvas.finish(drawn(words), words)) for words in (ENGLISH, SPANISH)}
    assert "0.05" in said["en"]
    assert "0,05" in said["es"]
    assert not any(re.fullmatch(r"\d+\.\d+", text) for text in said["es"])


def test_names_and_numbers_beside_images_are_written_once():
    names = ["non-local means, 1.5", f"{SPANISH.number(14.1)} dB"]
    figure = pictures.image_lines(np.ones((2, 2, 4, 4)), names, "title", large=True)
    assert {"non-local means, 1.5", "14,1 dB"} <= set(read(canvas.finish(figure, SPANISH)))


def test_labels_are_broken_where_they_have_no_room():
    long = "share of the samples of a kind, larger is better"
    figure = canvas.new_figure(3, "title")
    for axes in figure.subplots(1, 3):
        canvas.quiet(axes, x=long, y=long)
        axes.set_title(long, loc="left")
    said = read(canvas.finish(figure, ENGLISH))
    assert [" ".join(text.split()) for text in said].count(long) == 9
    assert not {long} & set(said)


def test_a_name_of_any_letters_leaves_a_figure_whole():
    strange = ['<b onload="x">&amp;', "]]>", "a\x0bb\x00"]
    points = np.arange(12.0).reshape(6, 2)
    figure = panels.maps(SPANISH, {"<script>": (points, np.arange(6) % 3)}, strange)
    root = ElementTree.fromstring(vector.svg(figure, 100))
    said = {element.text for element in root.iter() if element.text}
    assert {"<script>", *strange[:2], "a\ufffdb\ufffd"} <= said
    assert not [element for element in root.iter() if element.tag.endswith(("}b", "}script"))]


def test_a_figure_as_part_of_a_page():
    for language, text in ((ENGLISH, "step"), (SPANISH, "paso")):
        picture = images.of_figure(canvas.finish(test_figures.CASES["loss terms"](language), language), 900)
        assert picture.source.startswith("data:image/svg+xml,")
        assert not set('"<>\n#&') & set(picture.source.partition(",")[2])
        assert picture.width == 900
        svg = unquote(picture.source).partition(",")[2]
        assert ElementTree.fromstring(svg).get("viewBox")
        assert f">{text}<" in svg


def test_a_cloud_of_points_is_as_fine_as_the_page_is_wide():
    cloud = np.random.default_rng(0).normal(size=(3000, 2))
    draw = lambda: panels.maps(ENGLISH, {"a": (cloud, cloud[:, 0])}, ["b"])
    wide, narrow = (len(images.of_figure(draw(), widest).source) for widest in (1200, 600))
    assert wide < 250_000
    assert narrow < 0.7 * wide


def pixels_inside(source):
    """The first image inside an SVG, (height, width, 3)."""
    data = re.search(r"base64,([^\"]*)\"", unquote(source))[1]
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGBA"))[..., :3].astype(int)


def test_an_image_with_a_few_colours_too_many_keeps_the_others():
    weights = np.random.default_rng(0).normal(size=(100, 12, 12))
    before = pixels_inside(vector.svg(pictures.filters(ENGLISH, weights), 1200 / 9))
    after = pixels_inside(images.of_figure(pictures.filters(ENGLISH, weights), 1200).source)
    assert len(np.unique(before.reshape(-1, 3), axis=0)) > 256
    assert after.shape == before.shape
    assert (np.abs(after - before).max(-1) > 0).mean() < 0.01
    assert np.abs(after - before).max() < 12
