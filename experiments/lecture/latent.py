"""Latent space: a 2-D code of digits as a map to move on: a grid, walks, random points, class to class.

Slide: "Espacios latentes": a point of the latent space, decoded, should look like the inputs.

    aejax run lecture/latent           # digits, a variational net 64-256-128-2; 13 s of training on a shared core
    aejax run lecture/latent:fashion   # clothes, 784-128-64-2; 6 s
    aejax run lecture/latent:faces     # walks between faces: convolutional, code of 32; 2 minutes

Expect, mean ± standard deviation over seeds 0-4, on digits: the distance to the nearest training row of rows on walks
between two test rows of different classes, or at random points; the share of test rows that, moved by the difference of
two classes' mean codes, a classifier takes for the other class; and the distance of those rows:

                         distance         moved, arrived     distance of these
    straight, code       .974 ± .026      .649 ± .028        .914 ± .026
    spherical, code      .983 ± .023
    pixels               1.226 ± .005     .931 ± .009        1.610 ± .008
    PCA, 2               1.401 ± .005     .396 ± .020        1.353 ± .007
    random, in the box   .948 ± .070
    random, Gaussian     .959 ± .034
    test rows            1.063            (.983 ± .004 of them are taken for their own class)
    decoded test rows    .864 ± .010      (.864 ± .021)

A classifier is easily deceived along the pixels: what arrives there is farther from real digits than anything else, see
figures/moved.png. Turning instead of going straight gains nothing in a code of two units.

Clothes: straight walks 3.13 ± .11 from training rows, spherical ones 3.41 ± .05, along the pixels 4.50 ± .05, along two
components of PCA 4.08 ± .01; random points in the box 3.75 ± .32, of a Gaussian 3.31 ± .07; test rows 4.31, decoded
3.09 ± .02. Moved to another class .54 ± .04 arrive, at 3.24 ± .07; along the pixels .838 ± .008, at 6.09 ± .01; in PCA
.29 ± .02, at 4.26 ± .01; of test rows .851 ± .005 are taken for their own class.

Faces: straight walks are 5.06 ± .01 from training rows, spherical ones 5.20 ± .02, along the pixels 5.85 ± .04, along
32 components of PCA 5.36 ± .02; random points in the box 6.85 ± .13, of a Gaussian 5.84 ± .06; test rows 5.68. Moved
from person to person .90 ± .03 arrive (of test rows .92 ± .02 are told), at 5.20 ± .08; along the pixels .93 ± .02, at
7.18 ± .09. The data: `aejax data prepare faces --from FILE.npz`, or the internet.

The settings, and how they were chosen, are those of lecture/generation, but for the size of the code.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {
        "name": "variational.dense",
        "widths": (256, 128),
        "code": 2,
        "activation": "silu",
        "output": "sigmoid",
    }
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "divergence": {"name": "latent.kl_standard_normal", "weight": 0.02},
    }
    config.optimizer = {
        "name": "adam",
        "learning_rate": 2e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.05, "final": 0.0},
    }
    config.train.batch_size = 128
    config.train.steps = 5000
    config.train.evaluate_every = 500
    config.task = {"name": "latent.evaluate", "walks": 200, "steps": 9, "side": 15}
    return config


def variants():
    return {
        "fashion": {"data.name": "fashion", "model.widths": (128, 64)},
        "faces": {
            "data.name": "faces",
            "model": {
                "name": "variational.convolutional",
                "channels": (16, 32, 64),
                "code": 32,
                "activation": "silu",
            },
            "terms.divergence.weight": 0.2,
            "train.batch_size": 32,
            "train.steps": 3000,
        },
    }
