"""`aejax apply` on tables with labels and with categories: which columns it takes, and what it says of others."""

import numpy as np
import pytest
from running import TINY, arguments, assert_refused, call

from aejax.runs import apply as applied
from aejax.runs import artifact
from aejax.runs.rows import read as rows_in


def apply(folder, action, source, target, capsys, *options):
    return call(["apply", str(folder), action, "--input", str(source), "--output", str(target), *options], capsys)


LABELLED = "height,weight,kind\n" + "".join(
    f"{row + 20},{row * 7 % 50},{'left' if row % 2 else 'right'}\n" for row in range(50)
)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The folder of a run on a table with a column of labels, and that of a run on one with categories too."""
    made = {}

    def of(capsys, categories=None):
        if categories not in made:
            folder = tmp_path_factory.mktemp("labelled")
            colours = ["colour", *("red" if row % 3 else "blue" for row in range(50))]
            lines = [f"{line},{colour}" for line, colour in zip(LABELLED.split(), colours, strict=True)]
            (folder / "rows.csv").write_text("\n".join(lines) + "\n" if categories else LABELLED)
            named = {"data.name": f"file:{folder / 'rows.csv'}", "data.label_column": "kind", "data.rows": "none"}
            if categories:
                named |= {"data.categories": f"('{categories}',)", "model.output": "linear"}
                named["terms.reconstruction.name"] = "reconstruction.squared_error"
            assert call(arguments({**TINY, **named}, workdir=folder / "run"), capsys).code == 0
            made[categories] = folder / "run"
        return made[categories]

    return of


@pytest.mark.parametrize("action", ["encode", "fill"])
@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("height,weight,kind\n1,2,left\n3,inf,right", "row 2, column 'weight' holds inf"),
        ("height,weight,kind\n1,2,\n3,inf,right", "row 2, column 'weight' holds inf"),  # labels are of no account
        ("height,weight,kind,day\n1,2,left,Monday", "training data: 'day' is too many"),
        ("height,day,hour,kind\n1,2,3,left", "training data: 'weight' is missing and 'day', 'hour' are too many"),
        ("height,kind\n1,left", "training data: 'weight' is missing"),
        ("height,weight,kind\n1,tall,left", "column 'weight' holds text"),
    ],
)
def test_the_real_trouble_of_a_table_with_labels(action, line, fragment, labelled, tmp_path, capsys):
    (tmp_path / "x.csv").write_text(line + "\n")
    answer = apply(labelled(capsys), action, tmp_path / "x.csv", tmp_path / "out.csv", capsys, "--strict")
    assert_refused(answer, fragment)
    assert "'kind'" not in answer.err


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (
            "height,weight,kind,colour\n1,2,left,red\n3,4,left,green",
            "row 2: 'green' of column 'colour' was not seen in training; allowed: blue, red",
        ),
        ("height,weight,kind,colour\n1,2,left,red\n3,4,left,", "row 2, column 'colour' is missing; fill it in"),
        ("height,weight,kind\n1,2,left", "training data: 'colour' is missing"),
        (
            "01,02,03\n04,05,06",
            "training data: 'height', 'weight', 'colour' are missing and '0', '1', '2' are too many",
        ),
        ("height,weight,kind,color\n1,2,left,red", "training data: 'colour' is missing and 'color' is too many"),
    ],
)
def test_a_table_with_categories_that_is_not_like_the_trained_one(text, fragment, labelled, tmp_path, capsys):
    (tmp_path / "x.csv").write_text(text + "\n")
    run = labelled(capsys, "colour")
    assert_refused(apply(run, "encode", tmp_path / "x.csv", tmp_path / "out.csv", capsys, "--strict"), fragment)


@pytest.mark.parametrize(
    ("lines", "answered", "said"),
    [
        (["1,2,red", "3,4,green", "5,6,blue"], [0, 2], "1 of 3 rows are not answered: {}: row 2: 'green' of column"),
        (["1,2,red", "3,4,", "5,,blue"], [0], "2 of 3 rows are not answered: {}: row 2, column 'colour' is missing"),
        (["?,?,?", "3,4,red"], [1], "1 of 2 rows are not answered: {}: every value of row 1 is missing"),
        (["1,tall,red", "3,4,red"], [1], "1 of 2 rows are not answered: {}: column 'weight' holds text ('tall' in row"),
        (["1,2,red", "3,inf,red"], [0], "1 of 2 rows are not answered: {}: row 2, column 'weight' holds inf"),
        (['"1,234.5",2,red', "many,4,red"], [0], "1 of 2 rows are not answered: {}: column 'height' holds text"),
    ],
)
def test_rows_are_answered_one_by_one(lines, answered, said, labelled, tmp_path, capsys):
    run, new, out = labelled(capsys, "colour"), tmp_path / "x.csv", tmp_path / "out.npy"
    head, lines = "height,weight,colour", np.array(lines)
    new.write_text("\n".join([head, *lines[answered]]) + "\n")
    assert apply(run, "encode", new, out, capsys, "--strict").code == 0
    codes = np.load(out)
    new.write_text("\n".join([head, *lines]) + "\n")
    answer = apply(run, "encode", new, out, capsys)
    assert answer.code == 0, answer.err
    assert said.format(new) in answer.out
    assert np.flatnonzero(np.isfinite(np.load(out)).all(1)).tolist() == answered
    np.testing.assert_array_equal(np.load(out)[answered], codes)
    assert apply(run, "encode", new, tmp_path / "out.csv", capsys).code == 0
    cells = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert [at for at, line in enumerate(cells) if line != ","] == answered
    assert_refused(apply(run, "encode", new, out, capsys, "--strict"), said.partition("{}: ")[2])


def test_a_file_without_a_row_to_answer_is_refused(labelled, tmp_path, capsys):
    (tmp_path / "x.csv").write_text("height,weight,colour\n1,2,green\n3,,red\n")
    answer = apply(labelled(capsys, "colour"), "encode", tmp_path / "x.csv", tmp_path / "out.csv", capsys)
    assert_refused(answer, "x.csv: row 1: 'green' of column 'colour' was not seen in training")


def test_a_net_that_takes_missing_values_answers_around_what_it_cannot_read(tmp_path, capsys):
    lines = [f"{row + 20},{row * 7 % 50},2024-01-{row % 28 + 1:02d},{'pqr'[row % 3]}" for row in range(60)]
    (tmp_path / "rows.csv").write_text("a,b,day,kind\n" + "\n".join(lines) + "\n")
    settings = {"data.name": f"file:{tmp_path / 'rows.csv'}", "data.rows": "none", "data.categories": "('kind',)"}
    settings |= {
        "data.dates": "('day',)",
        "data.scaling": "standard",
        "corruption": "{'name': 'missing', 'probability': 0.2}",
    }
    settings |= {"model": "{'name': 'masked.residual', 'width': 8, 'code': 2, 'blocks': 1}"}
    settings |= {"terms.reconstruction.name": "imputation.likelihood"}
    short = {name: value for name, value in TINY.items() if not name.startswith("model.")}
    answer = call(arguments({**short, **settings}, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0, answer.err
    (tmp_path / "x.csv").write_text("a,b,day,kind\n30,7,2024-01-09,s\n,low,soon,q\n31,8,2024-01-10,p\n,,,\n")
    answer = apply(tmp_path / "run", "encode", tmp_path / "x.csv", tmp_path / "out.npy", capsys)
    assert "2 of 4 rows have a cell that cannot be read and is taken as missing" in answer.out
    assert "row 1: 's' of column 'kind' was not seen in training" in answer.out
    assert "1 of 4 rows are not answered" in answer.out
    codes = np.load(tmp_path / "out.npy")
    assert np.isfinite(codes).all(1).tolist() == [True, True, True, False]
    (tmp_path / "holes.csv").write_text("a,b,day,kind\n30,7,2024-01-09,\n,,,q\n")
    assert apply(tmp_path / "run", "encode", tmp_path / "holes.csv", tmp_path / "out.npy", capsys).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), codes[:2])
    assert apply(tmp_path / "run", "fill", tmp_path / "x.csv", tmp_path / "out.csv", capsys).code == 0
    first, second, third, last = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert (first, third, last) == ("30,7,2024-01-09,s", "31,8,2024-01-10,p", ",,,")
    assert second.endswith(",low,soon,q")  # what was written is handed back, and the hole is filled
    assert not second.startswith(",")


@pytest.mark.parametrize("categories", [None, "colour"])
def test_columns_in_another_order_are_put_in_order(categories, labelled, tmp_path, capsys):
    run = labelled(capsys, categories)
    heads, *lines = [line.split(",") for line in (run.parent / "rows.csv").read_text().split()]
    order = [heads.index(name) for name in sorted(heads, reverse=True)]
    assert order != sorted(order)
    found = []
    for places in (range(len(heads)), order):
        moved = [",".join(cells[place] for place in places) for cells in (heads, *lines)]
        (tmp_path / "x.csv").write_text("\n".join(moved) + "\n")
        answer = apply(run, "encode", tmp_path / "x.csv", tmp_path / "out.csv", capsys)
        assert answer.code == 0, answer.err
        found.append((tmp_path / "out.csv").read_text())
    assert found[0] == found[1]


def test_the_half_of_a_net_knows_the_labels_as_well(labelled, tmp_path, capsys, monkeypatch):
    folder = labelled(capsys)
    monkeypatch.setenv("AEJAX_PASSPHRASE", "open")
    half, out = tmp_path / "encoder.aejax", tmp_path / "out.csv"
    split = ["split", str(folder), "--encoder", str(half), "--decoder", str(tmp_path / "decoder")]
    assert call(split, capsys).code == 0
    assert apply(half, "encode", folder.parent / "rows.csv", out, capsys).code == 0
    codes = np.loadtxt(out, delimiter=",", skiprows=1)
    assert apply(folder, "encode", folder.parent / "rows.csv", out, capsys).code == 0
    np.testing.assert_array_equal(codes, np.loadtxt(out, delimiter=",", skiprows=1))


def test_a_half_that_was_written_without_the_name_of_the_labels_still_works(labelled, tmp_path, capsys):
    trained = applied.load(labelled(capsys))
    info = {name: value for name, value in trained.info.items() if name != "label_column"}
    old = trained._replace(info=info)
    artifact.write_encoder(tmp_path / "old.aejax", artifact.as_bytes(old, artifact.halves(old)["encoder"]))
    (tmp_path / "x.csv").write_text("height,weight\n1,2\n")
    assert apply(tmp_path / "old.aejax", "encode", tmp_path / "x.csv", tmp_path / "out.csv", capsys).code == 0


@pytest.mark.parametrize("missing", ["none", "random"])
def test_a_run_says_how_many_values_of_a_table_are_missing(missing, tmp_path, capsys):
    (tmp_path / "rows.csv").write_text(
        "a,b,kind\n" + "".join(f"{row + 20},{row % 7},{'pqr'[row % 3]}\n" for row in range(50))
    )
    whole = (tmp_path / "rows.csv").read_text()
    changes = {"data.name": f"file:{tmp_path / 'rows.csv'}", "data.rows": "none", "data.categories": "('kind',)"}
    changes |= {"model.output": "linear", "terms.reconstruction.name": "reconstruction.squared_error"}
    changes |= {} if missing == "none" else {"data.missing": "{'name': 'at_random', 'rate': 0.2}"}
    for text, told in ((whole, False), (whole.replace("\n23,3,p", "\nNA,3,?"), True)):
        (tmp_path / "rows.csv").write_text(text)
        answer = call(arguments({**TINY, **changes}, workdir=tmp_path / str(told)), capsys)
        assert answer.code == 0, answer.err
        assert ("2 of 150 values are missing; each is taken for the mean of its column" in answer.out) == told


def test_without_names_labels_are_a_column_too_many(tmp_path):
    (tmp_path / "with.csv").write_text("7,1,2\n8,3,4\n")
    (tmp_path / "without.csv").write_text("1,2\n3,4\n")
    for name in ("with.csv", "without.csv"):
        np.testing.assert_array_equal(rows_in(tmp_path / name, "0", (), ("1", "2"))[0], [[1, 2], [3, 4]])


def test_the_table_that_was_trained_on_can_be_applied_with_its_labels(tmp_path, capsys):
    lines = ["a,b,kind", *(f"{row / 50},{(row * 7) % 50 / 50},{'left' if row % 2 else 'right'}" for row in range(50))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "new.csv").write_text("a,b\n0.5,0.25\n")
    named = {"data.name": f"file:{tmp_path / 'rows.csv'}", "data.label_column": "kind", "data.rows": "none"}
    folder = tmp_path / "run"
    assert call(arguments({**TINY, **named}, workdir=folder), capsys).code == 0
    for name, rows in (("rows.csv", 50), ("new.csv", 1)):
        out = tmp_path / "codes.csv"
        command = ["apply", str(folder), "encode", "--input", str(tmp_path / name), "--output", str(out)]
        assert call(command, capsys).code == 0
        assert len(out.read_text().splitlines()) == 1 + rows
    same = ["apply", str(folder), "encode", "--input", str(out), "--output", str(out)]
    assert "is the input file" in call(same, capsys).err
