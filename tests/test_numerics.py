"""What the shell or a program sets for JAX changes no number of a run; what may change some is recorded and said."""

import doctest
import json
import os
import subprocess
import sys
from contextlib import contextmanager

import jax
import pytest
from running import TINY, arguments, call, digest, execute, table

from aejax.training import numerics

SETTINGS = {
    "x64": lambda: jax.enable_x64(True),
    "keys of another kind": lambda: jax.default_prng_impl("rbg"),
    "keys split otherwise": lambda: jax.threefry_partitionable(False),
    "strict promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "coarse products": lambda: jax.default_matmul_precision("bfloat16"),
    "other keys": lambda: of_jax("jax_random_seed_offset", 7),
    "no programs": lambda: of_jax("jax_disable_jit", True),
    "strict ranks": lambda: of_jax("jax_numpy_rank_promotion", "raise"),
    "no transfers": lambda: of_jax("jax_transfer_guard", "disallow"),
}


@contextmanager
def of_jax(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
        assert getattr(jax.config, name) == value
    finally:
        jax.config.update(name, before)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run under the settings that JAX has by itself."""
    from aejax import cli

    folder = tmp_path_factory.mktemp("plain") / "run"
    assert cli.main(arguments(TINY, workdir=folder)) == 0
    return folder


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_jax_change_no_bit_of_a_run(plain, name, tmp_path, capsys):
    with SETTINGS[name]():
        assert call(arguments(TINY, workdir=tmp_path / "run"), capsys).code == 0
        assert digest(tmp_path / "run") == digest(plain)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_jax_stop_no_command_on_a_folder(plain, name, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AEJAX_PASSPHRASE", "correct horse battery staple")
    out = lambda option, file: [option, str(tmp_path / file)]
    with SETTINGS[name]():
        for words in (
            ["show", str(plain)],
            ["report", str(plain), *out("--output", "page.html")],
            ["export", str(plain), "--format", "numpy", *out("--output", "numpy")],
            ["export", str(plain), "--format", "stablehlo", *out("--output", "stablehlo")],
            ["split", str(plain), *out("--encoder", "encoder"), *out("--decoder", "decoder")],
        ):
            assert call(words, capsys).code == 0, words


def test_settings_of_jax_change_no_bit_of_a_sweep(tmp_path, capsys):
    words = ["--axis", "seed=0:2", "--metric", "validation/mse"]
    swept = lambda name: call(["sweep", *arguments(TINY, workdir=tmp_path / name)[1:], *words], capsys).code
    assert swept("plain") == 0
    with jax.enable_x64(True), jax.default_prng_impl("rbg"):
        assert swept("set") == 0
    assert table(tmp_path / "plain") == table(tmp_path / "set")


def test_the_settings_are_as_before_afterwards():
    with jax.enable_x64(True):
        with numerics.fixed():
            assert jax.numpy.zeros(1, float).dtype == "float32"
        assert jax.numpy.zeros(1, float).dtype == "float64"


def test_a_run_that_goes_on_elsewhere_says_what_differs(tmp_path, capsys):
    folder = tmp_path / "run"
    assert call(arguments(TINY, workdir=folder), capsys).code == 0
    (folder / "summary.json").unlink()
    recorded = json.loads((folder / "environment.json").read_text())
    assert recorded["cores"] >= 1
    recorded["packages"]["jaxlib"], recorded["xla_flags"] = "0.1", "--xla_cpu_enable_fast_math=true"
    recorded["onednn"] = "false"
    (folder / "environment.json").write_text(json.dumps(recorded))
    answer = call(arguments(TINY, workdir=folder), capsys)
    assert answer.code == 0
    (line,) = (line for line in (answer.out + answer.err).splitlines() if "goes on where" in line)
    assert "jaxlib is" in line
    assert "was '0.1'" in line
    assert "fast_math" in line
    assert "onednn is" in line
    assert "processor" not in line


def test_a_run_of_older_code_goes_on_without_a_word(tmp_path, capsys):
    folder = tmp_path / "run"
    assert call(arguments(TINY, workdir=folder), capsys).code == 0
    (folder / "summary.json").unlink()
    (folder / "environment.json").write_text("{}")
    answer = call(arguments(TINY, workdir=folder), capsys)
    assert answer.code == 0
    assert "goes on where" not in answer.out + answer.err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("JAX_PLATFORMS", "tpu"), ("JAX_NUMPY_DTYPE_PROMOTION", "bogus")])
def test_a_variable_that_jax_cannot_use_gets_one_line(name, value):
    command = [
        sys.executable,
        "-c",
        "import sys; from aejax.cli import main; sys.exit(main(['show', 'lecture/vanilla']))",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, name: value})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert value in line


@pytest.mark.slow
def test_optimisations_that_the_shell_turns_off_are_on(tmp_path):
    for value in ("0", "1"):
        assert execute(arguments(TINY, workdir=tmp_path / value), JAX_DISABLE_MOST_OPTIMIZATIONS=value).code == 0
    assert digest(tmp_path / "0") == digest(tmp_path / "1")


def test_the_example():
    assert doctest.testmod(numerics).failed == 0
