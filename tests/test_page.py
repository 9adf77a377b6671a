"""Pages: complete in every language, whole without a network, true to the numbers, and safe from hostile names."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import jax
import pytest
from running import SMALL, TINY, arguments, assert_refused, call, digest, summary

from aejax import cli
from aejax import config as configs
from aejax.config.resolving import component
from aejax.report import explorer, folders, words
from aejax.report.page import comparison, images, net, verdicts
from aejax.runs.artifact import Trained
from aejax.storage import checkpoint
from aejax.training.build import build_model

pytestmark = pytest.mark.usefixtures("lecture_as_run")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHAPES = {"polygon", "path", "rect", "circle", "mspace"}  # of SVG and MathML, closed where they are opened
EN, ES = (words.catalogue(language) for language in words.LANGUAGES)
LINE = {"expected": 0.05, "got": 0.05, "tolerance": 0.001, "verdict": "held", "metric": "test/mse"}
SCRIPT = 'the loss broke <script>alert("x")</script>'


@pytest.fixture(scope="module")
def reproduction(tmp_path_factory) -> Path:
    """A reproduction of two experiments of the lecture, shrunk: two seeds of one, one of the other."""
    folder = tmp_path_factory.mktemp("reproduction")
    shrunk = {"train.steps": "20", "train.evaluate_every": "10", "train.checkpoint_every": "20"}
    for name, seed in (("vanilla", 0), ("vanilla", 1), ("convolutional", 0)):
        settings = shrunk | {"seed": str(seed), "report.figures": str(name == "vanilla")}
        argv = arguments(settings, f"lecture/{name}", folder / name / f"seed-{seed}")
        assert cli.main(argv) == 0
    report = {
        "collection": "lecture",
        "machine": "cpu, <the machine>",
        "environment": json.loads((folder / "vanilla/seed-0/environment.json").read_text()),
        "lines": [
            LINE | {"experiment": "vanilla"},
            LINE | {"experiment": "vanilla:new"},
            LINE | {"experiment": "convolutional", "verdict": "off"},
        ],
        "not_run": {"latent:faces": "faces is not at hand; get it with: aejax data prepare faces"},
        "failed": {"multilayer": SCRIPT, "sweeps/sparse_l1": "no room left"},
    }
    (folder / "reproduce.json").write_text(json.dumps(report))
    return folder


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
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)


class Read(NamedTuple):
    """A page as text with single spaces, its tags with their attributes, and the whole file."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]]
    content: str

    def attributes(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


def read(path: Path) -> Read:
    reader, content = Reader(), path.read_text(encoding="utf-8")
    reader.feed(content)
    reader.close()
    assert reader.open == []
    return Read(" ".join("".join(reader.text).split()), reader.tags, content)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Callable[..., Read]:
    """What `aejax report` makes of its arguments, once of the same ones."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def make(*argv: str | Path) -> Read:
        output = folder / f"{len(list(folder.iterdir()))}.html"
        assert cli.main(["report", *map(str, argv), "--output", str(output)]) == 0
        return read(output)

    return make


@pytest.mark.parametrize("language", [EN, ES], ids=words.LANGUAGES)
def test_a_reproduction_as_a_page(reproduction, page, language):
    shown, text = page(reproduction, "--lang", language.language), language.text
    assert shown.tags[0] == ("html", {"lang": language.language})
    assert len(shown.ids()) == len(set(shown.ids()))
    for tag, attributes in shown.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/")), (tag, value)
        assert tag not in ("link", "iframe", "object", "base")
        assert tag != "img" or attributes["alt"]
        assert not any(name.startswith("on") for name in attributes)
    assert {attributes["href"][1:] for attributes in shown.attributes("a")} <= set(shown.ids())
    assert all(chapter["idea"] in shown.text for chapter in text["chapters"].values())
    assert len(shown.attributes("math")) >= len(text["chapters"])
    findings = {name: chapter["finding"] in shown.text for name, chapter in text["chapters"].items()}
    assert findings["vanilla"], "its experiment came out as recorded"
    assert not any(findings[name] for name in ("convolutional", "multilayer", "latent")), "off, failed, not run"
    values = [summary(reproduction / f"vanilla/seed-{seed}")["metrics"]["test"]["mse"] for seed in (0, 1)]
    assert language.spread(values) in shown.text
    pca = summary(reproduction / "convolutional/seed-0")["baselines"]["pca"]["mse"]
    kinds = (verdicts.HELD, verdicts.OFF, verdicts.FAILED, verdicts.NOT_RUN, verdicts.ABSENT)
    for part in (
        *(text["verdicts"][kind] for kind in kinds),
        language.number(pca),
        "8×8 → 4×4×16 → 2×2×32 → 8 → 2×2×32 → 4×4×16 → 8×8",
        SCRIPT,
        "aejax data prepare faces",
        "aejax run lecture/convolutional --seed 0",
        "cpu, <the machine>",
        "vanilla:new",  # a variant that the catalogue does not know yet
        f"sweeps/sparse_l1 {text['verdicts']['failed']} no room left",
    ):
        assert part in shown.text
    drawn = [unquote(attributes["src"]) for attributes in shown.attributes("img")]
    assert all(picture.startswith("data:image/svg+xml,") for picture in drawn)
    titles = {"en": ("step", "Loss during training"), "es": ("paso", "El costo durante el entrenamiento")}
    assert any(all(f">{text}</text>" in picture for text in titles[language.language]) for picture in drawn)


def test_things_to_touch_are_at_their_first_place_only_and_nothing_is_loaded(reproduction, page):
    shown = page(reproduction, "--lang", "en")
    assert sum("data-touch" in attributes for _, attributes in shown.tags) == 2, (
        "a walk and a plane: vanilla is in two chapters"
    )
    assert shown.content.count(explorer.SCRIPT) == shown.content.count(explorer.STYLE) == 1
    assert EN.text["touch"]["walk"]["caption"] in shown.text
    assert not re.search(r"url\(\s*['\"]?(?!data:|#|%23)|@import|fetch\(|XMLHttpRequest|import\(", shown.content)
    assert len(shown.content) < 15_000_000


def test_a_chapter_shows_its_config_and_its_net_as_code(reproduction, page):
    shown = page(reproduction).content
    for text in ("def get_config():", "class Stack(nn.Module):", "x @ weights + bias[None]"):
        assert text in shown
    assert "class Encoder(nn.Module):" in page(reproduction / "convolutional/seed-0").content
    assert "Returns:" not in shown, "of a docstring there is the first line"


@pytest.mark.parametrize("language", [EN, ES], ids=words.LANGUAGES)
def test_the_page_of_a_run_of_the_lecture_has_its_idea_and_its_formula(reproduction, tiny, page, language):
    chapter = language.text["chapters"]["vanilla"]
    shown = page(reproduction / "vanilla/seed-0", "--lang", language.language)
    assert chapter["idea"] in shown.text
    assert chapter["slide"] in shown.text
    assert shown.attributes("math")
    assert not page(tiny, "--lang", language.language).attributes("math"), "its data are not those of the lecture"


def test_a_run_as_a_page(tiny, page, tmp_path):
    shown, numbers = page(tiny), summary(tiny)
    assert tiny.name in shown.text
    assert not any("onerror" in attributes for _, attributes in shown.tags)
    for part in numbers["metrics"].values():
        assert all(EN.number(value) in shown.text for value in part.values())
    assert EN.number(numbers["baselines"]["pca"]["mse"]) in shown.text
    assert '"learning_rate": 0.003' in shown.text
    command = f"aejax run {shlex.quote(str(tiny / 'config.json'))}"
    assert command in shown.text
    assert cli.main([*shlex.split(command)[1:], "--workdir", str(tmp_path / "again")]) == 0
    assert digest(tmp_path / "again") == digest(tiny)


def test_the_page_of_a_run_goes_into_its_folder_in_the_language(tiny, capsys):
    answer = call(["report", str(tiny), "--lang", "es"], capsys)
    assert answer.code == 0
    assert answer.out.strip() == str(tiny / "report.html")
    assert "error cuadrático medio" in read(tiny / "report.html").text
    (tiny / "report.html").unlink()


def changed(folder: Path, path: Path, change: Callable[[dict], None], file: str = "summary.json") -> Path:
    """A copy of a folder, in which the content of a file is changed."""
    shutil.copytree(folder, path)
    content = json.loads((path / file).read_text())
    change(content)
    (path / file).write_text(json.dumps(content))
    (path / "checksums.json").unlink(missing_ok=True)  # which would name the file
    return path


def test_a_sweep_as_a_page_ranks_by_validation_and_marks_what_is_of_test_rows(sweep, page, tmp_path):
    shown, text, result = page(sweep), EN.text["sweep"], summary(sweep)
    assert result["metric"] == "validation/mse"
    means = sorted((point["metrics"]["validation/mse"] for point in result["points"]), key=lambda m: m["mean"])
    positions = [shown.text.index(EN.deviating(each["mean"], each["sd"])) for each in means]
    assert positions == sorted(positions)
    assert shown.text.count(text["test_mark"]) >= 2
    best = result["points"][result["best"]]["axes"]["optimizer.learning_rate"]
    assert f"learning rate = {best:g}" in shown.text
    assert len(shown.attributes("img")) == len(list((sweep / "figures").glob("*.png")))
    assert f"{text['statuses']['finished']}4" in shown.text.replace(" 4", "4")
    assert text["finite"] not in shown.text
    broken = changed(sweep, tmp_path / "broken", lambda result: result["points"][0].update(finite=1))
    assert text["finite"] in page(broken).text, "a run that broke is counted"


@pytest.mark.parametrize(
    ("folds", "over", "named"), [(None, "seeds", "seeds"), (3, "seeds", "means"), (3, "folds", "folds")]
)
def test_a_sweep_says_what_its_deviations_are_over(sweep, page, tmp_path, folds, over, named):
    folder = changed(sweep, tmp_path / "s", lambda r: [point.update(over=over) for point in r["points"]])
    folder = changed(folder, tmp_path / "t", lambda asked: asked.update(folds=folds), "sweep.json")
    text = EN.text["sweep"]
    assert text["test_note"].format(over=text["over"][named]) in page(folder).text


def test_a_folder_of_runs_is_a_page_of_cards_that_lead_to_theirs(tiny, reproduction, sweep, page, tmp_path, capsys):
    folder = tmp_path / "runs"
    for name, source in (("a b", tiny), ("swept", sweep), ("many/first", reproduction / "vanilla/seed-0")):
        shutil.copytree(source, folder / name)
    shutil.copytree(tiny, folder / "half")
    (folder / "half" / "summary.json").unlink()
    assert call(["report", str(folder / "swept")], capsys).code == 0
    answer = call(["report", str(folder)], capsys)
    assert answer.code == 0
    assert "left out of the page" in answer.out
    shown = read(folder / "report.html")
    links = [each["href"] for each in shown.attributes("a") if not each["href"].startswith("#")]
    assert links == ["a%20b", "many/first", "swept/report.html"]
    assert all((folder / unquote(link)).exists() for link in links)
    assert EN.number(summary(tiny)["metrics"]["test"]["mse"]) in shown.text
    assert len(shown.attributes("img")) == sum(
        bool(folders.figures(folder / unquote(each))) for each in ("a b", "many/first", "swept")
    )
    assert call(["report", str(folder), "--lang", "es"], capsys).code == 0
    assert ES.text["index"]["title"] in read(folder / "report.html").text
    several = page(folder, tiny)
    assert several.text.count("a b") >= 1, "beside others, what is in it stands side by side"
    for name in ("a b", "swept", "many"):
        shutil.rmtree(folder / name)
    assert_refused(call(["report", str(folder)], capsys), "no run or sweep in it is finished")


def test_several_folders_are_put_side_by_side(tiny, reproduction, sweep, page):
    shown = page(tiny, reproduction / "vanilla/seed-0", reproduction / "vanilla/seed-1", sweep)
    assert len(shown.ids()) == len(set(shown.ids()))
    for text in ('"clusters"', '"digits"', "vanilla/seed-0", "vanilla/seed-1"):
        assert text in shown.text
    runs = (tiny, reproduction / "vanilla/seed-0", reproduction / "vanilla/seed-1")
    values = [EN.number(summary(run)["baselines"]["pca"]["mse"]) for run in runs]
    assert f"{EN.measure('test/mse')}: PCA {''.join(values)}" in shown.text, "baselines stand beside them"


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
@pytest.mark.parametrize("language", [EN, ES], ids=words.LANGUAGES)
def test_no_best_is_marked_across_different_data(language, changes, same):
    config = {"data": {"name": "a", "scaling": "unit"}, "model": {}, "terms": {}, "train": {}, "task": {}}
    settings = lambda mse: {"config": config, "summary": {"metrics": {"test": {"mse": mse}}, "baselines": {}}}
    one, two = (settings(mse) | {"data": {"sha256": "1"}} for mse in (0.1, 0.2))
    two |= {key: (config | value if key == "config" else value) for key, value in changes.items()}
    runs = [folders.Run(Path("x"), environment={}, **each) for each in (one, two)]
    (line,) = comparison.numbers(runs, language)
    assert line.best == (0 if same else -1)
    assert line.better == "less"
    assert comparison.same_data(runs) is same


def test_runs_without_a_digest_are_of_the_same_data_where_their_configs_say_so():
    runs = lambda *settings: [folders.Run(Path("x"), {"data": data}, {}, {}, {}) for data in settings]
    assert comparison.same_data(runs({"name": "a", "rows": 3}, {"name": "a", "rows": 3}))
    assert not comparison.same_data(runs({"name": "a", "rows": 3}, {"name": "a", "rows": 4}))


def test_names_tell_folders_apart():
    names = comparison.labels([Path("/a/x/seed-0"), Path("/a/y/seed-0"), Path("/a/y/seed-1")])
    assert names == ["x/seed-0", "y/seed-0", "y/seed-1"]


@pytest.mark.slow
def test_a_collection_of_ones_own_gets_a_page_from_its_docstrings(page, tmp_path, capsys):
    course, workdir = tmp_path / "course", tmp_path / "a"
    course.mkdir()
    (course / "small.py").write_text(SMALL.replace("Small.", "A <small> net.\n\nWhat it is for.\n"))
    recorded = call(["reproduce", str(course), "--update", "--seeds", "1", "--workdir", str(workdir)], capsys)
    assert recorded.code == 0, recorded
    answer = call(["reproduce", str(course), "--lang", "es", "--workdir", str(workdir)], capsys)
    assert answer.code == 0, answer
    assert str(workdir / "report.html") in answer.out
    for shown in (read(workdir / "report.html"), page(workdir, "--lang", "es")):
        for text in ("A <small> net.", "What it is for.", "bit a bit", "error cuadrático medio"):
            assert text in shown.text


def net_of(spec: str, feature_shape: tuple[int, ...]) -> net.Network:
    """The net of an experiment for rows of that shape, without training it."""
    config = configs.load(spec)
    settings = component(config["model"], "aejax.models", what="model")
    model = build_model(settings, feature_shape)
    params = jax.eval_shape(model.init, jax.random.key(0))
    return net.network(Trained(model, params, {}, {}, settings, (), None, config))


def test_every_kind_of_net_is_drawn_as_it_is(tiny, page):
    skipping = net_of("lecture/denoising", (8, 8, 1))
    down = [(8, 8, 1), (8, 8, 32), (4, 4, 64)]
    assert [layer.shape for layer in skipping.layers] == [*down, (2, 2, 64), *reversed(down)]
    assert skipping.middle == 3
    assert skipping.skips == [(0, 6), (1, 5), (2, 4)], "what the decoder gets beside the coarsest maps"
    assert len(net.drawing(skipping, EN)["arcs"]) == 3
    assert net_of("lecture/vanilla", (8, 8, 1)).parameters == 64 * 8 + 8 + 8 * 64 + 64
    variational = net_of("lecture/latent", (8, 8, 1))
    assert variational.traits == ["gaussian"]
    assert "μ + σε" in [layer["name"] for layer in net.drawing(variational, EN)["layers"]]
    assert net_of("lecture/hashing", (64,)).traits == ["binary", "noise"]
    assert net_of("lecture/clustering", (8, 8, 1)).centres == 10
    assert net_of("lecture/imputation", (36,)).traits == ["holes"]
    assert net_of("lecture/vanilla:tied", (8, 8, 1)).traits == ["tied"]
    circles = [attributes["class"] for attributes in page(tiny).attributes("circle")]
    assert [circles.count(kind) for kind in ("end", "hid", "mid")] == [8 + 8, 3 + 3, 2], "a circle for each unit"


def test_a_net_whose_model_is_not_at_hand_is_not_drawn(tiny, page, tmp_path):
    gone = changed(tiny, tmp_path / "gone", lambda config: config.update(model={"name": "gone.away"}), "config.json")
    shown = page(gone, "--trust")
    assert EN.text["network"]["unknown"] in shown.text
    assert not shown.attributes("svg")


def test_a_run_of_an_earlier_version_shows_the_pictures_that_it_has(reproduction, page, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(reproduction / "vanilla/seed-0", old)
    shutil.rmtree(old / "figures" / "arrays")
    (old / "checksums.json").unlink()
    (old / "figures" / "loss.svg").write_text("<svg/>")
    drawn = page(old, "--lang", "es").attributes("img")
    assert len(drawn) == len(list((old / "figures").glob("*.png")))
    assert all(each["src"].startswith("data:image/png;base64,") and int(each["width"]) > 0 for each in drawn)


def test_a_figure_whose_arrays_are_damaged_is_refused(reproduction, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(reproduction / "vanilla/seed-0", broken)
    (data,) = (broken / "figures" / "arrays").glob("*.safetensors")
    data.write_bytes(data.read_bytes()[:-1])
    assert_refused(call(["report", str(broken)], capsys), "figures/arrays", "no checkpoint that verifies")
    (broken / "checksums.json").unlink()
    checkpoint.save(broken / "figures" / "arrays", 0, {"loss": {"rows": [1.0]}}, info={"curve": 7})
    assert_refused(call(["report", str(broken)], capsys), "figures/arrays", "is damaged")


def test_a_picture_is_no_wider_than_it_is_seen(reproduction):
    wide, narrow = (images.of_file(reproduction / "vanilla/seed-0/figures/loss.png", widest) for widest in (5000, 300))
    assert wide.width > 1000
    assert (narrow.width, narrow.source[:22]) == (300, "data:image/png;base64,")
    assert narrow.height / narrow.width == pytest.approx(wide.height / wide.width, abs=0.01)


def test_what_cannot_be_shown_is_refused_and_nothing_is_written(tiny, reproduction, tmp_path, capsys):
    refuse = lambda *argv: call(["report", *map(str, argv), "--output", str(tmp_path / "page.html")], capsys)
    assert_refused(refuse(tmp_path / "nowhere"), "nowhere", "is no folder")
    empty, unfinished = tmp_path / "empty", tmp_path / "unfinished"
    empty.mkdir()
    assert_refused(refuse(empty), "holds no run")
    assert_refused(refuse(tiny, "--lang", "fr"), "--lang", "'fr'", "en, es")
    assert_refused(refuse(tiny, reproduction), "is a reproduction")
    begun = {"machine": "", "environment": {}, "lines": [], "not_run": {}, "failed": {}}
    (empty / "reproduce.json").write_text(json.dumps(begun))
    assert_refused(refuse(empty), "this reproduction is not finished")
    unfinished.mkdir()
    (unfinished / "config.json").write_bytes((tiny / "config.json").read_bytes())
    assert_refused(refuse(unfinished), "is not finished", "--workdir")
    for text in ("{", "{}"):
        (unfinished / "summary.json").write_text(text)
        assert_refused(refuse(unfinished), "summary.json", "is damaged")
    assert_refused(call(["report", str(tiny), "--output", str(tmp_path)], capsys), "is a folder")
    (tmp_path / "file").write_text("")
    assert_refused(call(["report", str(tiny), "--output", str(tmp_path / "file/page.html")], capsys), "file")
    assert not list(tmp_path.rglob("*.html"))
    assert_refused(call(["reproduce", "lecture", "--lang", "fr"], capsys), "--lang", "'fr'")


@pytest.mark.parametrize(
    ("group", "value"), [("metrics", "abc"), ("metrics", None), ("baselines", [1]), ("timing", {})]
)
def test_a_summary_whose_numbers_are_none_is_refused_in_a_line(tiny, tmp_path, capsys, group, value):
    def spoil(content):
        numbers = content[group] if group == "timing" else next(iter(content[group].values()))
        numbers[next(iter(numbers))] = value

    broken = changed(tiny, tmp_path / "broken", spoil)
    assert_refused(call(["report", str(broken)], capsys), "summary.json: is damaged", group)
