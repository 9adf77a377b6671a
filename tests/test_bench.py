"""The door to speed: its rows, what it refuses, and that both sides of a row are asked in turns."""

import json
import math
import subprocess
from pathlib import Path

import pytest
from running import assert_refused, call

from aejax.bench import ROWS, measure, steps
from aejax.errors import UserError

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
