"""What the README shows is what there is: its configs run, its regulariser works, its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.cli import main, parser, spelled
from aejax.config import files as config_files

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
COMMANDS += re.findall(r"`(aejax \w+ [^`]+)`", README)
SHRUNK = ("train.steps=4", "train.evaluate_every=2", "report.figures=false")


@pytest.fixture
def shown_files(tmp_path, monkeypatch):
    for name, text in PYTHON:
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path
    for name, _ in PYTHON:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_there_is_something_to_test():
    assert {"my_experiment.py", "my_terms.py", "my_regularised.py"} <= {name for name, _ in PYTHON}
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("name", ["my_experiment.py", "my_regularised.py"])
def test_the_configs_run(shown_files, name):
    shrunk = [word for override in SHRUNK for word in ("--set", override)]
    assert main(["run", name, "--workdir", "out", *shrunk]) == 0
    header = (shown_files / "out" / "metrics.csv").read_text().partition("\n")[0].split(",")
    assert ("train_decorrelation" in header) == (name == "my_regularised.py")


def test_the_regulariser_is_its_formula(shown_files):
    import my_terms

    from aejax.types import Context

    a = np.asarray(jax.random.normal(jax.random.key(0), (20, 5)), np.float64)
    covariance = np.cov(a.T, bias=True)
    expected = sum(covariance[i, j] ** 2 for i in range(5) for j in range(5) if i != j)
    empty = dict.fromkeys(Context._fields)
    ctx = Context(**empty | {"hidden": {"code": jnp.asarray(a, jnp.float32)}})
    assert float(my_terms.decorrelation(ctx)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("command", sorted({c for c in COMMANDS if c.startswith("aejax ")}))
def test_the_commands_exist(command):
    words = re.sub(r"\b(FOLDER|DIR)\b", "somewhere", command).split()[1:]
    if "…" in command:
        pytest.fail("a command in the README must be whole")
    parser().parse_args(spelled(words))
    if words[0] == "run" and words[1].startswith("lecture/"):
        config_files.find(words[1])


def test_the_spanish_readme_has_the_same_commands_pictures_and_numbers():
    spanish = (ROOT / "README.es.md").read_text(encoding="utf-8")

    def essence(text):
        blocks = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
        code = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
        rows = [re.findall(r"`[^`]+`|\d*\.?\d+", line) for line in text.splitlines() if line.startswith("| ")]
        return code, [[cell.replace(",", "") for cell in row] for row in rows], re.findall(r"!\[[^]]+\]\((.*?)\)", text)

    english = re.sub(r"(\d),(\d{3})", r"\1 \2", README)
    spanish = re.sub(r"(\d),(\d{3})", r"\1 \2", spanish)
    for own, other in zip(essence(english), essence(spanish), strict=True):
        assert own == other


def test_the_scripts_exist_and_can_be_run():
    for name in ("demo", "test"):
        assert f"scripts/{name}" in README
        done = subprocess.run(["bash", "-n", str(ROOT / "scripts" / name)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (ROOT / "scripts" / name).stat().st_mode & 0o111


def test_pictures_and_files_that_are_linked_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
