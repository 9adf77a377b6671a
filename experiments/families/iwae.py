"""The importance-weighted bound as the whole loss of a variational net, on binary digits.

    aejax run families/iwae                    # 8 draws
    aejax run families/iwae:one_draw           # the evidence lower bound, estimated from one draw

Expect, seeds 0 to 4: log-likelihood -23.12 ± .04 with 8 draws, -23.47 ± .05 with one; -27.27 where every pixel is drawn
by itself. Nats of a test row, estimated from 50 draws (`aejax.tasks.likelihood`). Recorded by
``aejax reproduce families --update --seeds 5``; 5 to 10 s a seed on two busy cores. No setting was searched for. With
more draws the encoder is free to be wider than what the bound of one draw asks for (Burda et al. 2016, section 5).
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "binary:digits"
    config.model = {"name": "variational.dense", "widths": (200,), "code": 10, "kernel_scale": 0.4}
    config.terms = {"bound": {"name": "bounds.importance_weighted", "weight": 1.0, "draws": 8}}
    config.train.batch_size = 128
    config.train.steps = 1000
    config.train.evaluate_every = 250
    config.task = {"name": "likelihood"}
    return config


def variants():
    return {"one_draw": {"terms.bound.draws": 1}}
