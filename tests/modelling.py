"""A small model of every kind, with its parameters and rows, for the tests of models."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from aejax import optimizers
from aejax.config import components
from aejax.losses import weighted_sum
from aejax.optimizers import schedules
from aejax.training.step import make_run
from aejax.types import Range

ROWS = 6

# name in a config, shape of a row, arguments, names of the hidden activations
CASES = {
    "vanilla": ("dense.vanilla", (4, 3, 1), {"code": 5}, ("code",)),
    "vanilla tied": ("dense.vanilla", (12,), {"code": 5, "tied": True, "output": "tanh"}, ("code",)),
    "multilayer": (
        "dense.multilayer",
        (12,),
        {"widths": (7, 6), "code": 3, "activation": "sigmoid"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "multilayer tied": (
        "dense.multilayer",
        (2, 6),
        {"widths": (7,), "code": 3, "tied": True, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "multilayer uneven": (
        "dense.multilayer",
        (12,),
        {"widths": (), "code": 3, "code_activation": "hard_sigmoid", "decoder_widths": (9,), "activation": "elu"},
        ("code", "decoder0"),
    ),
    "shortcut": (
        "dense.shortcut",
        (2, 6),
        {"widths": (7,), "code": 3, "activation": "tanh"},
        ("encoder0", "code", "decoder0"),
    ),
    "binary": (  # with noise its training pass is another than encode and decode: tests/test_hashing.py
        "binary.noisy",
        (12,),
        {"widths": (7,), "code": 3, "noise": 0.0, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "clustered": (
        "clustered.dense",
        (2, 6),
        {"widths": (7,), "code": 3, "clusters": 4, "sets": 2, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "convolutional": (
        "conv.convolutional",
        (6, 5, 2),
        {"channels": (3, 4), "code": 3, "activation": "tanh", "code_activation": "sigmoid"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "unet": (
        "unet.unet",
        (6, 5, 2),
        {"channels": (3, 4), "activation": "tanh", "output": "linear"},
        ("encoder0", "encoder1", "code", "decoder0"),
    ),
    "unet without skips": (
        "unet.unet",
        (9, 7, 1),
        {
            "channels": (3, 4, 2),
            "patch": 1,
            "activation": "elu",
            "skips": False,
            "residual": False,
            "output": "sigmoid",
        },
        ("encoder0", "encoder1", "encoder2", "code", "decoder0", "decoder1"),
    ),
    "masked": (
        "masked.residual",
        (4, 3),
        {"width": 9, "blocks": 2, "code": 3, "frequencies": 2, "activation": "tanh"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "masked with equations": (
        "masked.residual",
        (12,),
        {"width": 9, "blocks": 1, "code": 3, "frequencies": 2, "rounds": 3},
        ("encoder0", "code", "decoder0"),
    ),
    "masked of skewed columns": (
        "masked.residual",
        (12,),
        {"width": 9, "blocks": 1, "code": 3, "frequencies": 2, "gain": 5.0, "output": "softplus"},
        ("encoder0", "code", "decoder0"),
    ),
    "dictionary": ("dictionary.topk", (4, 3), {"code": 9, "active": 3}, ("code",)),
    "vector": (
        "vector.quantized",
        (12,),
        {"widths": (7,), "pieces": 2, "size": 3, "entries": 5, "activation": "tanh", "output": "sigmoid"},
        ("encoder0", "code", "decoder0"),
    ),
    "vamp": (
        "vamp.dense",
        (12,),
        {"widths": (7,), "code": 3, "components": 4, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "variational dense": (
        "variational.dense",
        (12,),
        {"widths": (7, 6), "code": 3, "activation": "sigmoid", "kernel_scale": 0.4},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "variational convolutional": (
        "variational.convolutional",
        (6, 5, 2),
        {"channels": (3, 4), "code": 3, "activation": "tanh", "output": "linear"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
}


@cache
def built(case):
    """The model of a case, its parameters with biases that are not zero, and rows in [0, 1]."""
    name, feature_shape, arguments, _ = CASES[case]
    model = components.resolve(name, "aejax.models", what="model.name")(feature_shape, **arguments)
    params = jax.jit(model.init)(jax.random.key(1))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(2)
    params = jax.tree.unflatten(tree, [leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves])
    x = rng.uniform(size=(ROWS, int(np.prod(feature_shape)))).astype(np.float32)
    return model, params, jnp.asarray(x)


def run_of(model, terms, optimizer="adam", *, schedule=schedules.constant, term_schedules=None, **settings):
    """The run of a model with terms by name; settings of `make_run`, without corruption where they have none."""
    rule = optimizers.build(optimizer, {}, schedule)
    corrupt, data_range = settings.pop("corrupt", lambda key, x: x), settings.pop("data_range", Range())
    return make_run(model, weighted_sum(terms, term_schedules), corrupt, rule, data_range=data_range, **settings)


def numbers(terms, optimizer, corruption=()):
    """The hyperparameters of a run; of a term a weight, or all of its numbers."""
    terms = {name: value if isinstance(value, dict) else {"weight": value} for name, value in terms.items()}
    return jax.tree.map(jnp.float32, {"terms": terms, "corruption": dict(corruption), "optimizer": optimizer})


def training_pass(model):
    return lambda params, x, x_in: model.apply(params, x, x_in, jax.random.key(0))


@cache
def compiled(case):
    """The training pass and the initialiser, compiled once for all tests."""
    model = built(case)[0]
    return jax.jit(training_pass(model)), jax.jit(model.init)


@cache
def through(case):
    """``(params, x) -> codes and reconstructions``, compiled once for all tests."""
    model = built(case)[0]

    def both(params, x):
        code = model.encode(params, x)
        return code, model.decode(params, code)

    return jax.jit(both)
