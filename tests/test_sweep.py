"""Sweeps beside single runs: the same parameters, whatever the form; frozen members; killed and continued sweeps."""

import copy
import csv
import functools
import json
import logging
import re
from collections import Counter
from contextlib import nullcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import cli, config, console
from aejax.config import files as config_files
from aejax.errors import UserError
from aejax.runs import experiment
from aejax.storage import checkpoint
from aejax.sweep import axes, plan
from aejax.sweep.block import PARTS, Options, read_marker, run_block
from aejax.sweep.engines.groups import cost
from aejax.sweep.prepared import prepare
from aejax.training import build, compilation
from aejax.training.evaluate import on_device
from aejax.training.interruption import InterruptedRunError
from aejax.training.members import padded_size

SMALL = (
    "data.name=bars",
    "data.rows=120",
    "model.code=3",
    "train.steps=60",
    "train.batch_size=16",
    "train.evaluate_every=20",
    "train.checkpoint_every=1000",
    "report.figures=false",
)
GRID = ("terms.sparsity.weight=[0.01,0.3,1.0]", "seed=[3,8]")
TOLERANCE = 1e-5


def planned(*specs, folds=None, overrides=(), spec="lecture/sparse_l1"):
    return plan.make(spec, [*SMALL, *overrides], axes.collect({}, specs), folds)


@functools.cache
def compiled_step(static):
    """One step of a run, and its start, compiled once for all members of equal static setting."""
    config = {"seed": 0, **json.loads(static)}
    dataset = build.load_data(config["data"])
    parts = build.build(config, dataset)
    return jax.jit(parts.run.init), jax.jit(partial(parts.run.advance, n=1)), on_device(dataset.train, dataset)


def alone(member, steps=None):
    """The parameters of one member, by a plain loop of single steps."""
    parts = build.build(member.config, build.load_data(member.config["data"]))
    zeros = copy.deepcopy(member.config)
    for section in plan.SWEPT_SECTIONS:
        zeros[section] = halved(zeros[section])
    init, advance, rows = compiled_step(json.dumps({k: v for k, v in zeros.items() if k != "seed"}))
    state = init(parts.key, parts.hparams)
    for _ in range(member.config["train"]["steps"] if steps is None else steps):
        state, _ = advance(state, parts.key, parts.hparams, rows)
    return jax.device_get(state.params)


def halved(section):
    """The section with ½ for every number that is traced."""
    mark = lambda v: halved(v) if isinstance(v, dict) else 0.5 if type(v) is float else v
    return {name: mark(value) for name, value in section.items()}


def stacked_params(folder):
    return checkpoint.restore_flat(folder / "params")


def flat(params):
    from aejax.storage.trees import named_arrays

    return named_arrays(params)


def distance(stacked, member, wanted):
    """The largest difference of a leaf, relative to its largest value."""
    return max(np.abs(stacked[name][member] - leaf).max() / np.abs(leaf).max() for name, leaf in flat(wanted).items())


def train(tmp_path, made, options):
    """Every block of a plan: the members, their results and their stacked parameters."""
    trained = []
    for group in made.groups:
        prepared = prepare(group[0].config, made.folds)
        for block in cost(group, prepared, options)[0]:
            results = run_block(block, prepared, options, tmp_path)
            trained.append((block.members, results, stacked_params(tmp_path / PARTS / block.id)))
    return trained


@pytest.fixture(scope="module")
def grid():
    made = planned(*GRID)
    return made, [alone(member) for member in made.members]


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """``member -> (summary, folder)`` of its run, which is done once."""
    done = {}

    def run(member):
        if member.id not in done:
            folder = tmp_path_factory.mktemp("run")
            done[member.id] = experiment.run(member.config, folder), folder
        return done[member.id]

    return run


@pytest.mark.parametrize("strategy", ["vmap", "map"])
def test_members_are_what_single_runs_are(tmp_path, grid, strategy):
    made, wanted = grid
    ((members, results, params),) = train(tmp_path, made, Options(strategy=strategy))
    assert [member.number for member in members] == sorted(range(6), key=lambda n: (n % 2, n // 2))
    for index, member in enumerate(members):
        assert distance(params, index, wanted[member.number]) < TOLERANCE
        assert (results[index]["status"], results[index]["step"]) == ("finished", 60)
    spread = np.ptp(params["encoder/layer0/kernel"], axis=0).max()
    assert spread > 100 * TOLERANCE, "the members are all alike"


def test_exact_members_have_the_digest_of_their_runs_and_their_metrics(tmp_path, grid, run_of):
    made, wanted = grid
    ((members, results, params),) = train(tmp_path / "sweep", made, Options(exact=True))
    for index in (0, 4):
        summary, folder = run_of(members[index])
        assert results[index]["parameters_digest"] == summary["parameters_digest"]
        for split, metrics in summary["metrics"].items():
            for name, value in metrics.items():
                assert results[index]["metrics"][f"{split}/{name}"] == value
        with open(folder / "metrics.csv") as file:
            last = list(csv.DictReader(file))[-1]
        for name in ("loss", "reconstruction", "sparsity"):
            assert results[index]["metrics"][f"train/{name}"] == pytest.approx(float(last[f"train_{name}"]), rel=1e-6)
            value = results[index]["metrics"][f"validation/{name}"]
            assert value == pytest.approx(float(last[f"validation_{name}"]), rel=1e-6)
    assert distance(params, 0, wanted[members[0].number]) < TOLERANCE


BREAKING = ("optimizer.learning_rate=[0.01,1e25]", "seed=[3]")
BY_SGD = (
    "optimizer={'name': 'sgd', 'learning_rate': 0.1, 'schedule': {'name': 'constant'}}",
    "terms.sparsity.weight=0.01",
)


@pytest.mark.parametrize("options", [{"strategy": "vmap"}, {"strategy": "map"}, {"exact": True}], ids=str)
def test_a_member_that_breaks_is_frozen_before_that_step_and_the_others_go_on(tmp_path, options):
    made = planned(*BREAKING, overrides=[*BY_SGD, "model.activation=linear", "model.output=linear", *SQUARED])
    ((members, results, params),) = train(tmp_path, made, Options(**options))
    calm, broken = results
    assert (calm["status"], calm["step"]) == ("finished", 60)
    assert distance(params, 0, alone(members[0])) < TOLERANCE
    assert broken["status"] == "not finite"
    assert 1 <= broken["step"] < 60
    assert distance(params, 1, alone(members[1], broken["step"])) < TOLERANCE
    after = alone(members[1], broken["step"] + 2)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))
    assert all(np.isfinite(leaf[1]).all() for leaf in params.values())
    assert np.isfinite(calm["metrics"]["validation/mse"])


SQUARED = ("terms.reconstruction.name=reconstruction.squared_error",)


@pytest.mark.parametrize("options", [{"strategy": "vmap"}, {"exact": True}], ids=str)
def test_each_member_stops_early_where_its_run_does(tmp_path, run_of, options):
    made = planned(
        "optimizer.learning_rate=[0.003,0.5]", overrides=["train.patience=2", "train.evaluate_every=5", "seed=1"]
    )
    ((members, results, _),) = train(tmp_path / "sweep", made, Options(**options))
    assert [result["status"] for result in results] == ["finished", "stopped early"]
    for index, member in enumerate(members):
        summary, _ = run_of(member)
        assert results[index]["step"] == summary["timing"]["steps"]
        error = results[index]["metrics"]["test/mse"]
        assert error == pytest.approx(summary["metrics"]["test"]["mse"], rel=1e-4)
        if options.get("exact"):
            assert results[index]["parameters_digest"] == summary["parameters_digest"]


@pytest.mark.parametrize("options", [Options(strategy="vmap"), Options(exact=True)], ids=["vmap", "exact"])
def test_a_block_that_is_stopped_goes_on_to_the_same_bits_and_is_done_once(tmp_path, monkeypatch, options):
    made = planned(*GRID, overrides=["train.patience=50", "train.evaluate_every=10"])
    prepared = prepare(made.groups[0][0].config, None)
    (block,) = cost(made.groups[0], prepared, options)[0]
    straight = run_block(block, prepared, options, tmp_path / "straight")
    asks = iter([False] * 4 + [True] * 100)
    with pytest.raises(InterruptedRunError):
        run_block(block, prepared, options, tmp_path / "cut", lambda: next(asks))
    part = tmp_path / "cut" / PARTS / block.id
    assert read_marker(part) is None
    seen = []
    monkeypatch.setattr(console, "progress", lambda total, done: nullcontext(lambda step, loss: seen.append(step)))
    again = run_block(block, prepared, options, tmp_path / "cut")
    assert 0 < seen[0] - 10 < 60
    assert [r["parameters_digest"] for r in again] == [r["parameters_digest"] for r in straight]
    assert [r["metrics"] for r in again] == [r["metrics"] for r in straight]
    marker = (part / "done.json").read_bytes()
    assert run_block(block, None, options, tmp_path / "cut") == again, "it was trained again"
    (part / "done.json").write_bytes(marker.replace(b'"step": 60', b'"step": 61'))
    assert read_marker(part) is None


def test_groups_are_those_of_equal_static_setting_and_their_blocks_hold_each_member_once():
    made = planned("model.code=[2,3]", "terms.sparsity.weight=log(0.01,1,5)", "seed=0:3")
    assert [len(group) for group in made.groups] == [15, 15]
    assert {member.config["model"]["code"] for member in made.groups[0]} == {2}
    for most in (1, 2, 4, 7, 15, 99):
        for multiple in (1, 2, 3, 4):
            blocks = plan.blocks(made.groups[0], most, multiple)
            numbers = [member.number for block in blocks for member in block.members]
            assert sorted(numbers) == sorted(member.number for member in made.groups[0])
            assert len({block.grid.shape for block in blocks}) == 1
            for block in blocks:
                assert len(block.members) <= most
                assert set(block.grid.reshape(-1)) == set(range(len(block.members)))
                for stream, row in zip(block.streams, block.grid, strict=True):
                    assert {block.members[index].config["seed"] for index in row} == {stream[0]}
                if block.grid.size >= 2 * multiple:
                    assert block.grid.shape[0] % multiple == 0 or block.grid.shape[1] % multiple == 0


def test_zipped_seeds_of_unequal_settings_still_train_right(tmp_path):
    pairs = axes.make(("seed", "terms.sparsity.weight"), ([1, 1, 2], [0.01, 0.3, 0.3]))
    made = plan.make("lecture/sparse_l1", SMALL, [pairs])
    ((members, _, params),) = train(tmp_path, made, Options(strategy="vmap"))
    for index, member in enumerate(members):
        assert distance(params, index, alone(member)) < TOLERANCE


@pytest.mark.parametrize("count", [3, 4])
def test_folds_hold_out_every_row_once_and_train_as_one_program(tmp_path, caplog, count):
    made = planned("terms.sparsity.weight=[0.01,0.3]", folds=count, overrides=["data.rows=121", "data.test=0.1"])
    options = Options(strategy="vmap")
    prepared = prepare(made.groups[0][0].config, count)
    held_out = np.concatenate([dataset.validation.x for dataset in prepared.datasets]).reshape(109, -1)
    whole = build.load_data({**made.base["data"], "validation": 0.0}).train.x.reshape(109, -1)
    assert sorted(map(bytes, held_out)) == sorted(map(bytes, whole))
    for dataset in prepared.datasets:
        used = Counter(map(bytes, dataset.train.x)) + Counter(map(bytes, dataset.validation.x))
        assert used <= Counter(map(bytes, whole))
        assert len(dataset.train.x) == 109 - -(-109 // count)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        ((members, _, params),) = train(tmp_path, made, options)
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA compilation of jit(advance)" in r.getMessage()]
    assert len(compiled) == 1
    assert len(members) == 2 * count
    for index in (2 * count - 1,):
        member = members[index]
        dataset = prepared.datasets[member.fold]
        parts = build.build(member.config, dataset)
        rows, state = on_device(dataset.train, dataset), jax.jit(parts.run.init)(parts.key, parts.hparams)
        state, _ = jax.jit(partial(parts.run.advance, n=60))(state, parts.key, parts.hparams, rows)
        assert distance(params, index, state.params) < TOLERANCE


def test_tables_of_almost_equal_size_are_padded_to_one_program_and_train_as_alone(tmp_path, caplog):
    made = planned("data.rows=[100,103,110]", "terms.sparsity.weight=[0.01,0.3]")
    compilation.compiled.cache_clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        trained = train(tmp_path, made, Options(strategy="vmap"))
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA compilation of jit(advance)" in r.getMessage()]
    assert len(trained) == 3
    assert len(compiled) == 1
    for members, _, params in trained:
        assert distance(params, 1, alone(members[1])) < TOLERANCE
    sizes = [padded_size(rows) for rows in range(1, 20_001)]
    assert all(rows <= size <= max(64, 1.5 * rows) for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 20


def test_a_budget_cuts_a_group_into_blocks_of_one_shape(tmp_path, caplog):
    made = planned("terms.sparsity.weight=log(0.01,1,5)", "seed=0:2")
    prepared = prepare(made.groups[0][0].config, None)
    blocks, memory = cost(made.groups[0], prepared, Options(budget=10**9))
    assert len(blocks) == 1
    options = Options(strategy="vmap", budget=memory.shared + 4 * memory.member)
    assert [len(block.members) for block in cost(made.groups[0], prepared, options)[0]] == [4, 4, 2]
    with pytest.raises(UserError, match=r"--memory-budget: .* too small .* allowed: "):
        cost(made.groups[0], prepared, Options(budget=memory.shared))


def test_the_estimate_of_memory_is_near_what_the_compiler_says():
    made = planned("terms.sparsity.weight=log(0.01,1,16)", overrides=["model.code=64", "train.batch_size=64"])
    prepared = prepare(made.groups[0][0].config, None)
    memory = cost(made.groups[0], prepared, Options())[1]
    parts = prepared.parts
    state = jax.jit(parts.run.init)(parts.key, parts.hparams)
    sizes = [leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((state.params, state.opt_state))]
    assert 2 * sum(sizes) < memory.member
    rows = on_device(prepared.datasets[0].train, prepared.datasets[0])
    many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 16), (state.params, state.opt_state))
    weights = jnp.linspace(0.01, 1, 16)

    def step(state_of_member, weight):
        hparams = {**parts.hparams, "terms": {**parts.hparams["terms"]}}
        hparams["terms"]["sparsity"] = {"weight": weight}
        return parts.run.advance(type(state)(*state_of_member, jnp.int32(0)), parts.key, hparams, rows, 1)[0]

    analysis = jax.jit(jax.vmap(step)).lower(many, weights).compile().memory_analysis()
    measured = (analysis.temp_size_in_bytes + analysis.argument_size_in_bytes + analysis.output_size_in_bytes) / 16
    assert measured / 3 < memory.member < measured * 3


def command(tmp_path, *options, sets=SMALL, workdir="sweep"):
    """Sweep the shipped net with L1, without the axes that its config declares."""
    words = [word for text in sets for word in ("--set", text)]
    shipped = config_files.experiments_folder() / "lecture" / "sparse_l1.py"
    undeclared = shipped.read_text(encoding="utf-8").partition("\n\ndef sweep")[0]
    (tmp_path / "sparse.py").write_text(undeclared, encoding="utf-8")
    return cli.main(["sweep", str(tmp_path / "sparse.py"), *words, "--workdir", str(tmp_path / workdir), *options])


WRONG = {
    "unknown 'terms.sparsity.wait' (did you mean": ["--axis", "terms.sparsity.wait=[1]"],
    "unknown 'optimiser.learning_rate'": ["--axis", "optimiser.learning_rate=[1]"],
    "wait": ["--axis", "terms.sparsity.wait=[1.0]"],
    "has no values": ["--axis", "seed=[]"],
    "two axes name this field": ["--axis", "seed=[1]", "--axis", "seed=[2]"],
    "there is no axis": [],
    "optimizer.learning_rate: expected": ["--axis", "optimizer.learning_rate=[0.1,-1.0]"],
    "too small": ["--axis", "seed=0:2", "--memory-budget", "1kB"],
    "expected an amount": ["--axis", "seed=0:2", "--memory-budget", "much"],
    "chosen on validation rows alone": ["--axis", "seed=0:2", "--metric", "test/mse"],
    "--folds 1": ["--axis", "seed=0:2", "--folds", "1"],
    "there are 96 rows": ["--axis", "seed=0:2", "--folds", "1000"],
    "--devices 0": ["--axis", "seed=0:2", "--devices", "0"],
    "--exact": ["--axis", "seed=0:2", "--exact", "--strategy", "map"],
    "model: is a group": ["--axis", "model=[1]"],
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_costs_one_line_and_nothing_else(tmp_path, capsys, words):
    assert command(tmp_path, *WRONG[words]) == 2
    printed = capsys.readouterr().err
    assert re.search(re.escape(words), printed) or words.split()[0] in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "sweep").exists()


def test_a_dry_run_counts_and_trains_nothing(tmp_path, capsys):
    options = ["--axis", "model.code=[2,3]", "--axis", "seed=0:4", "--dry-run"]
    assert command(tmp_path, *options) == 0
    printed = capsys.readouterr().out
    assert "8 runs: model.code (2) × seed (4), in 2 groups" in printed
    assert "2 to compile" in printed
    assert "model.code=3: 4 runs, about" in printed
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_from_the_command_line_leaves_a_table_and_a_summary(tmp_path, capsys):
    options = ["--axis", "terms.sparsity.weight=[0.01,1.0]", "--axis", "seed=0:3", "--strategy", "vmap"]
    assert command(tmp_path, *options) == 0
    with open(tmp_path / "sweep" / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["terms.sparsity.weight"], row["seed"]) for row in rows] == [
        (weight, str(seed)) for weight in ("0.01", "1.0") for seed in range(3)
    ]
    assert {"validation/mse", "test/mse", "train/loss", "status", "step"} <= rows[0].keys()
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    for point, start in zip(summary["points"], (0, 3), strict=True):
        values = np.array([float(row["test/mse"]) for row in rows[start : start + 3]])
        assert point["metrics"]["test/mse"]["mean"] == pytest.approx(values.mean())
        assert point["metrics"]["test/mse"]["sd"] == pytest.approx(values.std(ddof=1))
    means = [point["metrics"]["validation/mse"]["mean"] for point in summary["points"]]
    assert summary["best"] == int(np.argmin(means))
    before = (tmp_path / "sweep" / "table.csv").read_bytes()
    capsys.readouterr()
    assert command(tmp_path, *options) == 0
    assert "6 of 6 runs are done" in capsys.readouterr().out
    assert (tmp_path / "sweep" / "table.csv").read_bytes() == before
    assert command(tmp_path, *options[:2]) == 2
    assert "holds another sweep" in capsys.readouterr().err
    assert config.load("lecture/sparse_l1", SMALL)["seed"] == 0


def test_zipped_quasi_random_values_break_and_are_drawn_and_one_is_run_alone(tmp_path, capsys):
    sets = [*SMALL[:-1], "report.figures=true", *BY_SGD, *SQUARED, "model.activation=linear", "model.output=linear"]
    zipped = ["--zip", "terms.sparsity.weight=logquasi(0.01,1,3)", "optimizer.learning_rate=[0.01,0.02,1e25]"]
    assert command(tmp_path, *zipped, "--axis", "seed=0:2", "--strategy", "vmap", sets=sets) == 0
    with open(tmp_path / "sweep" / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    weights = axes.read("w", "logquasi(0.01,1,3)")
    assert [float(row["terms.sparsity.weight"]) for row in rows] == [*weights] * 2
    broken = {("not finite", False)}
    assert {(row["status"], row["step"] == "60") for row in rows[2::3]} == broken
    assert {(row["status"], row["step"]) for row in [*rows[::3], *rows[1::3]]} == {("finished", "60")}
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    assert summary["best"] in (0, 1)
    for point in summary["points"][:2]:
        spread = point["metrics"]["validation/mse"]
        assert spread["low"] < spread["mean"] < spread["high"]
    drawn = {path.stem for path in (tmp_path / "sweep" / "figures").glob("*.png")}
    assert drawn == {"parallel", "trade-off"}, "of the tiles of zipped axes most are empty, and two points are finite"
    row = rows[4]
    setting = [f"{path}={row[path]}" for path in ("terms.sparsity.weight", "optimizer.learning_rate", "seed")]
    words = [word for text in [*sets, *setting] for word in ("--set", text)]
    assert cli.main(["run", "lecture/sparse_l1", *words, "--workdir", str(tmp_path / "run")]) == 0
    alone = json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]
    for split in ("train", "validation", "test"):
        assert float(row[f"{split}/mse"]) == pytest.approx(alone[split]["mse"], rel=TOLERANCE)
