"""Vector quantisation of digits: a code of 24 bits, with entries of the codebook that are used again.

    aejax run families/vq                      # 4 pieces of a codebook of 64 entries
    aejax run families/vq:without_restarts     # entries that nobody uses stay where they are

Expect, seeds 0 to 4: test error .0226 ± .0009, without restarts .0234 ± .0006; of PCA with 16 components .0115, of the
mean row .0737. Perplexity of the codebook 56.2 ± 1.6, without restarts 42.6 ± 3.8. A second of training on two cores.
Recorded by ``aejax reproduce families --update --seeds 5``.

The perplexity is that of the validation rows in metrics.csv, at most 64. PCA's components are real numbers, not bits.
The weight of the commitment is .25, as in van den Oord et al. 2017, section 3.2. No setting was searched for.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "vector.quantized", "widths": (128,), "pieces": 4, "size": 4, "entries": 64}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "commitment": {"name": "quantization.commitment", "weight": 0.25},
        "perplexity": {"name": "quantization.perplexity", "weight": 0.0},
    }
    config.train.batch_size = 64
    config.train.steps = 1000
    config.train.evaluate_every = 250
    return config


def variants():
    return {"without_restarts": {"model.least": 0.0}}
