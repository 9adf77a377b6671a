"""Components: a dict with a `name` and the keyword arguments of the function it names.

Models, loss terms, corruptions, schedules, optimisers and tasks are all written so in a config. What a component may
hold is read off the function's signature, or the options of a task, so that adding one needs no registry, and a key
that nothing reads is an error.
"""

import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, fields, make_dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from aejax.config.bounds import Choice, Within
from aejax.errors import UserError, hint, one_of, shown

LARGEST = 3.4028234e38  # of float32, in which every number is computed with
REQUIRED = inspect.Parameter.empty


class Parameter(NamedTuple):
    """A keyword argument: its annotation and default, `REQUIRED` where it has none."""

    annotation: Any
    default: Any


KINDS = {
    "aejax.models": ("feature_shape",),
    "aejax.losses": ("ctx",),
    "aejax.optimizers.schedules": ("progress",),
    "aejax.data.corrupt": ("key", "x"),
    "aejax.data.missing": ("key", "x"),
    "aejax.relations": ("x",),
    "aejax.tasks.samplers": ("key", "model", "params", "codes"),
    "aejax.tasks": ("key", "model", "params", "dataset", "retrain"),
}
"""Where the short names of each kind of component are looked up, and the positional arguments of its functions."""
TASKS = "aejax.tasks"


def positional(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the positional arguments of a function."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds)


def available(home: str) -> dict[str, Any]:
    """What short names reach: ``"module.function"`` in a package, ``"function"`` in a module, ``"module"`` of tasks."""
    module = import_module(home)
    if not hasattr(module, "__path__"):
        return _functions(module, KINDS[home])
    if home == TASKS:
        tasks = {found.name: _task(found.name) for found in iter_modules(module.__path__)}
        return {name: task for name, task in tasks.items() if task}
    names = [
        found.name for found in iter_modules(module.__path__) if not found.ispkg and not found.name.startswith("_")
    ]
    return {
        f"{name}.{function}": member
        for name in names
        for function, member in _functions(import_module(f"{home}.{name}"), KINDS[home]).items()
    }


def _functions(module: types.ModuleType, arguments: tuple[str, ...]) -> dict[str, Callable[..., Any]]:
    """The public functions that a module defines itself and that take just these positional arguments."""
    return {
        name: member
        for name, member in vars(module).items()
        if inspect.isfunction(member)
        and member.__module__ == module.__name__
        and not name.startswith("_")
        and positional(member) == arguments
    }


def resolve(name: Any, home: str, *, what: str) -> Any:
    """The function of that name, or the `Task`; a plain function in place of a task is made one.

    Args:
        name: a short name, or any ``"package.module.function"`` outside aejax, which is imported; `check_own` refuses
            those of configs that nobody vouches for.
        home: the package or module where short names are looked up, one of `KINDS`.
        what: the field that named it, for the error.

    Raises:
        UserError: there is no such function; the line lists those there are.
    """
    if not isinstance(name, str):
        raise UserError(f"{what}: expected the name of a function, got {shown(name)}")
    if found := _own(name, home):
        return found
    module, _, function = name.rpartition(".")
    if module and not _is_aejax(module) and (found := _outside(module, function, what)):
        if home == TASKS and _is_task(found):
            return found
        try:
            takes = positional(found)
        except (ValueError, TypeError):
            raise UserError(f"{what}: {name} has no signature; allowed: a function written in Python") from None
        if len(takes) != len(KINDS[home]):
            raise UserError(f"{what}: {name} takes ({', '.join(takes)}); allowed: ({', '.join(KINDS[home])})")
        return _task_of(found) if home == TASKS else found
    raise _unknown(name, home, what)


def _is_task(value: Any) -> bool:
    """Whether a value is a `Task`; types are not imported for it, since a mistake in a config is told without jax."""
    types_of_aejax = sys.modules.get("aejax.types")
    return types_of_aejax is not None and isinstance(value, types_of_aejax.Task)


def configured_task(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """The task that the `task` section of a resolved config names, and its options."""
    options = dict(settings)
    task = resolve(options.pop("name"), TASKS, what="task.name")
    return task, task.options(**options)


def _task(name: str) -> Any:
    """A task of aejax by its short name: ``"anomaly"``, or ``"anomaly.evaluate"`` as older configs have it."""
    short = name.removesuffix(".evaluate")
    there = short.isidentifier() and find_spec(f"{TASKS}.{short}")
    return getattr(import_module(f"{TASKS}.{short}"), "TASK", None) if there else None


def _task_of(function: Callable[..., Any]) -> Any:
    """A function ``(key, model, params, dataset, retrain, *, options) -> Evaluation`` as a task with nothing else."""
    from aejax.types import Task

    options = [
        (name, annotation, field() if default is REQUIRED else field(default_factory=lambda value=default: value))
        for name, (annotation, default) in parameters(function).items()
    ]
    return Task(
        options=make_dataclass("Options", options, frozen=True, kw_only=True),
        evaluate=lambda *arguments: function(*arguments[:-1], **vars(arguments[-1])),
    )


def _unknown(name: str, home: str, what: str) -> UserError:
    """An error that says which part of a name is missing: the function of a file that is there, or the file."""
    module, _, function = name.rpartition(".")
    names = sorted(available(home))
    inside = not module or module in {known.rpartition(".")[0] for known in names}
    there = None if inside or _is_aejax(module) else _import(module, what)
    if inside or _is_aejax(module) or (there is None and hint(name, names)):
        return one_of(name, names, what=what)
    if there is None and function in names:  # without the package that it is looked up in
        return UserError(f"{what}: unknown {shown(name)} (did you mean {function!r}?); allowed: {', '.join(names)}")
    if there is None:
        near = hint(module, [found.name for found in iter_modules()])
        own = "a function of a file beside the config, or"
        return UserError(
            f"{what}: {shown(name)}: there is no module {shown(module)}{near}; allowed: {own} {', '.join(names)}"
        )
    fitting = [
        found
        for found, member in vars(there).items()
        if not found.startswith("_")
        and (
            (inspect.isfunction(member) and len(positional(member)) == len(KINDS[home]))
            or (home == TASKS and _is_task(member))
        )
    ]
    kind = "task" if home == TASKS else "function"
    lacking = f"{shown(name)}: {module} has no {kind} {shown(function)}{hint(function, fitting)}"
    return UserError(f"{what}: {lacking}; allowed: {', '.join(f'{module}.{each}' for each in fitting) or 'nothing'}")


def check_own(config: Any, where: object) -> None:
    """Refuse a config from elsewhere that names what is no component of aejax, importing nothing but components.

    Every text with a dot is held for a name, wherever it stands, but for those of the section `data` that are none.

    Args:
        config: as it was read.
        where: the file, for the error.

    Raises:
        UserError: naming the field, and how to say that the file is to be trusted.
    """
    for path, text in _texts(config):
        plain = "." not in text or (path.startswith("data.") and not path.startswith("data.missing."))
        if plain or any(_own(text, home) for home in KINDS):
            continue
        for home in KINDS:
            if text.rpartition(".")[0] in {name.rpartition(".")[0] for name in available(home)} - {""}:
                raise one_of(text, available(home), what=f"{where}: {path}")
        raise UserError(
            f"{where}: {path} is {shown(text)}, which is no component of aejax, and no run of yours on this "
            "machine left this file so: no code from elsewhere is imported for it; if you trust it, add --trust"
        )


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text inside a value, with its dotted path."""
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield from _texts(item, f"{path}.{key}" if path else str(key))


def _is_aejax(module: str) -> bool:
    """Whether a module is one of aejax's own, of which only components can be named; its experiments are not."""
    return f"{module}.".startswith("aejax.") and not f"{module}.".startswith("aejax.experiments.")


def _own(name: str, home: str) -> Any:
    """A component of aejax by its short name, or by its import path; no more is imported than the module it is in."""
    if home == TASKS:
        return _task(name.removeprefix(f"{home}."))
    module, _, function = name.removeprefix(f"{home}.").rpartition(".")
    path = f"{home}.{module}" if module else home
    if bool(module) != hasattr(import_module(home), "__path__") or module.startswith("_"):
        return None
    if module and not module.isidentifier():
        return None
    return _functions(import_module(path), KINDS[home]).get(function) if find_spec(path) else None


def imported(module_name: str, function: str, *, what: str) -> Callable[..., Any]:
    """A function from outside aejax.

    Raises:
        UserError: there is no such module, or it has no such function.
    """
    module = _import(module_name, what)
    if module is None:
        near = hint(module_name, [found.name for found in iter_modules()])
        raise UserError(f"{what}: there is no module {shown(module_name)}{near}; allowed: a file beside the config")
    member = getattr(module, function, None)
    if not callable(member):
        names = [name for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_"]
        raise one_of(function, names, what=f"{what}: a function of {module_name}")
    return member


def _outside(module_name: str, function: str, what: str) -> Callable[..., Any] | None:
    found = getattr(_import(module_name, what), function, None)
    return found if callable(found) or _is_task(found) else None


def _import(module_name: str, what: str) -> types.ModuleType | None:
    """A module from outside aejax; None where there is none of that name."""
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            return None
        raise UserError(f"{what}: importing {module_name} failed: {error}") from error
    except (Exception, SystemExit) as error:
        raise UserError(f"{what}: importing {module_name} failed: {type(error).__name__}: {error}") from error


def parameters(component: Any) -> dict[str, Parameter]:
    """What a config may give: keyword-only arguments of a function, or the options of a task, with annotations."""
    function = component.options if _is_task(component) else component
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # a function from elsewhere may have annotations that cannot be evaluated
        hints = {}
    if _is_task(component):
        return {each.name: Parameter(hints.get(each.name, Any), _default(each)) for each in fields(function)}
    return {
        name: Parameter(hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _default(option: Any) -> Any:
    """The default of a field of a dataclass."""
    if option.default_factory is not MISSING:
        return option.default_factory()
    return REQUIRED if option.default is MISSING else option.default


def complete(given: Mapping[str, Any], allowed: Mapping[str, Parameter], *, what: str, name: str) -> dict[str, Any]:
    """The given arguments, checked, and the defaults of those that were left out.

    Args:
        given: arguments as written in a config.
        allowed: the parameters of the function.
        what: the path of the component in the config, for errors.
        name: the function, for errors.

    Raises:
        UserError: an unknown, missing, wrongly typed or out-of-range argument.
    """
    for key in given:
        if key not in allowed:
            raise one_of(key, allowed, what=what if what == name else f"{what} ({name})")
    values = {}
    for key, parameter in allowed.items():
        if key not in given and parameter.default is REQUIRED:
            missing = "is missing" if what == name else f"{name} needs it"
            raise UserError(f"{what}.{key}: {missing}; allowed: {describe(parameter.annotation)}")
        value = given.get(key, parameter.default)
        values[key] = check(value, parameter.annotation, what=f"{what}.{key}")
    return values


def describe(annotation: Any) -> str:
    """A type in words: ``"int >= 1"``."""
    if annotation is None or annotation is type(None):
        return "None"
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        choice = next((e for e in extras if isinstance(e, Choice)), None)
        if choice:
            return "one of " + ", ".join(choice.names)
        return " ".join([describe(base), *(str(e) for e in extras if isinstance(e, Within))])
    if get_origin(annotation) is tuple:
        return f"tuple of {describe(get_args(annotation)[0])}"
    if _is_union(annotation):
        return " or ".join(describe(option) for option in get_args(annotation))
    return getattr(annotation, "__name__", str(annotation))


def check(value: Any, annotation: Any, *, what: str) -> Any:
    """The value as the annotated type (an int becomes a float where a float is wanted).

    Raises:
        UserError: the value is not of that type or not in its range.
    """
    if _is_union(annotation):
        return _check_union(value, annotation, what)
    extras = ()
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
    wrong = UserError(
        f"{what}: expected {describe(Annotated[(annotation, *extras)] if extras else annotation)}, got {shown(value)}"
    )
    if annotation is float and type(value) is int and abs(value) <= LARGEST:
        value = float(value)
    if get_origin(annotation) is tuple:
        if not isinstance(value, list | tuple):
            raise wrong
        return tuple(check(item, get_args(annotation)[0], what=what) for item in value)
    if annotation in (int, float, str, bool) and type(value) is not annotation:
        raise wrong
    if annotation is type(None) and value is not None:
        raise wrong
    if isinstance(value, float) and not abs(value) <= LARGEST:
        raise UserError(f"{what}: expected a finite number that float32 can hold, got {shown(value)}")
    for extra in extras:
        if isinstance(extra, Within) and value not in extra:
            raise wrong
        if isinstance(extra, Choice) and value not in extra.names:
            raise one_of(value, extra.names, what=what)
    return value


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def is_literal(annotation: Any) -> bool:
    """Whether an annotation is of what a config can hold: numbers, words, bools, tuples of them, and None."""
    if _is_union(annotation):
        return all(option is type(None) or is_literal(option) for option in get_args(annotation))
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return base in (int, float, str, bool, tuple) or get_origin(base) is tuple


def _check_union(value: Any, annotation: Any, what: str) -> Any:
    options = get_args(annotation)
    if type(None) in options and (value is None or value == "none"):
        return None
    some = [option for option in options if option is not type(None)]
    some = [option for option in some if is_literal(option)] or some  # an array cannot stand in a config
    for option in some:
        try:
            return check(value, option, what=what)
        except UserError:
            continue
    if len(some) == 1 and type(None) not in options:
        return check(value, some[0], what=what)
    words = [describe(option) for option in options if option in some or option is type(None)]
    raise UserError(f"{what}: expected {' or '.join(words)}, got {shown(value)}")


def split(values: Mapping[str, Any], allowed: Mapping[str, Parameter]) -> tuple[dict[str, Any], dict[str, float]]:
    """Static arguments and hyperparameters (floats): what is fixed at compile time and what may be swept."""
    swept = {key: value for key, value in values.items() if type(value) is float and key in allowed}
    return {key: value for key, value in values.items() if key not in swept}, swept
