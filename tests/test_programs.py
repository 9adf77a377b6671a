"""A net that a process has trained before is not traced again; what may have changed is."""

import logging
import sys

import jax
import numpy as np
import pytest

from aejax import config
from aejax.data import from_arrays
from aejax.errors import UserError
from aejax.runs.from_config import train_in_memory
from aejax.training import compilation

NET = ["model.widths=(4,)", "model.code=2", "train.steps=6", "train.batch_size=8", "train.evaluate_every=3"]
X = np.random.default_rng(0).uniform(size=(60, 5)).astype(np.float32)


def trained(x, *changes, seed=0):
    settings = config.load("lecture/multilayer", [*NET, f"seed={seed}", *changes])
    return train_in_memory(settings, from_arrays(x, validation=0.2, scaling="none"))


def lowered(caplog, function):
    """The names of the programs that JAX made ready for XLA meanwhile, and what the function returned."""
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        result = function()
    messages = [record.getMessage() for record in caplog.records if "Finished jaxpr to MLIR" in record.getMessage()]
    names = ("advance", "on_batch", "init")
    return {name for name in names if any(f"jit({name})" in message for message in messages)}, result


def test_the_second_training_of_a_net_makes_no_program_and_gives_what_a_first_one_gives(caplog):
    compilation.forget()
    first, _ = lowered(caplog, lambda: trained(X))
    assert first == {"advance", "on_batch", "init"}
    again, second = lowered(caplog, lambda: trained(X[::-1] * 0.9, seed=1))
    assert again == set()
    compilation.forget()
    afresh, alone = lowered(caplog, lambda: trained(X[::-1] * 0.9, seed=1))
    assert afresh == first
    jax.tree.map(np.testing.assert_array_equal, alone.params, second.params)
    assert alone.history["validation_loss"].tolist() == second.history["validation_loss"].tolist()


@pytest.mark.parametrize(
    "change", ["terms.reconstruction.name=reconstruction.squared_error", "train.steps=7", "model.code=3"]
)
def test_another_net_or_loss_is_another_program(change, caplog):
    trained(X)
    names, _ = lowered(caplog, lambda: trained(X, change))
    assert "advance" in names


def test_numbers_of_a_net_that_was_trained_before_are_the_new_ones():
    slow, fast = (trained(X, f"optimizer.learning_rate={rate}").history["train_loss"][-1] for rate in (1e-4, 0.1))
    assert fast < slow


def test_data_that_a_term_does_not_allow_are_refused_with_their_own_range():
    term = "terms.reconstruction.name=reconstruction.cross_entropy"
    trained(X, term, "model.output=sigmoid")
    for widest in (7, 9):
        with pytest.raises(UserError, match=rf"must lie in \[0, 1\], not .*{widest}"):
            trained(X / X.max() * widest, term, "model.output=sigmoid")


def test_a_term_from_elsewhere_is_traced_again_since_what_it_calls_may_have_changed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "terms_of_mine.py").write_text(
        '"""A term."""\n\nFACTOR = 1.0\n\n\ndef squares(ctx):\n    """Scaled squares."""\n'
        "    return FACTOR * ((ctx.x - ctx.x_hat) ** 2).mean()\n"
    )
    term = "terms.reconstruction.name=terms_of_mine.squares"
    before = trained(X, term).history["validation_loss"]
    monkeypatch.setattr(sys.modules["terms_of_mine"], "FACTOR", 0.0)
    assert before.all()
    assert not trained(X, term).history["validation_loss"].any()
