"""The table of a sweep, and which point is best."""

import math

from aejax.sweep import axes, plan, table


def made_rows(errors, statuses):
    """A sweep of two weights and two seeds whose members came out so."""
    made = plan.make("lecture/sparse_l1", [], axes.collect({}, ["terms.sparsity.weight=[0.1,0.2]", "seed=0:2"]))
    done = {
        number: {
            "status": status,
            "step": 5,
            "parameters_digest": "0",
            "metrics": {"test/mse": 1 - error, "validation/mse": error},
        }
        for number, (error, status) in enumerate(zip(errors, statuses, strict=True))
    }
    return made, table.rows_of(made, done)


def test_the_best_point_has_the_best_mean_and_no_broken_run():
    fine = ["finished"] * 4
    made, rows = made_rows([0.1, 0.2, 0.3, 0.1], fine)
    assert table.summarise(made, rows, "validation/mse", maximise=False)["best"] == 0
    assert table.summarise(made, rows, "validation/mse", maximise=True)["best"] == 1
    made, rows = made_rows([0.1, math.nan, 0.3, 0.1], ["finished", "not finite", "finished", "stopped early"])
    summary = table.summarise(made, rows, "validation/mse", maximise=False)
    assert summary["best"] == 1
    assert [(p["runs"], p["finite"], p["finished"]) for p in summary["points"]] == [(2, 1, 1), (2, 2, 1)]
    assert summary["points"][0]["metrics"]["validation/mse"] == table.interval([0.1])


def test_a_table_is_read_as_it_was_written(tmp_path):
    _, rows = made_rows([0.1, 1 / 3, math.pi, 1e-30], ["finished"] * 4)
    table.write_table(tmp_path / "table.csv", rows)
    assert list(rows[0]) == [
        *("run", "terms.sparsity.weight", "seed", "validation/mse", "test/mse"),
        *("status", "step", "parameters_digest"),
    ]
    assert table.read_table(tmp_path / "table.csv") == [{**row, "parameters_digest": 0} for row in rows]


def test_without_validation_rows_nothing_is_chosen_and_one_line_says_so(capsys):
    made, rows = made_rows([0.1, 0.2, 0.3, 0.4], ["finished"] * 4)
    rows = [{name: value for name, value in row.items() if name != "validation/mse"} for row in rows]
    table.check_column("validation/mse", rows[0])
    summary = table.summarise(made, rows, "validation/mse", maximise=False)
    assert summary["best"] is None
    assert summary["points"][0]["metrics"]["test/mse"]["n"] == 2
    table.say(summary)
    told = capsys.readouterr().out.strip()
    assert told.startswith("no point is chosen: there are no validation rows")
    assert told.count("\n") == 0


def test_metrics_of_other_rows_stand_behind_those_of_the_splits():
    made, _ = made_rows([0.1] * 4, ["finished"] * 4)
    metrics = {"all/accuracy": 0.5, "test/mse": 0.2, "train/loss": 0.3, "validation/mse": 0.1}
    done = {n: {"status": "finished", "step": 5, "parameters_digest": "0", "metrics": metrics} for n in range(4)}
    assert list(table.rows_of(made, done)[0])[3:7] == ["validation/mse", "train/loss", "test/mse", "all/accuracy"]
