"""Configs, overrides and words of the command line made up at random: refused in one line, or taken as they stand."""

import ast
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from damage import TEXT, Case, as_json, damaged, outcome
from folders import said

EXPERIMENTS = (
    *("lecture/vanilla", "lecture/multilayer", "lecture/denoising", "lecture/anomaly", "lecture/hashing"),
    *("lecture/imputation", "lecture/convolutional", "lecture/sparse_l1", "families/topk", "families/iwae"),
)
VALUES = (
    *("0", "1", "-1", "3", "64", "0.5", "-0.5", "1e-3", "1e400", "-1e-400", "nan", "inf", "true", "False", "null"),
    *("None", "none", "''", "' '", "adam", "unit", "standard", "()", "(3,)", "(64, 32)", "[8]", "[[]]", "(1, 'a')"),
    *("{}", "1_000", "{'name': 'adam'}", "{'name': 3}", "{3: 4}", "{'name': 'no.such'}", "9" * 400, "(" * 90),
    *("dense.multilayer", "sparsity.l1", "gaussian", "os.system", "../x", "\u0130", "\u0663", "1+2j", "b'a'", "0x10"),
    *("1,5", "=", "a=b", "lambda: 0"),
)
WORDS = (
    *("run", "show", "list", "apply", "report", "split", "data", "list", "--help", "--version", "--seed", "--set"),
    *("--workdir", "--trust", "--input", "--output", "-", "--", "", " ", "\x00", "no/such", "lecture/vanilla", "3"),
    *("--config.seed=3", "--distributed", "--process-id", "--processes", "--encoder", "--decoder", "a" * 300),
    *("\udcff", "x.csv", "encode"),
)
HOSTILE = (
    *(None, True, 0, 1, -1, 3, 64, 2**31, 2**63, 10**30, 0.5, -0.5, 1e-300, 1e300, "nan", "inf", "", "a", "adam", []),
    *({}, [3], [3, "a"], {"name": "adam"}, {"name": None}, [[1]], "os.system", "\u0663"),
)


def cases(random: np.random.Generator, count: int, folder: Path) -> Iterator[Case]:
    """So many, of each kind in turn."""
    printed = {name: json.loads(said(["run", name, "--print-config"])) for name in EXPERIMENTS}
    kinds = (_overrides, _overrides, _field_of_json, _damaged_json, _words)
    for number in range(count):
        name = EXPERIMENTS[int(random.integers(len(EXPERIMENTS)))]
        what, asked = kinds[number % len(kinds)](random, name, printed[name], folder / "config.json")
        yield outcome(f"case {number}: {what}", asked)


def _one(random: np.random.Generator, values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def paths(value: Any, before: str = "") -> Iterator[str]:
    """The dotted paths of the groups and fields of a config."""
    for name, item in value.items() if isinstance(value, dict) else ():
        yield f"{before}{name}"
        yield from paths(item, f"{before}{name}.")


def _overrides(random: np.random.Generator, name: str, config: dict, file: Path) -> tuple[str, partial]:
    known = list(paths(config))
    chosen = {}
    for _ in range(int(random.integers(1, 3))):
        path = _one(random, known)
        if random.random() < 0.1:
            path = _one(random, (f"{path}.x", f"{path}x", path.upper(), path[1:], f".{path}", ""))
        chosen[path] = _one(random, VALUES)
    words = [word for path, text in chosen.items() for word in ("--set", f"{path}={text}")]
    return f"{name} {' '.join(words)}", partial(_taken, ["run", name, *words], chosen)


def _taken(argv: list[str], chosen: dict[str, str]) -> str | None:
    """Whether a config has the values that were set, as Python reads them."""
    config = json.loads(said([*argv, "--print-config"]))
    for path, text in chosen.items():
        value = _literal(text)
        got = _at(config, path)
        if got is not _ABSENT and not _same(got, value):
            return f"{path}: {value!r} was set, and is {got!r}"
    return None


_ABSENT = object()


def _literal(text: str) -> Any:
    words = {"null": None, "true": True, "false": False}
    try:
        return words[text.lower()] if text.lower() in words else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _at(config: Any, path: str) -> Any:
    """The value at a path; a field at its default may be left out."""
    for name in path.split("."):
        if not isinstance(config, dict) or name not in config:
            return _ABSENT
        config = config[name]
    return config


def _same(got: Any, value: Any) -> bool:
    """Whether a value of a config says what was written; a component has its defaults beside what was named."""
    if isinstance(value, dict) and isinstance(got, dict):
        return all(name in got and _same(got[name], item) for name, item in value.items())
    if isinstance(value, tuple | list):
        return isinstance(got, list) and len(got) == len(value) and all(map(_same, got, value))
    if isinstance(value, str) and value.lower() == "none":
        return got is None or got == value
    if isinstance(value, bool) or isinstance(got, bool):
        return got is value
    return got == value or (isinstance(got, list) and got == [value])


def _field_of_json(random: np.random.Generator, name: str, config: dict, file: Path) -> tuple[str, partial]:
    """A config in JSON of which one field is another value."""
    path, value = _one(random, list(paths(config))), _one(random, HOSTILE)
    changed = json.loads(json.dumps(config))
    *parents, leaf = path.split(".")
    group = _at(changed, ".".join(parents)) if parents else changed
    group[leaf] = value
    file.write_bytes(as_json(changed))
    return f"{name} in JSON, {path}={value!r}", partial(_read_again, file, path, value)


def _read_again(file: Path, path: str, value: Any) -> str | None:
    config = json.loads(said(["run", str(file), "--print-config"]))
    got = _at(config, path)
    return None if got is _ABSENT or _same(got, value) else f"{path}: {value!r} was written, and is {got!r}"


def _damaged_json(random: np.random.Generator, name: str, config: dict, file: Path) -> tuple[str, partial]:
    what, content = damaged(random, as_json(config), TEXT)
    file.write_bytes(content)
    return f"{name} in JSON, {what}", partial(_as_json_says, file)


def _as_json_says(file: Path) -> str | None:
    """Whether a config that was read has the values that JSON has there."""
    config = json.loads(said(["run", str(file), "--print-config"]))
    written = json.loads(file.read_bytes())
    for path in paths(written):
        got, value = _at(config, path), _at(written, path)
        if got is not _ABSENT and not isinstance(value, dict) and not _same(got, value):
            return f"{path}: {value!r} was written, and is {got!r}"
    return None


def _words(random: np.random.Generator, name: str, config: dict, file: Path) -> tuple[str, partial]:
    """Words in any order; those that would train are asked to print their config."""
    words = [_one(random, WORDS) for _ in range(int(random.integers(1, 6)))]
    if "run" in words:
        words.append("--print-config")
    return f"aejax {' '.join(words)!r:.200}", partial(_refused_or_done, words)


def _refused_or_done(words: list[str]) -> None:
    said(words)
