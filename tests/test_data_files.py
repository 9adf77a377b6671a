"""A person's own table: every kind of file, missing values, labels, and one line for each mistake."""

import gzip

import numpy as np
import pytest

from aejax import data
from aejax.data.splits import permutation
from aejax.errors import UserError

NAN = float("nan")


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def save(tmp_path):
    def save(name, **arrays):
        path = tmp_path / name
        if name.endswith(".npz"):
            np.savez(path, **arrays)
        else:
            np.save(path, **arrays)
        return path

    return save


def all_rows(path, **options):
    """All rows as training rows, in the order of the file."""
    return data.load(f"file:{path}", validation=0, test=0, **options)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_csv(write, end, comma, header):
    lines = [["a", "b c"]] * header + [["1", "-2.5"], ["3e2", " 4 "]]
    path = write("t.csv", end.join(comma.join(line) for line in lines) + end)
    x, mask, names = data.read_rows(path)
    np.testing.assert_array_equal(x, np.array([[1, -2.5], [300, 4]], np.float32))
    assert x.dtype == np.float32
    assert mask is None
    assert names == (("a", "b c") if header else ("0", "1"))


def test_csv_quotes_blank_lines_and_byte_order_mark(write):
    path = write("t.csv", '\ufeff"a, really","b"\n\n"1","2"\n\n3,4\n')
    x, _, names = data.read_rows(path)
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    assert names == ("a, really", "b")


def test_a_column_of_row_names_without_a_name_is_called_by_its_place(write):
    assert data.read_rows(write("t.csv", ",b\n1,2\n"))[2] == ("0", "b")


@pytest.mark.parametrize("token", ["", " ", "NA", "nan", "NaN", "?", "null", "None", "n/a"])
def test_missing_values_are_a_mask_and_hold_the_training_mean(write, token):
    path = write("t.csv", f"a,b\n1,10\n{token},20\n4,60\n")
    x, mask, _ = data.read_rows(path)
    np.testing.assert_array_equal(mask, [[True, True], [False, True], [True, True]])
    np.testing.assert_array_equal(x, np.array([[1, 10], [NAN, 20], [4, 60]], np.float32))
    dataset = all_rows(path)
    np.testing.assert_array_equal(dataset.train.mask, mask)
    np.testing.assert_array_equal(dataset.train.x, [[1, 10], [2.5, 20], [4, 60]])
    np.testing.assert_array_equal(dataset.shift, [1, 10])


def test_the_mean_that_fills_gaps_comes_from_training_rows_only(save):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    x[rng.random(x.shape) < 0.3] = NAN
    x[np.isnan(x).all(1), 0] = 0  # rows of which nothing is known are refused
    dataset = data.load(f"file:{save('t.npy', arr=x)}", validation=0.2, test=0.3)
    train = np.where(dataset.train.mask, dataset.train.x, NAN)
    mean = np.nanmean(train.astype(np.float64), axis=0)
    for part in (dataset.train, dataset.validation, dataset.test):
        assert not np.isnan(part.x).any()
        gaps = np.argwhere(~part.mask)
        assert len(gaps)
        for row, column in gaps:
            assert part.x[row, column] == pytest.approx(mean[column], rel=1e-6)


@pytest.mark.parametrize(("ending", "name"), [("csv", "b"), ("npy", "1")])
def test_a_column_without_any_value_is_a_mistake_in_rows_to_train_on(ending, name, save, write):
    rows = np.array([[1, NAN], [2, NAN]])
    path = save("t.npy", arr=rows) if ending == "npy" else write("t.csv", "a,b\n1,\n2,NA\n")
    with pytest.raises(UserError, match=f"every value of column '{name}' is missing; drop the column"):
        data.load(f"file:{path}")
    np.testing.assert_array_equal(data.read_rows(path)[0], rows)  # new rows may be so


def test_a_column_without_a_training_value_is_a_mistake(save):
    x = np.arange(40.0).reshape(20, 2)
    x[1:, 1] = NAN
    path = save("t.npy", arr=x)
    seed = next(s for s in range(100) if 0 in permutation(s, 20)[:4])  # row 0 is a test row
    with pytest.raises(
        UserError,
        match="training rows: every value of column '1' is missing; drop the column or choose another split_seed",
    ):
        data.load(f"file:{path}", split_seed=seed)


def test_text_labels_are_sorted(write):
    path = write("t.csv", "a,kind,b\n1,oak,5\n2,elm,6\n3,oak,7\n")
    dataset = all_rows(path, label_column="kind")
    assert dataset.label_names == ("elm", "oak")
    assert dataset.train.labels.tolist() == [1, 0, 1]
    assert dataset.train.labels.dtype == np.int32
    assert dataset.feature_names == ("a", "b")
    np.testing.assert_array_equal(dataset.train.x, [[1, 5], [2, 6], [3, 7]])


def test_numeric_labels_are_sorted_as_numbers_and_columns_without_names_have_numbers(write):
    dataset = all_rows(write("t.csv", "1,10\n2,9\n3,10.0\n"), label_column="1")
    assert dataset.label_names == ("9", "10")
    assert dataset.train.labels.tolist() == [1, 0, 1]


def test_read_rows_leaves_out_the_labels(write):
    x, _, names = data.read_rows(write("t.csv", "a,y\n1,p\n2,q\n"), label_column="y")
    assert (x.tolist(), names) == ([[1], [2]], ("a",))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8, bool])
def test_npy(save, dtype):
    values = np.array([[0, 1], [1, 1], [0, 0]]).astype(dtype)
    dataset = all_rows(save("t.npy", arr=values))
    np.testing.assert_array_equal(dataset.train.x, values.astype(np.float32))
    assert dataset.train.x.dtype == np.float32
    assert dataset.kind == "table"


def test_npz_with_labels_and_with_named_labels(save):
    x = np.arange(6.0).reshape(3, 2)
    path = save("t.npz", x=x, y=np.array([7, 3, 7]), other=np.array(["b", "a", "b"]))
    dataset = all_rows(path)
    assert (dataset.label_names, dataset.train.labels.tolist()) == (("3", "7"), [1, 0, 1])
    named = all_rows(path, label_column="other")
    assert (named.label_names, named.train.labels.tolist()) == (("a", "b"), [1, 0, 1])
    np.testing.assert_array_equal(named.train.x, x)


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 4, 4, 1), (5, 4, 4, 3)])
def test_byte_images_stay_bytes_and_are_scaled_by_255(save, shape):
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    dataset = all_rows(save("t.npz", images=values, person=np.arange(5)), label_column="person")
    assert dataset.kind == "image"
    assert dataset.train.x.dtype == np.uint8
    assert dataset.feature_shape == (4, 4, shape[3] if len(shape) == 4 else 1)
    scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
    np.testing.assert_allclose(scaled.reshape(shape), values / 255.0, rtol=1e-6)


def test_float_images_are_scaled_by_one_range_for_all_pixels(save):
    values = np.random.default_rng(0).normal(size=(9, 4, 4))
    dataset = all_rows(save("t.npy", arr=values))
    scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
    expected = (values - values.min()) / (values.max() - values.min())
    np.testing.assert_allclose(scaled[..., 0], expected, atol=1e-6)


def test_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    columns = {"i": [1, None, 3], "f": [0.5, 1.5, None], "b": [True, False, None], "kind": ["x", "y", "x"]}
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    x, mask, names = data.read_rows(path, label_column="kind")
    np.testing.assert_array_equal(x, np.array([[1, 0.5, 1], [NAN, 1.5, 0], [3, NAN, NAN]], np.float32))
    np.testing.assert_array_equal(mask, ~np.isnan(x))
    assert names == ("i", "f", "b")
    assert all_rows(path, label_column="kind").label_names == ("x", "y")
    with pytest.raises(UserError, match="column 'kind' holds text"):
        data.read_rows(path)


def test_parquet_without_pyarrow_says_what_to_install(write):
    import subprocess
    import sys

    path = write("t.parquet", b"PAR1")
    program = f"""
import sys
sys.modules["pyarrow"] = None
from aejax import data
from aejax.data.splits import permutation
try:
    data.read_rows({str(path)!r})
except data.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'aejax[parquet]'" in done.stdout


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "the file is empty"),
        ("a,b\n", "a line of names but no row"),
        ("1,2\n3\n", "line 2 has 1 cells, the first line has 2"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells"),
        ("a,a\n1,2\n", "two columns have the name 'a'"),
        ("5.1,setosa\n4.9,setosa\n", "the first line holds names .'setosa'. and numbers .'5.1'."),
        ("a,city\n1,Madrid\n", "column 'city' holds text .'Madrid' in row 1.; encode it as numbers, drop it, or name"),
        ("a,b\n1,2\n3,inf\n", "row 2, column 'b' holds inf, which is infinite"),
        (
            "a,b\n1,2\n3,inf\n",
            r"cells, \?, n/a, na, nan, none, null, -, #n/a, <na> .in either case. mean missing",
        ),
        ("a;b\n1,423;2\n", r"column 'a' holds '1,423', which may be 1423 .with data.decimal=.. or 1.423"),
        ("a;b\n14,23 kg;2\n", "row 1.; encode it as numbers"),
        ("a,b\n1,2\n3,-1e39\n", "row 2, column 'b' holds -1e.39"),
        ("a,b\n1,\n3,4\n,NA\n", "every value of row 3 is missing; drop the row"),
        ("a,b\n1,1_0\n", "column 'b' holds text"),
        (b"a,b\n\xff\xfe,2\n", "not a text file in UTF-8"),
    ],
)
def test_mistakes_in_a_csv_get_one_line(write, content, line):
    with pytest.raises(UserError, match=line) as caught:
        data.read_rows(write("t.csv", content))
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "label", "line"),
    [
        ("a,kind\n1,2\n", "king", "unknown 'king' .did you mean 'kind'..; allowed: a, kind"),
        ("a,y\n1,p\n2,\n", "y", "the label of row 2 is missing"),
        ("a,y\n1,0.5\n", "y", "labels must be whole numbers or names; got 0.5"),
        ("a,y\n1,inf\n", "y", "labels must be whole numbers or names; got inf"),
        ("y\n1\n", "y", "no column besides the labels"),
    ],
)
def test_mistakes_with_labels_get_one_line(write, content, label, line):
    with pytest.raises(UserError, match=line) as caught:
        data.load(f"file:{write('t.csv', content)}", label_column=label)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.arange(3.0), r"has the shape \(3,\); allowed: \(rows, features\)"),
        (np.zeros((0, 3)), "with one row or more"),
        (np.zeros((2, 3, 32, 32)), r"shape \(2, 3, 32, 32\), which looks like images with their channels first"),
        (np.zeros((2, 1, 8, 6)), r"allowed: \(rows, height, width, channels\), such as numpy.moveaxis\(x, 1, 3\)"),
        (np.zeros((2, 2), complex), "holds values of type complex128; numbers are needed"),
        (np.array([["a", "b"]]), "numbers are needed"),
        (np.array([[1, np.inf]]), "row 1, column '1' holds inf"),
        (np.array([[[1.0, 2], [3, np.inf]]]), r"row 1, column \(1, 1, 0\) holds inf"),
        (np.array([[1, NAN], [NAN, NAN]]), "every value of row 2 is missing; drop the row"),
    ],
)
def test_mistakes_in_a_npy_get_one_line(save, array, line):
    with pytest.raises(UserError, match=line) as caught:
        data.read_rows(save("t.npy", arr=array))
    assert "\n" not in str(caught.value)


def test_no_file_is_unpickled(tmp_path):
    np.save(tmp_path / "t.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="it holds Python objects"):
        data.read_rows(tmp_path / "t.npy")


@pytest.mark.parametrize("name", ["t.npy", "t.npz", "t.parquet"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04garbage", b"\x93NUMPY\x01\x00"])
def test_damaged_files_get_one_line(write, name, content):
    with pytest.raises(UserError, match="not a ") as caught:
        data.read_rows(write(name, content))
    assert "\n" not in str(caught.value)


def test_a_cut_npz_gets_one_line(save):
    path = save("t.npz", x=np.arange(2000.0).reshape(100, 20))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match="not a NumPy file of numbers"):
        data.read_rows(path)


@pytest.mark.parametrize(
    ("arrays", "options", "line"),
    [
        ({"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}, {}, "needs an array 'x' of features; it has a, b"),
        ({"x": np.zeros((2, 2)), "y": np.zeros(3)}, {}, "3 labels in 'y', but 2 rows in 'x'"),
        ({"x": np.zeros((2, 2))}, {"label_column": "z"}, "unknown 'z'; allowed: x"),
        ({"x": np.zeros((2, 2)), "y": np.zeros((2, 2))}, {}, "labels must be one whole number or one name"),
    ],
)
def test_mistakes_in_a_npz_get_one_line(save, arrays, options, line):
    with pytest.raises(UserError, match=line):
        data.load(f"file:{save('t.npz', **arrays)}", **options)


def test_no_such_file_and_unknown_endings(tmp_path, write):
    with pytest.raises(UserError, match="there is no such file"):
        data.read_rows(tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match=r"unknown '.docx'; allowed: .arrow, .csv, .csv.bz2"):
        data.read_rows(write("t.docx", "1"))
    with pytest.raises(UserError, match=r"unknown '.npy.gz'"):
        data.read_rows(write("t.npy.gz", gzip.compress(b"1,2\n")))


@pytest.mark.parametrize("name", ["pics", "rows.npy"])
def test_a_folder_is_named_as_one(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="is a folder; allowed: a file that ends in"):
        data.load(f"file:{tmp_path / name}")


def test_an_archive_under_another_ending_is_read_as_what_it_is(save):
    x = np.arange(6.0).reshape(3, 2)
    path = save("t.npz", x=x, y=np.array([1, 0, 1]))
    np.testing.assert_array_equal(data.read_rows(path.rename(path.with_suffix(".npy")))[0], x)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("ending", ["npy", "npz", "csv", "parquet"])
def test_a_file_with_bytes_changed_is_read_or_gets_one_line(save, tmp_path, ending, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 3)).round(3)
    path = tmp_path / f"t.{ending}"
    if ending in ("npy", "npz"):
        save(path.name, **{"x" if ending == "npz" else "arr": x})
    elif ending == "csv":
        np.savetxt(path, x, delimiter=",", header="a,b,c", comments="")
    else:
        pandas = pytest.importorskip("pandas")
        pandas.DataFrame(x, columns=list("abc")).to_parquet(path)
    content = bytearray(path.read_bytes())
    for at in rng.integers(0, len(content), 4):
        content[at] = rng.integers(256)
    path.write_bytes(content)
    refusal = ""
    try:
        data.load(f"file:{path}")
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
