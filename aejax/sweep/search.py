"""Bayesian search over the axes of a sweep: Optuna proposes a batch of settings, one compiled program trains it.

All batches of a static setting have the same shape and use the same compiled program. Trials that are worse than others
were at that step are frozen between chunks, as the members of a sweep that stop early are.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.errors import UserError, shown
from aejax.storage.trees import path_name
from aejax.sweep import plan as plans
from aejax.sweep import studies
from aejax.sweep.axes import Axis
from aejax.sweep.block import Options, Prune, compile_fastest, finished, run_block, stacked_hparams
from aejax.sweep.evaluation import losses_of
from aejax.sweep.folder import begin, check_folder, conclude, counted
from aejax.sweep.plan import Block, Plan
from aejax.sweep.prepared import Memory, Prepared, available, memory_of, prepare, readable
from aejax.sweep.program import Program
from aejax.sweep.studies import Search
from aejax.sweep.table import check_column, check_metric
from aejax.training.interruption import asked_to_stop
from aejax.training.loop import BROKEN, PRUNED
from aejax.training.numerics import fixed


class Space(NamedTuple):
    """Where a search looks.

    Attributes:
        spec: of the config.
        overrides: of the config.
        axes: what is searched: the range between the ends of an axis that has them, else one of its values.
        seeds: every trial trains with each of these.
        folds: and on each of so many folds; None without cross-validation.
        base: the resolved config with every axis at its first value.
        traced: the fields that enter a compiled program as numbers that may change.
        configs: resolved, of every value of each axis, those that differ in traced numbers alone once.
    """

    spec: str
    overrides: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    folds: int | None
    base: Mapping[str, Any]
    traced: frozenset[str]
    configs: tuple[Mapping[str, Any], ...]

    @property
    def streams(self) -> int:
        """How many runs a trial has."""
        return len(self.seeds) * (self.folds or 1)

    @property
    def programs(self) -> int:
        """How many static settings there are at most."""
        return math.prod(len(axis) for axis in self.axes if not set(axis.paths) <= self.traced)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes this search another than that of other axes, as JSON has it."""
        described = {axis.name: list(axis.ends or axis.choices) for axis in self.axes}
        return {"config": self.base, "space": described, "seeds": list(self.seeds), "folds": self.folds}

    def planned(self, trials: Sequence[Mapping[str, Any]]) -> Plan:
        """The runs of trials, from the parameters of each by the names of axes: one for each seed and fold.

        Raises:
            UserError: a parameter that is no choice of its axis.
        """
        rows = [[value for axis in self.axes for value in _values(axis, parameters)] for parameters in trials]
        paths = tuple(path for axis in self.axes for path in axis.paths)
        settings = Axis(paths, tuple(zip(*rows, strict=True)))
        return plans.make(self.spec, self.overrides, [settings, Axis(("seed",), (self.seeds,))], self.folds)


def _values(axis: Axis, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    parameter = parameters[axis.name]
    if axis.ends is None and parameter not in axis.choices:
        raise UserError(f"{axis.name}: a trial of the study has {shown(parameter)}; allowed: another --study")
    return axis.choices[parameter] if axis.ends is None else (float(parameter),)


def space_of(spec: str, overrides: Sequence[str], axes: Sequence[Axis], folds: int | None) -> Space:
    """The space that axes span, every value of them checked.

    An axis whose values lie between two ends, such as ``geomspace(1e-4,1e-1,7)``, is the whole range where its field is
    a number that may change in a compiled program; any other axis is a choice among its values. The seed is not
    searched.

    Args:
        spec: as `aejax.config.load` takes it.
        overrides: ``"path=value"``, applied before the axes.
        axes: from `aejax.sweep.axes.collect`.
        folds: number of folds of a cross-validation; None for none.

    Raises:
        UserError: a field that does not exist, a value that it cannot have, or nothing to search.
    """
    searched = [axis for axis in axes if axis.paths != ("seed",)]
    if any("seed" in axis.paths for axis in searched):
        raise UserError("axis seed: is zipped with others; allowed with --search: an axis of its own")
    if not searched:
        raise UserError("--search: there is nothing to search; allowed: an axis beside that of the seed")
    first = [Axis(axis.paths, tuple((values[0],) for values in axis.values)) for axis in searched]
    made = []
    for index, axis in enumerate(searched):  # the others at their first value: combinations may be too many
        whole = axis if axis.ends is None else Axis(axis.paths, ((*axis.values[0], *axis.ends[:2]),))
        made.append(plans.make(spec, overrides, [*first[:index], whole, *first[index + 1 :]], folds))
    traced = frozenset(path for axis, plan in zip(searched, made, strict=True) for path in plan.traced & {*axis.paths})
    base = made[0].base
    seeds = next((axis.values[0] for axis in axes if axis.paths == ("seed",)), (base["seed"],))
    axes = tuple(axis if traced.issuperset(axis.paths) else Axis(*axis[:2]) for axis in searched)
    configs = tuple(group[0].config for plan in made for group in plan.groups)
    return Space(spec, tuple(overrides), axes, tuple(map(int, seeds)), folds, base, traced, configs)


@fixed()
def run(space: Space, search: Search, folder: Path, options: Options) -> dict[str, Any]:
    """Search in a folder, from where that was left.

    Args:
        space: from `space_of`.
        search: how far, and where the study is.
        folder: made if it is not there.
        options: of the programs.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: a metric that no run has, a config that does not fit the data, a batch that does not fit the memory,
            a folder or a study of another sweep, or a storage that cannot be had.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
    """
    check_metric(search.metric, space.configs)
    identity = {"search": "optuna", **space.identity}
    check_folder(folder, identity)
    optuna, prepared = studies.import_optuna(), prepare(space.base, space.folds)
    settings: dict[str, Setting] = {plans.static_of(space.base): (prepared, None)}
    check_fit(space, search, options, prepared)
    if search.storage is None:
        begin(folder, identity, space.base["data"])
    database = studies.storage(optuna, search.storage, folder)
    study = studies.open_study(optuna, database, search, space.identity)
    begin(folder, identity, space.base["data"])
    studies.finished(study)  # refused before anything is proposed by damaged ones
    dimensions = {axis.name: axis for axis in space.axes}
    with studies.searcher(folder) as name, asked_to_stop() as stop:
        while trials := studies.ask(optuna, study, dimensions, name, search.batch, search.trials):
            last = trials[-1].number + 1
            console.say(f"trials {trials[0].number + 1} to {last} of {search.trials}: {space.streams} runs each")
            train_batch(trials, space, search, settings, folder, options, stop)
            _tell(optuna, study, trials, search.metric)
    return _conclude(optuna, study, space, search, folder)


def check_fit(space: Space, search: Search, options: Options, prepared: Prepared) -> Memory:
    """What a run takes; refuses to search without validation rows, or by batches that do not fit the memory.

    Raises:
        UserError: naming what is allowed.
    """
    if prepared.validation[0] is None:
        raise UserError("--search: there are no validation rows to choose on; allowed: data.validation > 0, or --folds")
    memory = memory_of(prepared, space.base["train"]["batch_size"])
    budget = options.budget or available()
    most = memory.most(budget) // space.streams
    if most < search.batch:
        runs = search.batch * space.streams
        raise UserError(
            f"--batch {search.batch}: {runs} runs take {memory.of(runs)}, more than {readable(budget)}; "
            f"allowed: {f'1 to {most}' if most else 'fewer seeds or folds'}"
        )
    return memory


Setting = tuple[Prepared, Program | None]
"""What the runs of a static setting have in common, and the program that all batches of its trials use."""


def train_batch(
    trials: Sequence[Any],
    space: Space,
    search: Search,
    settings: dict[str, Setting],
    folder: Path,
    options: Options,
    stop: Callable[[], bool],
) -> None:
    """Train the runs of trials that no marker vouches for yet, and note the results with each trial.

    Args:
        trials: that a study proposed.
        space: that they are of.
        search: how many trials the programs are made for, and whether and by which metric any are given up.
        settings: by static setting, from earlier batches; what is missing is added.
        folder: of the search.
        options: of the programs.
        stop: whether to stop now.

    Raises:
        InterruptedRunError: `stop` said so; what was done is saved.
    """
    planned = space.planned([trial.params for trial in trials])
    trial_of = {member.number: trials[member.number // space.streams] for member in planned.members}
    done = finished(folder)
    missing = {trial_of[member.number].number for member in planned.members if member.id not in done}
    for whole in planned.groups:
        group = [member for member in whole if trial_of[member.number].number in missing]
        if not group:
            continue
        static, rows = plans.static_of(group[0].config), plans.by_stream(group)
        prepared, program = settings.get(static) or (prepare(group[0].config, space.folds), None)
        block = plans.filled(rows, len(rows), search.batch, len(jax.devices()[: options.devices]))
        program = _compiled(block, prepared, program, options, space.traced)
        settings[static] = (prepared, program)
        prune = _pruning(trial_of, search.metric, block, prepared) if search.prune else None
        results = run_block(block, prepared, options, folder, stop, program=program, prune=prune)
        done |= {result["id"]: result for result in results}
    for trial in trials:
        results = [done[member.id] for member in planned.members if trial_of[member.number] is trial]
        trial.set_user_attr(studies.RESULTS, results)


def _compiled(
    block: Block, prepared: Prepared, program: Program | None, options: Options, traced: frozenset[str]
) -> Program:
    """The program of an earlier batch with the hyperparameters of this one, or a new one."""
    leaves = jax.tree_util.tree_leaves_with_path(prepared.parts.hparams)
    varied = {i for i, (path, _) in enumerate(leaves) if path_name(path).replace("/", ".") in traced}
    if program is None:
        return compile_fastest(block, prepared, options, varied=varied)
    return program.bound(stacked_hparams(block, prepared, varied))


def _pruning(trial_of: Mapping[int, Any], metric: str, block: Block, prepared: Prepared) -> Prune:
    """How the members of a block are judged between chunks: by the metric where it is cheap, or the validation loss.

    The value of a trial is the mean over its members that are finite; a trial that is given up is so with all of them.

    Args:
        trial_of: by the number of a member.
        metric: of the search.
        block: whose members they are.
        prepared: of its group.
    """
    owners = np.array([trial_of[member.number].number for member in block.members])
    trials = {trial.number: trial for trial in trial_of.values() if trial.number in owners}
    steps = block.members[0].config["train"]["steps"]

    def prune(step: int, params: Any, going_on: np.ndarray) -> np.ndarray:
        losses = losses_of(block.members, prepared, params, np.full(len(block.members), step / steps))
        values = losses.get(metric, losses["validation/loss"])
        for number, trial in trials.items():
            alive = values[going_on & (owners == number)]
            reported = trial.study.get_trials(deepcopy=False)[number].intermediate_values
            if len(alive) and np.isfinite(alive).all() and step not in reported:
                trial.report(float(np.mean(alive)), step)
        hopeless = [number for number, trial in trials.items() if trial.should_prune()]
        return going_on & np.isin(owners, hopeless)

    return prune


def _tell(optuna: Any, study: Any, trials: Sequence[Any], metric: str) -> None:
    """Tell what became of trials: their objective, or that they were given up or broke."""
    state = optuna.trial.TrialState
    check_column(metric, trials[0].user_attrs[studies.RESULTS][0]["metrics"])
    for trial in trials:
        runs = trial.user_attrs[studies.RESULTS]
        value = float(np.mean([run["metrics"].get(metric, np.nan) for run in runs]))
        whole = not any(run["status"] in (BROKEN, PRUNED) for run in runs) and np.isfinite(value)
        trial.set_user_attr(studies.SEAL, studies.seal_of(trial, [value] if whole else None))
        study.tell(trial, value if whole else None, state=state.COMPLETE if whole else state.PRUNED)


def _conclude(optuna: Any, study: Any, space: Space, search: Search, folder: Path) -> dict[str, Any]:
    """The table, the summary and the pictures of all trials, those of other processes included."""
    trials = studies.finished(study)
    if not trials:
        raise UserError(f"--study {study.study_name}: other processes have all its trials, and none is finished yet")
    if others := len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])):
        console.say(f"{counted(others, 'trial')} of the study are with other processes, or were left by them")
    runs = [run for trial in trials for run in trial.user_attrs[studies.RESULTS]]
    about = {
        "study": study.study_name,
        "history": [{"trial": t.number, "state": t.state.name.lower(), "value": t.value} for t in trials],
        "importance": studies.importance(optuna, study),
    }
    planned = space.planned([trial.params for trial in trials])
    return conclude(folder, planned, dict(enumerate(runs)), search.metric, maximise=search.maximise, search=about)


def describe(space: Space, search: Search, options: Options) -> Iterator[str]:
    """What a search would do, in lines."""
    memory = check_fit(space, search, options, prepare(space.base, space.folds))
    runs = search.trials * space.streams
    yield f"{counted(search.trials, 'trial')} in batches of {search.batch}: {counted(runs, 'run')}"
    for axis in space.axes:
        what = f"one of {len(axis)} values"
        if axis.ends is not None:
            low, high, logarithmic = axis.ends
            what = f"{low:g} to {high:g}{', logarithmic' if logarithmic else ''}"
        yield f"  {axis.name}: {what}"
    yield f"  a batch: about {memory.of(search.batch * space.streams)} ({readable(memory.member)} a run)"
    yield f"{'up to ' if space.programs > 1 else ''}{space.programs} to compile"
