"""What all tests share: strict JAX, seeded property tests, one cache of compiled programs, and memory given back.

Ranks are never promoted silently and a random key is used once: both raise. Property tests draw the same examples in
every session. Nothing that a user has cached is read. Files are not forced out to the disk: that is for a loss of
power. Programs are compiled with few of XLA's optimisations, in less time: what is tested here are numbers, and `aejax
reproduce` has them with all. Each program is compiled once, by the worker or process that needs it first, and kept in
pytest's own cache for the next session.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # there is one for each core, so further threads would only stand in the way
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import jaxlib

if jaxlib.version.__version_info__ < (0, 11):  # the older emitters compile in half the time; 0.12 has them no more
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()

import hypothesis
import jax
import pytest

os.fsync = lambda descriptor: None
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

if limit := getattr(ctypes.CDLL(None), "mallopt", None):
    limit(-8, 2)  # M_ARENA_MAX: else memory that XLA's threads free stays with each of them

hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None, max_examples=30)
hypothesis.settings.load_profile("same")


@pytest.fixture
def lecture_as_run(monkeypatch):
    """Pages of the lecture show what was run, without its recorded runs: these take half a minute to draw."""
    from aejax.report import folders

    monkeypatch.setattr(folders, "recorded", lambda collection: None)


FOLDER, ENVIRONMENT = pytest.StashKey[str](), pytest.StashKey[dict]()
RESIDENT = 10**9
SLOW_TEST = 30
"""As many quick tests take as long as one that is marked slow."""


def pytest_configure(config):
    """Make the folder of caches, which workers and the processes that tests start inherit."""
    config.stash[ENVIRONMENT] = {name: os.environ.get(name) for name in ("AEJAX_CACHE_DIR", "AEJAX_COMPILE_CACHE")}
    os.environ["AEJAX_COMPILE_CACHE"] = "off"  # in this process the last line below turns it on
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[FOLDER] = os.environ["AEJAX_CACHE_DIR"] = tempfile.mkdtemp(prefix="aejax-tests-")
        if cache := getattr(config, "cache", None):
            os.symlink(programs(cache), os.path.join(config.stash[FOLDER], "compiled"))
    jax.config.update("jax_compilation_cache_dir", os.path.join(os.environ["AEJAX_CACHE_DIR"], "compiled"))


def programs(cache) -> Path:
    """Those of earlier sessions with this jaxlib; all are thrown away when they have come to a gigabyte."""
    folder = cache.mkdir(f"programs-{jaxlib.__version__}")
    if sum(path.stat().st_size for path in folder.iterdir()) > 1e9:
        shutil.rmtree(folder)
        folder.mkdir()
    return folder


def pytest_unconfigure(config):
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)
    for name, value in config.stash[ENVIRONMENT].items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left alone with one."""
    lengths = Counter()
    for item in items:
        lengths[item.path] += SLOW_TEST if item.get_closest_marker("slow") else 1
    items.sort(key=lambda item: -lengths[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Give memory back after a file of tests, and after a test that leaves more than `RESIDENT` bytes."""
    result = yield
    if nextitem is None or nextitem.path != item.path or resident() > RESIDENT:
        give_back()
    return result


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a finished run of `running.TINY`, to be read or copied."""
    from running import TINY, arguments

    from aejax import cli

    folder = tmp_path_factory.mktemp("tiny") / "run"
    assert cli.main(arguments(TINY, workdir=folder)) == 0
    return folder


@pytest.fixture(scope="module")
def browser():
    """A driver of a browser without a window; at the end nothing is left on its console."""
    from browsing import BROWSER, DRIVER, MISSING, start

    if not (BROWSER and DRIVER):
        pytest.skip(MISSING)
    driver = start()
    yield driver
    assert driver.get_log("browser") == []
    driver.quit()


def resident() -> int:
    """The bytes that this process holds, where Linux tells them."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def give_back() -> None:
    """Forget compiled programs and figures, and hand free memory to the system, which the C library does not."""
    from aejax.training import compilation

    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
    compilation.forget()
