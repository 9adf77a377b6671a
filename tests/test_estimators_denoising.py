"""Rows without noise: nearer to the clean ones than what came in, in the units of the data."""

import numpy as np
import pandas
import pytest

from aejax.estimators import DenoisingAutoencoder


def lines(rows, seed):
    """Rows on a line in five dimensions, far from 0."""
    return 100 + 10 * np.random.default_rng(seed).normal(size=(rows, 1)) * np.ones(5)


@pytest.fixture(scope="module")
def denoiser():
    return DenoisingAutoencoder(width=16, steps=200, random_state=0).fit(
        pandas.DataFrame(lines(100, 0), columns=[*"abcde"])
    )


def test_most_of_the_noise_on_new_rows_goes(denoiser):
    clean = lines(50, 1)
    noisy = pandas.DataFrame(clean + 3 * np.random.default_rng(2).normal(size=clean.shape), columns=[*"abcde"])
    error = lambda rows: float(np.square(np.asarray(rows) - clean).mean())
    assert error(denoiser.transform(noisy)) < 0.5 * error(noisy)
    assert denoiser.get_feature_names_out().tolist() == [*"abcde"]


def test_missing_cells_come_out_filled(denoiser):
    frame = pandas.DataFrame(lines(3, 1), columns=[*"abcde"])
    frame.loc[0, "c"] = np.nan
    assert np.isfinite(denoiser.transform(frame)).all()


def test_a_frame_with_categories_has_a_column_for_each():
    frame = pandas.DataFrame({"a": np.arange(30.0), "kind": ["x", "y", "z"] * 10})
    denoiser = DenoisingAutoencoder(width=8, steps=20, random_state=0).set_output(transform="pandas").fit(frame)
    assert denoiser.transform(frame).columns.tolist() == ["a", "kind=x", "kind=y", "kind=z"]
