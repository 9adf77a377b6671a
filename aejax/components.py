"""Components: a dict with a `name` and the keyword arguments of the function it names.

Models, loss terms, corruptions, schedules, optimisers and tasks are all written so in a config. What a
component may hold is read off the function's signature, so that adding one needs no registry, and a key
that no function reads is an error.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from aejax.bounds import Choice, Within
from aejax.errors import UserError, one_of

REQUIRED = inspect.Parameter.empty


class Parameter(NamedTuple):
    """A keyword argument: its annotation and default, `REQUIRED` where it has none."""

    annotation: Any
    default: Any


def available(package: str) -> dict[str, str]:
    """The functions that a short name reaches: ``"module.function" -> summary``, over the modules of a package."""
    found = {}
    for module in iter_modules(import_module(package).__path__):
        if module.name.startswith("_") or module.ispkg:
            continue
        members = vars(import_module(f"{package}.{module.name}"))
        for name, member in members.items():
            own = getattr(member, "__module__", None) == f"{package}.{module.name}"
            if inspect.isfunction(member) and own and not name.startswith("_"):
                found[f"{module.name}.{name}"] = (inspect.getdoc(member) or "").partition("\n")[0]
    return found


def resolve(name: Any, package: str, *, what: str) -> Callable[..., Any]:
    """The function of that name.

    Args:
        name: ``"module.function"`` inside `package`, ``"function"`` in `package` itself where it is a module, or any
            ``"package.module.function"`` outside aejax.
        package: where short names are looked up.
        what: the field that named it, for the error.

    Raises:
        UserError: there is no such function; the line lists those there are.
    """
    if not isinstance(name, str):
        raise UserError(f"{what}: expected the name of a function, got {name!r}")
    home = import_module(package)
    parts = name.split(".")
    is_package = hasattr(home, "__path__")
    public = {} if is_package else public_functions(home)
    if name in public:
        return public[name]
    if is_package and len(parts) == 2 and name in available(package):
        return getattr(import_module(f"{package}.{parts[0]}"), parts[1])
    if len(parts) > 1:
        outside = _import_outside(name, what)
        if outside is not None:
            return outside
    raise one_of(name, available(package) if is_package else public, what=what)


def public_functions(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions that a module defines itself, without those that begin with an underscore."""
    return {
        name: member
        for name, member in vars(module).items()
        if inspect.isfunction(member) and member.__module__ == module.__name__ and not name.startswith("_")
    }


def _import_outside(name: str, what: str) -> Callable[..., Any] | None:
    module_name, _, function_name = name.rpartition(".")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            return None
        raise UserError(f"{what}: importing {module_name} failed: {error}") from error
    except Exception as error:
        raise UserError(f"{what}: importing {module_name} failed: {type(error).__name__}: {error}") from error
    found = getattr(module, function_name, None)
    return found if callable(found) else None


def parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The keyword arguments that a config may give: keyword-only ones with their annotations."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # a function from elsewhere may have annotations that cannot be evaluated
        hints = {}
    return {
        name: Parameter(hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


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
            raise one_of(key, allowed, what=f"{what} ({name})")
    values = {}
    for key, parameter in allowed.items():
        if key not in given and parameter.default is REQUIRED:
            raise UserError(f"{what}.{key}: {name} needs it; allowed: {describe(parameter.annotation)}")
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
        f"{what}: expected {describe(Annotated[(annotation, *extras)] if extras else annotation)}, got {value!r}"
    )
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if get_origin(annotation) is tuple:
        if not isinstance(value, list | tuple):
            raise wrong
        return tuple(check(item, get_args(annotation)[0], what=what) for item in value)
    if annotation in (int, float, str, bool) and type(value) is not annotation:
        raise wrong
    if annotation is type(None) and value is not None:
        raise wrong
    if annotation is Any and isinstance(value, float) and not isfinite(value):
        raise UserError(f"{what}: expected a finite number, got {value!r}")
    for extra in extras:
        if isinstance(extra, Within) and value not in extra:
            raise wrong
        if isinstance(extra, Choice) and value not in extra.names:
            raise one_of(value, extra.names, what=what)
    return value


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _check_union(value: Any, annotation: Any, what: str) -> Any:
    options = get_args(annotation)
    if value is None and type(None) in options:
        return None
    some = [option for option in options if option is not type(None)]
    for option in some:
        try:
            return check(value, option, what=what)
        except UserError:
            continue
    if len(some) == 1 and type(None) not in options:
        return check(value, some[0], what=what)
    raise UserError(f"{what}: expected {describe(annotation)}, got {value!r}")


def split(values: Mapping[str, Any], allowed: Mapping[str, Parameter]) -> tuple[dict[str, Any], dict[str, float]]:
    """Static arguments and hyperparameters (floats): what is fixed at compile time and what may be swept."""
    swept = {key: value for key, value in values.items() if type(value) is float and key in allowed}
    return {key: value for key, value in values.items() if key not in swept}, swept
