"""Sparse autoencoder of the UFLDL tutorial: 64-25-64 on photographs, L-BFGS; its filters are edges.

The lecture's reference 6: patches of 8×8, 25 sigmoid units, ρ = .01, λ = 1e-4 (weight decay), β = 3 (sparsity),
400 iterations of L-BFGS on all patches. The photographs are the two that scikit-learn ships.

    aejax run lecture/ufldl_sparse               # 5 s of training; look at figures/filters.png

PCA rebuilds whitened patches better: what this net shows is the filters that sparsity asks for, not a low error.
"""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "natural_patches"
    config.data.validation = 0.0
    config.data.test = 0.1
    config.model = {"name": "dense.vanilla", "code": 25, "activation": "sigmoid", "output": "sigmoid", "tied": False}
    config.terms = {
        "reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0},
        "weight_decay": {"name": "weights.weight_decay", "weight": 1e-4},
        "sparsity": {"name": "sparsity.kl_bernoulli", "weight": 3.0, "target_rate": 0.01, "layer": "code"},
    }
    config.optimizer = {"name": "lbfgs", "memory_size": 20}
    config.train.steps = 400
    config.train.batch_size = None
    config.train.evaluate_every = 20
    config.train.checkpoint_every = 100
    return config
