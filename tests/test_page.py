"""Pages: complete in every language, whole without a network, true to the numbers, and safe from hostile names."""

import json
import re
import shlex
import shutil
import statistics
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import pytest
from running import ROOT, TINY, arguments, assert_refused, call

from aejax import cli
from aejax import config as configs
from aejax.config import components
from aejax.config import files as config_files
from aejax.figures import run
from aejax.report import explorer
from aejax.report.page import comparison, diagram, experiment, folders, images, network, sweeps, verdicts, words
from aejax.storage import checkpoint

SWEEPS = (ROOT / "aejax/figures/sweep.py").read_text()
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHAPES = {"polygon", "path", "rect", "circle", "mspace"}  # of SVG and MathML, closed where they are opened
EN = words.catalogue("en")
SMALL = '''"""A <small> net.

What it is for.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name, config.data.rows = "clusters", 60
    config.model = {"name": "dense.multilayer", "widths": (3,), "code": 2}
    config.train.steps, config.train.batch_size = 4, 16
    config.report.figures = False
    return config
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A reproduction of three experiments of the lecture, shrunk: two seeds of one, one of the others."""
    place = tmp_path_factory.mktemp("place")
    shrunk = {"train.steps": "20", "train.evaluate_every": "10", "train.checkpoint_every": "20"}
    for name, seeds in (("vanilla", 2), ("convolutional", 1)):
        for seed in range(seeds):
            words_ = arguments(shrunk | {"seed": str(seed)}, f"lecture/{name}", place / name / f"seed-{seed}")
            assert cli.main(words_) == 0
    line = {"expected": 0.05, "got": 0.05, "tolerance": 0.001, "verdict": "held", "metric": "test/mse"}
    environment = json.loads((place / "vanilla/seed-0/environment.json").read_text())
    report = {
        "collection": "lecture",
        "machine": "cpu, <the machine>",
        "environment": environment,
        "lines": [
            line | {"experiment": "vanilla"},
            line | {"experiment": "vanilla:new"},
            line | {"experiment": "convolutional", "verdict": "off"},
        ],
        "not_run": {"latent:faces": "faces is not at hand; get it with: aejax data prepare faces"},
        "failed": {"multilayer": 'the loss broke <script>alert("x")</script>', "sweeps/sparse_l1": "no room left"},
    }
    (place / "reproduce.json").write_text(json.dumps(report))
    return place


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A run without figures, in a folder with a hostile name."""
    folder = tmp_path_factory.mktemp("runs") / '<img src="http:x" onerror=alert(1)> & co'
    assert cli.main(arguments(TINY, workdir=folder)) == 0
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps") / "rates"
    rest = [word for path, value in TINY.items() for word in ("--set", f"{path}={value}")]
    axes = ["--axis", "optimizer.learning_rate=[1e-3,1e-2]", "--axis", "seed=0:2"]
    assert cli.main(["sweep", "lecture/multilayer", *axes, *rest, "--exact", "--workdir", str(folder)]) == 0
    return folder


class Reader(HTMLParser):
    """What a page holds: its text, ids, and attributes; refuses tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        assert len(own) == len(attributes), f"<{tag}> has an attribute twice"
        self.tags.append((tag, own))
        self.ids += [own["id"]] if "id" in own else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in SHAPES | VOID
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)


def read(path: Path) -> tuple[Reader, str]:
    """The page, and its text with single spaces."""
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader, " ".join("".join(reader.text).split())


def page(tmp_path: Path, *argv: str | Path) -> tuple[Reader, str]:
    output = tmp_path / "page.html"
    assert cli.main(["report", *map(str, argv), "--output", str(output)]) == 0
    return read(output)


def keys(catalogue: Mapping, path: str = "") -> Iterator[str]:
    for name, value in catalogue.items():
        yield from keys(value, f"{path}{name}/") if isinstance(value, Mapping) else [f"{path}{name}"]


def blanks(catalogue: Mapping) -> Iterator[tuple[str, list[str]]]:
    for path in keys(catalogue):
        value = catalogue
        for name in path.split("/"):
            value = value[name]
        yield path, sorted(re.findall(r"{(\w+)}", str(value)))


def test_languages_have_the_same_keys_and_the_same_blanks():
    assert set(words.LANGUAGES) == {path.name for path in words.TEXT.iterdir() if path.is_dir()}
    for language in words.LANGUAGES:
        other, english = ({name: part for name, part in words.catalogue(each).items() if name != "figures"}
                          for each in (language, "en"))  # fmt: skip
        assert set(keys(other)) == set(keys(english))
        assert dict(blanks(other)) == dict(blanks(english))
        assert all(value.strip() for value in map(str, other.values()))


def test_every_experiment_of_the_lecture_has_a_chapter_in_the_order_of_the_slides():
    chapters = words.shared("lecture")["chapters"]
    told = {name for chapter in chapters for name in chapter["experiments"]}
    specs = set()
    for name, path in config_files.shipped().items():
        if name.startswith("lecture/"):
            specs |= {path.stem, *(f"{path.stem}:{variant}" for variant in config_files.variants(path))}
    assert told <= specs
    assert {name.partition(":")[0] for name in told} == {name.partition(":")[0] for name in specs}
    assert [chapter["id"] for chapter in chapters] == list(EN["chapters"])
    for chapter in chapters:
        assert all(name in words.shared("formulas") and name in EN["legends"] for name in chapter["formulas"])


def test_an_idea_is_two_sentences():
    for language in words.LANGUAGES:
        for name, chapter in words.catalogue(language)["chapters"].items():
            assert len(re.findall(r"[.?!](?= |$)", chapter["idea"])) == 2, (language, name)


def test_every_figure_that_is_drawn_has_a_caption():
    tasks = components.available("aejax.tasks").values()
    tables = [figures.draw.args[0] for figures in (run.GENERAL, *(task.figures for task in tasks)) if figures]
    drawn = {*chain(*tables), *re.findall(r'figures\["([a-z-]+)"\]', SWEEPS)}
    assert len(drawn) > 25
    captions = {name.rpartition("-")[2] for name in EN["captions"]} | set(EN["captions"])
    assert drawn <= captions
    chosen = words.shared("lecture")
    for names in [*chosen["figures"].values(), *chosen["figures_of"].values()]:
        assert set(names) <= drawn


def test_published_values_have_an_experiment_a_measure_and_a_source():
    data = words.shared("lecture")
    told = {name for chapter in data["chapters"] for name in chapter["experiments"]}
    for each in data["published"]:
        assert each["experiment"] in told
        assert each["source"] in data["sources"]
        assert each["method"] in EN["methods"]
        assert any(each["metric"] in names for names in data["measures"].values())


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_reproduction_as_a_page(place, tmp_path, language):
    reader, text = page(tmp_path, place, "--lang", language)
    own = words.catalogue(language)
    assert reader.tags[0] == ("html", {"lang": language})
    assert len(reader.ids) == len(set(reader.ids))
    for tag, attributes in reader.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/")), (tag, value)
        assert tag not in ("link", "iframe", "object", "base")
        assert tag != "img" or attributes["alt"]
        assert not any(name.startswith("on") for name in attributes)
    links = {attributes["href"][1:] for tag, attributes in reader.tags if tag == "a"}
    assert links <= set(reader.ids)
    for chapter in own["chapters"].values():
        assert chapter["idea"] in text
    assert sum(tag == "math" for tag, _ in reader.tags) >= len(own["chapters"])
    told = {name: own["chapters"][name]["finding"] in text for name in own["chapters"]}
    assert told["what"], "its experiment came out as recorded"
    assert not any(told[name] for name in ("convolutional", "multilayer", "latent")), "off, failed, not run"
    values = [summary(place / f"vanilla/seed-{seed}")["metrics"]["test"]["mse"] for seed in (0, 1)]
    assert words.spread(values, own) in text
    assert words.number(summary(place / "convolutional/seed-0")["baselines"]["pca"]["mse"], own) in text
    assert "8×8 → 4×4×16 → 2×2×32 → 8 → 2×2×32 → 4×4×16 → 8×8" in text
    for kind in (verdicts.HELD, verdicts.OFF, verdicts.FAILED, verdicts.NOT_RUN, verdicts.ABSENT):
        assert own["verdicts"][kind] in text
    assert 'the loss broke <script>alert("x")</script>' in text
    assert "aejax data prepare faces" in text
    assert "aejax run lecture/convolutional --seed 0" in text
    assert "cpu, <the machine>" in text
    assert "vanilla:new" in text, "a variant that the catalogue does not know yet"
    drawn = [unquote(attributes["src"]) for tag, attributes in reader.tags if tag == "img"]
    assert all(picture.startswith("data:image/svg+xml,") for picture in drawn)
    step, title = {"en": ("step", "Loss during training"), "es": ("paso", "El costo durante el entrenamiento")}[
        language
    ]
    assert any(f">{step}</text>" in picture and f">{title}</text>" in picture for picture in drawn)
    assert f"sweeps/sparse_l1 {own['verdicts']['failed']} no room left" in text


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def test_no_style_or_script_loads_anything(place, tmp_path):
    page(tmp_path, place)
    content = (tmp_path / "page.html").read_text()
    assert not re.search(r"url\(\s*['\"]?(?!data:|#|%23)|@import|fetch\(|XMLHttpRequest|import\(", content)
    assert len(content) < 15_000_000


def test_a_hostile_name_is_only_shown(tiny, tmp_path):
    reader, text = page(tmp_path, tiny)
    assert tiny.name in text
    assert not any("onerror" in attributes for _, attributes in reader.tags)


def test_a_run_as_a_page(tiny, tmp_path):
    _, text = page(tmp_path, tiny)
    found = summary(tiny)
    for part in found["metrics"].values():
        for value in part.values():
            assert words.number(value, EN) in text
    assert words.number(found["baselines"]["pca"]["mse"], EN) in text
    assert '"learning_rate": 0.003' in text


def test_the_page_of_a_run_goes_into_its_folder_in_the_language(tiny, capsys):
    answer = call(["report", str(tiny), "--lang", "es"], capsys)
    assert answer.code == 0
    assert answer.out.strip() == str(tiny / "report.html")
    _, text = read(tiny / "report.html")
    assert "error cuadrático medio" in text
    (tiny / "report.html").unlink()


def test_a_sweep_as_a_page_ranks_by_validation_and_marks_what_is_of_test_rows(sweep, tmp_path):
    reader, text = page(tmp_path, sweep)
    found = summary(sweep)
    assert found["metric"] == "validation/mse"
    means = [point["metrics"]["validation/mse"] for point in found["points"]]
    places = [text.index(words.deviating(own["mean"], own["sd"], EN)) for own in sorted(means, key=lambda m: m["mean"])]
    assert places == sorted(places)
    assert text.count(EN["sweep"]["test_mark"]) >= 2
    best = found["points"][found["best"]]["axes"]["optimizer.learning_rate"]
    assert f"optimizer.learning_rate = {best:g}" in text
    assert sum(tag == "img" for tag, _ in reader.tags) == len(list((sweep / "figures").glob("*.png")))
    assert f"{EN['sweep']['statuses']['finished']}4" in text.replace(" 4", "4")
    assert EN["sweep"]["finite"] not in text
    broken = tmp_path / "broken"
    shutil.copytree(sweep, broken)
    found["points"][0]["finite"] -= 1
    (broken / "summary.json").write_text(json.dumps(found))
    assert EN["sweep"]["finite"] in page(tmp_path, broken)[1], "a run that broke is counted"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"config": {"model": {"name": "x"}}}, True),
        ({"data": {"sha256": "2"}}, False),
        ({"config": {"data": {"name": "a", "scaling": "unit", "validation": 0.1}}}, True),  # the same rows all the same
        ({"config": {"data": {"name": "a", "scaling": "standard"}}}, False),
        ({"data": {}}, False),
    ],
)
@pytest.mark.parametrize("language", ["en", "es"])
def test_no_best_is_marked_across_different_data(language, changes, same):
    config = {"data": {"name": "a", "scaling": "unit"}, "model": {}, "terms": {}, "train": {}, "task": {}}
    run = lambda mse: {"config": config, "summary": {"metrics": {"test": {"mse": mse}}, "baselines": {}}}
    one, two = (run(mse) | {"data": {"sha256": "1"}} for mse in (0.1, 0.2))
    two |= {key: (config | value if key == "config" else value) for key, value in changes.items()}
    runs = [folders.Run(Path("x"), environment={}, **each) for each in (one, two)]
    (line,) = comparison._numbers(runs, words.catalogue(language))
    assert line.best == (0 if same else -1)
    assert line.better == "less"
    assert comparison._same_data(runs) is same


def test_runs_without_a_digest_are_of_the_same_data_where_their_configs_say_so():
    runs = lambda *settings: [folders.Run(Path("x"), {"data": data}, {}, {}, {}) for data in settings]
    assert comparison._same_data(runs({"name": "a", "rows": 3}, {"name": "a", "rows": 3}))
    assert not comparison._same_data(runs({"name": "a", "rows": 3}, {"name": "a", "rows": 4}))


def test_captions_name_no_data_of_the_lecture_and_leave_the_result_to_the_reader():
    for language, lecture in (("en", "soil|digits rebuilt|the net draws"), ("es", "suelo|dígitos reconstruidos")):
        captions = words.catalogue(language)["captions"]
        assert not [name for name, text in captions.items() if re.search(lecture, text["alt"] + text["see"])]


def test_several_folders_are_put_side_by_side(tiny, place, sweep, tmp_path):
    reader, text = page(tmp_path, tiny, place / "vanilla/seed-0", place / "vanilla/seed-1", sweep)
    assert len(reader.ids) == len(set(reader.ids))
    assert '"clusters"' in text
    assert '"digits"' in text
    for name in ("vanilla/seed-0", "vanilla/seed-1"):
        assert name in text


def test_names_tell_folders_apart():
    names = comparison.labels([Path("/a/x/seed-0"), Path("/a/y/seed-0"), Path("/a/y/seed-1")])
    assert names == ["x/seed-0", "y/seed-0", "y/seed-1"]


def test_scripts_of_things_to_touch_are_put_once(place, tmp_path, monkeypatch):
    piece = explorer.Fragment("A slider", "Move it.", '<output class="own">0</output>', "window.moved = 1 < 2;")
    monkeypatch.setattr(explorer, "fragments", lambda folder, language, **_: [piece])
    monkeypatch.setattr(explorer, "STYLE", ".own { color: var(--accent); }")
    reader, text = page(tmp_path, place)
    content = (tmp_path / "page.html").read_text()
    assert sum(attributes.get("class") == "own" for _, attributes in reader.tags) == 2  # vanilla once, in two chapters
    assert content.count("window.moved = 1 < 2;") == 1
    assert ".own { color: var(--accent); }" in content
    assert "Move it." in text


@pytest.mark.slow
def test_a_collection_of_ones_own_gets_a_page_from_its_docstrings(tmp_path, capsys):
    course = tmp_path / "course"
    course.mkdir()
    (course / "small.py").write_text(SMALL)
    recorded = call(["reproduce", str(course), "--update", "--seeds", "1", "--workdir", str(tmp_path / "a")], capsys)
    assert recorded.code == 0, recorded
    answer = call(["reproduce", str(course), "--lang", "es", "--workdir", str(tmp_path / "a")], capsys)
    assert answer.code == 0, answer
    assert str(tmp_path / "a/report.html") in answer.out
    for path in (tmp_path / "a/report.html", None):
        text = read(path)[1] if path else page(tmp_path, tmp_path / "a", "--lang", "es")[1]
        assert "A <small> net." in text
        assert "What it is for." in text
        assert "bit a bit" in text
        assert "error cuadrático medio" in text


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
    assert words.spread(values, EN) == english
    assert words.spread(values, words.catalogue("es")) == spanish


def test_a_spread_has_the_mean_and_deviation_of_the_seeds():
    values = [0.91, 0.93, 0.98]
    mean, deviation = (float(part) for part in words.spread(values, EN).split(" ± "))
    assert mean == pytest.approx(statistics.fmean(values), abs=0.0005)
    assert deviation == pytest.approx(statistics.stdev(values), abs=0.0005)


def test_baselines_whose_size_depends_on_the_seed_stand_together():
    def run(size, value):
        found = {"metrics": {"test": {"mse": 0.1}}, "baselines": {f"pca_{size}": {"mse": value}, "pca": {"mse": 0.2}}}
        return folders.Run(Path(), {}, found, {}, {})

    row = experiment.row("test/mse", [run(14, 0.3), run(16, 0.5)], EN)
    assert [(other.name, other.value) for other in row.baselines] == [("PCA (14–16)", "0.40 ± 0.14"), ("PCA", "0.2000")]


def test_verdicts_say_what_became_of_an_experiment():
    line = {"experiment": "a", "metric": "test/mse", "expected": 1.0, "got": 1.0, "tolerance": 0.1, "verdict": "held"}
    bits = line | {"metric": "parameters", "expected": None, "got": None, "verdict": "same bits"}
    judge = lambda *lines, ran=True: verdicts.verdict("a", {"lines": lines, "failed": {}, "not_run": {}}, EN, ran=ran)
    assert judge(line).kind == verdicts.HELD
    assert judge(line, bits).kind == verdicts.SAME
    assert judge(line, bits | {"verdict": "other bits"}).kind == verdicts.OFF
    assert judge(line | {"verdict": "equal"}, bits).kind == verdicts.SAME
    broken = judge(line | {"verdict": "not a number", "got": "nan"})
    assert broken.kind == verdicts.OFF
    assert "not a number" in broken.wrong[0]
    assert judge(line | {"verdict": "missing", "got": None}).kind == verdicts.OFF
    assert judge().kind == verdicts.UNRECORDED
    assert judge(ran=False).kind == verdicts.ABSENT


def test_a_net_is_drawn_with_the_shapes_it_has(place, tiny):
    dense = network.network(folders.read_run(tiny))
    assert [layer.shape for layer in dense.layers] == [(8,), (3,), (2,), (3,), (8,)]
    assert dense.middle == 2
    assert dense.parameters == (8 * 3 + 3) + (3 * 2 + 2) + (2 * 3 + 3) + (3 * 8 + 8)
    drawn = diagram.svg(dense, EN)
    assert drawn.count("<circle") == 8 + 3 + 2 + 3 + 8
    assert network.network(folders.read_run(place / "vanilla/seed-0")).parameters == 64 * 8 + 8 + 8 * 64 + 64


def drawn(folder: Path, spec: str, feature_shape: tuple[int, ...]) -> network.Network:
    """The net of an experiment for rows of that shape, without training it."""
    checkpoint.save(folder / "model", 0, {}, info={"feature_shape": feature_shape, "feature_names": []})
    return network.network(folders.Run(folder, configs.load(spec), {}, {}, {}))


def test_every_kind_of_net_is_drawn_as_it_is(tmp_path):
    skipping = drawn(tmp_path / "unet", "lecture/denoising", (8, 8, 1))
    down = [(8, 8, 1), (8, 8, 32), (4, 4, 64)]
    assert [layer.shape for layer in skipping.layers] == [*down, (2, 2, 64), *reversed(down)]
    assert skipping.middle == 3
    assert skipping.skips == ((0, 6), (1, 5), (2, 4)), "what the decoder gets beside the coarsest maps"
    assert diagram.svg(skipping, EN).count('class="arc"') == 3
    variational = drawn(tmp_path / "vae", "lecture/latent", (8, 8, 1))
    assert variational.traits == ("gaussian",)
    assert "μ + σε" in diagram.svg(variational, EN)
    assert drawn(tmp_path / "bits", "lecture/hashing", (64,)).traits == ("binary", "noise")
    assert drawn(tmp_path / "clusters", "lecture/clustering", (8, 8, 1)).centres == 10
    assert drawn(tmp_path / "holes", "lecture/imputation", (36,)).traits == ("holes",)
    assert drawn(tmp_path / "tied", "lecture/vanilla:tied", (8, 8, 1)).traits == ("tied",)


def test_a_net_whose_model_is_not_at_hand_is_not_drawn(tmp_path):
    config = configs.load("lecture/vanilla")
    config["model"] = {"name": "gone.away"}
    checkpoint.save(tmp_path / "model", 0, {}, info={"feature_shape": [4], "feature_names": []})
    assert network.network(folders.Run(tmp_path, config, {}, {}, {})) is None


def test_a_run_of_an_earlier_version_shows_the_pictures_that_it_has(place, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(place / "vanilla/seed-0", old)
    shutil.rmtree(old / "figures" / "arrays")
    (old / "figures" / "loss.svg").write_text("<svg/>")
    reader, _ = page(tmp_path, old, "--lang", "es")
    drawn = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert len(drawn) == len(list((old / "figures").glob("*.png")))
    assert all(own["src"].startswith("data:image/png;base64,") and int(own["width"]) > 0 for own in drawn)


def test_a_figure_whose_arrays_are_damaged_is_refused(place, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(place / "vanilla/seed-0", broken)
    (data,) = (broken / "figures" / "arrays").glob("*.safetensors")
    data.write_bytes(data.read_bytes()[:-1])
    assert_refused(call(["report", str(broken)], capsys), "figures/arrays", "no checkpoint that verifies")
    checkpoint.save(broken / "figures" / "arrays", 0, {"loss": {"rows": [1.0]}}, info={"curve": 7})
    assert_refused(call(["report", str(broken)], capsys), "figures/arrays", "is damaged")


def test_a_picture_is_no_wider_than_it_is_seen(place):
    path = place / "vanilla/seed-0/figures/loss.png"
    wide, narrow = images.of_file(path, 5000), images.of_file(path, 300)
    assert wide.width > 1000
    assert narrow.width == 300
    assert narrow.height / narrow.width == pytest.approx(wide.height / wide.width, abs=0.01)
    assert narrow.source.startswith("data:image/png;base64,")


def test_what_cannot_be_shown_is_refused_and_nothing_is_written(tiny, place, tmp_path, capsys):
    refuse = lambda *argv: call(["report", *map(str, argv), "--output", str(tmp_path / "page.html")], capsys)
    assert_refused(refuse(tmp_path / "nowhere"), "nowhere", "is no folder")
    (tmp_path / "empty").mkdir()
    assert_refused(refuse(tmp_path / "empty"), "holds no run")
    assert_refused(refuse(tiny, "--lang", "fr"), "--lang", "'fr'", "en, es")
    assert_refused(refuse(tiny, place), "is a reproduction")
    begun = {"machine": "", "environment": {}, "lines": [], "not_run": {}, "failed": {}}
    (tmp_path / "empty" / "reproduce.json").write_text(json.dumps(begun))
    assert_refused(refuse(tmp_path / "empty"), "this reproduction is not finished")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.json").write_bytes((tiny / "config.json").read_bytes())
    assert_refused(refuse(unfinished), "is not finished", "--workdir")
    (unfinished / "summary.json").write_text("{")
    assert_refused(refuse(unfinished), "summary.json", "is damaged")
    (unfinished / "summary.json").write_text("{}")
    assert_refused(refuse(unfinished), "summary.json", "is damaged")
    assert_refused(call(["report", str(tiny), "--output", str(tmp_path)], capsys), "is a folder")
    (tmp_path / "file").write_text("")
    assert_refused(call(["report", str(tiny), "--output", str(tmp_path / "file/page.html")], capsys), "file")
    assert not list(tmp_path.rglob("*.html"))
    assert_refused(call(["reproduce", "lecture", "--lang", "fr"], capsys), "--lang", "'fr'")


def test_the_command_of_a_run_makes_it_again(tiny, tmp_path, capsys):
    _, text = page(tmp_path, tiny)
    command = f"aejax run {shlex.quote(str(tiny / 'config.json'))}"
    assert command in text
    again = tmp_path / "again"
    assert cli.main([*shlex.split(command)[1:], "--workdir", str(again)]) == 0
    capsys.readouterr()
    assert summary(again)["parameters_digest"] == summary(tiny)["parameters_digest"]


@pytest.mark.parametrize(
    ("group", "value"), [("metrics", "abc"), ("metrics", None), ("baselines", [1]), ("timing", {})]
)
def test_a_summary_whose_numbers_are_none_is_refused_in_a_line(tiny, tmp_path, capsys, group, value):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    found = summary(tiny)
    numbers = found[group] if group == "timing" else next(iter(found[group].values()))
    numbers[next(iter(numbers))] = value
    (broken / "summary.json").write_text(json.dumps(found))
    answer = call(["report", str(broken)], capsys)
    assert answer.code == 2
    assert "summary.json: is damaged" in answer.err
    assert group in answer.err


def test_a_search_says_what_it_looked_through():
    space = {
        "optimizer.learning_rate": [1e-4, 0.1, True],
        "train.batch_size": ["8", "16"],
        "model.x": [0.0, 1.0, False],
    }
    found = folders.Sweep(Path("x"), {"space": space, "seeds": [0, 1], "folds": 3}, {}, {})
    shown = dict(sweeps._axes(found, words.catalogue("es")))
    assert shown["optimizer.learning_rate"] == "de 0,0001 a 0,1, en escala logarítmica"
    assert shown["train.batch_size"] == "8; 16"
    assert shown["model.x"] == "de 0 a 1"
    assert shown["seed"] == "0; 1"
    assert shown["particiones por semilla"] == "3"


@pytest.mark.parametrize(
    ("folds", "over", "shown"), [(None, "seeds", "seeds"), (3, "seeds", "means"), (3, "folds", "folds")]
)
def test_a_sweep_says_what_its_deviations_are_over(sweep, tmp_path, folds, over, shown):
    folder = tmp_path / "s"
    shutil.copytree(sweep, folder)
    asked, found = json.loads((sweep / "sweep.json").read_text()), summary(sweep)
    for point in found["points"]:
        point["over"] = over
    (folder / "sweep.json").write_text(json.dumps(asked | {"folds": folds}))
    (folder / "summary.json").write_text(json.dumps(found))
    note = EN["sweep"]["test_note"].format(over=EN["sweep"]["over"][shown])
    assert note in page(tmp_path, folder)[1]


def test_runs_side_by_side_stand_beside_their_baselines(tiny, place, tmp_path):
    _, text = page(tmp_path, tiny, place / "vanilla/seed-0")
    values = [words.number(summary(f)["baselines"]["pca"]["mse"], EN) for f in (tiny, place / "vanilla/seed-0")]
    assert f"{words.measure('test/mse', EN)}: PCA {values[0]}{values[1]}" in text
