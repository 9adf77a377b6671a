"""Codes that only the decoder's owner can read? What attackers rebuild, and how a net is split in two.

Slide: "Encriptación y seguridad": without the decoder the original cannot be rebuilt. Here is how far that goes.

    aejax run lecture/encryption                  # digits, 64-128-64-16; 2 s of training
    aejax run lecture/encryption:fashion_mnist    # 784-512-256-32, up to 10,000 leaked pairs; 3 minutes

    aejax split FOLDER                            # encoder.aejax for anyone, decoder.sealed behind a passphrase
    aejax apply encoder.aejax encode --input rows.csv --output codes.npy
    aejax apply decoder.sealed decode --input codes.npy --output rows.npy

Expect, mean ± standard deviation over seeds 0-4 (--seed), of 200 test images rebuilt from their codes: mean squared
error, and the share of what the owner rebuilds beyond the mean image.

                           digits                    fashion_mnist
    owner's decoder        .0071 ± .0003    100 %    .0062 ± .0001    100 %
    10,000 leaked pairs                              .0080 ± .0001     98 %
    3000                                             .0105 ± .0001     95 %
    1000                   .0077 ± .0004     99 %    .0133 ± .0001     92 %
    300                    .0118 ± .0004     93 %    .0186 ± .0003     85 %
    100                    .0195 ± .0007     81 %    .0288 ± .0016     73 %
    30                     .0334 ± .0033     60 %    .0425 ± .0024     57 %
    10                     .0598 ± .0028     20 %    .0666 ± .0073     28 %
    encoder known          .0327 ± .0019     61 %    .0649 ± .0061     30 %
    codes only             .135  ± .022      none    .172  ± .005      none
    mean image             .0731              0 %    .0899              0 %

So codes are no encryption. Who sees codes alone does not get the rows back by lining up principal components, yet sees
which rows are alike (trustworthiness of the codes .993 and .987). A hundred pairs of a code and its row are enough for
a decoder of one's own; whoever has the encoder and rows of the same kind makes them at will, so an encoder that anyone
may use gives away what it was trained on kind by kind. What `aejax split` protects is the owner's decoder itself: its
file is AES-256-GCM under scrypt of a passphrase. To keep rows secret, encrypt the rows. No loss term against inversion
is offered: none was tried.
"""

from aejax.config import base


def get_config():
    config = base()
    config.model = {"name": "dense.multilayer", "widths": (128, 64), "code": 16, "activation": "relu"}
    config.optimizer = {"name": "adam", "learning_rate": 3e-3, "schedule": {"name": "cosine"}}
    config.train.steps = 10000
    config.train.evaluate_every = 200
    config.task = {"name": "encryption.evaluate", "pairs": (10, 30, 100, 300, 1000)}
    return config


def variants():
    return {
        "fashion_mnist": {
            "data.name": "fashion_mnist",
            "model.widths": (512, 256),
            "model.code": 32,
            "train.batch_size": 128,
            "train.steps": 20000,
            "train.evaluate_every": 2000,
            "train.checkpoint_every": 10000,
            "task.pairs": (10, 30, 100, 300, 1000, 3000, 10000),
        }
    }
