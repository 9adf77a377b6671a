"""The code of an experiment as it stands in the library: its config, and the encoder and decoder that its model builds.

Of each docstring the first line is shown.
"""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from aejax.errors import UserError
from aejax.report.folders import Run

MODELS = "aejax.models."
LOWER = {
    f"{MODELS}{name}" for name in ("activations", "assemble", "contract", "convolution", "links")
}  # what every model stands on
CONFIG = ("get_config", "variants")


def of_config(path: Path, variant: str) -> str:
    """What a config file gets its config from, and, for a variant, its variants; "" of a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    except (OSError, SyntaxError, ValueError):
        return ""
    names = CONFIG if variant else CONFIG[:1]
    parts = [ast.get_source_segment(text, functions[name]) for name in names if name in functions]
    return "\n\n\n".join(filter(None, parts))


def of_net(run: Run) -> list[tuple[str, str]]:
    """Pairs of a module and the functions and classes in it that the model of a run is made of, those it uses first."""
    from aejax.config.components import resolve

    try:
        constructor = inspect.unwrap(resolve(run.config["model"]["name"], "aejax.models", what="model.name"))
    except UserError:  # not at hand
        return []
    parts: dict[Any, None] = {}
    _gather(constructor, constructor.__module__, parts)
    modules = dict.fromkeys(
        sorted({part.__module__ for part in parts}, key=lambda name: name == constructor.__module__)
    )
    sources = {module: sorted(filter(None, map(_source, parts, [module] * len(parts)))) for module in modules}
    return [(module, "\n\n\n".join(text for _, text in texts)) for module, texts in sources.items() if texts]


def _gather(part: Any, home: str, parts: dict[Any, None]) -> None:
    """Collect a function or class of the models, and those that it names."""
    part = inspect.unwrap(part)
    module = getattr(part, "__module__", None) or ""
    ours = module == home or (module.startswith(MODELS) and module not in LOWER)
    if not ours or not (inspect.isfunction(part) or inspect.isclass(part)) or part in parts:
        return
    parts[part] = None
    for function in map(inspect.unwrap, [part] if inspect.isfunction(part) else vars(part).values()):
        if inspect.isfunction(function):
            names = list(_names(function.__code__))
            scope = [function.__globals__.get(name) for name in names]
            modules = [member for member in scope if inspect.ismodule(member) and member.__name__.startswith(MODELS)]
            for member in (*scope, *(getattr(module, name, None) for module in modules for name in names)):
                _gather(member, home, parts)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        yield from _names(inner) if isinstance(inner, CodeType) else ()


def _source(part: Any, module: str) -> tuple[int, str] | None:
    """The line in its file, and the code, of a part of a module; None of others, and where there is no file."""
    try:
        lines, first = inspect.getsourcelines(part)
    except (OSError, TypeError):
        return None
    return (first, _shortened("".join(lines))) if part.__module__ == module else None


def _shortened(text: str) -> str:
    """Code with the first line of each docstring."""
    lines = text.rstrip().splitlines()
    defined = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    strings = [node.body[0] for node in defined if ast.get_docstring(node) is not None]
    for string in sorted(strings, key=lambda string: -string.lineno):
        if string.end_lineno > string.lineno:
            lines[string.lineno - 1 : string.end_lineno] = [lines[string.lineno - 1].rstrip() + '"""']
    return "\n".join(lines)
