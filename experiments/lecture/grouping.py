"""Semantic grouping: a code of four bits is the name of a group, and similar rows get the same code.

Slide: "Agrupar semánticamente con un autoencoder". A bit is on where its unit is above ½. One term asks for units at 0
or 1, one for units that are on as often as off, and one that rows that random walks along the graph of neighbours
connect have the same code while few others have it.

    aejax run lecture/grouping                  # digits, 16 codes; 5 s of training on one busy core, and four nets more
    aejax run lecture/grouping:newsgroups       # 32 codes of 11,288 documents, after aejax data prepare newsgroups
    aejax run lecture/grouping:fashion_mnist    # 16 codes of 54,000 images

Expect of the test rows, mean ± standard deviation over seeds 0-4 (--seed), beside k-means with as many clusters as the
training rows have codes:

                                     codes          k-means
    codes used, of 16                95 % ± 5
    purity                           .787 ± .038    .890 ± .014
    normalised mutual information    .749 ± .023    .778 ± .021
    two rows of a class share one    .652 ± .035    .580 ± .031
    any two rows do                  .096 ± .009    .070 ± .001
    adjusted Rand index of seeds     .671 ± .033    .805 ± .039

So the codes keep more of a class together than clusters do, and k-means has the purer and the steadier ones: four bits
that are each on half the time make sixteen groups of a like size out of ten classes, some of which then share a group.
Pairs that share a class share a code 6.8 times as often as any two rows.

On the newsgroups (seed 0) the 32 codes have purity .466, mutual information .471, and .337 of the pairs of a class
share one (6.7 times chance); k-means .464, .432 and .238 (4.6 times). Other seeds agree less: .351, k-means .445.
On fashion_mnist (seed 0, --set task.nets=2) purity .587, mutual information .566; k-means .630 and .531.

Chosen by the mutual information of validation rows, two or three seeds each: walks of 8 steps (.77) over neighbours
themselves (.72), both over the contrastive term of lecture/hashing (.70). Without neighbours.same_code's spread over
all codes every row ends in one group.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "digits"
    config.model = {
        "name": "binary.noisy",
        "widths": (256, 128),
        "code": 4,
        "noise": 0.6,
        "activation": "relu",
        "output": "linear",
        "decoder_widths": (),
    }
    config.relations = {"walks": {"name": "graph.walks", "neighbours": 5, "steps": 8}}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 0.01},
        "neighbours": {"name": "neighbours.same_code", "weight": 1.0, "flip": 0.05, "relation": "walks"},
        "binary": {"name": "binary.quantized", "weight": 1.0, "layer": "code"},
        "balanced": {"name": "binary.balanced", "weight": 1.0, "layer": "code"},
    }
    config.corruption = {"name": "dropout", "probability": 0.5}
    config.optimizer = {"name": "adam", "learning_rate": 1e-3, "schedule": {"name": "cosine", "final": 0.0}}
    config.train.batch_size = 256
    config.train.steps = 600
    config.train.evaluate_every = 100
    config.task = {"name": "grouping.evaluate", "nets": 5, "shown": 10}
    return config


def variants():
    documents = {"data.name": "newsgroups", "data.weighting": "tfidf", "data.scaling": "standard"}
    documents |= {"terms.reconstruction.weight": 1e-3, "relations.walks.steps": 2, "model.code": 5}
    clothes = {"data.name": "fashion_mnist", "relations.walks.components": 32}
    return {"newsgroups": documents, "fashion_mnist": clothes}
