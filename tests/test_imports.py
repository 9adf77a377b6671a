"""One direction: a module imports only from those listed before it; and importing aejax stays light."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import aejax

PACKAGE = Path(aejax.__file__).parent

# A module or package may import from any earlier line, and from nothing on its own line or later.
ORDER = (
    ("types", "errors"),
    ("files", "console"),
    ("storage",),
    ("config",),
    ("metrics",),
    ("optimizers",),
    ("data",),
    ("losses", "relations"),
    ("models",),
    ("training",),
    ("figures",),
    ("tasks",),
    ("export",),
    ("runs",),
    ("estimators",),
    ("sweep",),
    ("report",),
    ("reproduce",),
    ("bench",),
    ("cli",),
    ("__main__",),
)
PLACE = {name: place for place, names in enumerate(ORDER) for name in names}

# The only places where these are known; everyone else goes through them.
SEAMS = {
    "flax": "models",
    "tensorflow_datasets": "data",
    "matplotlib": ("figures", "bench"),
    "torch": "bench",  # which aejax is measured beside
    "pyod": "bench",
    "array_record": "data",
    "grain": "data",
    "optax": ("config", "optimizers", "training"),
    "ml_collections": ("config",),
    "safetensors": ("storage",),
}
AT_THE_TOP = {"estimators": "sklearn"}  # whose base classes its classes have
NOWHERE = {"pickle", "cloudpickle", "dill", "shelve", "tensorflow", "orbax", "clu", "absl"}

# Slow to import, or extras: only inside functions.
LATE = {"tensorflow_datasets", "matplotlib", "sklearn", "skimage", "scipy", "pandas", "pyarrow", "rich", "PIL"}
LATE |= {"ml_collections", "safetensors", "platformdirs", "jinja2", "pyreadr", "cryptography", "tensorboardX", "grain"}
LATE |= {"ray", "submitit", "optuna", "onnx", "onnxruntime"}


HEAVY = LATE | {"jax", "jaxlib", "flax", "optax", "chex", "numpy"}


@cache
def modules():
    """Every module of the package by its name without ``aejax.``; that of the package itself is ""."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] != "experiments":
            found[".".join(parts).removesuffix("__init__").removesuffix(".")] = ast.parse(path.read_text())
    return found


def imported(tree):
    """What the import statements below a node name: (dotted name, whether it may be a module's member)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((f"{node.module}.{alias.name}", True) for alias in node.names)


def inside(tree):
    """The modules of aejax that are imported, at the top or in a function."""
    for name, member in imported(tree):
        if name.partition(".")[0] == "aejax":
            name = name.removeprefix("aejax").removeprefix(".")
            yield name if name in modules() or not member else name.rpartition(".")[0]


def test_the_map_for_contributors_has_the_rooms_in_their_order():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert [tuple(re.findall(r"`(\w+)`", row)) for row in rows] == [row for row in ORDER if row != ("__main__",)]


def test_every_module_has_a_place_in_the_order():
    assert {name.partition(".")[0] for name in modules() if name} == set(PLACE)


@pytest.mark.parametrize("name", [name for name in modules() if name])
def test_imports_go_in_one_direction(name):
    home = name.partition(".")[0]
    for other in inside(modules()[name]):
        there = other.partition(".")[0]
        if there and there != home:  # the package itself only knows its version
            assert PLACE[there] < PLACE[home], f"{name} imports {other}, which comes after it"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: set(inside(tree)) - {name, ""} for name, tree in modules().items()}
    while graph:
        free = [name for name, needs in graph.items() if not needs & set(graph)]
        assert free, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in free}


@pytest.mark.parametrize("library", [*SEAMS, *sorted(NOWHERE)])
def test_libraries_are_known_only_in_their_places(library):
    places = SEAMS.get(library, ())
    places = (places,) if isinstance(places, str) else places
    users = {
        name
        for name, tree in modules().items()
        if any(other.partition(".")[0] == library for other, _ in imported(tree))
    }
    assert {name.partition(".")[0] for name in users} <= set(places)
    assert users or library in NOWHERE or library == "array_record"


def at_the_top(tree):
    """The statements that run when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_the_top(node)


@pytest.mark.parametrize("name", modules())
def test_slow_libraries_are_imported_late(name):
    now = {
        other.partition(".")[0]
        for node in at_the_top(modules()[name])
        if isinstance(node, ast.Import | ast.ImportFrom)
        for other, _ in imported(node)
    }
    assert not now & LATE - {AT_THE_TOP.get(name.partition(".")[0])}


def heavy_after(code):
    """Which heavy libraries a fresh interpreter has loaded after some code, and what it printed before."""
    script = f"import sys\n{code}\nprint('LOADED', *sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    before, _, loaded = done.stdout.rpartition("LOADED")
    return before, loaded.split()


def test_importing_aejax_loads_nothing_heavy():
    assert heavy_after("import aejax\naejax.__version__\ndir(aejax)") == ("", [])


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        f"from aejax import cli\ntry:\n    cli.main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code"
    )
    said, loaded = heavy_after(code)
    assert "aejax" in said
    assert loaded == []


def test_the_package_hands_out_its_modules_and_functions():
    assert set(aejax.__all__) <= set(dir(aejax))
    for name in aejax.ROOMS:
        assert getattr(aejax, name).__name__ == f"aejax.{name}"
    for name, (module, member) in aejax.FRONT_DOOR.items():
        assert getattr(aejax, name) is getattr(import_module(f"aejax.{module}"), member)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = aejax.nothing
