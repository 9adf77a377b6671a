"""A TopK dictionary of digits: 256 directions of which a row uses 8, beside PCA with 8 components.

    aejax run families/topk                    # 6 s on a busy core
    aejax run families/topk:without_revival    # without the term that teaches dead units

Expect, seeds 0 to 4, standardised values: test error .182 ± .005, of PCA with 8 components .476, of the mean row .985.
Without revival .181 ± .005: it changes nothing here. PCA with as many components as there are units rebuilds
everything; what the dictionary is beside is `pca_8`. Recorded by ``aejax reproduce families --update --seeds 5``.

The weight of `revival` is 1/32, as in Gao et al. 2024, Scaling and evaluating sparse autoencoders, appendix A.2. A
unit is dead here after 50 steps, of 64 rows each. No setting was searched for.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.scaling = "standard"
    config.model = {"name": "dictionary.topk", "code": 256, "active": 8}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "revival": {"name": "dictionary.revival", "weight": 1 / 32, "units": 16, "after": 50},
    }
    config.train.batch_size = 64
    config.train.steps = 1000
    config.train.evaluate_every = 250
    return config


def variants():
    return {"without_revival": {"terms.revival.weight": 0.0}}
