"""Tables of what a net says of every row of a person's own file, and the same of new files by `aejax apply`."""

import csv
import json
import re

import numpy as np
import pandas
import pytest
from running import assert_refused, call
from scipy.stats import norm

from aejax import config as configs
from aejax.cli import init
from aejax.data.files import load_file, read_values
from aejax.data.tables import AS_SEEN
from aejax.errors import UserError
from aejax.estimators import AutoencoderDetector
from aejax.runs import constraints, experiment
from aejax.runs.first_config import STARTS
from aejax.runs.reasons import reasons
from aejax.runs.rows import filled_table
from aejax.training.build import load_data
from aejax.types import Column, Columns, Reasons

ROWS = 90
RANDOM = np.random.default_rng(0)
TABLE = pandas.DataFrame(
    {
        "patient": [f"P{number:03d}" for number in RANDOM.permutation(ROWS)],
        "age": RANDOM.integers(20, 90, ROWS),
        "height": RANDOM.normal(170, 8, ROWS).round(1),
        "blood": RANDOM.choice(["A", "B", "O"], ROWS),
        "state": ["ill" if number % 6 == 0 else "well" for number in range(ROWS)],
    }
)
TABLE.loc[17, "height"] = 260
QUICK = ("train.steps=60", "train.evaluate_every=30", "train.batch_size=16", "report.figures=false", "model.code=2")
CATEGORIES = ("model.widths=(8,)", "data.categories=blood", "data.label_column=state", "model.output=linear")
SETTINGS = {
    "anomaly": (*CATEGORIES, "data.normal=well", "task.members=2", "data.test=0.3"),
    "clustering:satimage": (*CATEGORIES, "task.clusters=3", "model.clusters=3"),
    "generation:satimage": (*CATEGORIES, "task.features=rows", "task.components=2", "task.samples=40"),
    "imputation": ("model.width=8", "data.ignore=('blood','state')", "task.draws=2"),
}


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on the table for one of the applications, and what the command said."""
    made = {}

    def of(name, capsys):
        if name not in made:
            folder = tmp_path_factory.mktemp(name.partition(":")[0])
            frame = TABLE.copy()
            if name == "imputation":
                frame.loc[3, "height"] = None
            frame.to_csv(folder / "patients.csv", index=False)
            changes = (*QUICK, f"data.name=file:{folder / 'patients.csv'}", *SETTINGS[name])
            words = [word for change in changes for word in ("--set", change)]
            answer = call(["run", f"lecture/{name}", "--workdir", str(folder / "run"), *words], capsys)
            assert answer.code == 0, answer.err
            made[name] = folder / "run", answer.out
        return made[name]

    return of


def splits(folder):
    """In which split each row of the file was, as `aejax.data.load` says."""
    dataset = load_data(json.loads((folder / "config.json").read_text())["data"])
    of_row = [""] * ROWS
    for name in ("train", "validation", "test"):
        for row in getattr(dataset, name).source_index:
            of_row[row] = name
    return of_row


def test_scores_of_every_row_in_the_order_of_the_file(run, capsys):
    folder, said = run("anomaly", capsys)
    lines = table(folder / "scores.csv")
    assert [line["patient"] for line in lines] == TABLE["patient"].tolist()
    assert [line["state"] for line in lines] == TABLE["state"].tolist()
    assert [line["split"] for line in lines] == splits(folder)
    alarms = sum(line["alarm"] == "1" for line in lines)
    assert said.splitlines()[-2] == f"{folder / 'scores.csv'}: {alarms} of {ROWS} rows: alarm"
    tallest = lines[17]
    assert tallest["alarm"] == "1"
    assert (tallest["column_1"], tallest["value_1"]) == ("height", "260")
    assert 140 < float(tallest["expected_1"]) < 260
    assert {line[f"column_{rank}"] for line in lines for rank in (1, 2, 3)} == {"age", "height", "blood"}
    named = [(line[f"column_{rank}"], line[f"value_{rank}"]) for line in lines for rank in (1, 2, 3)]
    assert {value for column, value in named if column == "blood"} == set("ABO")


def test_training_rows_are_scored_by_nets_that_did_not_see_them(run, tmp_path, capsys):
    folder, _ = run("anomaly", capsys)
    output = tmp_path / "again.csv"
    source = folder.parent / "patients.csv"
    assert call(["apply", str(folder), "score", "--input", str(source), "--output", str(output)], capsys).code == 0
    own, again = table(folder / "scores.csv"), table(output)
    assert [line["patient"] for line in again] == TABLE["patient"].tolist()
    for mine, other in zip(own, again, strict=True):
        if mine["split"] == "train":
            assert float(mine["score"]) > float(other["score"])  # a row that finds itself looks normal
        else:
            np.testing.assert_allclose(float(mine["score"]), float(other["score"]), rtol=1e-5)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz", ".npy"])
def test_answers_in_each_format(ending, run, tmp_path, capsys):
    folder, _ = run("anomaly", capsys)
    source, output = folder.parent / "patients.csv", tmp_path / f"out{ending}"
    assert call(["apply", str(folder), "score", "--input", str(source), "--output", str(output)], capsys).code == 0
    call(["apply", str(folder), "score", "--input", str(source), "--output", str(tmp_path / "x.csv")], capsys)
    scores = [float(line["score"]) for line in table(tmp_path / "x.csv")]
    if ending == ".npy":
        found = np.load(output)[:, 0]
    elif ending == ".npz":
        arrays = np.load(output, allow_pickle=False)
        found = arrays["x"][:, 0]
        assert arrays["patient"].tolist() == TABLE["patient"].tolist()
    else:
        frame = pandas.read_csv(output) if ending == ".csv" else pandas.read_parquet(output)
        found = frame["score"]
        assert frame["patient"].tolist() == TABLE["patient"].tolist()
    np.testing.assert_allclose(found, scores, rtol=1e-6)


def test_clusters_and_codes_of_every_row_and_the_codes_decoded(run, tmp_path, capsys):
    folder, said = run("clustering:satimage", capsys)
    lines = table(folder / "clusters.csv")
    assert [line["patient"] for line in lines] == TABLE["patient"].tolist()
    assert {line["cluster"] for line in lines} <= {"0", "1", "2"}
    assert all(0 < float(line["probability"]) <= 1 for line in lines)
    assert f"{folder / 'codes.csv'}: " in said
    codes, rows = folder / "codes.csv", tmp_path / "rows.csv"
    assert list(table(codes)[0])[:3] == ["patient", "split", "state"]
    assert call(["apply", str(folder), "decode", "--input", str(codes), "--output", str(rows)], capsys).code == 0
    again = tmp_path / "reconstructed.csv"
    source = str(folder.parent / "patients.csv")
    assert call(["apply", str(folder), "reconstruct", "--input", source, "--output", str(again)], capsys).code == 0
    decoded, reconstructed = pandas.read_csv(rows), pandas.read_csv(again)
    assert set(decoded.columns) == set(TABLE.columns) - {"patient", "state"}
    for name, values in decoded.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, reconstructed[name], rtol=1e-4, atol=1e-4)
        else:
            assert values.tolist() == reconstructed[name].tolist()
            assert set(values) <= set(TABLE[name])


def test_a_filled_table_is_that_of_the_file(run, capsys):
    folder, _ = run("imputation", capsys)
    filled, before = table(folder / "filled.csv"), table(folder.parent / "patients.csv")
    assert list(filled[0]) == list(before[0])
    for row, (new, old) in enumerate(zip(filled, before, strict=True)):
        changed = {name for name in old if old[name] != new[name]}
        assert changed == ({"height"} if row == 3 else set())
    assert TABLE["height"].min() <= float(filled[3]["height"]) <= TABLE["height"].max()


def test_a_hole_is_filled_with_the_decimal_mark_of_its_column(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_text("price;area\n1,5;2,25\nn/a;0,75\n3,5;-\n")
    columns, whole = (Column("price", 0), Column("area", 1)), np.array([[1.5, 2.25], [2.125, 0.75], [3.5, 1.5]])
    names, lines = filled_table(path, whole, columns, load_file(str(path), None).reading)
    assert names == ("price", "area")
    assert lines == [["1,5", "2,25"], ["2,125", "0,75"], ["3,5", "1,5"]]


def test_a_hole_is_filled_in_the_form_of_its_column_and_read_again_alike(tmp_path):
    path, again = tmp_path / "sales.csv", tmp_path / "filled.csv"
    path.write_text("share;price;paid;flag;n\n12,5 %;$ 1.234,50;(5 €);TRUE;3\n;;;;1\n50 %;$-2;7,5 €;FALSE;2\n")
    names = ("share", "price", "paid", "flag", "n")
    columns = tuple(Column(name, at) for at, name in enumerate(names))
    whole = np.array([[12.5, 1234.5, -5, 1, 3], [0.75, -20.25, -1, 0, 1], [50, -2, 7.5, 0, 2]])
    raw = load_file(str(path), None)
    assert raw.reading.units == ("share=%", "price=$", "paid=€")
    head, lines = filled_table(path, whole, columns, raw.reading)
    assert lines[1] == ["0,75 %", "-$ 20,25", "-1 €", "FALSE", "1"]
    assert [lines[0], lines[2]] == [
        ["12,5 %", "$ 1.234,50", "(5 €)", "TRUE", "3"],
        ["50 %", "$-2", "7,5 €", "FALSE", "2"],
    ]
    again.write_text("\n".join(map(";".join, [head, *lines])) + "\n")
    np.testing.assert_array_equal(load_file(str(again), None).train.x, whole.astype(np.float32))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("$7,10 %", ()),
        ("7,10 %", ("column 'price' has no sign, and was in $ in training: its numbers are taken as they stand",)),
        ("$7,", ()),
        ("€7,10 %", "column 'price' is in €, in training it was in $; allowed: $"),
    ],
)
def test_the_sign_of_numbers_in_new_rows_is_that_of_training(tmp_path, cells, said):
    path, new = tmp_path / "sales.csv", tmp_path / "new.csv"
    path.write_text("price,share\n" + "".join(f"${row * 3},{row * 7 % 30}%\n" for row in range(12)))
    new.write_text(f"price,share\n{cells}\n")
    read = lambda: read_values(new, trained=("price", "share"), reading=load_file(str(path), None).reading)
    if isinstance(said, str):
        with pytest.raises(UserError, match=re.escape(said)):
            read()
    else:
        assert read().lines == said
        assert read().x[0, 0] == 7


def test_an_array_is_taken_by_a_net_of_a_table_whose_numbers_had_marks(tmp_path):
    path, new = tmp_path / "homes.csv", tmp_path / "new.npy"
    path.write_text("price;area\n" + "".join(f"{row},5;{row * 7 % 30}\n" for row in range(12)))
    np.save(new, [[1.5, 2]])
    reading = load_file(str(path), None).reading
    assert reading.decimal == ","
    assert read_values(new, trained=("price", "area"), reading=reading).x.tolist() == [[1.5, 2]]


def test_what_is_missing_or_as_expected_is_the_last_reason():
    columns = (Column("kind", 0, 1, ("a", "b")), Column("x", 1), Column("y", 2), Column("z", 3))
    rows = np.array([[0, 5, np.nan, 1], [1, 5, 2, 1]], float)
    expected = np.array([[0.4, 4, 9, 2], [0.4, 4, 9, 2]])
    out = Columns({}, "", Reasons(np.array([[9, 2, 8, 1], [9, 2, 8, 1]], float), expected))
    answer = reasons(out, rows, columns, ())
    assert [answer[f"column_{rank}"].tolist() for rank in (1, 2)] == [["x", "kind"], ["z", "y"]]
    assert answer["expected_1"].tolist() == ["4", "a"]


def test_new_rows_in_the_form_of_the_table(run, tmp_path, capsys):
    folder, _ = run("generation:satimage", capsys)
    made = table(folder / "synthetic.csv")
    assert list(made[0]) == ["age", "height", "blood"]
    assert len(made) == splits(folder).count("train")
    output = tmp_path / "new.csv"
    words = ["apply", str(folder), "sample", "--rows", "40", "--output", str(output)]
    assert call([*words, "--given", "blood=B", "--given", "age=50", "--seed", "3"], capsys).code == 0
    first = output.read_text()
    made = pandas.read_csv(output)
    assert (made["blood"] == "B").all()
    assert (made["age"] == 50).all()
    assert made["height"].between(TABLE["height"].min(), TABLE["height"].max()).all()
    assert made["height"].nunique() > 10
    assert call([*words, "--given", "blood=B", "--given", "age=50", "--seed", "3"], capsys).code == 0
    assert output.read_text() == first


def test_new_rows_in_a_range_without_repeated_values(run, tmp_path, capsys):
    folder, _ = run("generation:satimage", capsys)
    output = tmp_path / "new.csv"
    words = ["apply", str(folder), "sample", "--rows", "8", "--output", str(output), "--given", "blood=B"]
    assert call([*words, "--given", "age=40..55", "--given", "height=..175", "--unique", "age"], capsys).code == 0
    made = pandas.read_csv(output)
    assert len(made) == made["age"].nunique() == 8
    assert made["age"].between(40, 55).all()
    assert made["height"].max() <= 175
    assert (made["blood"] == "B").all()


def test_constraints_leave_the_distribution_of_rows_that_hold():
    columns = (Column("a", 0), Column("kind", 1, 3, ("x", "y", "z")))

    def draw(number, rows):
        random = np.random.default_rng(number)
        return np.column_stack([random.normal(size=rows), np.eye(3)[random.integers(0, 3, rows)]])

    held_to, values = constraints.read({"a": (0.5, ""), "kind": "y"}, (), columns, AS_SEEN)
    assert values == {"kind": "y"}
    made = constraints.held(draw, 2000, held_to)
    assert made.shape == (2000, 4)
    assert made[:, 0].min() >= 0.5
    assert made[:, 0].mean() == pytest.approx(norm.pdf(0.5) / norm.sf(0.5), abs=0.03)
    np.testing.assert_array_equal(made[:50], constraints.held(draw, 2000, held_to)[:50])
    held_to, _ = constraints.read({}, ["kind"], columns, AS_SEEN)
    assert constraints.held(draw, 3, held_to)[:, 1:].sum(0).tolist() == [1, 1, 1]
    with pytest.raises(UserError, match=r"^sample: of 50000 rows that were drawn 3 hold to what is asked of kind"):
        constraints.held(draw, 4, held_to)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--rows", "3", "--unique", "weight"], "unique: a column: unknown 'weight'"),
        (["--rows", "3", "--given", "age=50..40"], "given: age=50..40; allowed: LOW..HIGH, two numbers"),
        (["--rows", "3", "--given", "age=500.."], "hold to what is asked of age; allowed: fewer rows, or wider ranges"),
        (["--rows", "3", "--given", "blood=X"], "given: a category of blood: unknown 'X'; allowed: A, B, O"),
        (["--rows", "3", "--given", "weight=1"], "given: a column: unknown 'weight'"),
        (["--rows", "3", "--given", "age=500"], "given: age lies outside of what was seen; allowed: 2"),
        (["--rows", "3", "--given", "age"], "--given age: allowed: COLUMN=VALUE"),
        (["--rows", "0"], "sample: 0 rows; allowed: 1 or more"),
        ([], "sample: needs --rows, how many"),
    ],
)
def test_mistakes_about_new_rows(words, line, run, tmp_path, capsys):
    folder, _ = run("generation:satimage", capsys)
    output = tmp_path / "new.csv"
    assert_refused(call(["apply", str(folder), "sample", "--output", str(output), *words], capsys), line)
    assert not output.exists()


def test_sample_is_of_generation_alone(run, tmp_path, capsys):
    folder, _ = run("clustering:satimage", capsys)
    words = ["apply", str(folder), "sample", "--rows", "3", "--output", str(tmp_path / "new.csv")]
    assert_refused(call(words, capsys), "the task, clustering, draws no new rows")


def test_columns_by_a_pattern(tmp_path, capsys):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    settings = [f"data.name=file:{tmp_path / 't.csv'}", "data.key=pat*", "data.ignore=*ate", "data.categories=bl*"]
    config = configs.load("lecture/multilayer", settings)
    dataset = load_data(config["data"])
    assert [column.name for column in dataset.columns] == ["age", "height", "blood"]
    assert dataset.reading.key == ("patient",)
    config = configs.load("lecture/multilayer", [*settings[:1], "data.ignore=x*"])
    with pytest.raises(Exception, match=r"data\.ignore.*'x\*'"):
        load_data(config["data"])


@pytest.mark.parametrize("task", ["anomaly", "imputation", "aeknn", "clustering", "generation", "reduction"])
def test_a_first_config_runs_as_it_is_written(task, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.assign(day=[f"2024-03-{1 + row % 28:02d}" for row in range(ROWS)], note="see file").to_csv(
        "p.csv", index=False
    )
    answer = call(["init", "p.csv", "--task", task, "--label-column", "state"], capsys)
    assert answer.code == 0, answer.err
    text = (tmp_path / f"p_{task}.py").read_text()
    assert f"- {ROWS} rows of 7 columns between commas, names in the first line" in text
    config = configs.load(f"p_{task}.py")
    data = config["data"]
    assert data["key"] == ("patient",)
    assert (data["categories"], data["dates"], data["ignore"]) == (("blood",), ("day",), ("note",))
    experiment.check_task(config, load_data(data))


def test_a_first_config_takes_the_logarithm_of_columns_that_a_few_rows_make_the_spread_of(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ranks = np.arange(1, 401)
    incomes = {"income": 1e6 / ranks**2, "loss": -1e6 / ranks**2, "age": ranks % 70}
    pandas.DataFrame(incomes).sample(frac=1, random_state=0).to_csv("p.csv", index=False)
    answer = call(["init", "p.csv"], capsys)
    assert answer.code == 0, answer.err
    assert "config.data.log = ('income',)  # a guess" in answer.out  # a loss has no logarithm
    assert load_data(configs.load("p_reduction.py")["data"]).log.tolist() == [True, False, False]
    answer = call(["init", "p.csv", "--task", "anomaly"], capsys)
    assert answer.code == 0, answer.err
    assert "config.data.log" not in answer.out  # the few rows may be those that are looked for


@pytest.mark.parametrize(
    ("task", "variant"), [("anomaly", ":anomaly"), ("generation", ":generation"), ("reduction", "")]
)
def test_init_of_a_folder_names_the_run_for_photographs(task, variant, tmp_path, capsys):
    line = f"aejax run photographs/autoencoder{variant} --set data.name=images:{tmp_path}"
    assert_refused(call(["init", str(tmp_path), "--task", task], capsys), line)


def test_the_tasks_that_init_names_are_those_that_it_has():
    assert set(init.TASKS) == set(STARTS)


def test_a_first_config_is_of_a_file_that_can_be_read_and_replaces_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("p.csv", index=False)
    (tmp_path / "p_reduction.py").write_text("mine")
    assert_refused(call(["init", "p.csv"], capsys), "--output p_reduction.py: is there already")
    assert (tmp_path / "p_reduction.py").read_text() == "mine"
    assert_refused(call(["init", "p.csv", "--task", "sorting"], capsys), "--task: unknown 'sorting'")
    assert_refused(call(["init", "none.csv", "--task", "anomaly"], capsys), "none.csv: there is no such file")
    assert_refused(call(["init", "p.csv", "--task", "aeknn"], capsys), "label")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p_reduction.py"]


# Files of other forms.

SMALL_NET = ("train.steps=20", "train.evaluate_every=10", *QUICK[2:], "model.widths=(8,)")
ANOMALY = (*SMALL_NET, "task.members=2", "data.test=0.3")


def run_on(source, experiment_name, workdir, capsys, *changes):
    words = [word for change in (f"data.name=file:{source}", *changes) for word in ("--set", change)]
    answer = call(["run", f"lecture/{experiment_name}", "--workdir", str(workdir), *words], capsys)
    assert answer.code == 0, answer.err
    return answer.out


def test_what_was_expected_of_training_rows_is_in_the_units_of_the_file(tmp_path, capsys):
    frame = pandas.DataFrame(
        {
            "price": np.exp(RANDOM.normal(6, 0.3, ROWS)),
            "when": 1.7e9 + RANDOM.integers(0, 10**6, ROWS),
            "size": RANDOM.normal(size=ROWS),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    run_on(tmp_path / "t.csv", "anomaly", tmp_path / "run", capsys, *ANOMALY, "data.normal=None", "data.log=price")
    expected = {}
    for line in table(tmp_path / "run" / "scores.csv"):
        for rank in (1, 2, 3):
            expected.setdefault((line["split"], line[f"column_{rank}"]), []).append(float(line[f"expected_{rank}"]))
    for split in ("train", "test"):
        assert min(expected[split, "price"]) > 100
        assert min(expected[split, "when"]) >= 1.7e9
        assert len(set(expected[split, "when"])) > 10  # six digits would make them one


def test_columns_of_the_file_keep_their_values_beside_an_answer_of_the_same_name(tmp_path, capsys):
    frame = TABLE.drop(columns="blood").rename(columns={"state": "class", "patient": "split"})
    frame.to_csv(tmp_path / "t.csv", index=False)
    changes = (*SMALL_NET, "data.label_column=class", "task.layouts=()", "task.repeats=1", "data.key=split")
    run_on(tmp_path / "t.csv", "aeknn", tmp_path / "run", capsys, *changes)
    lines = table(tmp_path / "run" / "classes.csv")
    assert list(lines[0])[:4] == ["split (file)", "split", "class (file)", "class"]
    assert [line["split (file)"] for line in lines] == frame["split"].tolist()
    assert {line["split"] for line in lines} == {"train", "validation", "test"}
    assert [line["class (file)"] for line in lines] == frame["class"].tolist()
    assert {(line["class"], line["class_name"]) for line in lines} <= {("0", "ill"), ("1", "well")}


def test_rows_of_arrays_with_their_labels_and_two_features(tmp_path, capsys):
    y = RANDOM.integers(0, 2, 80)
    x = RANDOM.normal(size=(80, 2))
    np.savez(tmp_path / "t.npz", x_train=x[:50], y_train=y[:50], x_test=x[50:], y_test=y[50:])
    run_on(tmp_path / "t.npz", "anomaly", tmp_path / "run", capsys, *ANOMALY[:-1], "data.normal=0", "data.test=None")
    lines = table(tmp_path / "run" / "scores.csv")
    assert [line["row"] for line in lines] == [str(number) for number in range(1, 81)]
    assert [line["label"] for line in lines] == [
        "normal" if label == 0 else "anomaly" if at >= 50 else "" for at, label in enumerate(y)
    ]
    assert [line["split"] for line in lines[50:]] == 30 * ["test"]
    assert not (tmp_path / "run" / "scores.npy").exists()


def test_a_table_of_results_has_names_where_the_file_has_none_and_a_row_with_a_hole_is_answered(tmp_path, capsys):
    x = RANDOM.normal(size=(60, 3)).round(3)
    frame = pandas.DataFrame(x)
    frame.iloc[4, 1] = None
    frame.to_csv(tmp_path / "t.csv", index=False, header=False)
    said = run_on(tmp_path / "t.csv", "multilayer", tmp_path / "run", capsys, *SMALL_NET)
    lines = table(tmp_path / "run" / "reconstructions.csv")
    assert list(lines[0]) == ["row", "split", "0", "1", "2"]
    assert all(line["0"] for line in lines)
    assert "1 of 180 values are missing; each is taken for the mean of its column, by aejax apply as well" in said
    assert "reconstructions.csv: 60 rows of 3 values\n" in said
    settings = (*ANOMALY, "data.normal=None", "data.split_seed=1")
    said = run_on(tmp_path / "t.csv", "anomaly", tmp_path / "odd", capsys, *settings)
    alarms = sum(line["alarm"] == "1" for line in table(tmp_path / "odd" / "scores.csv"))
    assert f"scores.csv: {alarms} of 60 rows: alarm" in said
    scores, output = table(tmp_path / "odd" / "scores.csv"), str(tmp_path / "again.csv")
    answer = call(
        ["apply", str(tmp_path / "odd"), "score", "--input", str(tmp_path / "t.csv"), "--output", output], capsys
    )
    assert "1 of 60 rows have a missing value, taken for the mean in training" in answer.out
    again = table(tmp_path / "again.csv")
    assert all(line["score"] for line in again)
    for one, other in zip(scores, again, strict=True):
        if one["split"] == "test":  # rows of training find themselves
            assert float(one["score"]) == pytest.approx(float(other["score"]), rel=1e-5)


def test_given_values_at_the_end_of_a_range_and_beside_dates(tmp_path, capsys):
    frame = pandas.DataFrame(
        {"day": [f"2024-03-{1 + row % 28:02d}" for row in range(ROWS)], "daylight": RANDOM.normal(9, 1, ROWS).round(2)}
    )
    frame.loc[::3, "daylight"] = 12.7  # float32 makes it less
    frame["night"] = 24 - frame["daylight"] + RANDOM.normal(0, 0.1, ROWS).round(2)
    frame.to_csv(tmp_path / "t.csv", index=False)
    task = ("task.features=rows", "task.components=2", "task.samples=20", "model.output=linear", "data.dates=day")
    run_on(tmp_path / "t.csv", "generation:satimage", tmp_path / "run", capsys, *SMALL_NET, *task)
    words = ["apply", str(tmp_path / "run"), "sample", "--rows", "5", "--output", str(tmp_path / "new.csv")]
    answer = call([*words, "--given", "daylight=12.7"], capsys)
    assert answer.code == 0, answer.err
    assert {line["daylight"] for line in table(tmp_path / "new.csv")} == {"12.7"}
    assert_refused(call([*words, "--seed", str(10**25)], capsys), "--seed: ")
    refusal = "given: day holds dates, which cannot be given; allowed: daylight, night"
    assert_refused(call([*words, "--given", "day=2024-03-01"], capsys), refusal)


def test_a_number_is_given_as_the_file_has_it(tmp_path, capsys):
    lines = [f"{10 + row % 7},5;{20 - row % 7},25" for row in range(ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(["a;b", *lines]) + "\n")
    task = ("task.features=rows", "task.components=2", "task.samples=20", "model.output=linear")
    run_on(tmp_path / "t.csv", "generation:satimage", tmp_path / "run", capsys, *SMALL_NET, *task)
    words = ["apply", str(tmp_path / "run"), "sample", "--rows", "3", "--output", str(tmp_path / "new.csv")]
    for number in ("12,5", "12.5"):
        answer = call([*words, "--given", f"a={number}"], capsys)
        assert answer.code == 0, answer.err
        assert {line["a"] for line in table(tmp_path / "new.csv")} == {"12.5"}


def test_numbers_of_a_table_have_the_digits_that_they_need(run, tmp_path, capsys):
    frame = pandas.DataFrame({"when": 1_700_000_000.0 + RANDOM.permutation(ROWS), "size": RANDOM.normal(size=ROWS)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run_on(tmp_path / "t.csv", "multilayer", tmp_path / "run", capsys, *SMALL_NET)
    days = {line["when"] for line in table(tmp_path / "run" / "reconstructions.csv")}
    assert len(days) > ROWS // 2
    assert max(len(day) for day in days) > 12
    parquet = pandas.DataFrame({"site": 1.1 + np.arange(ROWS), "size": RANDOM.normal(size=ROWS)})
    parquet.to_parquet(tmp_path / "t.parquet")
    run_on(tmp_path / "t.parquet", "multilayer", tmp_path / "again", capsys, *SMALL_NET, "data.key=site")
    assert [line["site"] for line in table(tmp_path / "again" / "codes.csv")][:2] == ["1.1", "2.1"]


def test_a_detector_explains_a_missing_cell_by_no_value():
    frame = TABLE[["age", "height", "blood"]].copy()
    detector = AutoencoderDetector(steps=20, random_state=0).fit(frame)
    frame = frame.astype({"age": float})
    frame.loc[2, "age"] = None
    explained = detector.explain(frame.iloc[1:4])
    for row in (1, 2, 3):
        columns = {explained.loc[row, f"column_{rank}"]: explained.loc[row, f"value_{rank}"] for rank in (1, 2, 3)}
        assert columns["blood"] == frame.loc[row, "blood"]
        assert columns["age"] == ("" if row == 2 else f"{frame.loc[row, 'age']:g}")
