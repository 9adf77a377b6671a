"""Bayesian search over the axes of a sweep: Optuna proposes a batch of settings, one compiled program trains it.

All batches of a static setting have the same shape and use the same compiled program. Trials that are worse than others
were at that step are frozen between chunks, as the members of a sweep that stop early are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.errors import UserError
from aejax.interruption import asked_to_stop
from aejax.leaves import path_name
from aejax.sweep import engines, memory, pruning, results, spaces, strategies, studies
from aejax.sweep.journal import BROKEN, PRUNED, Outcome
from aejax.sweep.markers import PARTS, alone, finished
from aejax.sweep.plan import Block, Member, filled, static_of
from aejax.sweep.prepared import Prepared, hparams_of, prepare, size_of
from aejax.sweep.programs import Program, compile_block, stack_hparams
from aejax.sweep.spaces import Space
from aejax.sweep.training import Members, Prune, StoppedSweepError, train_block
from aejax.sweep.work import Options, member_id, validation_losses, work


class Search(NamedTuple):
    """How a space is searched.

    Attributes:
        trials: of the study, those of other processes included.
        batch: trials that are trained together.
        storage: URL of a database; None for a file in the folder.
        study: its name.
        prune: whether trials that are worse than the median of those before them are given up.
    """

    trials: int = 64
    batch: int = 16
    storage: str | None = None
    study: str = "aejax"
    prune: bool = True


class Kept(NamedTuple):
    """What stays from batch to batch, for one static setting.

    Attributes:
        prepared: of its runs.
        program: by its strategy, once it is compiled.
    """

    prepared: Prepared
    program: dict[str, Program]


def run(
    space: Space, search: Search, folder: Path, options: Options, metric: str, *, maximise: bool = False
) -> dict[str, Any]:
    """Search in a folder, from where that was left.

    Args:
        space: from `aejax.sweep.spaces.make`.
        search: how far, and where the study is.
        folder: made if it is not there.
        options: of the programs.
        metric: a column of validation rows, the objective: its mean over the seeds and folds of a trial.
        maximise: whether more of it is better.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: a config that does not fit the data, a batch that does not fit the memory, a folder or a study of
            another sweep, or a storage that cannot be had.
        StoppedSweepError: SIGINT or SIGTERM came; what was done is saved.
    """
    results.check_metric(metric)
    own = {"search": "optuna", **spaces.identity(space)}
    engines.check_folder(folder, own)
    optuna = studies.import_optuna()
    kept = {static_of(space.base): Kept(prepare(space.base, space.folds), {})}
    check_fit(space, search, options, kept[static_of(space.base)].prepared)
    if search.storage is None:
        engines.begin(folder, own)
    storage = studies.storage(optuna, search.storage, folder)
    study = studies.open_study(optuna, storage, search.study, space, metric, maximise=maximise, prune=search.prune)
    engines.begin(folder, own)
    with studies.searcher(folder) as name, asked_to_stop() as asked:
        while trials := studies.ask(optuna, study, space, name, search.batch, search.trials):
            last = trials[-1].number + 1
            console.say(f"trials {trials[0].number + 1} to {last} of {search.trials}: {space.streams} runs each")
            _train_batch(study, trials, space, search, kept, folder, options, metric, asked)
            _tell(optuna, study, trials, metric)
    return _conclude(optuna, study, space, folder, metric, maximise=maximise)


def check_fit(space: Space, search: Search, options: Options, prepared: Prepared) -> tuple[int, int]:
    """Refuse to search without validation rows, or by batches that do not fit the memory; bytes of a run and the data.

    Raises:
        UserError: naming what is allowed.
    """
    if prepared.validation[0] is None:
        raise UserError("--search: there are no validation rows to choose on; allowed: data.validation > 0, or --folds")
    rows = prepared.data([0]).common
    shared = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(rows))
    member = memory.of_member(prepared.parts, prepared.datasets[0], space.base["train"]["batch_size"])
    budget = options.budget or memory.available()
    most = memory.members_that_fit(budget, member, shared, "one run") // space.streams
    if most < search.batch:
        raise UserError(
            f"--batch {search.batch}: {search.batch * space.streams} runs take "
            f"{memory.readable(shared + member * search.batch * space.streams)}, more than {memory.readable(budget)}; "
            f"allowed: {f'1 to {most}' if most else 'fewer seeds or folds'}"
        )
    return member, shared


def _train_batch(
    study: Any,
    trials: Sequence[Any],
    space: Space,
    search: Search,
    kept: dict[str, Kept],
    folder: Path,
    options: Options,
    metric: str,
    asked: Callable[[], bool],
) -> None:
    """Train the runs of trials that no marker vouches for yet, and note the results with each trial."""
    planned = spaces.planned(space, [trial.params for trial in trials])
    trial_of = {member.number: trials[member.number // space.streams] for member in planned.members}
    done = finished(folder)
    missing = {trial_of[member.number].number for member in planned.members if member_id(member) not in done}
    for whole in planned.groups:
        group = [member for member in whole if trial_of[member.number].number in missing]
        if not group:
            continue
        static = static_of(group[0].config)
        if static not in kept:
            kept[static] = Kept(prepare(group[0].config, space.folds), {})
        prepared = kept[static].prepared
        block = laid_out(group, search.batch, len(jax.devices()[: options.devices]))

        def train(*given: Any, static: str = static) -> tuple[list[Outcome], dict[str, Any]]:
            prune = pruning.judging(trial_of, metric) if search.prune else None
            return _train(kept[static].program, space, prune, *given)

        place = folder / PARTS / block.id
        with alone(place), console.progress(group[0].config["train"]["steps"], 0) as show:
            found = work(block, prepared, options, place, asked, show, train)
        done |= {result["id"]: result for result in found}
        if asked():
            raise StoppedSweepError
    for trial in trials:
        own = [done[member_id(member)] for member in planned.members if trial_of[member.number] is trial]
        trial.set_user_attr(studies.RESULTS, own)


def laid_out(group: Sequence[Member], batch: int, devices: int) -> Block:
    """The members of a static setting as a block of a shape that is the same for every batch."""
    streams: dict[tuple[int, int | None], list[Member]] = {}
    for member in group:
        streams.setdefault((member.config["seed"], member.fold), []).append(member)
    return filled(list(streams.items()), len(streams), batch, devices)


def _train(
    programs: dict[str, Program],
    space: Space,
    prune: Callable[[Block, Prepared], Prune] | None,
    block: Block,
    prepared: Prepared,
    options: Options,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
) -> tuple[list[Outcome], dict[str, Any]]:
    """In place of a sweep's own training: with the program of an earlier batch, and pruning."""
    parts, devices = prepared.parts, jax.devices()[: options.devices]
    leaves = jax.tree_util.tree_leaves_with_path(parts.hparams)
    own = {str(i) for i, (path, _) in enumerate(leaves) if path_name(path).replace("/", ".") in space.traced}
    swept = stack_hparams([hparams_of(member, prepared) for member in block.members], block.places, own)
    compiled = 0.0
    if not programs:
        keys = jax.vmap(jax.random.key)(np.array([seed for seed, _ in block.streams], np.uint32))
        data = prepared.data([fold or 0 for _, fold in block.streams])

        def compile_form(form: strategies.Form) -> Program:
            return compile_block(
                parts.run, keys, swept, data, **form._asdict(), devices=devices, shape=block.places.shape
            )

        choice = strategies.choose(compile_form, strategies.forms(options.strategy, size_of(parts)), settings["steps"])
        programs[choice.form.strategy], compiled = choice.program, choice.compile_seconds
    ((strategy, program),) = programs.items()
    outcomes, seconds = train_block(
        program.bound(swept.own),
        Members(block.places),
        settings,
        ("loss", *parts.hparams["terms"]),
        validation_losses(block, prepared),
        folder=folder,
        asked=asked,
        show=show,
        prune=prune and prune(block, prepared),
    )
    timing = {"strategy": strategy, "devices": len(devices), "compile_seconds": compiled, "train_seconds": seconds}
    return outcomes, timing


def _tell(optuna: Any, study: Any, trials: Sequence[Any], metric: str) -> None:
    """Tell what became of trials: their objective, or that they were given up or broke."""
    state = optuna.trial.TrialState
    first = trials[0].user_attrs[studies.RESULTS][0]["metrics"]
    results.check_metric(metric, [first])
    for trial in trials:
        runs = trial.user_attrs[studies.RESULTS]
        value = float(np.mean([run["metrics"].get(metric, np.nan) for run in runs]))
        whole = not any(run["status"] in (BROKEN, PRUNED) for run in runs) and np.isfinite(value)
        study.tell(trial, value if whole else None, state=state.COMPLETE if whole else state.PRUNED)


def _conclude(optuna: Any, study: Any, space: Space, folder: Path, metric: str, *, maximise: bool) -> dict[str, Any]:
    """The table, the summary and the pictures of all trials, those of other processes included."""
    trials = studies.finished(study)
    if not trials:
        raise UserError(f"--study {study.study_name}: other processes have all its trials, and none is finished yet")
    others = len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]))
    if others:
        console.say(f"{engines.counted(others, 'trial')} of the study are with other processes, or were left by them")
    planned = spaces.planned(space, [trial.params for trial in trials])
    runs = [run for trial in trials for run in trial.user_attrs[studies.RESULTS]]
    told = {
        "study": study.study_name,
        "history": studies.history(study),
        "importance": studies.importance(optuna, study),
    }
    return engines.conclude(folder, planned, dict(enumerate(runs)), metric, maximise=maximise, search=told)


def describe(space: Space, search: Search, options: Options) -> Iterator[str]:
    """What a search would do, in lines."""
    prepared = prepare(space.base, space.folds)
    member, shared = check_fit(space, search, options, prepared)
    runs = engines.counted(search.trials * space.streams, "run")
    yield f"{engines.counted(search.trials, 'trial')} in batches of {search.batch}: {runs}"
    for dimension in space.dimensions:
        what = f"one of {len(dimension.axis)} values"
        if dimension.ends is not None:
            low, high, logarithmic = dimension.ends
            what = f"{low:g} to {high:g}{', logarithmic' if logarithmic else ''}"
        yield f"  {dimension.name}: {what}"
    together = memory.readable(shared + member * search.batch * space.streams)
    yield f"  a batch: about {together} ({memory.readable(member)} a run)"
    yield f"{'up to ' if space.programs > 1 else ''}{space.programs} to compile"
