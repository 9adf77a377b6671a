"""Imputation: a fifth of satimage's values is missing; a net fills it in, beside neighbours, equations, forests.

Slide: "Imputar datos". Values are hidden in all rows before anything is learned, in training rows too, so that the net
never sees what it is asked for. It is told which values are missing, learns to rebuild others that are hidden from it
in turn, and several plausible fills come from several nets and the spread of its errors.

    aejax run lecture/imputation                  # satimage; a minute of training
    aejax run lecture/imputation:letter           # after aejax data prepare letter; also :spambase
    aejax run lecture/imputation:digits           # squares of 3×3 pixels
    aejax run lecture/imputation:half             # half of the values; also :at_random, :not_at_random
    aejax run lecture/imputation --set data.name=file:holes.csv --set "data.missing={'name': 'none'}"
    aejax apply FOLDER fill --input holes.csv --output whole.csv

Expect, at seed 0 (one seed each), of the hidden values of test rows: root mean squared error, the range of a column
being 1; the share of them inside intervals of 90 %; the seconds that filling all test rows takes; and the accuracy of a
classifier trained on the filled rows (on complete ones .913, .972, .946):

                   satimage                       letter                         spambase
                   error  inside  s     accuracy  error  inside  s     accuracy  error  inside  s     accuracy
    net            .0369  .908    .02   .906      .0617  .926    .03   .904      .0485  .930    .01   .921
    neighbours     .0449          .76   .905      .0816          2.3   .892      .0581          .26   .927
    MICE           .0489          .09   .907      .1122          .03   .861      .0519          .08   .911
    mean           .1899                .884      .1528                .865      .0577                .913

Published (GAIN, Yoon et al. 2018, from memory, other splits): letter .1198, spambase .0513. Extra trees in MICE's place
are left out by default, since they take minutes.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.missing = {"name": "completely_at_random", "rate": 0.2}
    config.model = {"name": "masked.residual", "width": 256, "blocks": 2, "code": 128, "dropout": 0.1}
    config.terms = {"likelihood": {"name": "imputation.likelihood", "weight": 1.0}}
    config.corruption = {"name": "holes", "least": 0.05, "most": 0.5, "borrowed": 0.5}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 2e-3,
        "schedule": {"name": "warmup_cosine", "warmup": 0.05, "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 5000
    config.train.evaluate_every = 500
    config.train.checkpoint_every = 2500
    config.task = {"name": "imputation.evaluate"}
    return config


def variants():
    return {
        "letter": {"data.name": "letter"},
        "spambase": {"data.name": "spambase"},
        "digits": {
            "data.name": "digits",
            "data.scaling": "signed",
            "data.missing": {"name": "square", "size": 3},
            "model.dropout": 0.3,
            "train.steps": 1500,
        },
        "half": {"data.missing.rate": 0.5},
        "at_random": {"data.missing": {"name": "at_random", "rate": 0.3}},
        "not_at_random": {"data.missing": {"name": "not_at_random", "rate": 0.2}},
    }
