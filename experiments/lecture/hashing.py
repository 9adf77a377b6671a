"""Semantic hashing: rows become a few bits, and those with nearly the same bits are of the same kind.

Slide: "Clustering" (Salakhutdinov & Hinton 2009). Noise on what goes into the code drives its units to 0 or 1, a bit is
on above the median of the training codes, and the nearest training codes are retrieved for a test row.

    aejax run lecture/hashing                 # 1797 digits, 32 bits; 15 s of training on one busy core
    aejax data prepare newsgroups             # once; with the posts at hand: --from DIR
    aejax run lecture/hashing:newsgroups      # their 2000 most frequent words, 2000-500-500-32; a minute or two
    aejax run lecture/hashing:newsgroups16    # as many bits; also 20, which are looked up by address, 64, 128
    aejax run lecture/hashing:fashion_mnist   # 32 bits; a few minutes, most of them without the net

Expect precision@100, the share of the 100 nearest training rows that are of the test row's class, among equally near
ones in random order; mean ± standard deviation over seeds 0-4 (--seed), of the newsgroups' baselines seed 0:

                       digits, 32      newsgroups, 16  32              64
    autoencoder        .722 ± .005     .477 ± .011     .539 ± .008     .571 ± .006
    ITQ                .684 ± .005     .380            .451            .453
    signs of PCA       .338 ± .000     .339            .368            .334
    random hyperplanes .415 ± .015     .066            .073            .093
    cosine of the rows .693            .402            .402            .402

The newsgroups here are the 11,293 and 7,528 posts, already without headers, that the program Orange ships, less 5 and 4
without any of the words, as TF-IDF, in the official split by date. Published (another preparation): NASH (Shen et al.
2018) .511 .567 .507 at 16, 32 and 64 bits. Mean cosine distance rises with Hamming distance (rank correlation
.994 or more in the mean over seeds). With 20 bits (seed 0) it is .501, ITQ's .416, and the 6196 addresses within 4 bits
of a query hold 451 rows in the mean, .434 of them of its class; with 128 bits .584, ITQ's .436. On
fashion_mnist (seed 0) it is .681, ITQ's .683 and the cosine's .743: there the net, after not quite three passes over
the images, gains nothing. One query among a
million codes of 64 bits takes .86 ms, the cosine scan of a million documents 20 ms, 24 times as long (median of 30
turns, two idle cores of an AMD EPYC: scripts/bench_hashing.py).

What makes the difference is to find, among 256 codes, that of one of a document's ten nearest neighbours: on validation
rows a first version got .24 by rebuilding words, up to .36 by also rebuilding neighbours, and .57 by this. Chosen by
the precision of validation rows, one seed each: temperature .2 of {.15, .2, .3}; noise .6 of {.6, 2}; TF-IDF over log(1
+ count); values scaled to a root mean square of 1, with which the first layer learns at once (documents of length 1:
.41 in place of .57); the weight of the reconstruction, .01 of {0, .01, .1} for digits and .001 of {0, .001} for
documents. One seed differs from another by up to .03 there, which is more than some of these choices do. Twice as many
steps gain .01. Bits are rounded in place of noisy where the model is {"name": "binary.rounded", ...}, which has no
noise.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "digits"
    config.model = {
        "name": "binary.noisy",
        "widths": (500, 500),
        "code": 32,
        "noise": 0.6,
        "activation": "relu",
        "output": "linear",
        "decoder_widths": (),
    }
    config.relations = {"neighbours": {"name": "nearest.cosine", "neighbours": 10}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 0.01},
        "neighbours": {
            "name": "neighbours.contrastive",
            "weight": 1.0,
            "temperature": 0.2,
            "relation": "neighbours",
        },
    }
    config.corruption = {"name": "dropout", "probability": 0.5}
    config.optimizer = {
        "name": "adam",
        "learning_rate": 1e-3,
        "schedule": {"name": "cosine", "final": 0.0},
    }
    config.train.batch_size = 256
    config.train.steps = 600
    config.train.evaluate_every = 100
    config.task = {"name": "hashing.evaluate", "retrieved": 100, "radius": 2}
    return config


def variants():
    documents = {"data.name": "newsgroups", "data.weighting": "tfidf", "data.scaling": "standard"}
    documents |= {"terms.reconstruction.weight": 1e-3}
    sizes = {f"newsgroups{bits}": documents | {"model.code": bits} for bits in (16, 20, 64, 128)}
    sizes["newsgroups20"] |= {"task.radius": 4}
    return {"newsgroups": documents, **sizes, "fashion_mnist": {"data.name": "fashion_mnist"}}
