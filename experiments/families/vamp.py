"""A learned prior of a variational net, the mixture of 50 learned inputs, beside N(0, 1), on binary digits.

    aejax run families/vamp
    aejax run families/vamp:standard_normal
    aejax run families/vamp:generation         # rows decoded from draws of the prior, by the sampler `prior`
    aejax run families/vamp:generation_standard_normal

Expect, seeds 0 to 4: log-likelihood -23.18 ± .08, with N(0, 1) -23.46 ± .06; -27.27 where every pixel is drawn by
itself. Fréchet distance of drawn rows 70.9 ± 6.0, with N(0, 1) 83.0 ± 6.2. A mixture on PCA's components has
32.2 ± 1.9, which neither net reaches. Recorded by ``aejax reproduce families --update --seeds 5``.

Bound and log-likelihood are in nats, of test rows, with 50 draws. No setting was searched for (Tomczak & Welling 2018
have 500 inputs, for MNIST).
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "binary:digits"
    config.model = {"name": "vamp.dense", "components": 50, "widths": (200,), "code": 10, "kernel_scale": 0.4}
    config.terms = {
        "reconstruction": {"name": "reconstruction.cross_entropy", "weight": 1.0},
        "divergence": {"name": "bounds.kl_prior", "weight": 1.0},
    }
    config.train.batch_size = 128
    config.train.steps = 1000
    config.train.evaluate_every = 250
    config.task = {"name": "likelihood"}
    return config


def variants():
    plain = {"name": "variational.dense", "widths": (200,), "code": 10, "kernel_scale": 0.4}
    generation = {"name": "generation", "sampler": "prior"}
    return {
        "standard_normal": {"model": plain},
        "generation": {"task": generation},
        "generation_standard_normal": {"model": plain, "task": generation},
    }
