"""Every shipped experiment, shrunk, end to end through the command line."""

import ast
import json

import pytest
from looking import run_figures

from aejax import config as configs
from aejax.cli import main
from aejax.config import files as config_files
from aejax.config.components import configured_task
from aejax.runs import experiment

SHRUNK = ("train.steps=6", "train.evaluate_every=3", "train.checkpoint_every=3")
OWN = {
    "lecture/clustering": ("task.restarts=1", "task.spectral_rows=300"),
    "tables/clustering": ("task.restarts=1", "task.spectral_rows=300"),
    "lecture/aeknn": ("task.layouts=((.25,),)", "task.repeats=1", "task.folds=2"),  # each layout is one to compile
}
"""What else is shrunk, by experiment."""
FEWER = {"tuning": 3, "rows": 12, "strengths": (0.3,), "plain_steps": 6, "surrogate_steps": 20, "inversion_steps": 5}
FEWER |= {"pairs": (10, 30), "components": 3, "samples": 200, "draws": 2, "nets": 2, "walks": 20, "members": 2}
"""What a task does at most."""
BUNDLED = ("digits", "binary:digits", "satimage", "natural_patches", "photographs")
BUNDLED += ("swiss_roll", "s_curve", "bars", "clusters", "lorenz")


def every_spec():
    for name, path in config_files.shipped().items():
        module = config_files.execute(path)
        yield from [name, *(f"{name}:{variant}" for variant in getattr(module, "variants", dict)())]


SPECS = sorted(every_spec())


@pytest.mark.parametrize("spec", SPECS)
def test_every_config_resolves(spec):
    config = configs.load(spec)
    assert configs.resolve(config) == config, "a resolved config resolves to itself"
    json.dumps(config)


def functions(settings, path=()):
    """The names of the functions that a config puts together and of its data, with where each stands."""
    if not isinstance(settings, dict):
        return set()
    name = {(path, settings["name"])} if "name" in settings else set()
    return name.union(*(functions(value, (*path, key)) for key, value in settings.items()))


def distinct(specs):
    """The specs to run: the first of those that apply the same functions to the same data. Variants are slow."""
    first = {}
    for spec in specs:
        first.setdefault(frozenset(functions(configs.load(spec))), spec)
    return [pytest.param(spec, marks=[pytest.mark.slow] if ":" in spec else []) for spec in first.values()]


ON_BUNDLED_DATA = [spec for spec in SPECS if configs.load(spec)["data"]["name"] in BUNDLED]


@pytest.mark.parametrize("spec", ON_BUNDLED_DATA)
def test_every_config_fits_its_data(spec):
    """All is checked that a run checks before it trains: its task, its model, and the shapes of a training step."""
    experiment.prepare(configs.load(spec))


@pytest.mark.parametrize("spec", distinct(ON_BUNDLED_DATA))
def test_every_distinct_config_runs(spec, tmp_path, capsys):
    folder = tmp_path / "run"
    options = configs.load(spec)["task"]
    shrunk = [*SHRUNK, *OWN.get(spec.partition(":")[0], ())]
    shrunk += [f"task.{name}={value}" for name, value in FEWER.items() if name in options]
    assert main(["run", spec, "--workdir", str(folder), *(word for s in shrunk for word in ("--set", s))]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert set(summary) >= {"seed", "metrics", "baselines", "timing", "parameters_digest"}
    assert summary["metrics"]
    declared = set(configured_task(options)[0].validated)
    found = set(summary["metrics"].get("validation", {}))
    assert found <= declared
    assert not found or declared - found <= {"accuracy"}, "that of categories, or of classes"
    pictures = list((folder / "figures").glob("*.png"))
    assert pictures
    out = capsys.readouterr().out
    assert all(str(picture) in out for picture in pictures)
    if ":" not in spec:  # those of a variant are drawn by the same functions
        assert {picture.stem for picture in pictures} == set(run_figures(folder))
    assert (folder / "metrics.csv").read_text().count("\n") >= 3


@pytest.mark.parametrize(("name", "path"), config_files.shipped().items())
def test_every_docstring_tells_the_command(name, path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert f"aejax run {name}" in docstring
    assert len(docstring.partition("\n")[0]) <= 110, "the first line is what `aejax list` prints"
