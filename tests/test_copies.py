"""Rows that a table holds more than once are counted, and a run says so."""

import numpy as np
import pytest
from running import TINY, arguments, call

from aejax.data import load
from aejax.data.inspection import copies


def table(path, times=1):
    """Thirty rows with labels, one after the other, so many times."""
    rows = np.random.default_rng(0).normal(size=(30, 3)).round(4)
    lines = [",".join(map(str, [*row, "left" if row[0] < 0 else "right"])) for row in rows]
    path.write_text("\n".join(["a,b,c,side", *lines * times]) + "\n")
    return f"file:{path}"


def by_hand(dataset):
    rows = lambda split: [tuple(row) for row in split.x.tolist()]
    every = rows(dataset.train) + rows(dataset.validation) + rows(dataset.test)
    return len(set(every)), sum(row in rows(dataset.train) for row in rows(dataset.test))


def test_copies_are_counted_and_test_rows_among_the_training_rows(tmp_path):
    name = table(tmp_path / "twice.csv", times=2)
    dataset = load(name, label_column="side", test=0.3)
    different, seen = by_hand(dataset)
    assert (different, seen > 3) == (30, True)
    assert copies(dataset) == (
        f"{name}: 60 rows, of which 30 are different; "
        f"{seen} of the 18 test rows are training rows too, which makes test numbers too good"
    )
    whole = load(name, label_column="side", test=0.0, validation=0.0)
    assert copies(whole).endswith("30 are different; copies are the nearest neighbours of each other")


def test_rows_that_are_all_different_and_data_that_are_no_table_of_ones_own_say_nothing(tmp_path):
    assert copies(load(table(tmp_path / "once.csv"), label_column="side")) is None
    digits = load("digits")
    twice = digits.train._replace(x=np.concatenate([digits.train.x] * 2), labels=None)
    assert copies(digits._replace(train=twice)) is None


@pytest.mark.parametrize("gaps", [False, True])
def test_copies_are_counted_as_they_were_before_values_were_hidden(tmp_path, gaps):
    name = table(tmp_path / "rows.csv", times=2)
    if gaps:
        path = tmp_path / "rows.csv"
        head, *lines = path.read_text().splitlines()
        lines = [line.replace(line.split(",")[1], "", 1) if n % 30 in (3, 7) else line for n, line in enumerate(lines)]
        path.write_text("\n".join([head, *lines]) + "\n")
    whole = load(name, label_column="side")
    hidden = load(name, label_column="side", missing={"name": "completely_at_random", "rate": 0.4})
    assert len(np.unique(hidden.train.x, axis=0)) > len(np.unique(whole.train.x, axis=0))
    assert "30 are different" in copies(whole)
    assert copies(hidden) == copies(whole)


def test_minus_zero_is_zero(tmp_path):
    (tmp_path / "zero.csv").write_text("a,b\n0,1\n-0.0,1\n2,3\n4,5\n6,7\n")
    assert "5 rows, of which 4 are different" in copies(load(f"file:{tmp_path / 'zero.csv'}"))


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_says_so_before_it_trains(times, tmp_path, capsys):
    name = table(tmp_path / "rows.csv", times)
    own = {"data.name": name, "data.label_column": "side", "data.rows": "none", "train.batch_size": "8"}
    answer = call(arguments({**TINY, **own}, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    understood, *said = answer.out.splitlines()
    assert understood == f"{name}: {30 * times} rows of 4 columns between commas, names in the first line"
    copied = [line for line in said if line.startswith(f"{name}: 60 rows, of which 30 are different; ")]
    assert len(copied) == times - 1
