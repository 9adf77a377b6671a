"""An exported page: its script computes what `aejax apply` answers, by Node.js and in a browser, where these are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from modelling import CASES
from PIL import Image
from running import call
from test_export import CLOSE, TASKS, expected, fitted_of, table, trained_of

from aejax import export
from aejax.export.net import features
from aejax.runs import exported

NODE = shutil.which("node")
RUN = """
const {nets, rows} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const number = (value) => value === null ? NaN : value;
console.log(JSON.stringify(nets.map((net, at) => Object.fromEntries(Object.entries(rows[at]).map(([action, values]) => {
  const shape = net.actions[action].shape, data = Float64Array.from(values, number);
  const rows = {shape: [data.length / product(shape), ...shape], data};
  const out = evaluate(net.programs[action], unpacked(net.arrays), rows, net.actions[action].dtype);
  return [action, Object.fromEntries(net.actions[action].answers.map((name, n) => [name, Array.from(out[n].data)]))];
})))));
"""


def net_of(path):
    """What a page holds."""
    text = re.search(r'<script type="application/json" id="net">(.*?)</script>', path.read_text(), re.DOTALL)[1]
    return json.loads(text)


def computed(nets, rows):
    """By net, action and name, the answers of the page's script."""
    script = Path(export.__file__).with_name("net.js").read_text(encoding="utf-8") + RUN
    flat = lambda x: [None if value != value else value for value in np.asarray(x, float).reshape(-1).tolist()]
    inputs = {"nets": nets, "rows": [{name: flat(x) for name, x in each.items()} for each in rows]}
    done = subprocess.run([NODE, "-e", script], input=json.dumps(inputs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_page_stands_alone(tiny, tmp_path, capsys):
    path = tmp_path / "net.html"
    answer = call(["export", str(tiny), "--format", "html", "--output", str(path)], capsys)
    assert answer.code == 0, answer.err
    text = path.read_text()
    assert "{{" not in text.partition("<script>")[0]
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", text)
    net = net_of(path)
    assert net["shape"] == [8]
    assert set(net["programs"]) == {"encode", "decode", "reconstruct"}
    assert net["card"]["data"]["name"] == "clusters"


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="needs Node.js")
def test_every_family_answers_alike_in_javascript(tmp_path):
    nets, rows, wanted = [], [], []
    for number, case in enumerate(CASES):
        trained, x = trained_of(case)
        path = tmp_path / f"{number}.html"
        exported.write(trained, path, "html", {})
        nets.append(net_of(path))
        answers = expected(trained, x)
        rows.append({action: answers[f"{action}/rows"] for action in ("encode", "decode", "reconstruct")})
        wanted.append({action: answers[f"{action}/answer"] for action in rows[-1]})
    for case, answers, known in zip(CASES, computed(nets, rows), wanted, strict=True):
        for action, values in known.items():
            (got,) = answers[action].values()
            np.testing.assert_allclose(got, values.reshape(-1), **CLOSE, err_msg=f"{case} {action}")


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.parametrize("case", ["score of rows with holes", "score by the code", "fill", "assign"])
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_a_task_does_is_computed_in_the_page(case, tmp_path):
    task, holes, settings, kept_of, action = TASKS[case]
    frame = table(holes=holes)
    fitted = fitted_of(task, frame, settings, kept_of)
    path = fitted.export(tmp_path / "net.html", "html")
    net = net_of(path)
    (answers,) = computed([net], [{action: features(frame, net["columns"])}])
    wanted = fitted.apply(action, frame)
    known = {"rows": wanted.reshape(-1)} if action == "fill" else wanted.values
    for name, values in known.items():
        np.testing.assert_allclose(np.array(answers[action][name], float), np.asarray(values, float), **CLOSE)


def test_a_row_of_a_table_in_a_browser(browser, tmp_path):
    task, holes, settings, kept_of, _ = TASKS["score"]
    frame = table(holes=holes)
    fitted = fitted_of(task, frame, settings, kept_of)
    browser.get(fitted.export(tmp_path / "net.html", "html").as_uri())
    row = frame[:1]
    line = ",".join(str(value) for value in row.iloc[0])
    set_value = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));"
    browser.execute_script(set_value, browser.find_element("id", "line"), line)
    state = browser.execute_script("return window.net;")
    np.testing.assert_allclose(state["code"], fitted.encode(row)[0], **CLOSE)
    np.testing.assert_allclose(state["rebuilt"], fitted.reconstruct(row)[0], **CLOSE)
    score = fitted.apply("score", row).values["score"][0]
    assert f"{score:.4g}"[:4] in browser.find_element("id", "answers").text
    maker = browser.find_element("css selector", "select[aria-label=maker]")
    other = "south" if row["maker"].iloc[0] != "south" else "north"
    browser.execute_script(set_value, maker, other)
    state = browser.execute_script("return window.net;")
    np.testing.assert_allclose(state["code"], fitted.encode(row.assign(maker=other))[0], **CLOSE)
    browser.execute_script(set_value, browser.find_element("id", "line"), "1,2")
    assert "7" in browser.find_element("id", "problem").text


def test_an_image_in_a_browser(browser, tmp_path):
    trained, _ = trained_of("vanilla")
    scaling = {"shift": np.zeros((), np.float32), "scale": np.float32(1 / 255)}
    trained = trained._replace(scaling=scaling)
    exported.write(trained, tmp_path / "net.html", "html", {})
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    browser.get((tmp_path / "net.html").as_uri())
    browser.find_element("id", "file").send_keys(str(tmp_path / "image.png"))
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 10).until(lambda b: any(b.execute_script("return window.net.row;")))
    state = browser.execute_script("return window.net;")
    np.testing.assert_allclose(np.reshape(state["row"], (4, 3)), pixels, atol=1)
    assert len(browser.find_elements("css selector", "#images canvas")) == 2
    assert not browser.find_element("id", "answers").is_displayed()
