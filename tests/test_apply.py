"""`aejax apply`: a trained run on new rows, beside the same net in NumPy, and what it refuses."""

import csv
import shutil

import numpy as np
import pytest
from running import TINY, arguments, assert_refused, call, contents

from aejax.runs import rows as table
from aejax.storage import checkpoint

NAMES = ("height", "weight", "age", "score", "width")


def rows(count, seed=0):
    """Rows in units of their own, far from [0, 1]."""
    draw = np.random.default_rng(seed).normal(size=(count, 5))
    return (draw @ np.triu(np.ones((5, 5))) * [1, 20, 3, 100, 0.01] + [170, 70, 40, 500, 2]).astype(np.float32)


def write_csv(path, values, names=()):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([names] if len(names) else [])
        writer.writerows(values.tolist())
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of a run on a table with names and of a run on images, made when first asked for."""
    made = {}

    def of(name, capsys):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            table = write_csv(folder / "table.csv", rows(60), NAMES)
            changes = {
                "table": {
                    "data.name": f"file:{table}",
                    "data.rows": "none",
                    "model.activation": "tanh",
                    "data.scaling": "standard",
                    "model.output": "linear",
                    "terms.reconstruction.name": "reconstruction.squared_error",
                },
                "images": {"data.name": "bars"},
            }
            assert call(arguments({**TINY, **changes[name]}, workdir=folder / "run"), capsys).code == 0
            made[name] = folder / "run"
        return made[name]

    return of


def apply(folder, action, source, target, capsys, *options):
    return call(["apply", str(folder), action, "--input", str(source), "--output", str(target), *options], capsys)


def in_numpy(folder, x):
    """Codes and reconstructions by the formulas, in float64."""
    params = checkpoint.restore_flat(folder / "model", "params")
    scaling = checkpoint.restore_flat(folder / "model", "scaling")
    shift, scale = (scaling[name].astype(np.float64) for name in ("shift", "scale"))
    layer = lambda part, index, a: (
        a @ params[f"{part}/layer{index}/kernel"].astype(np.float64) + params[f"{part}/layer{index}/bias"]
    )
    code = layer("encoder", 1, np.tanh(layer("encoder", 0, (x.astype(np.float64) - shift) * scale)))
    x_hat = layer("decoder", 1, np.tanh(layer("decoder", 0, code)))
    return code, x_hat / scale + shift


@pytest.mark.parametrize("count", [1, 2500])
def test_agrees_with_numpy(count, runs, tmp_path, capsys):
    folder, x = runs("table", capsys), rows(count, seed=1)
    code, x_hat = in_numpy(folder, x)
    np.save(tmp_path / "x.npy", x)
    before = contents(folder)
    for action, expected in (("encode", code), ("reconstruct", x_hat)):
        answer = apply(folder, action, tmp_path / "x.npy", tmp_path / f"{action}.npy", capsys)
        assert (answer.code, answer.err) == (0, "")
        by_place, size = answer.out.splitlines()
        assert "columns are taken by their place" in by_place
        assert size == f"{tmp_path / f'{action}.npy'}: {count} rows of {expected.shape[1]} values"
        found = np.load(tmp_path / f"{action}.npy", allow_pickle=False)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
    assert contents(folder) == before


def test_encode_then_decode_is_reconstruct(runs, tmp_path, capsys):
    folder = runs("table", capsys)
    np.save(tmp_path / "x.npy", rows(7, seed=2))
    for action, source, target in (
        ("encode", "x.npy", "code.csv"),
        ("decode", "code.csv", "decoded.npy"),
        ("reconstruct", "x.npy", "reconstructed.npy"),
    ):
        assert apply(folder, action, tmp_path / source, tmp_path / target, capsys).code == 0
    decoded, reconstructed = np.load(tmp_path / "decoded.npy"), np.load(tmp_path / "reconstructed.npy")
    np.testing.assert_allclose(decoded, reconstructed, rtol=1e-6)


def test_tables_have_a_line_of_names_and_are_read_back(runs, tmp_path, capsys):
    folder, x = runs("table", capsys), rows(6, seed=4)
    write_csv(tmp_path / "x.csv", x, NAMES)
    steps = (
        ("encode", "x.csv", "code.csv", "code0,code1"),
        ("decode", "code.csv", "decoded.csv", ",".join(NAMES)),
        ("reconstruct", "x.csv", "reconstructed.csv", ",".join(NAMES)),
        ("encode", "decoded.csv", "again.csv", "code0,code1"),
    )
    for action, source, target, names in steps:
        assert apply(folder, action, tmp_path / source, tmp_path / target, capsys).code == 0
        lines = (tmp_path / target).read_text().splitlines()
        assert (lines[0], len(lines)) == (names, 7)
    values = lambda name: np.loadtxt(tmp_path / name, delimiter=",", skiprows=1)
    np.testing.assert_allclose(values("decoded.csv"), values("reconstructed.csv"), rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "line"),
    [(("a", "b; c"), "a,b; c"), (('say "a"', "b, c"), '"say ""a""","b, c"'), (("0", "1"), None), (("a", "2019"), None)],
)
def test_names_are_written_where_they_are_read_back_as_names(names, line, tmp_path):
    path, values = tmp_path / "rows.csv", np.array([[0.5, 2], [1, 3]], np.float32)
    table.write(path, values, dict(zip(names, values.T, strict=True)))
    assert (path.read_text().splitlines()[0] == line) == (line is not None)
    found = table.read(path)
    np.testing.assert_array_equal(found.x, values)
    assert found.names == (names if line else ("0", "1"))


def test_csv_and_npy_hold_the_same_numbers(runs, tmp_path, capsys):
    folder, x = runs("table", capsys), rows(3, seed=3)
    np.save(tmp_path / "x.npy", x)
    sources = [tmp_path / "x.npy", write_csv(tmp_path / "x.csv", x), write_csv(tmp_path / "named.csv", x, NAMES)]
    found = []
    for number, source in enumerate(sources):
        assert apply(folder, "encode", source, tmp_path / f"{number}.npy", capsys).code == 0
        assert apply(folder, "encode", source, tmp_path / f"{number}.csv", capsys).code == 0
        csv_codes = np.loadtxt(tmp_path / f"{number}.csv", delimiter=",", skiprows=1)
        found += [np.load(tmp_path / f"{number}.npy"), csv_codes]
    for other in found[1:]:
        np.testing.assert_array_equal(other.astype(np.float32), found[0])


def test_images_in_any_of_their_shapes(runs, tmp_path, capsys):
    folder = runs("images", capsys)
    x = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype(np.float32)
    found = []
    for number, shape in enumerate([(4, 8, 8, 1), (4, 8, 8), (4, 64)]):
        np.save(tmp_path / "x.npy", x.reshape(shape))
        assert apply(folder, "reconstruct", tmp_path / "x.npy", tmp_path / f"{number}.npy", capsys).code == 0
        found.append(np.load(tmp_path / f"{number}.npy"))
    assert found[0].shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert apply(folder, "reconstruct", tmp_path / "x.npy", tmp_path / "flat.csv", capsys).code == 0
    assert np.loadtxt(tmp_path / "flat.csv", delimiter=",").shape == (4, 64)


def _damaged(x, place, value):
    x = x.copy()
    x[place] = value
    return x


X = rows(4)
INPUTS = {
    "fewer columns": (X[:, :4], "encode", "expected rows of 5 values, got 4"),
    "more columns": (np.hstack([X, X]), "reconstruct", "expected rows of 5 values, got 10"),
    "images": (X.reshape(4, 5, 1), "encode", "expected rows of 5 values, got 5x1x1"),
    "rows for codes": (X, "decode", "expected rows of 2 values, got 5"),
    "one row": (X[0], "encode", "shape (5,)"),
    "a number": (X[0, 0], "encode", "shape ()"),
    "no rows": (X[:0], "encode", "shape (0, 5)"),
    "nan": (_damaged(X, (2, 3), np.nan), "encode", "row 3, value 4 is missing"),
    "infinite": (_damaged(X, (2, 3), np.inf), "encode", "row 3"),
    "text": (np.array([["a"] * 5]), "encode", "numbers are needed"),
    "objects": (np.array([None, 1], object), "encode", "Python objects"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_wrong_rows(name, runs, tmp_path, capsys):
    values, action, fragment = INPUTS[name]
    np.save(tmp_path / "x.npy", values)
    (tmp_path / "out.npy").write_bytes(b"older")
    answer = apply(runs("table", capsys), action, tmp_path / "x.npy", tmp_path / "out.npy", capsys, "--strict")
    assert_refused(answer, fragment)
    assert (tmp_path / "out.npy").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "empty"),
        ("height,weight,age,score,width\n", "no row"),
        ("1,2,3,4\n", "expected rows of 5 values, got 4"),
        ("1,2,3,4,\n1,2,3,4,5\n", "row 1, value 5 is missing"),
        (
            "height,weight,age,score,width\n1,2,3,4,5\n1,2,?,4,5\n",
            "row 2, column 'age' is missing; fill it in, leave the",
        ),
        ("1,2,3,4,x\n1,2,3,4,y\n", "unclear"),
        ("height,weight,age,score,width\n1,2,?,4,5\n", "x.csv: row 1, column 'age' is missing; fill it in"),
        ("a,b,c,d,height\n1,2,3,4,5\n", "its columns are not those of the training data"),
    ],
)
def test_wrong_table(text, fragment, runs, tmp_path, capsys):
    (tmp_path / "x.csv").write_text(text)
    answer = apply(runs("table", capsys), "encode", tmp_path / "x.csv", tmp_path / "out.npy", capsys, "--strict")
    assert_refused(answer, fragment)
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    ("source", "target", "fragment"),
    [
        ("no_such.npy", "out.npy", "there is no such file"),
        ("x.docx", "out.npy", "unknown '.docx'; allowed: .arrow, .csv"),
        (".", "out.npy", "is a folder; allowed: a file that ends in .csv, .npy"),
        ("x.npy", "out.txt", "unknown '.txt'; allowed: .csv, .npy"),
        ("x.npy", "out", "allowed: .csv, .npy"),
        ("x.npy", "no/such/out.npy", "there is no folder"),
        ("x.npy", "x.npy/out.npy", "there is no folder"),
        ("x.npy", "folder.npy", "Is a directory"),
    ],
)
def test_wrong_files(source, target, fragment, runs, tmp_path, capsys):
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "folder.npy").mkdir()
    answer = apply(runs("table", capsys), "encode", tmp_path / source, tmp_path / target, capsys)
    assert_refused(answer, fragment)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.npy", "x.npy"]
    assert not list((tmp_path / "folder.npy").iterdir())


def _break_unfinished(folder):
    shutil.rmtree(folder / "model")
    (folder / "summary.json").unlink()


def _break_data(folder):
    (path,) = (folder / "model").glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _write_config(text):
    return lambda folder: (folder / "config.json").write_text(text)


def _other_model_unlisted(folder):
    _write_config('{"model": {"name": "dense.vanilla"}}')(folder)
    (folder / "checksums.json").unlink()


@pytest.mark.parametrize(
    ("break_it", "fragment"),
    [
        (shutil.rmtree, "is no folder of a run"),
        (lambda folder: (folder / "config.json").unlink(), "is no folder of a run"),
        (_break_unfinished, "its run is not finished; go on with aejax run"),
        (_break_data, "no checkpoint that verifies"),
        (_write_config("{"), "config.json: is damaged"),
        (_write_config("[]"), "holds no config"),
        (_write_config("{}"), "holds no config"),
        (_write_config('{"model": {"name": "dense.no_such"}}'), "model.name: unknown 'dense.no_such'"),
        (
            _write_config('{"model": {"name": "dense.vanilla"}}'),
            "config.json: is damaged: it was changed since it was written",
        ),
        (_other_model_unlisted, "does not fit"),
    ],
)
def test_wrong_run(break_it, fragment, runs, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(runs("table", capsys), folder)
    break_it(folder)
    np.save(tmp_path / "x.npy", X)
    assert_refused(apply(folder, "encode", tmp_path / "x.npy", tmp_path / "out.npy", capsys), fragment)
    assert not (tmp_path / "out.npy").exists()


def test_a_file_is_no_run(tmp_path, capsys):
    np.save(tmp_path / "x.npy", X)
    assert_refused(apply(tmp_path / "x.npy", "encode", tmp_path / "x.npy", tmp_path / "out.npy", capsys), "x.npy")
