"""No field of a config is accepted and ignored: each one that is changed changes what comes out, or is refused.

There is no field that only changes where things are written.
"""

import dataclasses
import dis
import json
from functools import cache, partial
from importlib import import_module
from inspect import signature, unwrap
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import OPTIMIZERS
from running import MULTILAYER, TINY, arguments, call, contents, summary

from aejax import config, optimizers
from aejax.config import components
from aejax.config import optimizers as optimizer_fields
from aejax.config.bounds import NonNegative, Positive
from aejax.data.corrupt import AUGMENTING
from aejax.training.build import build_model
from aejax.types import Model

# Every leaf of the resolved default config, and another value for it.
CHANGES = {
    "seed": "1",
    "data.name": "swiss_roll",
    "data.scaling": "standard",
    "data.validation": "0.3",
    "data.test": "0.4",
    "data.split_seed": "1",
    "data.label_column": "y",
    "data.data_dir": "somewhere",
    "data.rows": "70",
    "data.noise": "0.5",
    "data.weighting": "tfidf",
    "data.normal": "cluster 0",
    "data.left_out": "cluster 1",
    "data.contamination": "0.2",
    "data.categories": "('a',)",
    "data.missing.name": "completely_at_random",
    "model.name": "dense.vanilla",
    "model.widths": "(4,)",
    "model.code": "3",
    "model.activation": "tanh",
    "model.code_activation": "tanh",
    "model.output": "linear",
    "model.decoder_widths": "(4,)",
    "model.tied": "true",
    "relations": "{'geodesics': {'name': 'graph.geodesics'}}",
    "terms.reconstruction.name": "reconstruction.squared_error",
    "terms.reconstruction.weight": "2.0",
    "corruption.name": "gaussian",
    "optimizer.name": "adamax",
    "optimizer.learning_rate": "1e-2",
    "optimizer.clip_norm": "1e-3",
    "optimizer.weight_decay": "0.1",
    "optimizer.b1": "0.5",
    "optimizer.b2": "0.5",
    "optimizer.eps": "0.1",
    "optimizer.eps_root": "0.1",
    "optimizer.nesterov": "true",
    "optimizer.schedule.name": "constant",
    "optimizer.schedule.final": "0.5",
    "train.steps": "5",
    "train.batch_size": "8",
    "train.evaluate_every": "3",
    "train.patience": "1",
    "train.checkpoint_every": "3",
    "train.keep": "1",
    "devices.data": "2",  # more than there are here: refused
    "devices.code": "2",
    "task.name": "reduction.evaluate",
    "report.figures": "true",
    "report.tensorboard": "true",
}

# A second net with what the first lacks, and another value for each field that is new.
NOISY = {
    **{path: value for path, value in TINY.items() if path != "model.widths"},
    "model": "{'name': 'dense.vanilla', 'code': 2}",
    "terms.sparsity": "{'name': 'sparsity.kl_bernoulli', 'weight': 0.1, 'target_rate': 0.1}",
    "terms.sparsity.schedule": "{'name': 'linear', 'until': 0.8}",
    "corruption": "{'name': 'salt_and_pepper', 'probability': 0.3}",
    "optimizer.schedule": "{'name': 'warmup_cosine', 'warmup': 0.5}",
    "optimizer.name": "rmsprop",
}
NOISY_CHANGES = {
    "terms.sparsity.weight": "0.2",
    "terms.sparsity.target_rate": "0.2",
    "terms.sparsity.layer": "codes",
    "terms.sparsity.schedule.initial": "0.5",
    "terms.sparsity.schedule.until": "0.6",
    "corruption.probability": "0.6",
    "corruption.low": "0.2",
    "corruption.high": "0.8",
    "optimizer.schedule.warmup": "0.7",
    "optimizer.schedule.final": "0.5",
    "optimizer.decay": "0.5",
    "optimizer.momentum": "0.5",
    "optimizer.nesterov": "true",
}


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    """The dotted paths of the values of a config; a group without any is one itself."""
    found = set()
    for name, value in values.items():
        here = f"{path}{name}"
        found |= leaves(value, f"{here}.") if isinstance(value, dict) and value else {here}
    return found


def fingerprint(settings: dict[str, str], folder, capsys) -> Any:
    """All that a run leaves, without its config and its times; or the line with which it was refused."""
    answer = call(arguments(settings, workdir=folder), capsys)
    if answer.code:
        assert answer.code == 2, answer
        assert answer.err.count("\n") == 1, answer
        return answer.err
    found = summary(folder)
    found.pop("timing")
    # checkpoints are named after their contents, figures after what they show
    return json.dumps(found), (folder / "metrics.csv").read_text(), sorted(contents(folder))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """The fingerprints of the two nets, made when first asked for."""
    made = {}

    def of(name, capsys):
        if name not in made:
            settings = {"tiny": TINY, "noisy": NOISY}[name]
            made[name] = fingerprint(settings, tmp_path_factory.mktemp(name), capsys)
            assert isinstance(made[name], tuple), made[name]
        return made[name]

    return of


def test_every_leaf_is_walked():
    resolved = config.load(MULTILAYER)
    assert leaves(resolved) == set(CHANGES)
    noisy = config.load(MULTILAYER, [f"{path}={value}" for path, value in NOISY.items()])
    assert set(NOISY_CHANGES) <= leaves(noisy)


@pytest.mark.parametrize("name", ["tiny", "noisy"])
def test_the_same_config_gives_the_same(name, untouched, tmp_path, capsys):
    settings = {"tiny": TINY, "noisy": NOISY}[name]
    assert fingerprint(settings, tmp_path, capsys) == untouched(name, capsys)


@pytest.mark.parametrize("path", CHANGES)
def test_leaf(path, untouched, tmp_path, capsys):
    assert fingerprint({**TINY, path: CHANGES[path]}, tmp_path, capsys) != untouched("tiny", capsys)


@pytest.mark.parametrize("path", NOISY_CHANGES)
def test_leaf_of_a_component(path, untouched, tmp_path, capsys):
    changed = {**NOISY, path: NOISY_CHANGES[path]}
    if path == "optimizer.nesterov":
        assert "no effect without optimizer.momentum" in fingerprint(changed, tmp_path / "refused", capsys)
        without = fingerprint({**NOISY, "optimizer.momentum": "0.5"}, tmp_path / "momentum", capsys)
        assert fingerprint({**changed, "optimizer.momentum": "0.5"}, tmp_path / "both", capsys) != without
    assert fingerprint(changed, tmp_path / "run", capsys) != untouched("noisy", capsys)


def test_clipping_before_a_division_by_the_norm_is_refused(tmp_path, capsys):
    settings = {**TINY, "optimizer.name": "lars", "optimizer.clip_norm": "1.0"}
    assert "optimizer.clip_norm: has no effect on lars" in fingerprint(settings, tmp_path, capsys)


def test_a_relation_that_no_term_reads_is_refused(tmp_path, capsys):
    settings = {**TINY, "relations": CHANGES["relations"]}
    assert "relations.geodesics: no loss term reads it" in fingerprint(settings, tmp_path, capsys)


# The numbers of all optimisers, schedules and corruptions, without a run around them.


def other(value: Any, annotation: Any) -> Any:
    """Another value than a default."""
    if type(value) is bool:
        return not value
    if type(value) is int:
        return value + 1
    if annotation in (NonNegative, Positive):
        return 2 * value + 0.1
    return value / 2 if value else 0.25


@cache
def walker(name: str, static: tuple[tuple[str, Any], ...]) -> Any:
    """Where an optimiser takes ten numbers in some steps, along gradients that change their signs and sizes."""
    optimizer = optimizers.build(name, dict(static), lambda progress: progress + 1.0)
    draw = np.random.default_rng(0)
    pulls = jnp.asarray(draw.normal(size=(12, 10)) * draw.uniform(0.05, 2, size=(12, 1)), jnp.float32)

    def step(hparams, carry, given):
        (params, state), (pull, progress) = carry, given
        loss = lambda p: (pull * p["kernel"]).sum() + (jnp.arange(1, 11) * (p["kernel"] - 1) ** 4).sum() / 100
        value, gradient = jax.value_and_grad(loss)(params)
        rule = optax.with_extra_args_support(optimizer(hparams, progress))
        updates, state = rule.update(gradient, state, params, value=value, grad=gradient, value_fn=loss)
        return (jax.tree.map(jnp.add, params, updates), state), None

    @jax.jit
    def walk(hparams):
        params = {"kernel": jnp.linspace(-2, 3, 10)}
        start = params, optimizer(hparams, jnp.float32(0)).init(params)
        (params, _), _ = jax.lax.scan(partial(step, hparams), start, (pulls, jnp.arange(12) / 12))
        return params["kernel"]

    return walk


def direction(name: str, arguments: dict[str, Any]) -> np.ndarray:
    """Where an optimiser with these arguments ends."""
    arguments = {key: value for key, value in arguments.items() if value is not None}
    static = {key: value for key, value in arguments.items() if type(value) is not float}
    swept = {key: jnp.float32(value) for key, value in arguments.items() if key not in static}
    return np.asarray(walker(name, tuple(static.items()))(swept))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_number_of_an_optimiser_counts(name):
    allowed = optimizer_fields.parameters(name)
    base = {key: 0.01 if key == "learning_rate" else p.default for key, p in allowed.items()}
    if "momentum" in base:  # without it the look-ahead of nesterov is refused
        base["momentum"] = 0.6
    if name == "lbfgs":
        base["memory_size"] = 2
    if name == "lars":  # without it clip_norm is refused
        base["eps"] = 0.1
    before = direction(name, base)
    assert np.isfinite(before).all()
    for key, value in base.items():
        changed = {**base, key: other(value, allowed[key].annotation)}
        assert not np.array_equal(direction(name, changed), before), key


def test_named_optimisers_decay_weights_as_optax_says():
    for name, default in {"adamw": 1e-4, "lion": 1e-3, "adamaxw": 1e-4, "adam": None, "lamb": None}.items():
        assert optimizer_fields.parameters(name)["weight_decay"].default == default


@pytest.mark.parametrize("home", ["aejax.optimizers.schedules", "aejax.data.corrupt"])
def test_every_number_of_a_schedule_or_corruption_counts(home):
    given = {"scale": 0.3, "probability": 0.3, "warmup": 0.4, "share": 0.3, "degrees": 20.0, "pixels": 1.0}
    for name, function in components.available(home).items():
        allowed = components.parameters(function)
        base = {key: given.get(key, p.default) for key, p in allowed.items()}
        x = jnp.linspace(0, 0.95, 40)
        # an image is mirrored or not: many of them tell one probability from another
        rows = jnp.tile(x, 25).reshape(250, 2, 2, 1) if name in AUGMENTING else x.reshape(1, 20, 2, 1)
        place = lambda x=x, rows=rows: (x,) if home == "aejax.optimizers.schedules" else (jax.random.key(0), rows)
        for key, value in base.items():
            changed = {**base, key: other(value, allowed[key].annotation)}
            same = np.array_equal(function(*place(), **base), function(*place(), **changed))
            assert not same, f"{name}: {key}"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("dense.vanilla", (8,)),
        ("conv.convolutional", (8, 8, 1)),
        ("unet.unet", (8, 8, 1)),
        ("masked.residual", (8,)),
    ],
)
def test_every_number_of_a_model_counts(name, shape):
    function = components.resolve(name, "aejax.models", what="model.name")
    small = {"code": 3, "channels": (2, 3), "residual": False}
    base = {key: small.get(key, p.default) for key, p in components.parameters(function).items()}

    def output(settings):
        model: Model = build_model({"name": name, **settings}, shape)
        x = jnp.linspace(0, 1, 2 * int(np.prod(shape))).reshape(2, -1)
        both = jax.jit(lambda first, second: model.apply(model.init(first), x, x, second).x_hat)  # as in training
        return np.asarray(both(jax.random.key(0), jax.random.key(1)))

    before = output(base)
    for key, value in base.items():
        match value:
            case bool():
                changed = not value
            case int():
                changed = value + 1
            case float():
                changed = 2 * value or 0.5
            case tuple():
                changed = tuple(item + 1 for item in value)
            case _:
                changed = "softplus" if (name, key) == ("masked.residual", "output") else "tanh"
        assert not np.array_equal(output({**base, key: changed}), before), key


@pytest.mark.parametrize("home", [home for home in components.KINDS if home != components.TASKS])
def test_every_argument_of_a_component_is_read(home):
    """A rough look, but at all of them: the name of each keyword argument is loaded somewhere in the function."""
    for name, function in components.available(home).items():
        read = {
            i.argval
            for code in _codes(unwrap(function).__code__)
            for i in dis.get_instructions(code)
            if "LOAD" in i.opname
        }
        names = {n for value in read for n in (value if isinstance(value, tuple) else (value,))}
        missing = set(components.parameters(function)) - names
        assert not missing, f"{home}: {name}"
        assert set(components.parameters(function)) <= set(signature(function).parameters)


@pytest.mark.parametrize("name", components.available(components.TASKS))
def test_every_option_of_a_task_is_read(name):
    """A rough look, as above: the name of each field of the options is read as an attribute in the code of the task."""
    home = Path(import_module(f"{components.TASKS}.{name}").__file__)
    files = home.parent.rglob("*.py") if home.name == "__init__.py" else [home]
    codes = [code for file in files for code in _codes(compile(file.read_text("utf-8"), file, "exec"))]
    names = {i.argval for code in codes for i in dis.get_instructions(code) if i.opname in ("LOAD_ATTR", "LOAD_METHOD")}
    options = components.available(components.TASKS)[name].options
    missing = {field.name for field in dataclasses.fields(options)} - names
    assert not missing


@pytest.mark.parametrize("name", components.available(components.TASKS))
def test_what_a_task_imports_while_the_net_trains_is_there_and_used(name):
    home = Path(import_module("aejax").__file__).parent
    code = "".join(file.read_text("utf-8") for room in ("tasks", "metrics") for file in (home / room).rglob("*.py"))
    for module in components.available(components.TASKS)[name].imports:
        assert f"from {import_module(module).__name__} import" in code, module


def _codes(code):
    return [code, *(inner for constant in code.co_consts if hasattr(constant, "co_code") for inner in _codes(constant))]


def test_bounds_of_all_floats_are_known():
    """No number of an optimiser is taken without a bound."""
    for name in OPTIMIZERS:
        for key, parameter in optimizer_fields.parameters(name).items():
            assert parameter.annotation is bool or get_args(parameter.annotation), f"{name}: {key}"
