"""Bayesian search over the axes of a sweep: Optuna proposes a batch of settings, one compiled program trains it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.errors import UserError
from aejax.sweep import memory
from aejax.sweep.block import Options
from aejax.sweep.folder import begin, check_folder, conclude, counted
from aejax.sweep.metric import check_column, check_metric
from aejax.sweep.plan import static_of
from aejax.sweep.prepared import Prepared, prepare
from aejax.sweep.search import spaces, studies
from aejax.sweep.search.spaces import Space
from aejax.sweep.search.trials import Kept, train_batch
from aejax.training.interruption import asked_to_stop
from aejax.training.loop import BROKEN, PRUNED


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


def run(
    space: Space, search: Search, folder: Path, options: Options, metric: str, *, maximise: bool = False
) -> dict[str, Any]:
    """Search in a folder, from where that was left.

    Args:
        space: from `aejax.sweep.search.spaces.make`.
        search: how far, and where the study is.
        folder: made if it is not there.
        options: of the programs.
        metric: a column of validation rows, the objective: its mean over the seeds and folds of a trial.
        maximise: whether more of it is better.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: a metric that no run has, a config that does not fit the data, a batch that does not fit the memory,
            a folder or a study of another sweep, or a storage that cannot be had.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
    """
    check_metric(metric, space.configs)
    own = {"search": "optuna", **spaces.identity(space)}
    check_folder(folder, own)
    optuna = studies.import_optuna()
    kept = {static_of(space.base): Kept(prepare(space.base, space.folds), {})}
    check_fit(space, search, options, kept[static_of(space.base)].prepared)
    if search.storage is None:
        begin(folder, own)
    storage = studies.storage(optuna, search.storage, folder)
    study = studies.open_study(optuna, storage, search.study, space, metric, maximise=maximise, prune=search.prune)
    begin(folder, own)
    with studies.searcher(folder) as name, asked_to_stop() as asked:
        while trials := studies.ask(optuna, study, space, name, search.batch, search.trials):
            last = trials[-1].number + 1
            console.say(f"trials {trials[0].number + 1} to {last} of {search.trials}: {space.streams} runs each")
            prune_by = metric if search.prune else None
            train_batch(trials, space, kept, folder, options, asked, batch=search.batch, prune_by=prune_by)
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


def _tell(optuna: Any, study: Any, trials: Sequence[Any], metric: str) -> None:
    """Tell what became of trials: their objective, or that they were given up or broke."""
    state = optuna.trial.TrialState
    first = trials[0].user_attrs[studies.RESULTS][0]["metrics"]
    check_column(metric, first)
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
        console.say(f"{counted(others, 'trial')} of the study are with other processes, or were left by them")
    planned = spaces.planned(space, [trial.params for trial in trials])
    runs = [run for trial in trials for run in trial.user_attrs[studies.RESULTS]]
    told = {
        "study": study.study_name,
        "history": studies.history(study),
        "importance": studies.importance(optuna, study),
    }
    return conclude(folder, planned, dict(enumerate(runs)), metric, maximise=maximise, search=told)


def describe(space: Space, search: Search, options: Options) -> Iterator[str]:
    """What a search would do, in lines."""
    prepared = prepare(space.base, space.folds)
    member, shared = check_fit(space, search, options, prepared)
    runs = counted(search.trials * space.streams, "run")
    yield f"{counted(search.trials, 'trial')} in batches of {search.batch}: {runs}"
    for dimension in space.dimensions:
        what = f"one of {len(dimension.axis)} values"
        if dimension.ends is not None:
            low, high, logarithmic = dimension.ends
            what = f"{low:g} to {high:g}{', logarithmic' if logarithmic else ''}"
        yield f"  {dimension.name}: {what}"
    together = memory.readable(shared + member * search.batch * space.streams)
    yield f"  a batch: about {together} ({memory.readable(member)} a run)"
    yield f"{'up to ' if space.programs > 1 else ''}{space.programs} to compile"
