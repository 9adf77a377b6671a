"""Which experiments of a collection are run, and the commands that record others."""

import shlex
from collections.abc import Collection, Mapping, Sequence

from aejax.errors import UserError, one_of
from aejax.reproduce.record import FILE, Recorded


def chosen(
    recorded: Mapping[str, Recorded],
    specs: Sequence[str],
    only: Sequence[str] | None,
    *,
    quick: bool,
    update: bool,
    collection: str,
) -> list[str]:
    """The experiments to run: those that `only` names; else all recorded ones and, to record them, all new configs.

    Args:
        recorded: what ``expected.json`` holds.
        specs: the experiments that the collection has, variants too.
        only: of ``--only``.
        quick: whether only those that are marked as quick.
        update: whether what comes out is recorded.
        collection: as the person named it.

    Raises:
        UserError: an experiment that does not exist or is not recorded, or none at all.
    """
    gone = [name for name in recorded if name not in specs]
    if gone:
        raise UserError(f"{FILE}: records {gone[0]!r}, and there is no such experiment; allowed: take it out")
    for name in only or ():
        if name not in (specs if update else recorded):
            if name in specs:
                raise UserError(f"--only: {name!r} is not recorded; record it with {recording(collection, [name])}")
            raise one_of(name, specs if update else recorded, what="--only")
    names = list(dict.fromkeys(only)) if only else [*recorded, *(unrecorded(recorded, specs) if update else ())]
    if not names:
        why = f"nothing is recorded; record it with {recording(collection)}" if specs else "the folder has no config"
        raise UserError(f"there is no experiment to run: {why}")
    if quick:
        names = [name for name in names if name not in recorded or recorded[name].quick]
    if not names:
        mark = f'"quick": true for an experiment in {FILE}'
        raise UserError(
            f"--quick: there is no experiment to run, as none of them is quick; allowed: {mark}, or no --quick"
        )
    return names


def unrecorded(recorded: Collection[str], specs: Sequence[str]) -> list[str]:
    """The configs of which nothing is recorded, not even a variant."""
    known = {_config(name) for name in recorded}
    return [name for name in specs if name not in known and name == _config(name)]


def left_out(names: Collection[str], recorded: Collection[str], specs: Sequence[str]) -> list[str]:
    """The variants of configs that are recorded for the first time: they are recorded only where they are named."""
    new = {name for name in names if name not in recorded and name == _config(name)}
    return [spec for spec in specs if spec not in names and _config(spec) in new]


def recording(collection: str, names: Sequence[str] = ()) -> str:
    """The command that records experiments; all new configs where none is named."""
    return shlex.join(["aejax", "reproduce", collection, "--update", *(["--only", *names] if names else [])])


def _config(name: str) -> str:
    return name.partition(":")[0]
