"""The wrapper of pandas: numbers to the same bits as Python's, and what is understood of a file, said in lines."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aejax import cli, data
from aejax.data.files import load_file
from aejax.data.labels import as_labels
from aejax.data.table_files import read_table
from aejax.data.tables import numbers
from aejax.errors import UserError

SIGNED = st.sampled_from(["", "-", "+"])
DIGITS = st.text("0123456789", min_size=1, max_size=30)
DECIMALS = st.builds(lambda sign, a, b, e: f"{sign}{a}.{b}e{e}", SIGNED, DIGITS, DIGITS, st.integers(-320, 300))
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda value: f"{value:.9g}"),
    st.builds(lambda sign, digits: sign + digits, SIGNED, DIGITS),
    DECIMALS,
)


def written(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), st.sampled_from([",", ";", "\t", "|", " "]))
def test_numbers_have_the_bits_of_python(tmp_path, rows, separator):
    lines = [f"a{separator}b", *(separator.join(row) for row in rows)]
    columns = read_table(written(tmp_path, "\n".join(lines) + "\n")).columns
    for name, texts in zip("ab", zip(*rows, strict=True), strict=True):
        expected = np.array([float(text) for text in texts])
        assert numbers(columns[name]).tobytes() == expected.tobytes()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e30, 1e30).map(repr), min_size=1, max_size=5))
def test_features_have_the_bits_of_python_in_float32(tmp_path, texts):
    x, mask, _ = data.read_rows(written(tmp_path, "\n".join(["a", *texts]) + "\n"))
    assert x.tobytes() == np.array([[float(text)] for text in texts], np.float32).tobytes()
    assert mask is None


# The header.


def table(first, rows):
    return "\n".join([",".join(map(str, first)), *(",".join(map(str, row)) for row in rows)]) + "\n"


DECIMAL_ROWS = np.round(np.random.default_rng(0).uniform(0, 1, (20, 6)), 4)
WHOLE_ROWS = np.random.default_rng(0).integers(0, 17, (20, 64))


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        (range(6), DECIMAL_ROWS),
        (range(1, 7), DECIMAL_ROWS),
        (range(1990, 1996), DECIMAL_ROWS),
        ([400.5, 402.5, 404.5, 406.5, 408.5, 410.5], DECIMAL_ROWS),
        (range(64), WHOLE_ROWS),
    ],
)
def test_a_header_of_numbers_is_a_header(tmp_path, first, rows):
    read = read_table(written(tmp_path, table(first, rows)))
    assert tuple(read.columns) == tuple(map(str, first))
    size = f"{len(rows)} rows of {len(read.columns)} columns between commas"
    assert read.understood == (f"{size}, the numbers in the first line are names",)


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        (range(6), DECIMAL_ROWS[:5]),  # too few to tell
        (range(2), DECIMAL_ROWS[:, :2]),
        (DECIMAL_ROWS[0], DECIMAL_ROWS[1:]),
        (WHOLE_ROWS[0], WHOLE_ROWS[1:]),
        (range(5), [range(start, start + 5) for start in range(1, 30)]),  # all rows count
        ([5] * 6, DECIMAL_ROWS),
    ],
)
def test_a_row_of_numbers_is_a_row(tmp_path, first, rows):
    read = read_table(written(tmp_path, table(first, rows)))
    size = f"{1 + len(rows)} rows of {len(read.columns)} columns between commas"
    assert read.understood == (f"{size}, no line of names",)
    assert tuple(read.columns) == tuple(map(str, range(len(list(first)))))


@pytest.mark.parametrize(("trained", "label", "rows"), [(("3", "2"), "1", 1), (("3", "2"), None, 2), ((), None, 2)])
def test_a_line_with_the_names_of_the_training_data_is_a_header(tmp_path, trained, label, rows):
    columns = read_table(written(tmp_path, "1,2,3\n4,5,6\n"), trained, label).columns
    assert {len(cells.values) for cells in columns.values()} == {rows}


# Separators and encodings.


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a|b|c\n1|2|3\n", "bars"),
        ("a b c\n1 2  3\n 4 5 6 \n", "blanks"),
        ("1,5;2,5\n3,5;4,5\n", "semicolons"),
        ('a,b\n"1,5",2\n', "commas"),
        ("a,\tb\n1,\t2\n", "commas"),
        ("two words\n1\n2\n", "commas"),
        ("sep=|\na|b\n1|2\n", "bars"),
    ],
)
def test_the_separator_is_seen_and_said(tmp_path, text, separator):
    assert f"columns between {separator}, " in read_table(written(tmp_path, text)).understood[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a|b\n1|2\n3\n", r"line 3 has 1 cells, the first line has 2 \(between bars\)"),
        ("a b c\n" + "1 2 3\n" * 60 + "1 2\n", r"line 62 has 2 cells, the first line has 3 \(between blanks\)"),
    ],
)
def test_a_line_of_another_length_names_the_separator(tmp_path, text, line):
    with pytest.raises(UserError, match=line):
        read_table(written(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_in_utf_8_and_utf_16(tmp_path, encoding):
    path = written(tmp_path, "größe,b\n1,2\n".encode(encoding))
    assert list(read_table(path).columns) == ["größe", "b"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,b\n1,2\n".encode("utf-16-le"), "it holds a zero byte; save it as CSV in UTF-8"),
        (b'a,b\n1,"2\n3,4\n', r"not a readable CSV file: unexpected end of data \(line 3\)"),
        (b"\n\n", "the file is empty"),
    ],
)
def test_what_is_no_table_gets_one_line(tmp_path, content, line):
    with pytest.raises(UserError, match=line):
        read_table(written(tmp_path, content))


# Codes, missing values, Parquet.


@pytest.mark.parametrize(
    ("codes", "classes"),
    [
        (["01234", "1234", "00501", "501"], ("501", "1234", "00501", "01234")),
        (["1E5", "100000", "2E3", "2000"], ("2000", "2E3", "100000", "1E5")),
        (["1", "1.0", "2.", "+2"], ("1", "2")),
        (["1.00e+00", "1", "2.00e+00"], ("1", "2")),
    ],
)
def test_codes_are_names_and_only_whole_numbers_are_alike(tmp_path, codes, classes):
    rows = [f"{code},{row}" for row, code in enumerate(codes * 3)]
    path = written(tmp_path, "code,b\n" + "\n".join(rows) + "\n")
    assert set(load_file(str(path), None, ("code",)).columns[0].categories) == set(classes)
    assert set(load_file(str(path), "code").label_names) == set(classes)
    assert len(as_labels(np.array(codes), "labels").names) == len(classes)


def test_words_for_missing_values_are_said_by_column(tmp_path):
    text = "alley,b\n" + "".join(f"{('None', 'Grvl', 'Pave')[row % 3]},{row if row else ''}\n" for row in range(9))
    understood = read_table(written(tmp_path, text)).understood
    assert understood == (
        "9 rows of 2 columns between commas, names in the first line",
        "'None' is read as a missing value in 'alley' (3)",
        "an empty cell is read as a missing value in 'b' (1)",
    )


def test_an_example_of_a_number_is_said_with_the_digits_that_it_has(tmp_path):
    path = written(tmp_path, "a;b\n" + "".join(f"{row},4;{row}\n" for row in range(75, 84)))
    assert "column 'a' holds numbers: '75,4' is read as 75.4" in load_file(str(path), None).understood


def test_a_file_is_shown_as_it_was_understood(tmp_path, capsys):
    path = written(tmp_path, "a;kind\n" + "".join(f"{row},5;{'NA' if row == 2 else 'x'}\n" for row in range(9)))
    assert not cli.main(["data", "show", str(path)])
    said = capsys.readouterr().out
    assert f"{path}: 9 rows of 2 columns between semicolons, names in the first line" in said
    assert "'NA' is read as a missing value in 'kind' (1)" in said
    assert "'0,5' is read as 0.5" in said
    assert "4.5" in said
    assert "5.5" not in said


def test_the_types_of_parquet(tmp_path):
    import datetime
    import decimal

    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    day = datetime.date(2020, 1, 2)
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([1, None, 3], "Int64"),
            "truth": pandas.array([True, None, False], "boolean"),
            "decimal": [decimal.Decimal("0.1"), None, decimal.Decimal("2")],
            "kind": pandas.Categorical(["x", None, "y"]),
            "day": [day, day, None],
        },
        index=[7, 8, 9],
    )
    frame.to_parquet(tmp_path / "t.parquet")
    columns = read_table(tmp_path / "t.parquet").columns
    assert list(columns) == list(frame.columns)  # the index has no name: it is no measurement
    np.testing.assert_array_equal(numbers(columns["whole"]), [1, np.nan, 3])
    np.testing.assert_array_equal(numbers(columns["truth"]), [1, np.nan, 0])
    np.testing.assert_array_equal(numbers(columns["decimal"]), [0.1, np.nan, 2])
    assert columns["kind"].values.tolist() == ["x", "", "y"]
    assert columns["day"].values[0] == "2020-01-02"
    for cells in columns.values():
        assert cells.missing.sum() == 1
    frame.index.name = "serial"
    frame.to_parquet(tmp_path / "t.parquet")
    assert next(iter(read_table(tmp_path / "t.parquet").columns)) == "serial"
