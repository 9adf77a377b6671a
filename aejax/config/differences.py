"""What differs between two configs, field by field."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aejax.errors import shown

SHOWN = 3  # differences that are told


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """What differs between two configs: ``"train.steps: 100 -> 200"``, one line a field."""
    lines = []
    for key in dict.fromkeys([*old, *new]):
        here = f"{path}{key}"
        before, after = (side.get(key, "(absent)") for side in (old, new))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{here}.")
        elif _as_json(before) != _as_json(after):
            lines.append(f"{here}: {shown(before)} -> {shown(after)}")
    return lines


def changed(begun: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """What differs between the config of a run that was begun and another; a run may go on with other devices."""
    return differences(*({k: v for k, v in each.items() if k != "devices"} for each in (begun, config)))


def first_of(lines: Sequence[str]) -> str:
    """The first differences, and how many more there are."""
    more = len(lines) - SHOWN
    return "; ".join(lines[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
