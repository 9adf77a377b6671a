"""Imputation: a fifth of satimage's values is missing; a net fills it in, beside neighbours, equations, forests.

Slide: "Imputar datos". Values are hidden in all rows before anything is learned, in training rows too, so that the net
never sees what it is asked for. It is told which values are missing and learns to rebuild others that are hidden from
it in turn. Several plausible fills, and intervals, come from the errors that it makes on values of validation rows that
it did not see.

    aejax run lecture/imputation                  # satimage; a minute or two of training
    aejax run lecture/imputation:letter           # after aejax data prepare letter; also :spambase
    aejax run lecture/imputation:digits           # squares of 3×3 pixels
    aejax run lecture/imputation:half             # half of the values; also :at_random, :not_at_random
    aejax run lecture/imputation --set task.trees=10    # chained forests beside it
    aejax run lecture/imputation --set data.name=file:holes.csv --set "data.missing={'name': 'none'}"
    aejax apply FOLDER fill --input holes.csv --output whole.csv

The last two are of a table of your own; add --set "data.categories=('colour', 'sex')" where columns are text. Numbers,
two categories and more of them each have their own likelihood, and errors are measured on test values that are hidden
beside the ones that are missing.

Expect, of the hidden values of test rows: root mean squared error, the range of a column being 1; the share of them
inside intervals of 90 %; and the accuracy of a classifier trained on the filled rows (on complete ones satimage .910,
letter .971, spambase .944, digits .983). In the mean of seeds 0 to 4 (extra trees: seed 0); the split and the holes are
the same for all seeds:

                   satimage                 letter                   spambase                 digits
                   error  inside  accuracy  error  inside  accuracy  error  inside  accuracy  error  inside  accuracy
    net            .0343  .911    .909      .0605  .928    .909      .0491  .931    .925      .1788  .888    .954
    neighbours     .0449          .905      .0816          .892      .0581          .928      .1859          .952
    MICE           .0489          .904      .1122          .860      .0519          .916      .2393          .938
    mean           .1899          .883      .1528          .864      .0577          .914      .3096          .933
    extra trees    .0392          .905      .0623          .907      .0513          .935

The standard deviations of the nets' errors are .0001 (satimage), .0004 (letter), .0006 (spambase) and .0007 (digits).
Extra trees (seed 0) stand in MICE's place, for five rounds: ten of them for each column of letter and spambase, five of
satimage. They take 12 to 22 s of one core in all, and .7 to 1.0 s for the test rows, the net .09 s or less.

Of the holes of training rows, which are what is filled where a table is both learned from and completed, the error is
.0603 ± .0001 with letter and .0455 ± .0002 with spambase (neighbours .0556, MICE .0509, mean .0560).

Other holes, satimage, five seeds; the standard deviations are at most .0002 in the error, .004 in the share inside:

    hidden                 net    inside  accuracy  neighbours  MICE   mean
    10 %                   .0323  .915    .908      .0424       .0342  .1897
    30 %                   .0372  .909    .908      .0483       .0424  .1906
    half of the values     .0438  .909    .897      .0743       .0554  .1910
    at_random              .0332  .906    .908      .0423       .0372  .1931
    not_at_random          .0355  .908    .908      .0462       .0385  .2004

So chained linear equations alone are behind with all of them. The .0489 that they have with a fifth missing is of this
split: with --set data.split_seed=1, 2 and 3 it is .0411, .0397 and .0399.

Published (GAIN, Yoon et al. 2018, from memory, other splits): letter .1198, spambase .0513.

The settings that all tables share were chosen on spambase without its test rows, a quarter of the rest held out. Error
of the held-out values, and of the holes of training rows, one seed each: values as they are .0467, .0463; on the scale
of arsinh, which was taken, .0457, .0453; of 4 x, .0464, .0458; columns weighted by 1 / range .0463, .0447; values in
[0, 1] and arsinh of 10 x .0470, .0457; 3000 steps, without arsinh, .0468, .0461. Of arsinh the test rows said
otherwise: .0485 without it, .0490 with it. Digits overfits: a dropout of .1 and 5000 steps gave .1385 and .1781 on such
values, 1500 steps .1380 and .1763, with a dropout of .3, which was taken, .1369 and .1743, of .5, .1372 and .1754.

The net starts from chained linear equations that are trained with it (model.rounds=8), as exact linear relations are
what it learned slowly: without them MICE was ahead with 10 % hidden (test rows, .0342 against .0354). On a quarter of
the rows that are not test rows, held out, error of its holes and of those of the other three, one seed each, but of
spambase the mean of four without and two with equations:

                                           satimage, 10 %   satimage, 20 %   letter           spambase
    without equations                      .0352  .0348     .0381  .0364     .0630  .0604     .0454  .0461
    with them, coefficients × 1            .0331  .0330     .0357  .0352     .0622  .0597
    × 1, 16 rounds                         .0330  .0330
    × ¼                                    .0346  .0340
    × 3, which was taken                   .0326  .0328                      .0626  .0597     .0458  .0458
    × 3, beside the input, not the output  .0340  .0339
    MICE alone                             .0339  .0340

The factor is that between the coefficients and the parameters that Adam moves. The conditional mean of a Gaussian that
was fitted before (EM), kept as it is and put in the holes of the input, in place of the equations, had .0322, .0323 on
satimage (10 %), but .0654, .0642 on letter, and alone .0338, .0339 and .1110, .1098. Spambase gains nothing, nor do
digits (.1870, .1786 without, .1877, .1790 with equations, two seeds), and they have none.

Columns of spambase are skewed and never negative. It has settings of its own, chosen likewise: columns in units of
their range, so that what is trained on is what is judged, and an output that is not negative. On two other quarters,
held out one after the other:

                                                  first quarter    second quarter   core seconds
    settings of the other tables                  .0486  .0486     .0453  .0492     65
    half as wide, 6000 steps of 128 rows          .0492  .0488     .0468  .0496     26
    these, in units of the range, not negative    .0484  .0477     .0444  .0483     25
    at another seed                               .0487  .0475

The last two lines are what was taken; the standard error of the difference between two settings is about .0005 for one
quarter, as a hundred values make up six tenths of the squared error. With 3000 steps, the first quarter: z-scores
.0497, .0493; z-scores weighted by (standard deviation ÷ range)² .0499, .0479, with a dropout of .3 .0496, .0482, fewer
values hidden in training .0507, .0484, an output that ends where the column does .0487, .0479; in units of the range
.0493, .0481, with a gain of 60 .0492, .0481, a dropout of .3 .0492, .0482, 256 units .0493, .0487. With 6000 steps a
dropout of .3 had .0493, .0479; 12,000 steps .0490, .0475. So what is gained is for holes of training rows, and time; of
test rows the error was .0490 with the settings of the other tables (seeds 0 and 1), .0491 with these.

The mean of several nets' fills, on other such quarters, is no option; members, and errors in the mean over all choices
of so many of four nets, of two with digits and with equations:

                              1                2                4                core seconds of a net
    spambase, a quarter       .0454  .0461     .0445  .0449     .0440  .0443     17
    another quarter           .0440  .0469     .0431  .0458     .0426  .0453     17
    digits                    .1870  .1786     .1817  .1719                      20
    satimage, 10 %            .0354  .0349     .0348  .0341     .0344  .0337     47
    the same, with equations  .0324  .0328     .0320  .0322                      50

Two nets take 1 to 4 % off the error and four 3 to 4 %, for as many times the time, since a net of this width fills a
core by itself. Three hundredths less than spambase's .0491 on test rows would be .0476.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "satimage"
    config.data.scaling = "standard"
    config.data.missing = {"name": "completely_at_random", "rate": 0.2}
    config.model = {"name": "masked.residual", "width": 256, "blocks": 2, "code": 128, "dropout": 0.1, "rounds": 8}
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
        "spambase": {
            "data.name": "spambase",
            "data.scaling": "unit",
            "model.width": 128,
            "model.code": 64,
            "model.gain": 20.0,
            "model.output": "softplus",
            "model.rounds": 0,
            "train.batch_size": 128,
            "train.steps": 6000,
        },
        "digits": {
            "data.name": "digits",
            "data.scaling": "signed",
            "data.missing": {"name": "square", "size": 3},
            "model.dropout": 0.3,
            "model.rounds": 0,
            "train.steps": 1500,
        },
        "half": {"data.missing.rate": 0.5},
        "at_random": {"data.missing": {"name": "at_random", "rate": 0.3}},
        "not_at_random": {"data.missing": {"name": "not_at_random", "rate": 0.2}},
    }
