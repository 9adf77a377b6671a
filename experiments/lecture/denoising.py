"""Denoising: a net with skip connections takes noise away that it gets anew at every step; beside filters.

Slide: "Eliminar ruido de los datos". A U-shaped convolutional net adds a correction to what it sees; the noise is drawn
anew at every step, the target is clean. A bottleneck alone cannot do it: see the plain autoencoder below, the same net
without skips and without noise. Filters have the best setting of their grids on noisy training images.

    aejax run lecture/denoising                       # digits, Gaussian noise of .2; a minute on a shared core
    aejax run lecture/denoising:photographs           # a tenth of the pixels set to 0, and the net is not told which
    aejax run lecture/denoising:photographs_masked    # the same, and it is told; 5 minutes
    aejax run lecture/denoising:fashion_mnist         # Gaussian noise of .2; 20 minutes on a shared core
    aejax run lecture/denoising:dropout               # the cited notebook: 784-500-784, tanh, dropout of .5
    aejax apply FOLDER reconstruct --input noisy.npy --output clean.npy    # images of any size

Expect, of test images at seed 0 (one seed each: longer series were not affordable here), the peak signal-to-noise ratio
of the pooled error in dB, and the share of the squared error that is removed:

                        digits          photographs     told which      fashion_mnist
    noisy               13.9            15.6            15.6            14.0
    this net            20.6   .787     39.9   .9963    42.3   .9979    23.9   .899
    plain autoencoder   16.1   .393     20.9            20.9            19.0   .684
    median              12.7            28.8   .952     28.8            17.5   .550
    total variation     16.0   .380     22.9            22.9            20.3   .769
    non-local means     15.8   .358     23.3            22.7            20.7
    biharmonic (told)                   41.9   .9977    41.9   .9977

Published (Charte et al. 2020, STL10, masking .1): .889 of the error removed, 26.1 dB; no filter beside it.
The test photographs are two that no training patch comes from.

The cited notebook says that kernels of a plain net are random outside the digit and those of a denoising net constant
there. Measured as the spread of a first-layer kernel over pixels that never change, relative to all pixels
(`kernel_spread_outside`), on fashion_mnist: plain .83, denoising .42; on 5000 digits of MNIST .85 and .62. So there is
half of it to be seen, and no constant.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "unet.unet", "channels": (32, 64), "patch": 1}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.corruption = {"name": "gaussian", "scale": 0.2}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "warmup_cosine"}}
    config.train.steps = 2000
    config.train.batch_size = 32
    config.task = {
        "name": "denoising.evaluate",
        "corruption": "gaussian",
        "strength": 0.2,
        "strengths": (0.05, 0.1, 0.3, 0.4),
        "rows": 1000,
        "tuning": 50,
        "plain_steps": 2000,
    }
    return config


def variants():
    photographs = {
        "data.name": "photographs",
        "model.patch": 2,
        "corruption": {"name": "masking", "probability": 0.1},
        "train.steps": 1500,
        "train.batch_size": 16,
        "task.corruption": "masking",
        "task.strength": 0.1,
        "task.strengths": (0.05, 0.2, 0.3, 0.5),
    }
    return {
        "photographs": photographs,
        "photographs_masked": photographs
        | {
            "model.holes": True,
            "train.steps": 4000,
            "corruption": {"name": "missing", "probability": 0.1},
            "task.corruption": "missing",
        },
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.channels": (32, 64, 64),
            "model.patch": 2,
            "train.steps": 20000,
            "train.batch_size": 16,
            "train.evaluate_every": 2000,
        },
        "dropout": {
            "data.name": "fashion_mnist",
            "data.scaling": "signed",
            "model": {
                "name": "dense.vanilla",
                "code": 500,
                "activation": "tanh",
                "output": "tanh",
            },
            "corruption": {"name": "dropout", "probability": 0.5},
            "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "constant"}},
            "train.batch_size": 256,
            "task.corruption": "dropout",
            "task.strength": 0.5,
            "task.strengths": (0.1, 0.3, 0.7),
        },
    }
