"""What pages say: the same in every language, complete for the lecture, and numbers as a language writes them."""

import re
import statistics
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
from running import ROOT

from aejax.config import components
from aejax.config import files as config_files
from aejax.figures import run
from aejax.report import folders, words
from aejax.report.page import experiment, sweeps, verdicts

SWEEPS = (ROOT / "aejax/figures/sweep.py").read_text()
EN, ES = (words.catalogue(language) for language in words.LANGUAGES)
LINE = {"expected": 0.05, "got": 0.05, "tolerance": 0.001, "verdict": "held", "metric": "test/mse"}


def flat(catalogue: Mapping, path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in catalogue.items():
        yield from flat(value, f"{path}{name}/") if isinstance(value, Mapping) else [(f"{path}{name}", str(value))]


def test_languages_have_the_same_keys_and_the_same_blanks():
    assert set(words.LANGUAGES) == {path.name for path in words.TEXT.iterdir() if path.is_dir()}
    blanks = lambda text: sorted(re.findall(r"{(\w+)}", text))
    english, spanish = (dict(flat(language.text)) for language in (EN, ES))
    assert {key: blanks(text) for key, text in english.items()} == {key: blanks(text) for key, text in spanish.items()}
    assert all(text.strip() for key, text in spanish.items() if key != "numbers/thousands")


def test_every_experiment_of_the_lecture_has_a_chapter_in_the_order_of_the_slides():
    chapters = words.shared("lecture")["chapters"]
    named = {name for chapter in chapters for name in chapter["experiments"]}
    specs = set()
    for name, path in config_files.shipped().items():
        if name.startswith("lecture/"):
            specs |= {path.stem, *(f"{path.stem}:{variant}" for variant in config_files.variants(path))}
    assert named <= specs
    assert {name.partition(":")[0] for name in named} == {name.partition(":")[0] for name in specs}
    assert [chapter["id"] for chapter in chapters] == list(EN.text["chapters"])
    for chapter in chapters:
        assert all(name in words.shared("formulas") and name in EN.text["legends"] for name in chapter["formulas"])


def test_an_idea_is_two_sentences():
    for language in (EN, ES):
        for name, chapter in language.text["chapters"].items():
            assert len(re.findall(r"[.?!](?= |$)", chapter["idea"])) == 2, (language.language, name)


def test_every_figure_that_is_drawn_has_a_caption():
    tasks = components.available("aejax.tasks").values()
    tables = [figures.draw.args[0] for figures in (run.GENERAL, *(task.figures for task in tasks)) if figures]
    drawn = {*chain(*tables), *re.findall(r'figures\["([a-z-]+)"\]', SWEEPS)}
    assert len(drawn) > 25
    assert drawn <= {name.rpartition("-")[2] for name in EN.text["captions"]} | set(EN.text["captions"])
    chosen = words.shared("lecture")
    for names in [*chosen["figures"].values(), *chosen["figures_of"].values()]:
        assert set(names) <= drawn


def test_captions_name_no_data_of_the_lecture_and_leave_the_result_to_the_reader():
    for language, lecture in ((EN, "soil|digits rebuilt|the net draws"), (ES, "suelo|dígitos reconstruidos")):
        captions = language.text["captions"].values()
        assert not [caption for caption in captions if re.search(lecture, caption["alt"] + caption["see"])]


def test_published_values_have_an_experiment_a_measure_and_a_source():
    data = words.shared("lecture")
    named = {name for chapter in data["chapters"] for name in chapter["experiments"]}
    for each in data["published"]:
        assert each["experiment"] in named
        assert each["source"] in data["sources"]
        assert f"methods.{each['method']}" in EN.figures.texts
        assert any(each["metric"] in names for names in data["measures"].values())


def test_a_search_says_what_it_looked_through():
    space = {
        "optimizer.learning_rate": [1e-4, 0.1, True],
        "train.batch_size": ["8", "16"],
        "model.x": [0.0, 1.0, False],
    }
    assert sweeps.axes({"space": space, "seeds": [0, 1], "folds": 3}, ES) == [
        ("tasa de aprendizaje", "de 0,0001 a 0,1, en escala logarítmica"),
        ("tamaño del lote", "8; 16"),
        ("model.x", "de 0 a 1"),
        ("semilla", "0; 1"),
        ("particiones por semilla", "3"),
    ]


@pytest.mark.parametrize(
    ("values", "english", "spanish"),
    [
        ([0.0123456], "0.01235", "0,01235"),
        ([0.0684, 0.0704], "0.0694 ± 0.0014", "0,0694 ± 0,0014"),
        ([12345.0], "12,345", "12\u202f345"),
        ([1294.0], "1,294", "1294"),
        ([3e-7], "3.00 × 10⁻⁷", "3,00 × 10⁻⁷"),
        ([-0.5, -0.5], "−0.5000 ± 0", "−0,5000 ± 0"),
        (["nan"], "not a number", "no es un número"),
        ([1e-15], "0", "0"),
    ],
)
def test_numbers_as_a_language_writes_them(values, english, spanish):
    assert (EN.spread(values), ES.spread(values)) == (english, spanish)


def test_a_spread_has_the_mean_and_deviation_of_the_seeds():
    values = [0.91, 0.93, 0.98]
    mean, deviation = (float(part) for part in EN.spread(values).split(" ± "))
    assert mean == pytest.approx(statistics.fmean(values), abs=0.0005)
    assert deviation == pytest.approx(statistics.stdev(values), abs=0.0005)


def test_baselines_whose_size_depends_on_the_seed_stand_together():
    def seed(size, value):
        numbers = {"metrics": {"test": {"mse": 0.1}}, "baselines": {f"pca_{size}": {"mse": value}, "pca": {"mse": 0.2}}}
        return folders.Run(Path(), {}, numbers, {}, {})

    row = experiment.row("test/mse", [seed(14, 0.3), seed(16, 0.5)], EN)
    assert [(other.name, other.value) for other in row.baselines] == [("PCA (14–16)", "0.40 ± 0.14"), ("PCA", "0.2000")]


def test_verdicts_say_what_became_of_an_experiment():
    line = LINE | {"experiment": "a"}
    bits = line | {"metric": "parameters", "expected": None, "got": None, "verdict": "same bits"}
    judge = lambda *lines, ran=True: verdicts.verdict("a", {"lines": lines, "failed": {}, "not_run": {}}, EN, ran=ran)
    assert judge(line).kind == verdicts.HELD
    assert judge(line, bits).kind == judge(line | {"verdict": "equal"}, bits).kind == verdicts.SAME
    assert judge(line, bits | {"verdict": "other bits"}).kind == verdicts.OFF
    broken = judge(line | {"verdict": "not a number", "got": "nan"})
    assert broken.kind == verdicts.OFF
    assert "not a number" in broken.wrong[0]
    assert judge(line | {"verdict": "missing", "got": None}).kind == verdicts.OFF
    assert judge().kind == verdicts.UNRECORDED
    assert judge(ran=False).kind == verdicts.ABSENT
