"""Photographs of your own, 64x64 in colour: a convolutional net to a code of 32, and tasks for it.

    aejax run photographs/autoencoder --set data.name=images:DIR               # codes, reconstructions, a map
    aejax run photographs/autoencoder:denoising --set data.name=images:DIR     # a net that takes noise away
    aejax run photographs/autoencoder:anomaly --set data.name=images:DIR       # which ones are odd, and where
    aejax run photographs/autoencoder:generation --set data.name=images:DIR    # new ones

Without `data.name` they train on patches of eight photographs, grey and 32x32.

Measured at seed 0 on 480 JPEG files of 160x160, cut out of six photographs that scikit-image and scikit-learn ship, two
cores that others used as well; such cuts overlap, so that test images are like training images:

- as it is, six minutes: test error .0131, of PCA with 32 components .0151, of the mean image .0701. Without
  augmentation but mirroring and with a code of 128, .0136.
- denoising, sd .1, 50 test images, after 500 steps (three minutes): 28.1 dB; median 24.9, total variation 27.2,
  non-local means 28.6. It is trained at all strengths up to .2.
- anomaly, cuts of three photographs as normal and of a fourth as anomalies, a minute: AUC of `both` .864, `error`
  .859, `code` .843, `neighbours` .787; kNN .758, isolation forest .756, PCA .499. The score was chosen on these images.
- generation: Fréchet distance of the pixels to the test images 212, mixture of principal components 230, training
  images 277, decoded test images 142; the new ones are as blurred as the reconstructions.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "photographs"
    config.model = {
        "name": "conv.convolutional",
        "channels": (16, 32, 64, 128),
        "kernel_size": 3,
        "stride": 2,
        "code": 32,
        "activation": "silu",
        "code_activation": "linear",
        "output": "sigmoid",
    }
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.corruption = {"name": "augment", "flip": 0.5, "degrees": 5.0, "pixels": 3.0}
    config.optimizer = {"name": "adam", "learning_rate": 2e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 2000
    config.train.batch_size = 32
    config.train.evaluate_every = 200
    return config


def variants():
    return {
        "denoising": {
            "model": {"name": "unet.unet", "channels": (32, 64), "patch": 2},
            "corruption": {"name": "gaussian_between", "least": 0.0, "most": 0.2},
            "optimizer": {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "warmup_cosine"}},
            "train.steps": 500,
            "train.batch_size": 16,
            "train.evaluate_every": 100,
            "task": {
                "name": "denoising",
                "strength": 0.1,
                "strengths": (0.05, 0.2),
                "rows": 50,
                "tuning": 10,
                "plain_steps": 0,
            },
        },
        "anomaly": {"train.steps": 500, "task": {"name": "anomaly", "members": 2, "score": "both"}},
        "generation": {"task": {"name": "generation", "features": "rows", "components": 5, "samples": 500}},
    }
