"""Nets that leave aejax: every family, and what tasks do with new rows, in each format, as `aejax apply` answers."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from modelling import CASES, built
from running import assert_refused, call

import aejax
from aejax import data, export, models
from aejax.config import components
from aejax.config.resolving import component
from aejax.errors import UserError
from aejax.export import folder as folders
from aejax.export import net as runner
from aejax.export import program
from aejax.runs import apply, exported
from aejax.runs.artifact import Trained
from aejax.runs.fitted import Fitted
from aejax.storage import checksums
from aejax.tasks.anomaly import scoring
from aejax.tasks.imputation import Options, new_rows
from aejax.training.build import build_model
from aejax.training.evaluate import on_device
from aejax.types import Kept

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
FORMATS = ("numpy", "onnx", "stablehlo")
WITHOUT = {"numpy": ("jax", "aejax"), "onnx": ("jax", "aejax"), "stablehlo": ("aejax", "flax")}
"""What a process that runs a net of the format does without."""

RUN = """
import importlib.util, sys
without, *folders = sys.argv[1:]
for name in without.split(","):
    sys.modules[name] = None
import numpy as np
for folder in folders:
    spec = importlib.util.spec_from_file_location("net", folder + "/net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net, expected = module.load(), np.load(folder + ".npz")
    for action in {name.partition("/")[0] for name in expected}:
        rows = expected[action + "/rows"]
        for some in (rows, rows[:1]):
            answers = net(action, some)
            answers = answers if isinstance(answers, dict) else {"answer": answers}
            for name, values in answers.items():
                wanted = expected[f"{action}/{name}"][: len(some)]
                np.testing.assert_allclose(values, wanted, 1e-5, 1e-5, err_msg=f"{folder} {action} {name}")
"""


def run_without(format_name, paths):
    """The answers of exported nets, in a process of their own, beside what is expected of them."""
    command = [sys.executable, "-c", RUN, ",".join(WITHOUT[format_name]), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def trained_of(case):
    """A net of a family in memory, of data that are scaled."""
    model, params, x = built(case)
    name, shape, arguments, _ = CASES[case]
    settings = component({"name": name, **arguments}, "aejax.models", what="model")
    rng = np.random.default_rng(3)
    scaling = {"shift": rng.normal(size=shape).astype(np.float32), "scale": np.float32(1.7)}
    info = {"feature_shape": list(shape), "feature_names": []}
    return Trained(model, params, scaling, info, settings, apply.ACTIONS), np.asarray(x).reshape(-1, *shape)


def expected(trained, x):
    """By action, rows and what `aejax apply` answers."""
    codes = apply.apply(trained, "encode", x)
    rows = {"encode": x, "decode": codes, "reconstruct": x}
    answers = {f"{action}/answer": apply.apply(trained, action, each) for action, each in rows.items()}
    return answers | {f"{action}/rows": each for action, each in rows.items()}


def test_every_family_has_a_case():
    assert {name for name, *_ in CASES.values()} >= {*components.available("aejax.models")} - {"binary.rounded"}


@pytest.mark.slow
@pytest.mark.parametrize("format_name", ["numpy", "onnx"])
def test_every_family_answers_alike_without_jax(format_name, tmp_path):
    paths = []
    for number, case in enumerate(CASES):
        trained, x = trained_of(case)
        x = np.where(np.random.default_rng(0).random(x.shape) < 0.2, np.nan, x) if trained.model.takes_missing else x
        paths.append(tmp_path / f"net{number}")
        assert exported.write(trained, paths[-1], format_name, {}) == apply.ACTIONS
        np.savez(tmp_path / f"net{number}.npz", **expected(trained, x))
    run_without(format_name, paths)


@pytest.mark.slow
def test_every_family_answers_alike_as_stablehlo(tmp_path):
    paths = []
    for number, case in enumerate(CASES):
        trained, x = trained_of(case)
        paths.append(tmp_path / f"net{number}")
        exported.write(trained, paths[-1], "stablehlo", {})
        answers = expected(trained, x)
        np.savez(tmp_path / f"net{number}.npz", **{k: v for k, v in answers.items() if k.startswith("reconstruct")})
    run_without("stablehlo", paths)


def table(rows=120, holes=0.0):
    """Numbers, whole numbers, categories of two and of three, seconds since 1970, and prices."""
    rng = np.random.default_rng(0)
    flow = rng.normal(5, 1, rows)
    frame = pd.DataFrame(
        {
            "flow": flow,
            "pressure": 2 * flow + rng.normal(0, 0.2, rows),
            "count": rng.integers(0, 9, rows).astype(float),
            "maker": rng.choice(["north", "south", "west"], rows),
            "on": rng.choice(["no", "yes"], rows),
            "when": 1.7e9 + rng.integers(0, 10**5, rows),
            "price": np.exp(rng.normal(size=rows)),
        }
    )
    for name in ("flow", "pressure", "count", "maker", "on"):
        frame.loc[rng.random(rows) < holes, name] = None
    return frame


def fitted_of(task, frame, settings, kept_of):
    """A net in memory that was not trained, with what its task would have kept."""
    dataset = data.from_frame(frame, categories=("maker", "on"), log=("price",))
    settings = component(settings, "aejax.models", what="model")
    model = build_model(settings, dataset.feature_shape, dataset.columns)
    params = jax.jit(model.init)(jax.random.key(0))
    config = {"model": settings, "task": {"name": task}}
    bare = dataset._replace(train=None, validation=None, test=None)
    return Fitted(model, params, bare, {}, config=config, kept=kept_of(model, params, dataset))


DENSE = {"name": "dense.multilayer", "widths": (6,), "code": 3, "output": "linear"}
MASKED = {"name": "masked.residual", "width": 8, "blocks": 1, "code": 3, "frequencies": 2}


def scorer(score):
    def kept_of(model, params, dataset):
        nets = jax.jit(jax.vmap(model.init))(jax.random.split(jax.random.key(1), 2))
        out = scoring.outputs(model, nets, on_device(dataset.train, dataset))
        about = {"score": score, "neighbours": 3, "residual_weight": 0.3}
        reference = scoring.reference(out, seed=0, **about)
        values = scoring.scores(out, reference, **about)[score]
        mean = scoring.means(model, dataset)
        return scoring.to_keep(nets, reference, mean, float(np.quantile(values, 0.7)), **about)

    return kept_of


def imputer(model, params, dataset):
    return new_rows.keep(jax.random.key(2), model, params, dataset, None, Options())


def clusterer(model, params, dataset):
    return Kept({"centres": np.random.default_rng(4).normal(size=(4, model.code_size))}, {})


def clusterer_of_features(model, params, dataset):
    return Kept({"centres": np.random.default_rng(4).normal(size=(4, *model.feature_shape))}, {"features": True})


TASKS = {
    "score": ("anomaly", 0.0, DENSE, scorer("neighbours"), "score"),
    "score of rows with holes": ("anomaly", 0.15, MASKED, scorer("neighbours"), "score"),
    "score by trimmed rows": ("anomaly", 0.0, DENSE, scorer("trimmed"), "score"),
    "score by the code": ("anomaly", 0.0, DENSE, scorer("both"), "score"),
    "score by the error": ("anomaly", 0.0, DENSE, scorer("error"), "score"),
    "fill": ("imputation", 0.2, MASKED, imputer, "fill"),
    "fill by the net alone": ("reconstruction", 0.2, MASKED, lambda *_: None, "fill"),
    "assign": ("clustering", 0.0, DENSE, clusterer, "assign"),
    "assign by the features": ("clustering", 0.0, DENSE, clusterer_of_features, "assign"),
    "score of rows with means in their holes": ("anomaly", 0.15, DENSE, scorer("both"), "score"),
    "assign rows with means in their holes": ("clustering", 0.15, DENSE, clusterer, "assign"),
    "denoise rows with means in their holes": ("denoising", 0.15, DENSE, lambda *_: None, "denoise"),
    "denoise": ("denoising", 0.0, DENSE, lambda *_: None, "denoise"),
}


@pytest.mark.parametrize("format_name", [*FORMATS[:1], *(pytest.param(f, marks=pytest.mark.slow) for f in FORMATS[1:])])
@pytest.mark.parametrize("case", TASKS)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # of a price that is rounded to 0
def test_what_a_task_does_goes_along(case, format_name, tmp_path):
    task, holes, settings, kept_of, action = TASKS[case]
    frame = table(holes=holes)
    fitted = fitted_of(task, frame, settings, kept_of)
    net = runner.load(fitted.export(tmp_path / "net", format_name))
    wanted, answers = fitted.apply(action, frame), net(action, frame)
    if isinstance(answers, np.ndarray):
        assert not np.isnan(answers).any()
        np.testing.assert_allclose(answers, wanted, **CLOSE)
        return
    assert answers.keys() == wanted.values.keys()
    for name, values in wanted.values.items():
        np.testing.assert_allclose(answers[name], values, **CLOSE)
    assert len(np.unique(answers[min(answers)])) > 1
    np.testing.assert_allclose(net("encode", frame), fitted.encode(frame), **CLOSE)
    for name, values in net(action, frame[:5].to_dict("records")).items():
        np.testing.assert_allclose(values, answers[name][:5], **CLOSE)


@pytest.fixture
def net_folder(tiny, tmp_path, capsys):
    answer = call(["export", str(tiny), "--output", str(tmp_path / "net")], capsys)
    assert answer.code == 0
    assert answer.out == f"{tmp_path / 'net'}: encode, decode, reconstruct, as numpy\n"
    return tmp_path / "net"


def test_the_command_writes_what_apply_answers(tiny, net_folder):
    trained = apply.load(tiny)
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    np.testing.assert_allclose(runner.load(net_folder)("encode", x), apply.apply(trained, "encode", x), **CLOSE)


def test_a_card_travels_along(tiny, net_folder):
    card = json.loads((net_folder / "card.json").read_text())
    summary = json.loads((tiny / "summary.json").read_text())
    assert card["format"] == "numpy"
    dataset = json.loads((tiny / "dataset.json").read_text())
    assert card["data"] == {name: dataset[name] for name in ("name", "source", "licence", "rows")}
    assert card["data"]["name"] == "clusters"
    assert (card["metrics"], card["baselines"]) == (summary["metrics"], summary["baselines"])
    assert card["parameters"]["sha256"] == summary["parameters_digest"]
    assert card["config"]["model"]["name"] == "dense.multilayer"
    assert card["versions"]["jax"] == jax.__version__
    assert card["actions"]["decode"] == {"shape": [2], "dtype": "float32", "answers": ["rows"]}


def test_a_net_from_memory_has_a_card_too(tmp_path):
    fitted = fitted_of("reconstruction", table(), DENSE, lambda *_: None)
    card = json.loads((fitted.export(tmp_path / "net") / "card.json").read_text())
    assert card["data"] == {"name": "frame", "source": fitted.data.source, "licence": fitted.data.licence}
    assert (card["model"]["name"], card["versions"]["jax"]) == ("dense.multilayer", jax.__version__)
    assert [column["name"] for column in card["columns"]] == list(table().columns)


def test_an_opened_run_has_the_card_of_the_run(tiny, tmp_path):
    card = json.loads((aejax.open(tiny).export(tmp_path / "net") / "card.json").read_text())
    assert card["data"]["name"] == "clusters"
    assert card["metrics"] == json.loads((tiny / "summary.json").read_text())["metrics"]


def test_a_changed_byte_is_found(net_folder):
    content = bytearray((net_folder / "net.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (net_folder / "net.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.npz: is damaged"):
        runner.load(net_folder)


def test_rows_that_do_not_fit_are_refused(net_folder):
    net = runner.load(net_folder)
    with pytest.raises(ValueError, match="unknown action 'enc'; allowed: encode, decode, reconstruct"):
        net("enc", np.zeros((2, 8)))
    for wrong in (np.zeros((2, 7)), np.zeros(8)):
        with pytest.raises(ValueError, match="expected rows of"):
            net("encode", wrong)
    with pytest.raises(ValueError, match="row 2 has a missing value, and this net takes none"):
        net("encode", [[0] * 8, [float("nan")] * 8])


def test_tables_that_do_not_fit_are_refused():
    columns = [{"name": "maker", "start": 0, "size": 1, "categories": ["north", "south"]}]
    with pytest.raises(ValueError, match="unknown 'east'; allowed: north, south"):
        runner.features({"maker": ["north", "east"]}, columns)
    with pytest.raises(ValueError, match="no column 'maker'"):
        runner.features({"made": ["north"]}, columns)
    np.testing.assert_array_equal(runner.features([{"maker": "south"}, {"maker": None}], columns), [[1], [np.nan]])


def test_mistakes_are_one_line(tiny, net_folder, tmp_path, capsys, monkeypatch):
    command = lambda *words: call(["export", *map(str, words)], capsys)
    assert_refused(command(tiny, "--output", net_folder), "is there already")
    assert_refused(command(tiny, "--output", tmp_path / "a", "--format", "numpi"), "did you mean 'numpy'?")
    assert_refused(command(tiny, "--output", tmp_path / "no" / "net"), "there is no folder")
    assert_refused(command(tmp_path, "--output", tmp_path / "a"), "is no folder of a run")
    halves = [tmp_path / "encoder", tmp_path / "decoder"]
    (tmp_path / "word").write_text("secret\n")
    options = ["--encoder", halves[0], "--decoder", halves[1], "--passphrase-file", tmp_path / "word"]
    assert call(["split", str(tiny), *map(str, options)], capsys).code == 0
    assert_refused(command(halves[0], "--output", tmp_path / "a"), "is half of a net; allowed: the folder of a run")
    monkeypatch.setattr(folders, "find_spec", lambda name: None)
    line = "--format stablehlo: flatbuffers is not installed; allowed: pip install 'aejax[stablehlo]'"
    assert_refused(command(tiny, "--output", tmp_path / "a", "--format", "stablehlo"), line)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("case", ["score of rows with holes", "fill", "assign"])
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_folder_for_the_hub_is_read_again(case, tmp_path):
    task, holes, settings, kept_of, action = TASKS[case]
    frame = table(holes=holes)
    fitted = fitted_of(task, frame, settings, kept_of)
    again = aejax.open(fitted.export(tmp_path / "net", "huggingface"))
    for name in ("encode", "reconstruct", action):
        wanted, answers = (each.apply(name, frame) for each in (fitted, again))
        if name == action != "fill":
            wanted, answers = (np.stack(list(each.values.values())) for each in (wanted, answers))
        np.testing.assert_array_equal(answers, wanted)


def test_a_folder_for_the_hub_vouches_for_itself(tiny, tmp_path, capsys):
    folder, x, out = tmp_path / "net", tmp_path / "x.npy", tmp_path / "codes.npy"
    assert call(["export", str(tiny), "--output", str(folder), "--format", "huggingface"], capsys).code == 0
    assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    text = (folder / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: aejax\n")
    assert "| pca |" in text
    np.save(x, np.zeros((2, 8), np.float32))
    command = ["apply", str(folder), "encode", "--input", str(x), "--output", str(out)]
    assert call(command, capsys).code == 0
    np.testing.assert_array_equal(np.load(out), apply.apply(apply.load(tiny), "encode", np.load(x)))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"sha256": "0"}))
    assert_refused(call(command, capsys), "config.json: is damaged: it does not have the SHA-256")
    record = {name: value for name, value in config.items() if name != "seal"}
    record["config"]["task"] = {"name": "os.system"}
    (folder / "config.json").write_text(checksums.sealed(record))
    assert_refused(call(command, capsys), "os.system", "--trust")
    (folder / "config.json").write_text(checksums.sealed(record | {"config": None}))
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert_refused(call(command, capsys), "model.safetensors: is damaged")


def test_the_hub_reads_the_header(tiny, tmp_path):
    yaml = pytest.importorskip("yaml", reason="needs the extra docs: pip install '.[docs]'")
    aejax.open(tiny).export(tmp_path / "net", "huggingface")
    _, header, text = (tmp_path / "net" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header) == {"library_name": "aejax", "tags": ["aejax", "autoencoder", "jax"]}
    assert text.startswith("\n# dense.multilayer: 8 values to a code of 2\n")


def net_of(encode):
    """A net that somebody wrote."""
    init = lambda key: {"kernel": jax.random.normal(key, (4, 2))}
    decode = lambda params, code: code @ params["kernel"].T
    return models.from_functions(init, encode, decode, feature_shape=(4,), code_size=2)


def export_own(encode, path, format_name):
    model = net_of(encode)
    net = export.Net(
        model, model.init(jax.random.key(0)), *(np.ones(4, np.float32),) * 2, np.zeros(4), np.zeros(4, bool)
    )
    return export.write(net, path, format_name, {})


CONVOLUTIONS = {
    "strided": (("NHWC", "HWIO", "NHWC"), "SAME", (2, 2), (1, 1)),
    "channels first": (("NCHW", "OIHW", "NCHW"), "VALID", (1, 2), (1, 1)),
    "transposed and cut": (("NHWC", "HWIO", "NHWC"), [(1, 2), (-1, 1)], (1, 1), (2, 3)),
    "of series": (("NHC", "HIO", "NHC"), "SAME", (1,), (1,)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_convolutions_of_own_nets_are_sums_of_windows(case):
    layout, padding, strides, spread = CONVOLUTIONS[case]
    rng = np.random.default_rng(0)
    shape = [{"C": 4, "H": 7, "W": 6}[axis] for axis in layout[0][1:]]
    kernel = rng.normal(size=[{"I": 4, "O": 5, "H": 3, "W": 2}[axis] for axis in layout[1]]).astype(np.float32)
    settings = {"lhs_dilation": spread, "dimension_numbers": layout}
    convolve = lambda x: {"y": jax.lax.conv_general_dilated(x, kernel, strides, padding, **settings)}
    traced = program.trace(convolve, shape, "float32")
    x = rng.normal(size=(3, *shape)).astype(np.float32)
    np.testing.assert_allclose(runner.evaluate(traced.record(), traced.arrays, x)[0], convolve(x)["y"], **CLOSE)


def test_what_cannot_leave_is_named(tmp_path):
    by_length = lambda params, x: x.reshape(len(x), -1) @ params["kernel"]
    with pytest.raises(UserError, match=r"for any number of rows .*; allowed: x.shape\[0\], not len\(x\)"):
        export_own(by_length, tmp_path / "net", "numpy")
    sorting = lambda params, x: jnp.sort(x, axis=1) @ params["kernel"]
    with pytest.raises(UserError, match=r"uses sort in a way .* allowed: the format stablehlo"):
        export_own(sorting, tmp_path / "net", "numpy")
    largest = lambda params, x: jax.lax.top_k(x, 2)[1].astype(jnp.float32)
    with pytest.raises(UserError, match="uses top_k in a way"):
        export_own(largest, tmp_path / "net", "numpy")
    assert not (tmp_path / "net").exists()
    assert export_own(sorting, tmp_path / "net", "stablehlo") == apply.ACTIONS
