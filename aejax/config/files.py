"""Config files: find an experiment, run its file, and take out what it defines as plain literals."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from aejax.config.components import check_own
from aejax.errors import UserError, one_of, raised, shown
from aejax.storage import records
from aejax.storage import trust as seals


def experiments_folder() -> Path:
    """Where the shipped experiments lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "experiments"
    return installed if installed.is_dir() else package.parent / "experiments"


def shipped() -> dict[str, Path]:
    """The shipped experiments, by the name that `aejax run` takes."""
    folder = experiments_folder()
    paths = (path for path in sorted(folder.glob("*/*.py")) if not path.name.startswith("_"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def find(spec: str) -> tuple[Path, str | None]:
    """The file of an experiment and the variant that was asked for, None for none.

    Raises:
        UserError: there is no such experiment or file.
    """
    names, name, variant = shipped(), spec, None
    if ":" in spec and spec not in names and not Path(spec).is_file():
        name, _, variant = spec.rpartition(":")
    path = names.get(name, Path(name))
    if path.suffix not in (".py", ".json"):
        raise one_of(name, names, what="experiment")
    if name not in names and not path.is_file():
        raise UserError(f"{name}: no such config file; shipped experiments: {', '.join(names)}")
    return path, variant


def config_of(path: Path, variant: str | None, *, trust: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``get_config()`` of a file returns, and the overrides of one of its ``variants()``.

    A ``.json`` file is the config itself, such as the ``config.json`` of a run, and is read as `written` does.

    Raises:
        UserError: the file cannot be run or read, defines something else, or has no such variant.
    """
    if path.suffix == ".json":
        if variant is not None:
            raise UserError(f"{path}: a config in JSON has no variants, got {variant!r}")
        return written(path, trust=trust), {}
    module = execute(path)
    config = literals(call(module, "get_config", path), what=f"{path}: get_config()")
    if variant is None:
        return config, {}
    known = literals(variants(path, module), what=f"{path}: variants()")
    if variant not in known:
        raise one_of(variant, known, what=f"{path.name}: variant")
    if not isinstance(known[variant], dict):
        raise UserError(f"{path}: variant {variant!r} must be a dict of overrides, got {shown(known[variant])}")
    return config, known[variant]


def written(path: Path, *, trust: bool = False) -> dict[str, Any]:
    """The config in a JSON file, such as the ``config.json`` of a run.

    Args:
        path: of the file.
        trust: whether it may name functions from outside aejax, which are imported and called; one that a run of this
            user left on this machine always may (`aejax.storage.trust`).

    Raises:
        UserError: it is no config, or names what is no component of aejax.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    config = records.parse(content, path)
    if not isinstance(config, dict):
        raise UserError(f"{path}: is damaged: it holds no config, but {shown(config)}")
    if not trust and not (path.name == "config.json" and seals.is_own(path.parent, content)):
        check_own(config, path)
    return config


def execute(path: Path) -> ModuleType:
    """Run a config file and return its namespace; what it prints goes to standard error.

    Raises:
        UserError: it cannot be read or run; the line names the file and the line in it.
    """
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # as for a script: terms and models beside the config can be named by import path
        sys.path.append(folder)
    module = ModuleType(f"aejax_config_{path.stem}")
    module.__file__ = str(path)
    with _running(path):
        content = path.read_bytes()
        before, null, _ = content.partition(b"\0")
        if null:  # of which Python before 3.11.4 does not say the line, and later ones say the first
            line = 1 + before.count(b"\n")
            raise SyntaxError("a null byte; allowed: Python as text", (str(path), line, None, None))
        exec(compile(content, str(path), "exec"), vars(module))
    if not callable(getattr(module, "get_config", None)):
        raise UserError(f"{path}: defines no function get_config()")
    return module


def variants(path: Path, module: ModuleType | None = None) -> Mapping[str, Any]:
    """The variants of an experiment, by name: what ``variants()`` of its file returns; none where it has no such."""
    module = module or execute(path)
    return call(module, "variants", path) if hasattr(module, "variants") else {}


def call(module: ModuleType, name: str, path: Path) -> Any:
    """What a function of a config file returns.

    Raises:
        UserError: it raised; the line names the file and the line in it.
    """
    with _running(path):
        return getattr(module, name)()


@contextmanager
def _running(path: Path) -> Iterator[None]:
    """What a config file prints goes to standard error; what it raises becomes one line with its place in the file."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SyntaxError as error:
        raise UserError(f"{error.filename or path}:{error.lineno or 1}: syntax error: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise UserError(raised(error, str(path), otherwise=f"{path}: ")) from error


def literals(config: Any, *, what: str) -> dict[str, Any]:
    """A ConfigDict or dict as nested plain dicts of literals, lists as tuples.

    Args:
        config: such as a function of a config file returned.
        what: where it is from, for errors.

    Raises:
        UserError: it is something else, or holds something that a config cannot: a function, an array, a set.
    """
    try:
        plain = config.to_dict() if hasattr(config, "to_dict") else config
        if not isinstance(plain, Mapping):
            raise UserError(f"{what}: expected a ConfigDict or a dict, not {type(plain).__name__}")
        return {str(key): literal(value, what=f"{what}: {key}") for key, value in plain.items()}
    except RecursionError:
        raise UserError(f"{what}: the config holds itself") from None


def literal(value: Any, *, what: str) -> Any:
    """A value of a config: text, a number, a truth value, None, or a tuple or dict of such.

    Raises:
        UserError: it is something else, or text that has no UTF-8 form.
    """
    if isinstance(value, Mapping):
        return {str(key): literal(item, what=f"{what}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(literal(item, what=what) for item in value)
    if type(value) is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UserError(f"{what}: expected text in UTF-8, got {shown(value)}") from None
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise UserError(f"{what}: expected text, a number, true, false, none or a tuple of them, got {shown(value)}")
