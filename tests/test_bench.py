"""The door to speed: its rows, what it refuses, and that both sides of a row are asked in turns."""

import json
import math
import subprocess
import tempfile
from pathlib import Path

import jax
import pytest
from running import assert_refused, call

from aejax.bench import ROWS, Row, loads, measure, steps
from aejax.errors import UserError
from aejax.models.unet import unet

ROOT = Path(__file__).parents[1]


def is_checkout():
    return not subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode


def test_rows_are_listed(capsys):
    answer = call(["bench", "--list"], capsys)
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == list(ROWS)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--only", "dence"], "unknown 'dence'"),
        (["--only", "dense", "--turns", "0"], "--turns: 0; allowed: 1 or more"),
        (
            ["--only", "dense", "--against", "no-such-commit"],
            "--against no-such-commit: fatal: ",
        ),
    ],
)
def test_mistakes_get_one_line(words, line, capsys):
    assert_refused(call(["bench", *words], capsys), line)


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(measure, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"bench: needs torch, its peer; install it with: pip install 'aejax\[bench\]'"):
        measure.check(["dense"])


@pytest.mark.parametrize("net", [{"shape": (6,), "code": 2}, {"shape": (8, 8, 1), "channels": (2,), "code": 2}])
def test_steps_and_their_operations(net, monkeypatch):
    monkeypatch.setattr(steps, "SECONDS", 0.01)
    monkeypatch.setattr(steps, "ROWS", 100)
    monkeypatch.setattr(steps, "product_rate", lambda: 1e9)
    turn = steps.of_aejax(1, batch=10, **net)
    assert 0 < turn() < 1
    forward = 2 * 10 * 2 * 6 * 2 if len(net["shape"]) == 1 else 1000  # a dense layer and its mirror image
    assert forward < turn.operations < 1e7


def test_an_earlier_tree_is_the_one_that_is_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # where Python would look before it looks at PYTHONPATH
    (tmp_path / "aejax" / "bench").mkdir(parents=True)
    for name in ("", "bench/"):
        (tmp_path / "aejax" / name / "__init__.py").touch()
    (tmp_path / "aejax" / "bench" / "worker.py").write_text("print(7)")
    with measure._worker("dense", "aejax", tmp_path, 1) as ask:
        assert ask() == 7


@pytest.mark.parametrize(("ratio", "seconds", "misses"), [(1.1, 0.05, False), (1.1, 0.2, True), (0.8, 0.05, True)])
def test_a_row_misses_its_ratio_or_its_seconds(ratio, seconds, misses, monkeypatch):
    row = Row("reading", {"aejax": ("", {}), "NumPy": ("", {})}, 1.0, within=0.1)
    monkeypatch.setattr(measure, "ROWS", {"reading": row})
    sides = {"aejax": seconds, "NumPy": ratio * seconds}
    result = measure.Result("reading", 1, sides, dict.fromkeys(sides, 1.0), {"NumPy": (ratio,)}, {})
    assert result.misses == misses
    assert measure.line(result).endswith("; at most 100 ms")
    alone = result._replace(seconds={"aejax": seconds}, ratios={})
    assert alone.misses == (seconds > 0.1)
    assert "times" not in measure.line(alone)


def test_the_u_net_of_pytorch_has_the_parameters_of_ours():
    torch = pytest.importorskip("torch")
    net = steps.unet_of_torch((8, 8, 3), (4, 6))
    ours = unet((8, 8, 3), channels=(4, 6)).init(jax.random.key(0))
    assert sum(each.numel() for each in net.parameters()) == sum(leaf.size for leaf in jax.tree.leaves(ours))
    assert net(torch.zeros(2, 3, 8, 8)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("function", "arguments"), [(loads.table, {"megabytes": 1}), (loads.photographs, {"count": 9})]
)
def test_files_are_made_and_loaded(function, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    turn = function(1, **arguments)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == arguments.get("count", 1)
    assert len(files) > 1 or files[0].stat().st_size == pytest.approx(1e6, rel=0.05)
    assert turn() > 0


@pytest.mark.slow
@pytest.mark.skipif(not is_checkout(), reason="needs a git checkout")
def test_a_tree_beside_itself(tmp_path, capsys):
    file = tmp_path / "speed.json"
    words = ["--only", "dense", "--threads", "1", "--turns", "1", "--against", "HEAD", "--json", str(file)]
    answer = call(["bench", *words, "--picture", str(tmp_path / "speed.png")], capsys)
    assert answer.code == 0
    assert "dense, 1 thread(s): " in answer.out
    (result,) = json.loads(file.read_text())
    assert result["seconds"].keys() == {"aejax", "before"}
    assert result["ratios"]["before"] == [pytest.approx(result["seconds"]["before"] / result["seconds"]["aejax"])]
    assert abs(math.log(result["ratios"]["before"][0])) < math.log(10)
    assert (tmp_path / "speed.png").stat().st_size > 1000
