"""Resolving: a config as its file and overrides left it becomes one with every key checked and every default there."""

from collections.abc import Mapping
from typing import Any

from aejax.config import components, optimizers
from aejax.config.components import Parameter
from aejax.config.fields import FIELDS, RESERVED, SECTIONS, SEED, TERM
from aejax.errors import UserError, one_of, shown


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every key checked and every default filled in.

    Raises:
        UserError: an unknown, missing, wrongly typed or out-of-range field.
    """
    sections = SECTIONS
    for key in config:
        if key not in sections:
            raise one_of(key, sections, what="config field")
    for key in sections:
        if key not in config:
            raise UserError(f"{key}: is missing; start from aejax.config.base()")
        if key != "seed" and not isinstance(config[key], Mapping):
            raise UserError(f"{key}: expected a group of fields, got {shown(config[key])}")
    resolved = {"seed": components.check(config["seed"], SEED, what="seed")}
    for section, fields in FIELDS.items():
        values = components.complete(config[section], fields, what=section, name=section)
        resolved[section] = {key: value for key, value in values.items() if value != fields[key].default}
    resolved["data"]["missing"] = component(resolved["data"]["missing"], "aejax.data.missing", what="data.missing")
    if not config["terms"]:
        raise UserError("terms: there is no loss term; allowed: reconstruction.cross_entropy, sparsity.l1, …")
    for name in config["terms"]:
        if not name.isidentifier() or name in RESERVED:
            raise UserError(
                f"terms: a term cannot be named {shown(name)}; allowed: a word of letters, digits and _, "
                f"other than {', '.join(RESERVED)}"
            )
    resolved["model"] = component(config["model"], "aejax.models", what="model")
    resolved["terms"] = {
        name: component(term, "aejax.losses", what=f"terms.{name}", extra=TERM)
        for name, term in config["terms"].items()
    }
    resolved["relations"] = {
        name: component(given, "aejax.relations", what=f"relations.{name}")
        for name, given in config["relations"].items()
    }
    resolved["corruption"] = component(config["corruption"], "aejax.data.corrupt", what="corruption")
    resolved["optimizer"] = optimizer(config["optimizer"])
    resolved["task"] = component(config["task"], "aejax.tasks", what="task")
    check_together(resolved)
    return {key: resolved[key] for key in sections}


def data_settings(given: Any) -> dict[str, Any]:
    """The `data` section of a stored config, checked; one of an earlier version may lack fields.

    Raises:
        UserError: an unknown, wrongly typed or out-of-range field.
    """
    if not isinstance(given, Mapping) or "name" not in given:
        raise UserError(f"data: expected a group of fields with a name, got {shown(given)}")
    fields = {key: field for key, field in FIELDS["data"].items() if key in given}
    found = components.complete(given, fields, what="data", name="data")
    if "missing" in found:
        found["missing"] = component(found["missing"], "aejax.data.missing", what="data.missing")
    return found


def component(given: Any, package: str, *, what: str, extra: Mapping[str, Parameter] | None = None) -> dict[str, Any]:
    """A component, checked, every default filled in; a term (`extra`: its weight) may also have a schedule."""
    if not isinstance(given, Mapping):
        raise UserError(f"{what}: expected a group of fields with a name, got {shown(given)}")
    if "name" not in given:
        raise UserError(f"{what}.name: is missing; allowed: the name of a function, such as those in {package}")
    function = components.resolve(given["name"], package, what=f"{what}.name")
    allowed = dict(extra or {}) | components.parameters(function)
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    resolved = {"name": given["name"], **components.complete(arguments, allowed, what=what, name=given["name"])}
    if "schedule" in given:
        if not extra:
            raise one_of("schedule", allowed, what=f"{what} ({given['name']})")
        resolved["schedule"] = component(given["schedule"], "aejax.optimizers.schedules", what=f"{what}.schedule")
    return resolved


def optimizer(given: Mapping[str, Any]) -> dict[str, Any]:
    """The optimiser, checked, every default filled in: without a schedule the rate is constant."""
    if "name" not in given:
        raise UserError(f"optimizer.name: is missing; allowed: {', '.join(sorted(optimizers.available()))}")
    name = given["name"]
    arguments = {key: value for key, value in given.items() if key not in ("name", "schedule")}
    allowed = optimizers.parameters(name)
    resolved = {"name": name, **components.complete(arguments, allowed, what="optimizer", name=name)}
    if optimizers.needs_line_search(name):
        if "schedule" in given:
            raise UserError(f"optimizer.schedule: {name} finds its step by line search; allowed: leave it out")
        return resolved
    schedule = given.get("schedule", {"name": "constant"})
    return resolved | {"schedule": component(schedule, "aejax.optimizers.schedules", what="optimizer.schedule")}


def check_together(config: Mapping[str, Any]) -> None:
    """Refuse fields that are fine one by one and not together.

    Raises:
        UserError: naming the field to change.
    """
    optimizers.check_effective(config["optimizer"])
    optimizers.check_full_batch(config["optimizer"]["name"], config["train"]["batch_size"])
    words = {value for term in config["terms"].values() for value in term.values() if isinstance(value, str)}
    for name in config["relations"]:
        if name not in words:
            raise UserError(f"relations.{name}: no loss term reads it; allowed: leave it out, or name it in a term")
    if config["train"]["patience"] is not None and config["data"]["validation"] == 0:
        raise UserError("train.patience: there are no validation rows; allowed: None, or data.validation > 0")
