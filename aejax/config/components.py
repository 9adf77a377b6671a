"""Components: a dict with a `name` and the keyword arguments of the function it names.

Models, loss terms, corruptions, schedules, optimisers and tasks are all written so in a config. What a component may
hold is read off the function's signature, or the options of a task, so that adding one needs no registry, and a key
that nothing reads is an error.
"""

import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
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
    modules = [each.name for each in iter_modules(module.__path__) if not each.name.startswith("_")]
    if home == TASKS:
        return {name: task for name in modules if (task := _task(name))}
    return {
        f"{name}.{function}": member
        for name in modules
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
    if component := _shipped(name, home):
        return component
    member = imported(name, home, what=what)
    if _is_task(member):
        return _guarded(member, name)
    try:
        arguments = positional(member)
    except (ValueError, TypeError):
        raise UserError(f"{what}: {name} has no signature; allowed: a function written in Python") from None
    if len(arguments) != len(KINDS[home]):
        raise UserError(f"{what}: {name} takes ({', '.join(arguments)}); allowed: ({', '.join(KINDS[home])})")
    return _guarded(_task_of(member), name) if home == TASKS else member


def imported(name: str, home: str | None = None, *, what: str) -> Any:
    """A function from outside aejax, or a `Task` in place of one.

    Args:
        name: ``"package.module.function"``.
        home: where short names would be looked up; None of a kind that has no such place.
        what: the field that named it, for the error.

    Raises:
        UserError: it says which part of the name is missing: the module, or the function in it.
    """
    module_name, _, last = name.rpartition(".")
    module = _import(module_name, what) if module_name and not _is_aejax(module_name) else None
    member = getattr(module, last, None)
    if callable(member) or (home == TASKS and _is_task(member)):
        return member
    if module is None:
        raise _unknown(name, sorted(available(home)) if home else [], what)
    fitting = [key for key, value in vars(module).items() if not key.startswith("_") and _fits(value, home)]
    kind = "task" if home == TASKS else "function"
    near, allowed = hint(last, fitting), ", ".join(f"{module_name}.{each}" for each in fitting) or "nothing"
    raise UserError(f"{what}: {shown(name)}: {module_name} has no {kind} {shown(last)}{near}; allowed: {allowed}")


def _fits(value: Any, home: str | None) -> bool:
    """Whether a member of a module may be meant by the name of a component."""
    is_function = inspect.isfunction(value) and (home is None or len(positional(value)) == len(KINDS[home]))
    return is_function or (home == TASKS and _is_task(value))


def _unknown(name: str, names: Sequence[str], what: str) -> UserError:
    """An error for a name whose module does not exist outside aejax."""
    module, _, last = name.rpartition(".")
    if not module or _is_aejax(module) or hint(name, names) or module in {each.rpartition(".")[0] for each in names}:
        return one_of(name, names, what=what)
    if last in names:  # without the package that it is looked up in
        return UserError(f"{what}: unknown {shown(name)} (did you mean {last!r}?); allowed: {', '.join(names)}")
    near = hint(module, [each.name for each in iter_modules()])
    allowed = ", or ".join(["a function of a file beside the config", *([", ".join(names)] if names else [])])
    return UserError(f"{what}: {shown(name)}: there is no module {shown(module)}{near}; allowed: {allowed}")


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


def _guarded(task: Any, name: str) -> Any:
    """A task of somebody else whose functions are checked. What checks them is imported for such tasks only."""
    from aejax.config import guards

    return guards.task(task, name)


def _task_of(function: Callable[..., Any]) -> Any:
    """A function ``(key, model, params, dataset, retrain, *, options) -> Evaluation`` as a task with nothing else."""
    from aejax.types import Task

    return Task(
        options=wraps(function)(lambda **options: types.SimpleNamespace(**options)),
        evaluate=lambda *arguments: function(*arguments[:-1], **vars(arguments[-1])),
    )


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
        if plain or any(_shipped(text, home) for home in KINDS):
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


def _shipped(name: str, home: str) -> Any:
    """A component of aejax by its short name, or by its import path; no more is imported than the module it is in."""
    short = name.removeprefix(f"{home}.")
    if home == TASKS:
        return _task(short)
    module, _, function = short.rpartition(".")
    path = f"{home}.{module}" if module else home
    if bool(module) != hasattr(import_module(home), "__path__") or (module and not module.isidentifier()):
        return None
    return _functions(import_module(path), KINDS[home]).get(function) if find_spec(path) else None


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
    hints = hints_of(function)
    if is_dataclass(function):
        return {each.name: Parameter(hints.get(each.name, Any), _default(each)) for each in fields(function)}
    return {
        name: Parameter(hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; none of one from elsewhere whose annotations cannot be evaluated."""
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:
        return {}


def _default(option: Any) -> Any:
    """The default of a field of a dataclass."""
    factory = option.default_factory
    return (REQUIRED if option.default is MISSING else option.default) if factory is MISSING else factory()


def complete(arguments: Mapping[str, Any], allowed: Mapping[str, Parameter], *, what: str, name: str) -> dict[str, Any]:
    """Arguments, checked, and the defaults of those that were left out.

    Args:
        arguments: as written in a config.
        allowed: the parameters of the function.
        what: the path of the component in the config, for errors.
        name: the function, for errors.

    Raises:
        UserError: an unknown, missing, wrongly typed or out-of-range argument.
    """
    for key in arguments:
        if key not in allowed:
            raise one_of(key, allowed, what=what if what == name else f"{what} ({name})")
    values = {}
    for key, parameter in allowed.items():
        if key not in arguments and parameter.default is REQUIRED:
            missing = "is missing" if what == name else f"{name} needs it"
            raise UserError(f"{what}.{key}: {missing}; allowed: {describe(parameter.annotation)}")
        value = arguments.get(key, parameter.default)
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
    words = [describe(option) for option in options if option in some or option is type(None)]
    raise UserError(f"{what}: expected {' or '.join(words)}, got {shown(value)}")


def split(values: Mapping[str, Any], allowed: Mapping[str, Parameter]) -> tuple[dict[str, Any], dict[str, float]]:
    """Static arguments and hyperparameters (floats): what is fixed at compile time and what may be swept."""
    swept = {key: value for key, value in values.items() if type(value) is float and key in allowed}
    return {key: value for key, value in values.items() if key not in swept}, swept
