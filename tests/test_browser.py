"""A page in a real browser, from a file: things move by pointer and by key, and what is drawn is what JAX computes."""

import base64
import json
import re
from functools import cache
from io import BytesIO

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from browsing import BROWSER, DRIVER, MISSING
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from aejax.cli import main
from aejax.models.activations import ACTIVATIONS
from aejax.runs import apply, workdir
from aejax.training.build import load_data
from aejax.training.evaluate import host_rows

pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason=MISSING)

SMALL = {"train.steps": 30, "train.evaluate_every": 30, "train.checkpoint_every": 30, "report.figures": False}
RUNS = {
    "plane of images": ("lecture/multilayer", {"model.widths": (16,), "model.code": 2, "report.figures": True}),
    "plane of a table": ("lecture/multilayer", {"model.widths": (8,), "model.code": 2, "data.name": "satimage"}),
    "plane of rows alone": ("lecture/convolutional", {"model.channels": (2,), "model.code": 2}),
    "walk": ("lecture/multilayer", {"model.widths": (16, 12), "model.code": 5, "model.tied": True}),
    "features": ("lecture/sparse_l1", {"model.code": 40}),
}
SWEEP = ("lecture/sparse_l1", {"model.code": 12}, ("terms.sparsity.weight=[0.01,0.3,3.0]", "seed=0:2"))
FRAGMENTS = ("plane of images", "plane of a table", "plane of rows alone", "walk", "components", "features", "sweep",
             "parallel")  # fmt: skip
"""In the order of the page; components are of the run of the walk, and parallel axes of the sweep."""
WIDTHS = (390, 1280)


def options(settings):
    return [word for path, value in (SMALL | settings).items() for word in ("--set", f"{path}={value}")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("touched")
    for name, (config, settings) in RUNS.items():
        assert main(["run", config, "--workdir", str(base / name), *options(settings)]) == 0
    config, settings, axes = SWEEP
    words = [word for axis in axes for word in ("--axis", axis)]
    assert main(["sweep", config, "--workdir", str(base / "sweep"), "--exact", *words, *options(settings)]) == 0
    return base


@pytest.fixture(scope="module")
def pages(folders):
    """A page of all runs and the sweep, by language."""
    paths = {language: folders / f"{language}.html" for language in ("en", "es")}
    for language, path in paths.items():
        words = [str(folders / name) for name in (*RUNS, "sweep")]
        assert main(["report", *words, "--lang", language, "--output", str(path)]) == 0
    return paths


def show(browser, path, width, scheme="light"):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # a page that scrolls is not clicked
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(path.as_uri())


@pytest.fixture
def opened(browser, pages, request):
    """The page at a width; whatever a test does with it, nothing is said on the console."""
    width, language = getattr(request, "param", (1280, "en"))
    show(browser, pages[language], width)
    yield browser
    assert browser.get_log("browser") == []


EVERY = pytest.mark.parametrize("opened", [(390, "es"), (1280, "en")], indirect=True, ids=["phone, es", "desktop, en"])


def fragment_of(browser, name):
    """The element of a run's fragment, or of the sweep's."""
    return browser.find_elements(By.CLASS_NAME, "touchable")[FRAGMENTS.index(name)]


def state(browser, root):
    return browser.execute_script(
        "const t = arguments[0].touch; return {...t, values: t.values && Array.from(t.values)};", root
    )


def picture(browser, root, name):
    """What is drawn of the row, or of the decoder's answer."""
    return browser.execute_script(
        "const e = arguments[0].querySelector(`[data-show=${arguments[1]}]`);"
        "return e.getContext ? e.toDataURL() : e.getAttribute('points');",
        root,
        name,
    )


def pixels(browser, root, name):
    """The values of a grey image, (height, width)."""
    return grey(picture(browser, root, name))


def grey(address):
    png = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))[..., 0].astype(int)


@cache
def decoder(folder):
    trained = apply.load(folder)
    return jax.jit(lambda code: trained.model.decode(trained.params, code))


def decoded(folder, code):
    return np.asarray(decoder(folder)(jnp.float32(code)[None]))[0]


def scaled_rows(folder):
    dataset = load_data(workdir.read_json(folder / "config.json")["data"])
    return dataset, host_rows(dataset.test, dataset)


def live(root):
    return root.find_element(By.CLASS_NAME, "touch-live").text


@EVERY
def test_nothing_is_wider_than_the_page(opened):
    wide, there = opened.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= there
    ids = opened.execute_script("return Array.from(document.querySelectorAll('[id]'), e => e.id)")
    assert len(ids) == len(set(ids))
    assert len(opened.find_elements(By.CLASS_NAME, "touchable")) == len(FRAGMENTS)


@EVERY
def test_every_figure_is_shown_in_the_size_that_is_kept_for_it(opened):
    sizes = opened.execute_script(
        "return Array.from(document.images, async e => { await e.decode();"
        "return [e.naturalWidth, e.naturalHeight, e.clientWidth / e.clientHeight]; })"
        ".reduce(async (all, size) => [...await all, await size], Promise.resolve([]))"
    )
    assert len(sizes) >= 2
    for wide, high, ratio in sizes:
        assert wide / high == pytest.approx(ratio, rel=0.02)


@EVERY
def test_a_figure_that_is_drawn_for_a_phone_is_not_moved_sideways(opened):
    sheets = opened.execute_script(
        "return Array.from(document.querySelectorAll('.sheet:has(source)'), e => [e.scrollWidth, e.clientWidth, "
        "e.querySelector('img').currentSrc === e.querySelector('img').src])"
    )
    assert sheets
    for wide, there, is_wide_one in sheets:
        assert wide <= there
        assert is_wide_one == (opened.execute_script("return innerWidth") > 576)


@EVERY
def test_a_slider_moves_the_picture_and_the_decoder_agrees_with_jax(opened, folders):
    root = fragment_of(opened, "walk")
    for button in root.find_elements(By.TAG_NAME, "button")[::4]:
        button.click()
        for slider in root.find_elements(By.TAG_NAME, "input"):
            before = picture(opened, root, "rebuilt"), state(opened, root), picture(opened, root, "row")
            slider.send_keys(Keys.ARROW_RIGHT * 5 if slider.get_attribute("value") < "0" else Keys.ARROW_LEFT * 5)
            after = state(opened, root)
            assert picture(opened, root, "rebuilt") != before[0]
            assert picture(opened, root, "row") == before[2], "the row that it started from stays"
            assert sum(a != b for a, b in zip(after["code"], before[1]["code"], strict=True)) == 1
            np.testing.assert_allclose(after["values"], decoded(folders / "walk", after["code"]), atol=1e-5)
    drawn = pixels(opened, root, "rebuilt").ravel()
    np.testing.assert_allclose(drawn, 255 * np.clip(after["values"], 0, 1), atol=0.51)


def test_dragging_a_slider_does_what_its_keys_do(opened):
    root = fragment_of(opened, "walk")
    slider, before = root.find_element(By.TAG_NAME, "input"), picture(opened, root, "rebuilt")
    wide = slider.rect["width"]
    ActionChains(opened).move_to_element_with_offset(slider, int(wide * 0.45), 0).click().perform()
    assert picture(opened, root, "rebuilt") != before
    low, high, value = (float(slider.get_attribute(name)) for name in ("min", "max", "value"))
    assert low + 0.9 * (high - low) < value < high


def test_a_row_to_start_from_is_shown_with_its_own_code(opened, folders):
    root = fragment_of(opened, "walk")
    _, rows = scaled_rows(folders / "walk")
    trained = apply.load(folders / "walk")
    codes = np.asarray(trained.model.encode(trained.params, jnp.asarray(rows)))
    for button in root.find_elements(By.TAG_NAME, "button"):
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        index = int(re.search(r"\d+", live(root))[0]) - 1
        np.testing.assert_allclose(pixels(opened, root, "row").ravel(), 255 * rows[index], atol=0.51)
        np.testing.assert_allclose(state(opened, root)["code"], codes[index], atol=1e-5)


@EVERY
def test_a_unit_of_a_sparse_code_is_chosen_by_key_and_its_slider_sets_it(opened, folders):
    root = fragment_of(opened, "features")
    data = json.loads(root.find_element(By.TAG_NAME, "script").get_attribute("textContent"))
    trained = apply.load(folders / "features")
    _, rows = scaled_rows(folders / "features")
    codes = np.asarray(trained.model.encode(trained.params, jnp.asarray(rows)))
    tiles = root.find_elements(By.CSS_SELECTOR, ".touch-atoms button")
    tiles[0].click()
    tiles[0].send_keys(Keys.ARROW_RIGHT)
    assert state(opened, root)["unit"] == data["units"][1]
    assert root.find_element(By.TAG_NAME, "select").get_attribute("value") == "1"
    assert tiles[1].get_attribute("aria-pressed") == "true"
    samples = root.find_elements(By.CSS_SELECTOR, ".touch-samples button")
    row = data["numbers"][data["top"][1][0]] - 1
    assert codes[row, data["units"][1]] == codes[[number - 1 for number in data["numbers"]], data["units"][1]].max()
    slider = root.find_element(By.CSS_SELECTOR, "input")
    before = state(opened, root)

    def whole(code):
        full = codes[row].copy()
        full[data["units"]] = code
        return full

    np.testing.assert_allclose(whole(before["code"]), codes[row], atol=1e-5)
    slider.send_keys(Keys.HOME)
    after = state(opened, root)
    assert after["code"][1] == pytest.approx(data["low"][1], abs=1e-6)
    np.testing.assert_allclose(after["values"], decoded(folders / "features", whole(after["code"])), atol=1e-5)
    samples[1].click()
    assert f" {data['numbers'][data['top'][1][1]]} " in live(root)


@pytest.mark.parametrize("name", ["plane of images", "plane of a table"])
@EVERY
def test_the_pointer_and_the_arrow_keys_show_rows(opened, folders, name):
    root = fragment_of(opened, name)
    plane = root.find_element(By.CLASS_NAME, "touch-map")
    marks = plane.find_elements(By.CSS_SELECTOR, ".touch-marks > *")
    dataset, rows = scaled_rows(folders / name)
    trained = apply.load(folders / name)
    codes = np.asarray(trained.model.encode(trained.params, jnp.asarray(rows)))
    shown = set()
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    for mark in marks[:: len(marks) // 3]:
        ActionChains(opened).move_to_element(mark).perform()
        shown.add(assert_a_row_is_shown(opened, root, dataset, rows, codes))
    opened.execute_script("arguments[0].focus()", plane)
    for key in (Keys.ARROW_LEFT, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_DOWN):
        before = state(opened, root)["code"]
        ActionChains(opened).send_keys(key).perform()
        after = state(opened, root)["code"]
        if after != before:  # there may be no row further on
            unit, sign = (
                (0, key == Keys.ARROW_RIGHT)
                if key in (Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
                else (1, key == Keys.ARROW_UP)
            )
            assert (after[unit] > before[unit]) == sign
        shown.add(assert_a_row_is_shown(opened, root, dataset, rows, codes))
    assert len(shown) > 3


def assert_a_row_is_shown(browser, root, dataset, rows, codes):
    """That a test row, its class, its own code and the decoder's answer to it are on the page; its number."""
    now = state(browser, root)
    index = int(np.abs(codes - np.array(now["code"])[None]).sum(1).argmin())
    np.testing.assert_allclose(now["code"], codes[index], atol=1e-5)
    words = re.findall(r"\w+", live(root))
    assert str(index + 1) in words
    assert dataset.label_names[dataset.test.labels[index]].split()[0] in words
    if dataset.kind == "image":
        np.testing.assert_allclose(pixels(browser, root, "row").ravel(), 255 * rows[index], atol=0.51)
    else:
        drawn = np.array([pair.split(",") for pair in picture(browser, root, "row").split()], float)
        assert np.corrcoef(drawn[:, 1], rows[index])[0, 1] < -0.99, "higher values are drawn further up"
    return index


@EVERY
def test_a_class_can_be_shown_alone_with_the_neighbours_of_its_best_sample(opened, folders):
    root = fragment_of(opened, "plane of images")
    trained, (dataset, rows) = apply.load(folders / "plane of images"), scaled_rows(folders / "plane of images")
    rebuilt = trained.model.decode(trained.params, trained.model.encode(trained.params, jnp.asarray(rows)))
    lost = np.square(rows - np.asarray(rebuilt)).mean(1) / rows.var(1)
    name = root.find_elements(By.CSS_SELECTOR, ".touch-classes button")[1].get_attribute("value")
    alone = [i for i, label in enumerate(dataset.test.labels) if dataset.label_names[label] == name]
    for pressed, shown in ((True, alone), (False, range(len(rows)))):
        button = root.find_element(By.CSS_SELECTOR, f".touch-classes button[value='{name}']")
        opened.execute_script("arguments[0].click()", button)
        assert button.get_attribute("aria-pressed") == str(pressed).lower()
        index = int(re.search(r"\d+", live(root))[0]) - 1
        assert lost[index] <= 1.01 * min(lost[i] for i in shown)
        named = [canvas.get_attribute("aria-label") for canvas in
                 root.find_elements(By.CSS_SELECTOR, ".touch-neighbours figure:not([hidden]) canvas")]  # fmt: skip
        near = [int(re.search(r"\d+", text)[0]) - 1 for text in named]
        assert near
        assert set(near) <= set(shown) - {index}


@pytest.mark.parametrize("name", ["plane of images", "plane of a table"])
def test_the_decoder_runs_between_the_rows(opened, folders, name):
    root = fragment_of(opened, name)
    plane = root.find_element(By.CLASS_NAME, "touch-map")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    reach = plane.rect["width"] / 2
    seen = set()
    for across, up in ((-0.5, 0.3), (0.6, 0.6), (0.1, -0.7)):
        ActionChains(opened).move_to_element_with_offset(plane, int(across * reach), int(up * reach)).perform()
        now = state(opened, root)
        np.testing.assert_allclose(now["values"], decoded(folders / name, now["code"]), atol=1e-5)
        seen.add(picture(opened, root, "rebuilt"))
    for slider in root.find_elements(By.TAG_NAME, "input"):
        slider.send_keys(Keys.HOME)
        assert float(slider.get_attribute("value")) == float(slider.get_attribute("min"))
        now = state(opened, root)
        np.testing.assert_allclose(now["values"], decoded(folders / name, now["code"]), atol=1e-5)
        seen.add(picture(opened, root, "rebuilt"))
    assert len(seen) == 5


def tiles_of(browser, canvas):
    """The 8x8 images of a strip, with a gap of one pixel: (images, 64)."""
    strip = grey(browser.execute_script("return arguments[0].toDataURL()", canvas))
    return np.stack([strip[:, left : left + 8].ravel() for left in range(0, strip.shape[1], 9)])


@EVERY
def test_a_strip_shows_what_the_decoder_draws_along_a_line(opened, folders):
    root = fragment_of(opened, "plane of images")
    plane, canvas = (
        root.find_element(By.CLASS_NAME, "touch-map"),
        root.find_element(By.CSS_SELECTOR, ".touch-strip canvas"),
    )
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    marks = plane.find_elements(By.CSS_SELECTOR, ".touch-marks > *")
    ActionChains(opened).move_to_element(marks[0]).click_and_hold().move_to_element(marks[-1]).release().perform()
    dragged = state(opened, root)
    opened.execute_script("arguments[0].focus()", plane)
    ActionChains(opened).send_keys(Keys.SPACE, Keys.ARROW_LEFT, Keys.ARROW_UP).perform()
    stepped = state(opened, root)
    assert stepped["begin"] == dragged["code"] != dragged["begin"]
    shares = np.linspace(0, 1, 9)[:, None]
    codes = (1 - shares) * np.array(stepped["begin"])[None] + shares * np.array(stepped["code"])[None]
    wanted = [255 * np.clip(decoded(folders / "plane of images", code), 0, 1) for code in codes]
    np.testing.assert_allclose(tiles_of(opened, canvas), wanted, atol=0.51)


@EVERY
def test_the_plane_is_decoded_behind_its_marks_when_asked_for(opened, folders):
    root = fragment_of(opened, "plane of images")
    behind, toggle = (
        root.find_element(By.CLASS_NAME, "touch-behind"),
        root.find_element(By.CSS_SELECTOR, ".touch-strip button"),
    )
    assert behind.get_attribute("href") is None
    toggle.send_keys(Keys.ENTER)
    assert behind.get_attribute("visibility") == "visible"
    drawn = grey(behind.get_attribute("href")).reshape(12, 8, 12, 8).swapaxes(1, 2)
    data = json.loads(root.find_element(By.TAG_NAME, "script").get_attribute("textContent"))
    (left, right), (low, high) = data["box"]
    code = [left + 2.5 / 12 * (right - left), high - 7.5 / 12 * (high - low)]
    wanted = 255 * np.clip(decoded(folders / "plane of images", code), 0, 1)
    np.testing.assert_allclose(drawn[7, 2].ravel(), wanted, atol=0.51)
    toggle.send_keys(Keys.ENTER)
    assert behind.get_attribute("visibility") == "hidden"


@EVERY
def test_a_wider_code_has_strips_of_its_units_and_a_plane_of_its_components(opened, folders):
    root = fragment_of(opened, "walk")
    code, (unit, strip) = state(opened, root)["code"], (4, root.find_elements(By.CLASS_NAME, "touch-traversal")[4])
    trained, (_, rows) = apply.load(folders / "walk"), scaled_rows(folders / "walk")
    codes = np.asarray(trained.model.encode(trained.params, jnp.asarray(rows)))
    column = codes[:, unit]
    low, high = np.clip(column.mean() + 2 * column.std() * np.array([-1, 1]), column.min(), column.max())
    for tile, value in zip(tiles_of(opened, strip), np.linspace(low, high, 7), strict=True):
        wanted = decoded(folders / "walk", [*code[:unit], value, *code[unit + 1 :]])
        np.testing.assert_allclose(tile, 255 * np.clip(wanted, 0, 1), atol=0.52)

    root = fragment_of(opened, "components")
    root.find_element(By.TAG_NAME, "input").send_keys(Keys.END)
    now = state(opened, root)
    _, _, directions = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
    signs = np.array(json.loads(opened.execute_script(
        "const d = JSON.parse(arguments[0].querySelector('script').textContent);"
        "return JSON.stringify(Array.from(new Float32Array("
        "Uint8Array.from(atob(d.layers[0].kernel), c => c.charCodeAt(0)).buffer)))", root))).reshape(2, 5)  # fmt: skip
    np.testing.assert_allclose(np.abs(signs @ directions[:2].T), np.eye(2), atol=1e-4)
    whole = codes.mean(0) + now["code"] @ signs
    np.testing.assert_allclose(now["values"], decoded(folders / "walk", whole), atol=1e-4)


def test_without_a_decoder_to_run_the_pointer_shows_the_nearest_row(opened, folders):
    folder = folders / "plane of rows alone"
    root = fragment_of(opened, folder.name)
    plane = root.find_element(By.CLASS_NAME, "touch-map")
    trained, (dataset, rows) = apply.load(folder), scaled_rows(folder)
    codes = np.asarray(trained.model.encode(trained.params, jnp.asarray(rows)))
    assert not root.find_elements(By.TAG_NAME, "input")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    for across, up in ((-0.5, 0.3), (0.6, 0.6), (0.1, -0.7)):
        reach = plane.rect["width"] / 2
        ActionChains(opened).move_to_element_with_offset(plane, int(across * reach), int(up * reach)).perform()
        index = assert_a_row_is_shown(opened, root, dataset, rows, codes)
        wanted = np.asarray(trained.model.decode(trained.params, jnp.asarray(codes[index : index + 1])))
        drawn = pixels(opened, root, "rebuilt").ravel()
        np.testing.assert_allclose(drawn, 255 * np.clip(wanted[0], 0, 1), atol=0.51)


@EVERY
def test_the_weight_shows_sparsity_against_error(opened, folders):
    root = fragment_of(opened, "sweep")
    points = workdir.read_json(folders / "sweep" / "summary.json")["points"]
    slider, ring = root.find_element(By.TAG_NAME, "input"), root.find_element(By.CLASS_NAME, "touch-ring")
    slider.send_keys(Keys.HOME)
    positions = []
    for point in sorted(points, key=lambda point: point["axes"]["terms.sparsity.weight"]):
        read = lambda text: float(text.split(" ±")[0].replace(",", ".").replace("−", "-"))
        cells = {cell.get_attribute("data-name"): cell.text for cell in root.find_elements(By.TAG_NAME, "dd")}
        assert {"validation/mse", "validation/sparsity", "validation/active_fraction", "test/mse"} == set(cells)
        for name, text in cells.items():
            assert read(text) == pytest.approx(point["metrics"][name]["mean"], rel=6e-3)
        output = root.find_element(By.TAG_NAME, "output")
        assert read(output.text) == point["axes"]["terms.sparsity.weight"]
        positions.append((ring.get_attribute("cx"), ring.get_attribute("cy")))
        slider.send_keys(Keys.ARROW_RIGHT)
    assert len(set(positions)) == len(points) == 3


@EVERY
def test_ranges_of_a_sweep_are_chosen_by_key_and_by_dragging(opened, folders):
    root = fragment_of(opened, "parallel")
    points = workdir.read_json(folders / "sweep" / "summary.json")["points"]
    points = sorted(points, key=lambda point: point["metrics"]["validation/mse"]["mean"])
    weights = [point["axes"]["terms.sparsity.weight"] for point in points]
    least, most = root.find_elements(By.TAG_NAME, "input")[:2]
    assert state(opened, root)["chosen"] == [True] * 3
    least.send_keys(Keys.ARROW_RIGHT)
    assert state(opened, root)["chosen"] == [weight >= 0.3 for weight in weights]
    most.send_keys(Keys.ARROW_LEFT)
    assert state(opened, root)["chosen"] == [weight == 0.3 for weight in weights]
    shown = root.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden])")
    assert [row.find_elements(By.TAG_NAME, "td")[0].text.replace(",", ".") for row in shown] == ["0.3"]
    assert live(root).startswith("1 ")
    drawing = root.find_element(By.TAG_NAME, "svg")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", drawing)
    axis = drawing.find_element(By.CLASS_NAME, "touch-axes")
    ActionChains(opened).move_to_element(axis).click().perform()
    assert state(opened, root)["chosen"] == [True] * 3, "a press frees the axis"
    data = json.loads(root.find_element(By.TAG_NAME, "script").get_attribute("textContent"))
    down = int(axis.rect["height"] / 2)
    ActionChains(opened).move_to_element(axis).click_and_hold().move_by_offset(0, down).release().perform()
    assert state(opened, root)["chosen"] == [rank == 0 for rank, *_ in data["points"]]


def test_every_activation_agrees_with_jax(opened):
    z = np.linspace(-6, 6, 101, dtype=np.float32)
    for name, kind in ACTIVATIONS.items():
        answers = opened.execute_script(
            "return arguments[1].map(z => aejaxTouch.ACTIVATIONS[arguments[0]](z))", name, z.tolist()
        )
        np.testing.assert_allclose(answers, kind.function(jnp.asarray(z)), atol=1e-5, err_msg=name)


def test_the_colours_follow_the_scheme(browser, pages):
    seen = []
    for scheme in ("light", "dark"):
        show(browser, pages["en"], 1280, scheme)
        shot = base64.b64decode(browser.get_screenshot_as_base64())
        ring = browser.find_element(By.CLASS_NAME, "touch-ring").value_of_css_property("stroke")
        seen.append((shot, ring))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_figure_is_light_on_dark_where_the_page_is(browser, pages):
    brightness = []
    for scheme in ("light", "dark"):
        show(browser, pages["en"], 1280, scheme)
        box = browser.execute_script(
            "const b = document.querySelector('.enlarge').getBoundingClientRect();"
            "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: 30, scale: 1};"
        )
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": box})
        strip = np.asarray(Image.open(BytesIO(base64.b64decode(shot["data"]))).convert("L"))
        brightness.append((np.median(strip), strip.min(), strip.max()))
    (light, darkest, _), (dark, _, brightest) = brightness
    assert light > 240 > 100 > darkest, "dark letters on white"
    assert dark < 60 < 180 < brightest, "light letters on dark"


def test_a_figure_opens_larger_by_a_key_and_is_downloaded_under_its_name(opened):
    first = opened.find_elements(By.CLASS_NAME, "enlarge")[0]
    first.send_keys(Keys.ENTER)
    dialog = opened.find_element(By.CLASS_NAME, "enlarged")
    assert dialog.is_displayed()
    large, small = (part.find_element(By.TAG_NAME, "img") for part in (dialog, first))
    assert large.get_attribute("src") == small.get_attribute("src")
    assert large.size["width"] > small.size["width"]
    saved = (
        "let file; const click = HTMLAnchorElement.prototype.click;"
        "HTMLAnchorElement.prototype.click = function () { file = [this.download, this.href.slice(0, 14)]; };"
        "arguments[0].click(); HTMLAnchorElement.prototype.click = click; return file;"
    )
    name, begins = opened.execute_script(saved, dialog.find_element(By.CSS_SELECTOR, "[type=button]"))
    assert name == f"r-plane of images-{first.get_attribute('data-name')}.svg"
    assert begins == "data:image/svg"
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
