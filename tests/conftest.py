"""What all tests share: strict JAX, seeded property tests, and no trace outside a folder of this session.

Ranks are never promoted silently and a random key is used once: both raise. Property tests draw the same examples in
every session. Nothing that a user has cached is read, and nothing is left behind. Programs are compiled with few of
XLA's optimisations, in less time: what is tested here are numbers, and `aejax reproduce` has them with all.
"""

import os
import shutil
import tempfile

if "PYTEST_XDIST_WORKER" in os.environ:  # there is one for each core, so further threads would only stand in the way
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import hypothesis
import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_disable_most_optimizations", True)

hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None, max_examples=30)
hypothesis.settings.load_profile("same")

SESSION = {"folder": "", "before": {}}


def pytest_configure(config):
    SESSION["folder"] = tempfile.mkdtemp(prefix="aejax-tests-")
    for name, value in {"AEJAX_CACHE_DIR": SESSION["folder"], "AEJAX_COMPILE_CACHE": "off"}.items():
        SESSION["before"][name] = os.environ.get(name)
        os.environ[name] = value


def pytest_unconfigure(config):
    shutil.rmtree(SESSION["folder"], ignore_errors=True)
    for name, value in SESSION["before"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
