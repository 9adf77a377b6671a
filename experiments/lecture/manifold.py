"""Manifold learning: unroll a swiss roll by keeping distances along it, where a plain autoencoder does not.

Slides: "Manifold learning" (two). 2000 noisy points, 1440 to train on; the term `structure.strain` matches the code's
inner products in a batch to those that geodesics of the neighbour graph imply. New points are encoded, nothing is
fitted again.

    aejax run lecture/manifold             # swiss roll; 12 s of training on two cores, and as long for the plain net
    aejax run lecture/manifold:s_curve     # the same
    aejax run lecture/manifold:digits      # walks between two digits; 10 s

Expect, over seeds 0-4, R² of the two true coordinates (length along the sheet, height) by a linear map of the code, and
trustworthiness (10 neighbours), of test rows:

                   swiss roll                             S-curve
                   length      height      trust.         length      height      trust.
    code           .999 ± .000 .992 ± .001 .999 ± .001    .998 ± .000 .991 ± .000 .999 ± .000
    worst seed     .998        .992        .998           .998        .991        .999
    Isomap         1.000       .989        .999           .998        .989        .999
    LLE            .986        .874        .980           .933        .141        .876
    PCA            .071        .887        .864           .358        .992        .860
    plain net      .048 ± .090 .313 ± .187 .967 ± .009    .366 ± .248 .287 ± .165 .979 ± .010

The noise alone keeps R² of the S-curve's height below .993 (PCA, which is that coordinate, gets .992). The roll's true
coordinate is the length along it, not the angle: an exact unrolling explains .984 of the angle by a linear map.
The weight of the strain is that of {1, 10, 100, 300} with the lowest strain of the training rows at the end, which
needs no coordinates; with 1 and 10 some seeds of the roll are not unrolled after 3000 steps.

Digits, distance from the images between two test rows of different classes to the nearest training row, in the mean
(in the middle of the way): along the code .977 ± .008 (1.125), along the pixels 1.229 ± .008 (1.466), along PCA's ten
components 1.246 ± .008 (1.382); real test rows are 1.063 away. Decoded images are smoother than real ones, so that they
may be nearer than those are. The net is a masking one of code 10, chosen among five by this distance on walks between
validation rows.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "swiss_roll"
    config.data.scaling = "standard"
    config.data.rows = 2000
    config.data.noise = 0.3
    config.model = {
        "name": "dense.multilayer",
        "widths": (128, 128),
        "code": 2,
        "activation": "silu",
        "code_activation": "linear",
        "output": "linear",
    }
    config.relations = {"geodesics": {"name": "graph.geodesics", "neighbours": 10}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "strain": {"name": "structure.strain", "weight": 100.0, "relation": "geodesics"},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 3e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.1, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 4000
    config.train.evaluate_every = 200
    config.task = {"name": "manifold.evaluate", "neighbours": 10, "plain_steps": 4000}
    return config


def variants():
    return {
        "s_curve": {"data.name": "s_curve", "data.noise": 0.05},
        "digits": {
            "data": base().data.to_dict(),
            "model": {"name": "dense.multilayer", "widths": (256, 128), "code": 10, "activation": "silu"},
            "relations": {},
            "terms": base().terms.to_dict(),
            "corruption": {"name": "masking", "probability": 0.3},
            "train.batch_size": 64,
            "train.steps": 6000,
            "task": {"name": "walk.evaluate", "walks": 200, "steps": 9},
        },
    }
