"""The published tables: every published form gives the same rows, and what is something else is refused."""

import hashlib
import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

import numpy as np
import pytest

from aejax import cli, data
from aejax.data.published.uci import TABLES
from aejax.errors import UserError

PUBLISHED_ROWS = {
    "letter": (20_000, 16, 26),
    "shuttle": (58_000, 9, 7),
    "ionosphere": (351, 34, 2),
    "spambase": (4601, 57, 2),
    "musk": (476, 166, 2),
    "segment": (2310, 19, 7),
    "optdigits": (5620, 64, 10),
    "penbased": (10_992, 16, 10),
}
TRUE_ROWS = {name: table.rows for name, table in TABLES.items()}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """The tables at a size that a test can write: 3 rows of the first class, 2 of every other."""
    for name, table in TABLES.items():
        classes = tuple(c._replace(rows=3 if i == 0 else 2) for i, c in enumerate(table.classes))
        monkeypatch.setitem(TABLES, name, table._replace(classes=classes))


def rows_of(name, seed=0):
    """Values with two decimals, as they are written, and class numbers, in a random order."""
    rng, table = np.random.default_rng(seed), TABLES[name]
    labels = rng.permutation(np.repeat(np.arange(len(table.classes)), [c.rows for c in table.classes]))
    x = np.round(rng.normal(scale=9, size=(len(labels), len(table.features))), 2)
    return x, labels


def spelled(name, labels, which=-1):
    """Labels in one of the spellings of the published files."""
    return [(c.name, *c.spellings)[which] for c in (TABLES[name].classes[i] for i in labels)]


def write(path, x, labels, *, comma=",", first=False, header=None, before=(), keys=()):
    path.parent.mkdir(exist_ok=True)
    lines = [] if header is None else [header]
    for row, label in zip(x, labels, strict=True):
        values = [f"{value:g}" for value in row]
        lines.append(comma.join([*keys, label, *values] if first else [*keys, *values, label]))
    path.write_text("\n".join([*before, *lines]) + "\n")
    return path


def expected(name, x, labels):
    """The rows as a set of lines; order is a matter of its own."""
    return sorted((*map(float, np.float32(row)), int(label)) for row, label in zip(x, labels, strict=True))


def loaded(name):
    dataset = data.load(name, validation=0, test=0)
    return expected(name, dataset.train.x, dataset.train.labels)


# What is known.


@pytest.mark.parametrize("name", list(TABLES))
def test_rows_features_and_classes_are_those_that_were_published(name):
    table = TABLES[name]
    assert (TRUE_ROWS[name], len(table.features), len(table.classes)) == PUBLISHED_ROWS[name]
    assert len(set(table.features)) == len(table.features)
    spellings = [s.lower() for c in table.classes for s in (c.name, *c.spellings)]
    assert len(set(spellings)) == len(spellings)
    assert "doi 10.24432/C5" in table.citation
    assert (table.openml is None) != (table.url is None)


# The published forms.


@pytest.mark.parametrize("name", list(TABLES))
def test_a_csv_with_a_header_becomes_the_data_set(tmp_path, name, cache_folder):
    x, labels = rows_of(name)
    header = ",".join([f"V{i}" for i in range(x.shape[1])] + ["Class"])
    place = data.prepare(name, str(write(tmp_path / "t.csv", x, spelled(name, labels), header=header)))
    assert place.parent == cache_folder
    assert loaded(name) == expected(name, x, labels)
    dataset = data.load(name)
    assert (dataset.kind, dataset.licence, dataset.source) == ("table", "CC BY 4.0", TABLES[name].citation)
    assert dataset.label_names == tuple(c.name for c in TABLES[name].classes)
    assert dataset.feature_names == TABLES[name].features
    assert dataset.feature_shape == (x.shape[1],)
    row = {row.name: row for row in data.table()}[name]
    assert (row.status, row.licence, row.shape) == ("cached", "CC BY 4.0", (x.shape[1],))


SEGMENT = (";;; image segmentation", "", ",".join(TABLES["segment"].features).upper(), "")
SPELLED = {
    "musk": lambda labels: [f"{label}." for label in spelled("musk", labels)],
    "segment": lambda labels: [label.upper() for label in spelled("segment", labels, 0)],
}
FORM = {
    "letter": {"first": True},
    "shuttle": {"comma": " "},
    "musk": {"keys": ("MUSK-188", "188_1+1")},
    "segment": {"first": True, "before": SEGMENT},
    "penbased": {"comma": ",  "},
}


def write_uci(folder, name, x, labels):
    """The files of a table as UCI publishes them; where there are two, the second one begins in the middle."""
    text, files = SPELLED.get(name, lambda labels: spelled(name, labels))(labels), TABLES[name].files[0]
    parts = np.array_split(np.arange(len(x)), len(files))
    for file, rows in zip(files, parts, strict=True):
        write(folder / file, x[rows], [text[row] for row in rows], **FORM.get(name, {}))


@pytest.mark.parametrize("named", ["folder", "file"])
@pytest.mark.parametrize("name", list(TABLES))
def test_the_files_of_uci_are_read_from_their_folder_and_by_name(tmp_path, name, named):
    x, labels = rows_of(name)
    (tmp_path / "uci").mkdir()
    write_uci(tmp_path / "uci", name, x, labels)
    source = tmp_path / "uci" if named == "folder" else tmp_path / "uci" / TABLES[name].files[0][-1]
    data.prepare(name, str(source))
    assert loaded(name) == expected(name, x, labels)


@pytest.mark.parametrize("header", [False, True])
def test_the_files_of_keel_are_read_with_and_without_their_header(tmp_path, header):
    x, labels = rows_of("penbased")
    before = ("@relation penbased", "@attribute x1 integer [0, 100]", "@data") if header else ()
    write(tmp_path / "penbased.dat", x, spelled("penbased", labels), comma=", ", before=before)
    data.prepare("penbased", str(tmp_path))
    assert loaded("penbased") == expected("penbased", x, labels)


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.files[-1][0].endswith(".rda")])
def test_tables_of_r_are_read(tmp_path, name):
    pandas, pyreadr = pytest.importorskip("pandas"), pytest.importorskip("pyreadr")
    x, labels = rows_of(name)
    frame = pandas.DataFrame(x, columns=[f"V{i}" for i in range(x.shape[1])])
    text = [label.replace(" ", ".") for label in spelled(name, labels, 0)]
    if name == "letter":
        frame.insert(0, "lettr", text)
    else:
        frame["type" if name == "spambase" else "Class"] = text
    pyreadr.write_rdata(str(tmp_path / TABLES[name].files[-1][0]), frame, df_name="d")
    data.prepare(name, str(tmp_path))
    assert loaded(name) == expected(name, x, labels)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"RDX2", r"Shuttle.rda: reading .rda needs pyreadr: pip install 'aejax\[r\]'$"),
        (b"RDX2\nX\n nothing of it", r"Shuttle.rda: not a readable file of R: "),
    ],
)
def test_a_file_of_r_that_cannot_be_read_gets_one_line(tmp_path, monkeypatch, content, line):
    if content == b"RDX2":
        monkeypatch.setitem(sys.modules, "pyreadr", None)
    else:
        pytest.importorskip("pyreadr")
    (tmp_path / "Shuttle.rda").write_bytes(content)
    with pytest.raises(UserError, match=line) as caught:
        data.prepare("shuttle", str(tmp_path))
    assert "\n" not in str(caught.value)


def test_splits_are_the_same_whatever_the_order_of_the_file(tmp_path):
    x, labels = rows_of("segment")
    turn = np.random.default_rng(1).permutation(len(x))
    datasets = []
    for i, order in enumerate((np.arange(len(x)), turn)):
        data.prepare("segment", str(write(tmp_path / f"{i}.csv", x[order], spelled("segment", labels[order]))))
        datasets.append(data.load("segment", split_seed=3))
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(datasets[0], part).x, getattr(datasets[1], part).x)
        np.testing.assert_array_equal(getattr(datasets[0], part).labels, getattr(datasets[1], part).labels)


def test_rows_are_not_left_sorted(tmp_path):
    x, labels = rows_of("letter")
    data.prepare("letter", str(write(tmp_path / "t.csv", x, spelled("letter", labels))))
    column = data.load("letter", validation=0, test=0).train.x[:, 0]
    assert not (np.diff(column) >= 0).all()
    assert abs(np.corrcoef(column, np.arange(len(column)))[0, 1]) < 0.5


# Files that are something else.


def with_values(values):
    """A table in which some values are others, by row and column."""

    def spoil(x, labels):
        x = x.copy()
        for place, value in values.items():
            x[place] = value
        return x, labels

    return spoil


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda x, labels: (x[:-1], labels[:-1]), r"t.csv: has 4 rows; ionosphere has 5$"),
        (lambda x, labels: (x[:, 1:], labels), r"t.csv: has 34 columns; expected 34 features and one label$"),
        (lambda x, labels: (x, [*labels[:-1], "nowhere"]), r"t.csv: holds the label 'nowhere'; expected bad, good$"),
        (
            lambda x, labels: (x, ["g" if i == 0 else label for i, label in enumerate(sorted(labels))]),
            r"t.csv: has 2 rows of class 'bad'; ionosphere has 3$",
        ),
        (with_values({(2, 4): np.nan}), r"t.csv: row 3 holds 'nan' as feature 5; not a number$"),
        (with_values({(0, 0): np.inf, (0, 1): 3}), r"t.csv: row 1 holds 'inf' as feature 1; not a number$"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_changes_nothing(tmp_path, cache_folder, spoil, line):
    x, labels = rows_of("ionosphere")
    spoiled = write(tmp_path / "t.csv", *spoil(x, spelled("ionosphere", labels)))
    with pytest.raises(UserError, match=line) as caught:
        data.prepare("ionosphere", str(spoiled))
    assert "\n" not in str(caught.value)
    assert not list(cache_folder.glob("*"))
    data.prepare("ionosphere", str(write(tmp_path / "good.csv", x, spelled("ionosphere", labels))))
    with pytest.raises(UserError, match=line):
        data.prepare("ionosphere", str(spoiled))
    assert loaded("ionosphere") == expected("ionosphere", x, labels)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "there is no row of numbers"),
        (b"a,b\n", "there is no row of numbers"),
        (b"1,2,3\n1,2\n", "line 2 has 2 cells, the first line has 3"),
        (b"\xff\xfe1", "not a text file in UTF-8"),
    ],
)
def test_what_is_no_table_gets_one_line(tmp_path, content, line):
    (tmp_path / "letter.csv").write_bytes(content)
    with pytest.raises(UserError, match=line):
        data.prepare("letter", str(tmp_path))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: there is no such file or folder$"):
        data.prepare("letter", str(tmp_path / "nowhere"))
    line = r"holds none of optdigits.tra and optdigits.tes, or optdigits.csv, or optdigits.dat$"
    with pytest.raises(UserError, match=line):
        data.prepare("optdigits", str(tmp_path))
    (tmp_path / "optdigits.tra").write_text("1,2\n")
    for source in (tmp_path, tmp_path / "optdigits.tra"):
        with pytest.raises(UserError, match=r"the file optdigits.tes is missing beside optdigits.tra$"):
            data.prepare("optdigits", str(source))


def test_a_table_takes_no_folder_of_records(tmp_path):
    with pytest.raises(UserError, match=r"^letter: is kept in the cache.* leave --data-dir away$"):
        data.prepare("letter", None, str(tmp_path))
    with pytest.raises(UserError, match=r"data\.data_dir: 'letter' does not take it; only tfds and images data do"):
        data.load("letter", data_dir=str(tmp_path))


# Downloads, from a web server on this machine.


@pytest.fixture
def web(monkeypatch):
    """Answers by path of a server to which every request goes; a path without an answer is not found."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = answers.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    real = urllib.request.urlopen
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def here(request, *args, **options):
            url = request if isinstance(request, str) else request.full_url
            answer = real(f"http://127.0.0.1:{server.server_port}{urlparse(url).path}", *args, **options)
            answer.url = url
            return answer

        monkeypatch.setattr("urllib.request.urlopen", here)
        yield answers
        server.shutdown()


def serve_openml(answers, name, x, labels):
    """What openml.org answers for a table of numbers and a nominal class."""
    number, text = TABLES[name].openml, spelled(name, labels)
    arff = ["@RELATION t", *(f"@ATTRIBUTE V{i} REAL" for i in range(x.shape[1]))]
    arff += [f"@ATTRIBUTE class {{{','.join(sorted(set(text)))}}}", "@DATA"]
    arff += [",".join([*(f"{v:g}" for v in row), label]) for row, label in zip(x, text, strict=True)]
    content = ("\n".join(arff) + "\n").encode()
    description = {"url": "https://www.openml.org/data/v1/download/1/t.arff"}
    description |= {"md5_checksum": hashlib.md5(content).hexdigest(), "format": "ARFF"}
    answers[f"/api/v1/json/data/{number}"] = json.dumps({"data_set_description": description}).encode()
    answers["/data/v1/download/1/t.arff"] = content


@pytest.mark.parametrize("name", ["letter", "shuttle", "segment"])
def test_a_table_is_downloaded_from_openml_where_it_is_not_prepared(web, name, capsys):
    x, labels = rows_of(name)
    serve_openml(web, name, x, labels)
    assert loaded(name) == expected(name, x, labels)
    assert f"downloading {name}" in capsys.readouterr().err
    web.clear()
    assert loaded(name) == expected(name, x, labels)
    assert data.prepare(name).is_dir()


def test_musk_is_downloaded_from_uci(web):
    x, labels = rows_of("musk")
    header = ",".join(["molecule_name", "conformation_name", *TABLES["musk"].features, "class"])
    lines = [f"MUSK-1,1_1,{','.join(f'{v:g}' for v in row)},{label}" for row, label in zip(x, labels, strict=True)]
    web[urlparse(TABLES["musk"].url).path] = "\n".join([header, *lines]).encode()
    data.prepare("musk")
    assert loaded("musk") == expected("musk", x, labels)


def test_a_download_of_another_table_is_refused(web):
    x, labels = rows_of("letter")
    serve_openml(web, "letter", x[:-1], labels[:-1])
    with pytest.raises(UserError, match=r"^what was downloaded: has 52 rows; letter has 53$"):
        data.prepare("letter")


@pytest.mark.parametrize("name", ["letter", "musk"])
def test_without_an_answer_one_line_says_which_command_gets_it(web, name):
    with pytest.raises(UserError, match=rf"{name}: not prepared, .* aejax data prepare {name} --from PATH$") as caught:
        data.load(name)
    assert "\n" not in str(caught.value)


def test_a_cut_download_is_refused(web):
    x, labels = rows_of("letter")
    serve_openml(web, "letter", x, labels)
    web["/data/v1/download/1/t.arff"] = web["/data/v1/download/1/t.arff"][:-9]
    with pytest.raises(UserError, match="was cut short or changed; try again"):
        data.load("letter")


# The command line.


def test_the_command_prepares_and_lists_a_table(tmp_path, capsys):
    x, labels = rows_of("musk")
    source = write(tmp_path / "musk.csv", x, spelled("musk", labels))
    assert not cli.main(["data", "prepare", "musk", "--from", str(source)])
    assert capsys.readouterr().out.strip().endswith("table-musk-1")
    cli.main(["data", "list"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("musk")]
    assert "CC BY 4.0" in line
    assert "cached" in line
