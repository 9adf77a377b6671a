"""The forms that files of other people have: each is read to the right values and said, or refused with the option."""

import bz2
import gzip
import io
import re
import zipfile

import numpy as np
import pandas
import pytest
from running import TINY, arguments, call

import aejax
from aejax import cli, data
from aejax.data import inspection
from aejax.data.tables import Reading
from aejax.errors import UserError

ROWS = range(12)
NAN = float("nan")


def text(head, line):
    """A header, and a line for each of the rows."""
    return "\n".join([head, *(line(row) for row in ROWS)]) + "\n"


def loaded(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.load(f"file:{path}", validation=0, test=0, scaling="none", **options)


def values(dataset):
    """The training rows as they stand in the file, float64, NaN where one is missing."""
    x = np.where(True if dataset.train.mask is None else dataset.train.mask, dataset.train.x, NAN)
    return x.astype(np.float64) + dataset.origin


# Numbers of every country.


@pytest.mark.parametrize(
    ("head", "line", "options", "first"),
    [
        ("price,w", lambda k: f'"1,{234 + 2 * k}.5",{k}.25', {}, [1234.5, 0.25]),
        ("price,w", lambda k: f'"1,{234 + 2 * k}",{k}.25', {}, [1234, 0.25]),  # the point of w tells
        ("price,w", lambda k: f'"1,{234 + 2 * k}",{k % 5}', {"decimal": "."}, [1234, 0]),
        ("price,w", lambda k: f'"1,{234 + 2 * k}",{k % 5}', {"decimal": ","}, [1.234, 0]),
        ("price,w", lambda k: f'"1,{234 + 2 * k},567",{k % 5}', {}, [1234567, 0]),
        ("price;w", lambda k: f"1.{234 + 2 * k},5;{k},25", {}, [1234.5, 0.25]),
        ("price;w", lambda k: f"1.{234 + 2 * k};{k},25", {}, [1234, 0.25]),  # the comma of w tells
        ("price;w", lambda k: f"1.{234 + 2 * k};{k % 5}", {}, [1.234, 0]),
        ("price;w", lambda k: f"1.{234 + 2 * k};{k % 5}", {"decimal": ","}, [1234, 0]),
        ("price;w", lambda k: f"14,23;{k},5e-1", {}, [14.23, 0.05]),
        ("price;w", lambda k: f"1 {234 + 2 * k},5;1'{200 + k},5", {}, [1234.5, 1200.5]),
        ("price;w", lambda k: f"-0,5;{k}.25", {}, [-0.5, 0.25]),  # each column in its own way
        ("p,c,z", lambda k: f"{k}.5%,${k % 5},-€{k}.5", {}, [0.5, 0, -0.5]),
        ("p,c", lambda k: f"{k % 5} %,{k}.5 €", {}, [0, 0.5]),
        ("p,c", lambda k: f"{('TRUE', 'False')[k % 2]},{k % 5}", {}, [1, 0]),
        ("month,c", lambda k: f"{k + 1:02d},{k % 5}", {"key": ()}, [1, 0]),
        ("m,c", lambda k: f"{(1.5, '-', '#N/A', '<NA>')[k % 4]},{k % 5}", {}, [1.5, 0]),
        ("m,c", lambda k: f"{(-999, 1.5)[k % 2]},{k % 5}", {"missing_words": "-999"}, [NAN, 0]),
        ("m,c", lambda k: f"{('-999.0', 1.5)[k % 2]},{k % 5}", {"missing_words": "-999"}, [NAN, 0]),
        ("p,c", lambda k: f"({k + 1}.5),{k % 5}", {}, [-1.5, 0]),
        ("p,c", lambda k: f"{k + 1}.5-,{k % 5}", {}, [-1.5, 0]),
        ("p,c", lambda k: f"\u2212{k + 1}.5,{k % 5}", {}, [-1.5, 0]),
        ("p,c", lambda k: f"$-{k + 1}.5,{k % 5}", {}, [-1.5, 0]),
        ("p,c", lambda k: f"{k + 1}.5D+02,{k % 5}", {}, [150, 0]),
        ("p,c", lambda k: f'"12,34,{200 + k}",{k % 5}', {}, [1234200, 0]),
    ],
)
def test_numbers_are_read_as_they_are_meant(tmp_path, head, line, options, first):
    dataset = loaded(tmp_path / "t.csv", text(head, line), **options)
    np.testing.assert_array_equal(np.where(np.isnan(first), NAN, values(dataset)[0]), np.float32(first))


@pytest.mark.parametrize(
    ("head", "line", "options", "refusal"),
    [
        (
            "price,n",
            lambda k: f'"{10 + k},700",{k * k}',
            {},
            r"'10,700', which may be 10700 \(with data.decimal=\.\) or",
        ),
        ("price;w", lambda k: f"14,23;{k % 5}", {"decimal": "."}, "'14,23', no number with the decimal mark '.'"),
        ("p,c", lambda k: f"{('$1', '€1')[k % 2]},{k % 5}", {}, "column 'p' holds text"),
        (
            "p,c",
            lambda k: f"{k} kg,{k % 5}",
            {},
            "column 'p' holds text .'0 kg' in row 1.; encode it as numbers without their unit",
        ),
        ("p,c", lambda k: f"USD {k},{k % 5}", {}, "'USD 0' in row 1.; encode it as numbers without their unit"),
        ("p,c", lambda k: f"{k}-{k + 2},{k % 3}.x", {}, "column 'c' holds text"),  # a range is no number
        ("p:c", lambda k: f"{k}:{k % 5}", {}, "every line is one cell with as many ':'; data.separator=':' reads"),
        ("@relation x\n@data", lambda k: f"{k},1", {}, "holds ARFF, no table; save it as CSV"),
        ("<html>", lambda k: f"{k},1", {}, "holds HTML or XML, no table"),
        ('[{"a": 1},', lambda k: f"{k},1", {}, "holds JSON, no table"),
        (
            "a,c",
            lambda k: f"{k},{('x', 'None')[k % 2]}",
            {"label_column": "c"},
            "words=.. keeps such a class",
        ),
        (
            "zip,c",
            lambda k: f"{('01234', '1234')[k % 2]},{k % 5}",
            {},
            r"codes such as '01234', no numbers; allowed: name",
        ),
        ("m,c", lambda k: f"{('1', '01')[k % 2]},{k % 5}", {}, "codes such as '01'"),
        (
            "when,c",
            lambda k: f"2020-01-{k + 1:02d},{k % 5}",
            {},
            r"'2020-01-01'; data.dates=\('when',\) reads",
        ),
        (
            "when,c",
            lambda k: f"0{k % 9 + 1}/02/2020,1",
            {"dates": "when"},
            r"month first\? allowed: data.dates=\('when=%d/",
        ),
        ("when,c", lambda k: f"{k},1", {"dates": "when=%d/%m"}, "data.dates: column 'when' cannot be read by %d/%m"),
        ("when,c", lambda k: f"10{k:02d}-01-01,1", {"dates": "when"}, "data.dates: column 'when' cannot be read"),
        ("inf,1,2", lambda k: f"inf,{k},{k % 5}", {}, "row 1, column '0' holds inf"),
        ("a,c", lambda k: f"{k},{k % 5}", {"ignore": "b"}, "data.ignore, a column of .*: unknown 'b'"),
        ("a,c", lambda k: f"{k},{k % 5}", {"key": "b"}, "data.key, a column of .*: unknown 'b'"),
        ("a,c", lambda k: f"{k},{k % 5}", {"ignore": ("a", "c")}, "every column is left out"),
        ("a,c", lambda k: f"{k},{k % 5}", {"decimal": ";"}, "data.decimal"),
        ("a,c", lambda k: f"{k},{k % 5}", {"separator": "comm"}, r"data.separator, .*did you mean 'comma'"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_refused_with_the_option(tmp_path, head, line, options, refusal):
    with pytest.raises(UserError, match=refusal) as refused:
        loaded(tmp_path / "t.csv", text(head, line), **options)
    assert "\n" not in str(refused.value)


# Dates, keys, words.


@pytest.mark.parametrize(
    ("written", "option", "days", "parts"),
    [
        ("2020-01-02 12:00", "when", 18263.5, [1, 3, 12]),
        ("2020-01-02T12:00:00Z", "when", 18263.5, [1, 3, 12]),
        ("02.01.2020", "when", 18263, [1, 3]),
        ("13/01/2020", "when", 18274, [1, 0]),
        ("01/13/2020", "when", 18274, [1, 0]),
        ("02/01/2020", "when=%d/%m/%Y", 18263, [1, 3]),
        ("2-Jan-2020", "when", 18263, [1, 3]),
        ("20200102", "when", 18263, [1, 3]),
        ("2/1/20", "when=%m/%d/%y", 18293, [2, 5]),
        ("18:00", "when", 0.75, []),
    ],
)
def test_dates_are_days_and_parts_of_the_calendar(tmp_path, written, option, days, parts):
    dataset = loaded(tmp_path / "t.csv", text("when,c", lambda k: f"{written},{k % 5}"), dates=option)
    assert values(dataset)[0].tolist() == [days, *parts, 0]
    assert dataset.feature_names == ("when", *("when.month", "when.weekday", "when.hour")[: len(parts)], "c")


def test_dates_can_be_had_back():
    from aejax.data.dates import as_date

    assert as_date(18263.5, "ISO8601") == "2020-01-02 12:00:00"
    assert as_date(18263.0, "ISO8601") == "2020-01-02"
    assert as_date(18263.0, "%d.%m.%Y") == "02.01.2020"
    assert as_date(0.75, "%H:%M") == "18:00:00"


@pytest.mark.parametrize(
    ("head", "line", "options", "names", "said"),
    [
        (",c", lambda k: f"{k},{k % 5}", {}, ("c",), "column '0' counts the rows"),
        (",0,1,2", lambda k: f"{k},{k % 5}.5,{k % 3},1.5", {}, ("0", "1", "2"), "column 'Unnamed: 0' counts the rows"),
        ("nr,c", lambda k: f"{k + 1},{k % 5}", {}, ("c",), "column 'nr' counts the rows"),
        ("year,c", lambda k: f"{k + 1990},{k % 5}", {}, ("year", "c"), "'year' rises by 1 in every row: if it numbers"),
        ("year,c", lambda k: f"{k + 1990},{k % 5}", {"key": ()}, ("year", "c"), ""),
        ("name,c", lambda k: f"n{k},{k % 5}", {}, ("c",), "column 'name' has another text in every row"),
        ("plot_id,c", lambda k: f"{k * 7 + 3},{k % 5}", {}, ("c",), "and the name of a key"),
        ("patient,c", lambda k: f"{1000 - k},{k % 5}", {}, ("c",), "and the name of a key"),
        ("weight,c", lambda k: f"{k}.5 ,{k % 5}", {}, ("weight", "c"), ""),
        ("day,c", lambda k: f"202001{k + 10},{k % 5}", {}, ("day", "c"), "data.dates=('day',) reads days"),
        ("w,c", lambda k: f"{(k % 4, 999)[k % 6 == 1]},{k % 5}", {}, ("w", "c"), "data.missing_words=('999',) says so"),
        ("big,c", lambda k: f"{2**53 + k},{k % 5}", {}, ("big", "c"), "float64 makes 7 of 12 different ones"),
        ("width,c", lambda k: f"{k * 7 + 3},{k % 5}", {}, ("width", "c"), ""),
        ("plot_id,c", lambda k: f"{k * 7 + 3},{k % 5}", {"key": ()}, ("plot_id", "c"), ""),
        ("a,b,c", lambda k: f"{k % 3},x,{k % 5}", {"ignore": "b"}, ("a", "c"), "left out as asked: 'b'"),
        ("a,b,c", lambda k: f"{k % 3},x,{k % 5}", {"key": ("b",)}, ("a", "c"), "left out as asked: 'b'"),
    ],
)
def test_what_names_or_counts_rows_is_no_measurement(tmp_path, head, line, options, names, said):
    dataset = loaded(tmp_path / "t.csv", text(head, line), **options)
    assert dataset.feature_names == names
    assert said in " ".join(dataset.understood)
    if names[0] == "year":
        assert ("rises by 1" in " ".join(dataset.understood)) == ("key" not in options)


@pytest.mark.parametrize(
    ("head", "line", "names", "said"),
    [
        (
            ",".join(map(str, range(16))),
            lambda k: ",".join(str((k * k + 3 * at) % 17) for at in range(16)),
            16,
            "numbers in the",
        ),
        ("400.5,410.2,421.7", lambda k: f"0.{k}1,0.{k}2,0.1{k}", 3, "the numbers in the first line are names"),
        ("1,2,3", lambda k: f"{k * 7 % 5},{k * 3 % 5},{k % 5}", 0, "no line of names"),
        (
            "# made by hand\n# a,b",
            lambda k: f"{k % 7},{k % 5}",
            2,
            "at its head that begins with # holds the names",
        ),
        ("# made by hand\na,b", lambda k: f"{k % 7},{k % 5}", 2, "lines at its head that begin with # are left out"),
        ("#chrom\tpos", lambda k: f"{k % 7}\t{k % 5}", 2, "at its head that begins with # holds the names"),
        ("a,b", lambda k: f"{k + 1},{k % 7},{k % 5}", 2, "column '0' counts the rows"),  # as R writes it
        ("a,b", lambda k: f"row{k},{k % 7},{k % 5}", 2, "column '0' has another text in every row"),
        ("a,b", lambda k: f"{k % 7},{k % 5},", 2, "left out: 1 columns without a name and without a value"),
        ("a,b,", lambda k: f"{k % 7},{k % 5},", 2, "left out: 1 columns without a name and without a value"),
    ],
)
def test_the_first_lines_are_looked_at(tmp_path, head, line, names, said):
    dataset = loaded(tmp_path / "t.csv", text(head, line))
    assert dataset.feature_names == tuple(re.split("[,\t]", head.splitlines()[-1].strip("# ,")) if names else "012")
    assert len(dataset.train.x) == len(ROWS) + (0 if names else 1)
    assert said in " ".join(dataset.understood)


def test_a_row_of_other_length_is_not_taken_for_a_row_with_a_name(tmp_path):
    with pytest.raises(UserError, match="line 2 has 3 cells, the first line has 2"):
        loaded(tmp_path / "t.csv", text("a,b", lambda k: f"{k % 3},{k % 7},{k % 5}"))


@pytest.mark.parametrize("kind", ["categories", "label_column"])
@pytest.mark.parametrize("codes", [("01234", "1234"), ("1E5", "100000"), (f"{2**60}", f"{2**60 + 1}"), ("1.10", "1.1")])
def test_codes_are_names_of_any_length(tmp_path, kind, codes):
    content = text("code,c", lambda k: f"{codes[k % 2]},{k % 5}")
    if kind == "label_column" and codes == ("1.10", "1.1"):
        with pytest.raises(UserError, match="labels must be whole numbers or names"):
            loaded(tmp_path / "t.csv", content, label_column="code")
        return
    dataset = loaded(tmp_path / "t.csv", content, **{kind: "code"})
    assert set(dataset.columns[0].categories if kind == "categories" else dataset.label_names) == set(codes)


def test_whole_numbers_of_a_frame_beyond_float64_are_codes(tmp_path):
    ids = [2**60 + k % 3 for k in range(12)]
    pandas.DataFrame({"kind": ids, "c": [k % 5 for k in range(12)]}).to_parquet(tmp_path / "t.parquet")
    dataset = data.load(f"file:{tmp_path / 't.parquet'}", label_column="kind", validation=0, test=0)
    assert set(dataset.label_names) == {str(2**60 + k) for k in range(3)}
    frame = pandas.DataFrame({"m": [-999.0, 1.5] * 6, "c": [k % 5 for k in range(12)]})
    frame.to_parquet(tmp_path / "m.parquet")
    dataset = data.load(f"file:{tmp_path / 'm.parquet'}", missing_words="-999", validation=0, test=0)
    assert dataset.train.mask[:, 0].tolist() == [False, True] * 6


@pytest.mark.parametrize("option", ["categories", "label_column"])
def test_a_category_called_none_can_be_kept(tmp_path, option):
    content = text("alley,c", lambda k: f"{('None', 'Grvl', 'Pave')[k % 3]},{k % 5}")
    dataset = loaded(tmp_path / "t.csv", content, **{option: "alley", "missing_words": ("NA",)})
    names = dataset.label_names or dataset.columns[0].categories
    assert names == ("Grvl", "None", "Pave")
    assert dataset.train.mask is None


# Files.

CONTENT = text("größe,c", lambda k: f"{k}.5,{k % 5}")


def zipped(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("t.csv", content)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", CONTENT.encode("latin-1")),
        ("t.csv", CONTENT.encode("utf-16")),
        ("t.csv", b"sep=;\r\n" + CONTENT.replace(",", ";").replace(".", ",").encode()),
        ("t.tsv", CONTENT.replace(",", "\t")),
        ("t.csv.gz", gzip.compress(CONTENT.encode())),
        ("t.csv.bz2", bz2.compress(CONTENT.encode())),
        ("t.csv.zip", zipped(CONTENT)),
    ],
    ids=["latin-1", "utf-16", "sep=", "tsv", "gz", "bz2", "zip"],
)
def test_files_of_every_form_are_read(tmp_path, name, content):
    dataset = loaded(tmp_path / name, content)
    assert dataset.feature_names == ("größe", "c")
    assert values(dataset)[1].tolist() == [1.5, 1]


def test_a_separator_can_be_said(tmp_path):
    assert loaded(tmp_path / "t.csv", text("a#c", lambda k: f"{k}.5#{k % 5}"), separator="#").feature_names == (
        "a",
        "c",
    )


@pytest.mark.parametrize("ending", ["xlsx", "feather", "arrow", "parquet"])
def test_frames_in_files(tmp_path, ending):
    pytest.importorskip("openpyxl" if ending == "xlsx" else "pyarrow")
    frame = pandas.DataFrame(
        {
            "a": [0.5, None, *(row + 0.5 for row in ROWS[2:])],
            "kind": ["x", "y"] * 6,
            "when": pandas.date_range("2020-01-01", periods=12, freq="h"),
        }
    )
    write = {"xlsx": frame.to_excel, "parquet": frame.to_parquet}.get(ending, frame.to_feather)
    write(tmp_path / f"t.{ending}", **({"index": False} if ending == "xlsx" else {}))
    dataset = data.load(f"file:{tmp_path / f't.{ending}'}", categories="kind", dates="when", validation=0, test=0)
    assert dataset.feature_names == ("a", "kind=y", "when", "when.month", "when.weekday", "when.hour")
    np.testing.assert_allclose(values(dataset)[3], [3.5, 1, 18262.125, 1, 2, 3], rtol=0, atol=1e-7)
    assert np.isnan(values(dataset)[1, 0])


@pytest.mark.parametrize(
    ("name", "line"), [("t.csv.gz", "not a readable .gz file"), ("t.xlsx", "not a readable Excel")]
)
def test_damaged_files_get_one_line(tmp_path, name, line):
    pytest.importorskip("openpyxl")
    with pytest.raises(UserError, match=line):
        loaded(tmp_path / name, b"x")


# Arrays and images.


@pytest.mark.parametrize(
    ("dtype", "greatest", "bounds"),
    [
        (np.uint8, 1, (0, 1)),
        (bool, 1, (0, 1)),
        (np.uint8, 16, (0, 16)),
        (np.uint8, 200, (0, 255)),
        (np.uint16, 1000, (0, 1023)),
        (np.uint16, 4000, (0, 4095)),
        (np.int32, 60_000, (0, 65_535)),
        (np.float64, 250, (0, 255)),
        ("whole", 60, (0, 255)),
        ("whole", 4000, (0, 4095)),
        (np.float64, 0.5, (0, 0.5)),
    ],
)
def test_the_range_of_images_is_looked_at(tmp_path, dtype, greatest, bounds):
    images = (np.linspace(0, 1, 9 * 36) * greatest).reshape(9, 6, 6)
    images = images.round() if dtype == "whole" else images.astype(dtype)
    np.save(tmp_path / "t.npy", images)
    path = f"file:{tmp_path / 't.npy'}"
    for dataset in (data.load(path, validation=0, test=0), data.from_arrays(images, validation=0, test=0)):
        assert float(dataset.shift) == bounds[0]
        assert 1 / float(dataset.scale) == pytest.approx(bounds[1], rel=0.05 if greatest == 0.5 else 1e-6)
    assert "pixels from 0 to" in " ".join(dataset.understood)


@pytest.mark.parametrize("shape", [(9, 1, 8, 6), (9, 3, 32, 32), (9, 5, 16, 16), (9, 12, 64, 64), (9, 64, 8, 8)])
def test_channels_first_are_seen_by_every_reader(tmp_path, shape):
    from aejax.data import stream

    images = np.zeros(shape)
    np.save(tmp_path / "t.npy", images)
    for read in (
        lambda: data.load(f"file:{tmp_path / 't.npy'}"),
        lambda: data.read_rows(tmp_path / "t.npy"),
        lambda: data.from_arrays(images),
        lambda: stream.pack([tmp_path / "t.npy"], tmp_path / "packed"),
    ):
        with pytest.raises(UserError, match="channels first"):
            read()


@pytest.mark.parametrize("shape", [(9, 3, 8, 6), (9, 2, 32, 24), (9, 4, 4, 4), (9, 5, 6, 3)])
def test_the_axis_of_channels_can_be_said_to_every_reader(tmp_path, shape):
    from aejax.data import stream

    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    last = np.moveaxis(images, 1, 3)
    np.save(tmp_path / "t.npy", images)
    np.savez(tmp_path / "t.npz", x=images, y=np.arange(9) % 2)
    options = {"validation": 0, "test": 0, "channels": "first"}
    stream.pack([tmp_path / "t.npy"], tmp_path / "packed", channels="first")
    records = stream.open_folder(tmp_path / "packed")
    read = {
        "file": data.load(f"file:{tmp_path / 't.npy'}", **options).train.x,
        "npz": data.load(f"file:{tmp_path / 't.npz'}", **options).train.x,
        "arrays": data.from_arrays(images, **options).train.x,
        "rows": data.read_rows(tmp_path / "t.npy", reading=Reading(channels="first"))[0],
        "packed": stream.read(records, np.arange(9))[0],
    }
    for name, values in read.items():
        np.testing.assert_array_equal(values, last, err_msg=name)
    taken = data.load(f"file:{tmp_path / 't.npy'}", **options | {"channels": "last"})
    np.testing.assert_array_equal(taken.train.x, images)
    with pytest.raises(UserError, match="is a table; allowed: images"):
        loaded(tmp_path / "t.csv", "a,b\n1,2\n3,4\n", channels="first")


def test_a_net_of_channels_that_came_first_takes_and_gives_back_such_images(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 6, 5), np.uint8)
    np.save(tmp_path / "t.npy", images)
    settings = {"data.name": f"file:{tmp_path / 't.npy'}", "data.rows": "none", "data.channels": "first"}
    assert call(arguments(TINY | settings, workdir=tmp_path / "run"), capsys).code == 0
    command = ["apply", str(tmp_path / "run"), "reconstruct", "--input", str(tmp_path / "t.npy"), "--output"]
    assert call([*command, str(tmp_path / "out.npy")], capsys).code == 0
    fitted = aejax.open(tmp_path / "run")
    again = np.load(tmp_path / "out.npy")
    assert again.shape == images.shape
    np.testing.assert_array_equal(np.moveaxis(again, 1, 3), fitted.reconstruct(images))


def test_new_images_in_another_unit_are_said(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 2, (40, 4, 4)).astype(np.uint8)
    np.save(tmp_path / "t.npy", images)
    changes = {"data.name": f"file:{tmp_path / 't.npy'}", "data.rows": "none"}
    assert call(arguments({**TINY, **changes}, workdir=tmp_path / "run"), capsys).code == 0
    said = "pixels from 0 to {}, in training they were from 0 to 1: is it another unit?"
    for factor, is_said in ((1, False), (255, True), (0.01, True), (0.5, False)):
        np.save(tmp_path / "new.npy", images * factor)
        words = ["apply", str(tmp_path / "run"), "encode", "--output", str(tmp_path / "out.npy")]
        answer = call([*words, "--input", str(tmp_path / "new.npy")], capsys)
        assert answer.code == 0, answer.err
        assert (said.format(factor) in answer.out) == is_said


@pytest.mark.parametrize("spelled", ["{kind}_{part}", "{part}_{kind}"])
def test_published_arrays_have_their_test_rows_and_labels(tmp_path, spelled):
    random = np.random.default_rng(0)
    x, y = random.integers(0, 255, (30, 6, 6, 3), dtype=np.uint8), random.integers(0, 3, (30, 1))
    parts = {"train": slice(20), "test": slice(20, None)}
    arrays = {spelled.format(kind=k, part=p): v[rows] for k, v in (("x", x), ("y", y)) for p, rows in parts.items()}
    np.savez(tmp_path / "t.npz", **arrays)
    dataset = data.load(f"file:{tmp_path / 't.npz'}", validation=0)
    np.testing.assert_array_equal(dataset.test.x, x[20:])
    assert dataset.train.labels.tolist() == y[:20, 0].tolist()
    assert dataset.label_names == ("0", "1", "2")
    assert len(data.read_rows(tmp_path / "t.npz")[0]) == 30


LABELS = {
    "y.npy": np.arange(30) % 3,
    "column.npy": (np.arange(30) % 3)[:, None],
    "names.npy": np.array(["cat", "dog", "owl"] * 10),
    "y.npz": {"y": np.arange(30) % 3},
    "only.npz": {"species": np.array(["cat", "dog", "owl"] * 10)},
    "parts.npz": {"y_test": np.arange(20, 30) % 3, "y_train": np.arange(20) % 3},
    "named.csv": "species\n" + "cat\ndog\nowl\n" * 10,
    "bare.csv": "cat\ndog\nowl\n" * 10,
    "numbers.csv": "0\n1\n2\n" * 10,
    "series.csv": "0\n" + "0\n1\n2\n" * 10,  # the name that pandas gives
    "several.csv": "row,species\n" + "".join(f"{row},{['cat', 'dog', 'owl'][row % 3]}\n" for row in range(30)),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("rows", ["x.npy", "x.npz", "x.csv"])
def test_labels_in_a_file_beside_the_rows(tmp_path, name, rows):
    x, path = np.random.default_rng(0).normal(size=(30, 4)), tmp_path / name
    save = {".npy": np.save, ".npz": lambda at, arrays: np.savez(at, **arrays), ".csv": lambda at, t: at.write_text(t)}
    save[path.suffix](path, LABELS[name])
    lines = [",".join(map(str, row)) for row in x]
    content = {"x.npz": {"x_train": x[:20], "x_test": x[20:]}, "x.csv": "a,b,c,d\n" + "\n".join(lines)}
    save[rows[1:]](tmp_path / rows, content.get(rows, x))
    options = {"label_column": "species" if name == "several.csv" else None, "validation": 0}
    dataset = data.load(f"file:{tmp_path / rows}", labels=str(path), test=0, **options)
    assert dataset.train.labels.tolist() == (np.arange(30) % 3).tolist()
    assert dataset.label_names in (("0", "1", "2"), ("cat", "dog", "owl"))
    assert dataset.feature_shape == (4,)
    assert "labels are those in" in " ".join(dataset.understood)


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"a": np.zeros(7)}, "7 labels for 30 rows; allowed: one for each row"),
        ({"a": np.zeros(30), "b": np.zeros(30)}, "holds a, b; allowed: one array of labels, or data.label_column"),
        ({"a": np.zeros((30, 2))}, "labels must be one whole number or one name for each row"),
    ],
)
def test_labels_that_do_not_fit_the_rows_get_one_line(tmp_path, arrays, line):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 4)))
    np.savez(tmp_path / "y.npz", **arrays)
    with pytest.raises(UserError, match=line):
        data.load(f"file:{tmp_path / 'x.npy'}", labels=str(tmp_path / "y.npz"))


@pytest.mark.parametrize("label", ["fine", "fine_train", "fine_test"])
def test_the_labels_of_published_arrays_are_those_that_are_asked_for(tmp_path, label):
    path, parts = tmp_path / "t.npz", {"train": 20, "test": 8}
    arrays = {f"x_{part}": np.random.default_rng(0).random((rows, 3)) for part, rows in parts.items()}
    arrays |= {f"y_{part}": np.zeros(rows, int) for part, rows in parts.items()}
    arrays |= {f"fine_{part}": np.arange(rows)[:, None] % 4 for part, rows in parts.items()}
    np.savez(path, **arrays)
    dataset = data.load(f"file:{path}", label_column=label, validation=0)
    assert dataset.label_names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(dataset.test.labels, np.arange(8) % 4)
    assert "arrays that are not read: y_train, y_test" in dataset.understood
    with pytest.raises(UserError, match=r"labels of each part of .*: unknown 'coarse'"):
        data.load(f"file:{path}", label_column="coarse")


def test_whole_numbers_that_float64_makes_equal_are_named(tmp_path):
    np.save(tmp_path / "t.npy", np.array([[2**53 + k, k] for k in range(40)]))
    said = "column '0' holds whole numbers of which float64 makes 21 of 40 different ones"
    assert said in data.load(f"file:{tmp_path / 't.npy'}").understood


def test_what_else_an_npz_holds_is_read_or_said(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    mask = np.ones((30, 3), bool)
    mask[::4, 1] = False
    save = lambda **arrays: np.savez(tmp_path / "t.npz", **arrays)
    load = lambda: data.load(f"file:{tmp_path / 't.npz'}", validation=0)
    save(X=x, Y=y)
    assert load().label_names == ("0", "1", "2")
    save(x=x, y=y, target=y, weights=np.ones(30))
    assert "arrays that are not read: target, weights" in load().understood
    save(x_train=x[:20], x_test=x[20:], y_train=y[:20])
    assert "arrays that are not read: y_train" in load().understood
    save(x_train=x[:20], x_test=x[20:], mask_train=mask[:20], mask_test=mask[20:])
    dataset = load()
    np.testing.assert_array_equal(np.concatenate([dataset.train.mask, dataset.test.mask]), mask)


def test_a_mask_beside_the_rows_says_what_was_observed(tmp_path):
    random = np.random.default_rng(0)
    x, mask = random.normal(size=(20, 3)), random.random((20, 3)) > 0.3
    mask[:, 0] = True
    np.savez(tmp_path / "t.npz", x=x, mask=mask)
    dataset = data.load(f"file:{tmp_path / 't.npz'}", validation=0, test=0)
    np.testing.assert_array_equal(dataset.train.mask, mask)
    np.savez(tmp_path / "t.npz", x=x, mask=mask[:5])
    with pytest.raises(UserError, match="'mask' has the shape"):
        data.load(f"file:{tmp_path / 't.npz'}")


# Precision.

SECONDS = 1_700_000_000 + 5 * np.arange(400)


def test_values_far_from_zero_stay_apart(tmp_path):
    content = "time,level\n" + "".join(f"{time},{np.sin(time / 300)}\n" for time in SECONDS)
    (tmp_path / "t.csv").write_text(content)
    from_file = data.load(f"file:{tmp_path / 't.csv'}", scaling="standard", validation=0, test=0)
    from_array = data.from_arrays(np.c_[SECONDS, np.sin(SECONDS / 300)], scaling="standard", validation=0, test=0)
    expected = (SECONDS - SECONDS.mean()) / SECONDS.std()
    for dataset in (from_file, from_array):
        scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
        np.testing.assert_allclose(scaled[:, 0], expected, atol=1e-6)
        np.testing.assert_array_equal(values(dataset)[:, 0], SECONDS)
        assert dataset.origin.tolist() == [SECONDS[0], 0]
        assert "is counted from 1700000000" in " ".join(dataset.understood)


def test_values_that_float32_makes_equal_are_named(tmp_path):
    rows = [f"{1 + row * 1e-9},{row % 5}" for row in range(50)] + ["1e9,1"]
    dataset = loaded(tmp_path / "t.csv", "\n".join(["a,c", *rows]) + "\n")
    assert "column 'a': float32 makes 2 values of 51 different ones" in dataset.understood


def tailed(rows=400, seed=0):
    """A column of a heavy tail, one that is even, and one of a few large values and zeros."""
    random = np.random.default_rng(seed)
    return np.c_[np.exp(3 * random.normal(size=rows)), random.random(rows), (random.random(rows) < 0.004) * 1e4]


@pytest.mark.parametrize("read", ["file", "arrays", "frame"])
def test_a_logarithm_is_taken_and_undone(tmp_path, read):
    x = tailed()
    np.savetxt(tmp_path / "t.csv", x, fmt="%.17g", delimiter=",", header="price,share,spikes", comments="")
    options = {"scaling": "standard", "validation": 0, "test": 0, "log": "price"}
    dataset = {
        "file": lambda: data.load(f"file:{tmp_path / 't.csv'}", **options),
        "arrays": lambda: data.from_arrays(x, names=("price", "share", "spikes"), **options),
        "frame": lambda: data.from_frame(pandas.DataFrame(x, columns=["price", "share", "spikes"]), **options),
    }[read]()
    scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
    logs = np.log(x[:, 0])
    np.testing.assert_allclose(scaled[:, 0], (logs - logs.mean()) / logs.std(), atol=1e-5)
    again = data.original(dataset.train.x, dataset.origin, dataset.log)
    np.testing.assert_allclose(again, x, rtol=2e-6)
    assert "of column 'price' the logarithm is taken" in dataset.understood
    with pytest.raises(UserError, match=r"row .*, column 'spikes' holds 0, which has no logarithm"):
        data.load(f"file:{tmp_path / 't.csv'}", log=("price", "spikes"))
    with pytest.raises(UserError, match=r"data.log, a column of numbers of .*: unknown 'prize'.*did you mean 'price'"):
        data.load(f"file:{tmp_path / 't.csv'}", log="prize")


def test_robust_scaling_is_by_median_and_quartiles(tmp_path):
    x = tailed()
    dataset = data.from_arrays(x, scaling="robust", validation=0, test=0)
    lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
    expected = (x - median)[:, :2] * 1.3489795 / (upper - lower)[:2]
    np.testing.assert_allclose(scaled[:, :2], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dataset.scale[2], 1 / x[:, 2].std(), rtol=1e-5)  # more than half are the same
    assert (dataset.range.low, dataset.range.high) == (scaled.min(), scaled.max())
    np.testing.assert_allclose(data.unscale(scaled, dataset.shift, dataset.scale), x, rtol=1e-4, atol=1e-4)
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)
    holes[:, 1] = x[:, 1]
    with_holes = data.from_arrays(holes, scaling="robust", validation=0, test=0)
    np.testing.assert_allclose(with_holes.shift, np.nanmedian(holes, 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "scaling", "said"),
    [
        (np.r_[np.linspace(1, 2, 99), 1e5], "standard", "1 of 100 rows make 99% of its sum of squares"),
        (np.r_[np.linspace(-1, 2, 99), 1e5], "standard", "data.scaling=robust does"),
        (tailed()[:, 0], "standard", "data.log=('0',) or data.scaling=robust does"),
        (np.random.default_rng(0).normal(size=300), "standard", None),
        (np.random.default_rng(0).exponential(size=300), "standard", None),
        (np.arange(300) % 100 == 0, "standard", None),  # two values
        (tailed()[:, 0], "robust", None),
        (np.r_[np.geomspace(1e-9, 1e-8, 60), 1e9], "standard", "scaled, float32 makes 2 values of 61 different ones"),
    ],
)
def test_columns_whose_rows_a_net_can_hardly_tell_apart_are_named(column, scaling, said):
    x = np.c_[column.astype(np.float64), np.random.default_rng(1).normal(size=len(column))]
    dataset = data.from_arrays(x, scaling=scaling, validation=0, test=0)
    lines = [line for line in dataset.understood if "skewed" in line or "scaled" in line]
    assert [line for line in lines if said and said in line] or (not said and not lines), lines
    assert not [line for line in lines if "column '1'" in line]


@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_what_was_observed_is_handed_back_to_the_last_bit(scaling, tmp_path, capsys):
    x = np.c_[tailed(60)[:, :2], 1_700_000_000 + 1.1 * np.arange(60), np.arange(60) / 3]
    holes = np.where(np.random.default_rng(2).random(x.shape) < 0.2, np.nan, x)
    holes[:, 1] = x[:, 1]
    text = "price,share,time,third\n" + "\n".join(",".join(map(repr, row)) for row in holes.tolist())
    (tmp_path / "t.csv").write_text(text.replace("nan", ""))
    np.save(tmp_path / "t.npy", holes)
    settings = {"data.name": f"file:{tmp_path / 't.csv'}", "data.rows": "none", "data.log": "('price',)"}
    settings |= {"model": "{'name': 'masked.residual', 'width': 8, 'code': 2, 'blocks': 1}", "data.scaling": scaling}
    settings |= {"corruption": "{'name': 'missing', 'probability': 0.2}"}
    settings |= {"terms.reconstruction.name": "imputation.likelihood"}
    short = {name: value for name, value in TINY.items() if not name.startswith("model.")}
    answer = call(arguments({**short, **settings}, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0, answer.err
    for source in ("t.npy", "t.csv"):
        for target in ("out.npy", "out.csv"):
            command = ["apply", str(tmp_path / "run"), "fill", "--input", str(tmp_path / source), "--output"]
            answer = call([*command, str(tmp_path / target)], capsys)
            assert answer.code == 0, answer.err
            out = tmp_path / target
            filled = np.load(out) if target == "out.npy" else np.loadtxt(out, delimiter=",", skiprows=1)
            assert filled.dtype == np.float64
            observed = ~np.isnan(holes)
            if target == "out.npy" or source == "t.csv":
                np.testing.assert_array_equal(filled[observed], holes[observed])
            assert np.isfinite(filled).all()
            assert (filled[:, 0] > 0).all()
    (tmp_path / "new.csv").write_text("price,share,time,third\n1,2,1700000000,1\n0,2,1700000000,1\n")
    command = ["apply", str(tmp_path / "run"), "encode", "--input", str(tmp_path / "new.csv"), "--output"]
    answer = call([*command, str(tmp_path / "out.npy")], capsys)
    assert "1 of 2 rows are not answered" in answer.out
    assert "row 2, column 'price' holds 0, which has no logarithm" in answer.out


# A run.


def test_new_rows_are_read_as_those_that_were_trained_on(tmp_path, capsys):
    head = "nr;when;time;price;rate"
    line = lambda k: f"{k};2020-01-{k % 28 + 1:02d};{1_700_000_000 + 5 * k};1.{100 + k * 7 % 300},5;{k % 7},5%"
    lines = [line(k) for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join([head, *lines]) + "\n")
    changes = {"data.name": f"file:{tmp_path / 't.csv'}", "data.dates": "('when',)", "data.scaling": "standard"}
    changes |= {"data.rows": "none", "model.output": "linear"}
    changes["terms.reconstruction.name"] = "reconstruction.squared_error"
    answer = call(arguments({**TINY, **changes}, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0, answer.err
    for line in ("'nr' counts the rows", "'1.100,5' is read as 1100.5", "counted from 1700000000", "days since 1970"):
        assert line in answer.out
    apply = lambda action, name: call(
        ["apply", str(tmp_path / "run"), action, "--input", str(tmp_path / "t.csv"), "--output", str(tmp_path / name)],
        capsys,
    )
    assert apply("reconstruct", "out.csv").code == 0
    reconstructed = pandas.read_csv(tmp_path / "out.csv")
    assert list(reconstructed) == ["nr", "when", "time", "price", "rate"]
    assert pandas.to_datetime(reconstructed["when"]).between("2019-12-01", "2020-03-01").all()
    assert reconstructed["time"].between(1.6999e9, 1.7001e9).all()
    assert apply("encode", "code.npy").code == 0


def test_a_run_begins_with_what_was_understood(tmp_path):
    content = text("a,b,c,kind", lambda k: f"{k}.5,{k}.5,{k % 5},{'xy'[k % 2]}")
    dataset = loaded(tmp_path / "t.csv", content, label_column="kind")
    lines = [line.partition(": ")[2] for line in inspection.described(dataset)]
    assert "3 columns of numbers, from 'a' to 'c'" in lines
    assert (
        "numbers from 0 (in 'c') to 11.5 (in 'a'), 0.0% missing, 5 (in 'c') to 12 (in 'a') different ones in a column"
        in lines
    )
    assert "labels of 2 classes: 'x', 'y'" in lines
    assert "columns that are copies of others: 'b' (of 'a')" in " ".join(inspection.described(dataset))


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("t.csv", ["--decimal", ",", "--dates", "when"], ["days since 1970", "1234.5", "18262"]),
        ("t.csv", ["--ignore", "when"], ["left out as asked: 'when'", "is left out"]),
        ("t.csv", [], ["data.dates=('when',) reads it", "text; data.categories or data.ignore is to name it"]),
        ("t.npz", [], ["20 images of 6x6 pixels and 1 channel, of type uint8", "taken as 0 to 1", "the first 5 rows"]),
        ("t.npy", [], ["20 rows of 3 columns without names, of type float64", "numbers  1", "0.0%"]),
    ],
)
def test_a_file_is_shown_as_it_is_understood(tmp_path, capsys, name, words, expected):
    np.save(tmp_path / "t.npy", np.ones((20, 3)))
    np.savez(tmp_path / "t.npz", x=np.arange(20 * 36).reshape(20, 6, 6).astype(np.uint8) % 2, y=np.arange(20)[:, None])
    (tmp_path / "t.csv").write_text(text("when;price", lambda k: f"2020-01-{k + 1:02d};1.{234 + 2 * k},5"))
    answer = call(["data", "show", str(tmp_path / name), *words], capsys)
    assert answer.code == 0, answer.err
    for each in expected:
        assert each in answer.out


@pytest.mark.parametrize(
    ("line", "words", "said", "unsaid"),
    [
        (
            lambda k: f"{k}.5,{k}.5,7,{k % 5}",
            [],
            ["copies of others: 'b' (of 'a')", "'c' has one value only"],
            "refuse",
        ),
        (lambda k: f"{k % 2 * 1e9 + k % 4},{k}.5,{k},{k % 5}", ["--key"], ["float32 makes 3 values of 4"], "refuse"),
        (lambda k: f"{(1, -999)[k % 6 == 0]},{k}.5,3,{k % 5}", [], ["holds -999 2 times"], "refuse"),
        (
            lambda k: f"{k}.5,inf,{k % 3},{k % 5}",
            [],
            ["a run would refuse it: row 1, column 'b' holds inf"],
            "one value",
        ),
        (lambda k: f"{k % 2},{k % 2},{'xyz'[k % 3]},1", [], ["copies of others: 'b'"], "different; copies"),
        (
            lambda k: f"{k % 2},3,{'xyz'[k % 3]},1",
            ["--categories", "c"],
            ["12 rows, of which 6 are different"],
            "'c' h",
        ),
    ],
)
def test_what_a_run_says_of_values_is_shown_without_training(tmp_path, capsys, line, words, said, unsaid):
    path = tmp_path / "t.csv"
    path.write_text(text("a,b,c,d", line))
    answer = call(["data", "show", str(path), *words], capsys)
    assert answer.code == 0, answer.err
    for each in said:
        assert each in answer.out
    assert unsaid not in answer.out


def test_sheets_that_are_not_read_and_empty_columns_are_said(tmp_path, capsys):
    frame = pandas.DataFrame({"a": np.arange(12) * 1.5, "b": [None] * 12, "c": np.arange(12) % 5})
    with pandas.ExcelWriter(tmp_path / "t.xlsx") as book:
        frame.to_excel(book, sheet_name="one", index=False)
        frame.head(3).to_excel(book, sheet_name="two", index=False)
    answer = call(["data", "show", str(tmp_path / "t.xlsx")], capsys)
    assert "of 2 sheets the first is read, 'one'; not read: 'two'" in answer.out
    assert "12 rows of 3 columns" in answer.out
    assert "nothing; data.ignore is to name it" in answer.out
    assert "a run would refuse it: every value of column 'b' is missing" in answer.out


def test_the_logarithm_of_a_column_is_said_before_anything_is_trained(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{10**at},{-at}.5\n" for at in range(6)))
    assert cli.main(["data", "show", str(path), "--log", "a"]) == 0
    assert "of column 'a' the logarithm is taken" in capsys.readouterr().out
    assert cli.main(["data", "show", str(path), "--log", "b"]) == 2
    assert "column 'b' holds -1.5, which has no logarithm" in capsys.readouterr().err
