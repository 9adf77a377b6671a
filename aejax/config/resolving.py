"""Resolving: a config as its file and overrides left it becomes one with every key checked and every default there."""

from collections.abc import Mapping
from typing import Any

from aejax.config import components, optimizers
from aejax.config.components import REQUIRED, Parameter
from aejax.config.fields import FIELDS, OPTIONAL, PACKAGES, RESERVED, SECTIONS, SEED, TERM
from aejax.errors import UserError, one_of, shown


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every key checked and every default filled in.

    Raises:
        UserError: an unknown, missing, wrongly typed or out-of-range field.
    """
    for key in config:
        if key not in SECTIONS:
            raise one_of(key, SECTIONS, what="config field")
    for key in SECTIONS:
        if key not in config:
            raise UserError(f"{key}: is missing; start from aejax.config.base()")
        if key != "seed" and not isinstance(config[key], Mapping):
            raise UserError(f"{key}: expected a group of fields, got {shown(config[key])}")
    resolved = {"seed": components.check(config["seed"], SEED, what="seed")}
    for section, fields in FIELDS.items():
        needed = {k: field if k in OPTIONAL else field._replace(default=REQUIRED) for k, field in fields.items()}
        values = components.complete(config[section], needed, what=section, name=section)
        resolved[section] = {k: v for k, v in values.items() if k not in OPTIONAL or v != fields[k].default}
    resolved["data"]["missing"] = component(resolved["data"]["missing"], PACKAGES["missing"], what="data.missing")
    if not config["terms"]:
        raise UserError("terms: there is no loss term; allowed: reconstruction.cross_entropy, sparsity.l1, …")
    for name in config["terms"]:
        if not name.isidentifier() or name in RESERVED:
            raise UserError(
                f"terms: a term cannot be named {shown(name)}; allowed: a word of letters, digits and _, "
                f"other than {', '.join(RESERVED)}"
            )
    for section in ("model", "corruption", "task"):
        resolved[section] = component(config[section], PACKAGES[section], what=section)
    for section, shared in (("terms", TERM), ("relations", None)):
        resolved[section] = {
            name: component(each, PACKAGES[section], what=f"{section}.{name}", shared=shared)
            for name, each in config[section].items()
        }
    resolved["optimizer"] = optimizer(config["optimizer"])
    check_together(resolved)
    return {key: resolved[key] for key in SECTIONS}


def data_settings(settings: Any) -> dict[str, Any]:
    """The `data` section of a stored config, checked; one of an earlier version may lack fields.

    Raises:
        UserError: an unknown, wrongly typed or out-of-range field.
    """
    if not isinstance(settings, Mapping) or "name" not in settings:
        raise UserError(f"data: expected a group of fields with a name, got {shown(settings)}")
    values = components.complete(settings, FIELDS["data"], what="data", name="data")
    return values | {"missing": component(values["missing"], PACKAGES["missing"], what="data.missing")}


def component(
    settings: Any, package: str, *, what: str, shared: Mapping[str, Parameter] | None = None
) -> dict[str, Any]:
    """A component, checked, every default filled in; a term (`shared`: its weight) may also have a schedule."""
    if not isinstance(settings, Mapping):
        raise UserError(f"{what}: expected a group of fields with a name, got {shown(settings)}")
    if "name" not in settings:
        raise UserError(f"{what}.name: is missing; allowed: the name of a function, such as those in {package}")
    function = components.resolve(settings["name"], package, what=f"{what}.name")
    return _completed(settings, (shared or {}) | components.parameters(function), what, scheduled=bool(shared))


def optimizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The optimiser, checked, every default filled in: without a schedule the rate is constant."""
    if "name" not in settings:
        raise UserError(f"optimizer.name: is missing; allowed: {', '.join(sorted(optimizers.available()))}")
    parameters, scheduled = optimizers.parameters(settings["name"]), not optimizers.needs_line_search(settings["name"])
    if scheduled and "schedule" not in settings:
        settings = {**settings, "schedule": {"name": "constant"}}
    return _completed(settings, parameters, "optimizer", scheduled=scheduled)


def _completed(
    settings: Mapping[str, Any], parameters: Mapping[str, Parameter], what: str, *, scheduled: bool
) -> dict[str, Any]:
    """A component with the defaults of its parameters, its schedule likewise, if it may have one."""
    beside = ("name", "schedule") if scheduled else ("name",)
    arguments = {key: value for key, value in settings.items() if key not in beside}
    values = components.complete(arguments, parameters, what=what, name=settings["name"])
    if scheduled and "schedule" in settings:
        values["schedule"] = component(settings["schedule"], PACKAGES["schedule"], what=f"{what}.schedule")
    return {"name": settings["name"], **values}


def check_together(config: Mapping[str, Any]) -> None:
    """Refuse fields that are fine one by one and not together.

    Raises:
        UserError: naming the field to change.
    """
    optimizers.check(config["optimizer"], config["train"]["batch_size"])
    words = {value for term in config["terms"].values() for value in term.values() if isinstance(value, str)}
    for name in config["relations"]:
        if name not in words:
            raise UserError(f"relations.{name}: no loss term reads it; allowed: leave it out, or name it in a term")
    if config["train"]["patience"] is not None and config["data"]["validation"] == 0:
        raise UserError("train.patience: there are no validation rows; allowed: None, or data.validation > 0")
