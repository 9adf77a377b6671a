"""An Optuna study: where it is kept, which trials are this process's to train, and what is told of them."""

import math
import secrets
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aejax.config.differences import differences
from aejax.errors import UserError
from aejax.storage import records
from aejax.storage.records import Many
from aejax.sweep.markers import RESULT, lock
from aejax.sweep.search import spaces
from aejax.sweep.search.spaces import Space

FILE, SEARCHERS = "study.log", "searchers"
SWEEP, SEARCHER, RESULTS = "sweep", "searcher", "results"
WARM_UP = 3
"""No trial is given up in the first third of its steps, where a small learning rate looks worse than it is."""
ATTEMPTS = 20
"""How often a database is tried again that another process is just making, or holds locked."""


def import_optuna() -> Any:
    """Optuna, without its chatter.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("--search optuna: Optuna is not installed; allowed: pip install 'aejax[optuna]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def storage(optuna: Any, url: str | None, folder: Path) -> Any:
    """Where trials are kept: a file in the folder, or a database by its URL.

    Raises:
        UserError: the database cannot be had.
    """
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / FILE)))
        except Exception as error:  # Optuna replays the file, and raises whatever that leads to
            if isinstance(error, OSError):
                raise
            raise UserError(f"{folder / FILE}: is damaged: it is no study ({type(error).__name__})") from None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        shown = make_url(url).render_as_string(hide_password=True)
        # a file is opened for each transaction and closed after it, so that none is left open at the end
        of_file = {"connect_args": {"timeout": 60}, "poolclass": NullPool}
        options = of_file if make_url(url).get_backend_name() == "sqlite" else {}
        return patiently(lambda: optuna.storages.RDBStorage(url, engine_kwargs=options))
    except ImportError as error:
        raise UserError(f"--storage {shown}: a package is missing: {_line(error)}") from None
    except SQLAlchemyError as error:
        place = url if "://" not in url else shown
        example = "such as sqlite:///study.db or postgresql://user@host/name"
        raise UserError(f"--storage {place}: {_line(error)}; allowed: a database that answers, {example}") from None


def patiently(make: Any) -> Any:
    """What `make` returns, tried again where another process is just making the same tables."""
    from sqlalchemy.exc import DBAPIError

    for _ in range(ATTEMPTS - 1):
        try:
            return make()
        except DBAPIError as error:
            text = str(error).lower()
            if not any(word in text for word in ("already exists", "locked", "unique", "duplicate", "no such table")):
                raise
            time.sleep(0.1 + 0.001 * secrets.randbelow(200))
    return make()


def _line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def open_study(optuna: Any, kept: Any, name: str, space: Space, metric: str, *, maximise: bool, prune: bool) -> Any:
    """The study of that name, made if it is not there.

    Raises:
        UserError: it belongs to another sweep.
    """
    warm = space.base["train"]["steps"] // WARM_UP
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=warm) if prune else optuna.pruners.NopPruner()
    direction = "maximize" if maximise else "minimize"
    mine = spaces.identity(space) | {"metric": metric, "direction": direction}
    study = optuna.create_study(
        storage=kept,
        study_name=name,
        sampler=numbered_sampler(optuna, space.base["seed"]),
        pruner=pruner,
        direction=direction,
        load_if_exists=True,
    )
    told = study.user_attrs.get(SWEEP)
    if told is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(SWEEP, mine)
        return study
    changed = differences(told, mine) if isinstance(told, dict) else ["it was not made by aejax"]
    if changed:
        raise UserError(
            f"--study {name}: is that of another sweep ({changed[0]}{', …' if len(changed) > 1 else ''}); "
            "allowed: that of this one, or another --study"
        )
    return study


@contextmanager
def searcher(folder: Path) -> Iterator[str]:
    """The name of this process in the study: one that another process left is taken over, and its trials with it."""
    home = folder / SEARCHERS
    home.mkdir(parents=True, exist_ok=True)
    for path in [*sorted(home.iterdir()), home / secrets.token_hex(4)]:
        with open(path, "a") as file:
            if lock(file, wait=False):
                yield path.name
                return


def ask(optuna: Any, study: Any, space: Space, name: str, count: int, most: int) -> list[Any]:
    """Trials to train next: those that were left unfinished under this name, and new proposals.

    Args:
        optuna: the module.
        study: from `open_study`.
        space: what is searched.
        name: from `searcher`.
        count: how many.
        most: of the study, those of other processes included.
    """
    state = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    left = [t for t in trials if t.state == state.RUNNING and t.user_attrs.get(SEARCHER) == name]
    trials_to_train = [optuna.trial.Trial(study, trial._trial_id) for trial in left[:count]]
    known = distributions(optuna, space)
    while len(trials_to_train) < count:
        so_far = len(study.get_trials(deepcopy=False, states=[s for s in state if s != state.FAIL]))
        if so_far >= most:
            break
        trial = study.ask(known)
        trial.set_user_attr(SEARCHER, name)
        earlier = [t for t in study.get_trials(deepcopy=False) if t.number < trial.number and t.state != state.FAIL]
        if len(earlier) >= most:  # another process was faster
            study.tell(trial, state=state.FAIL)
            break
        trials_to_train.append(trial)
    return trials_to_train


def numbered_sampler(optuna: Any, seed: int) -> Any:
    """A tree-structured Parzen estimator that draws with a seed of the trial's own.

    So a proposal depends on the trials before it and on its number, not on the process that asks, nor on how many it
    has asked for: a search that was killed goes on as it would have, and two processes do not propose the same.
    """

    def of_trial(number: int, name: str) -> Any:
        trial_seed = (seed * 1_000_003 + number) % 2**32 ^ zlib.crc32(name.encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # constant_liar, before version 5
            return optuna.samplers.TPESampler(seed=trial_seed, constant_liar=True)

    class NumberedSampler(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return of_trial(trial.number, "").infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return of_trial(trial.number, "").sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            sampler = of_trial(trial.number, param_name)
            return sampler.sample_independent(study, trial, param_name, param_distribution)

    return NumberedSampler()


def distributions(optuna: Any, space: Space) -> dict[str, Any]:
    """The dimensions as Optuna's distributions."""
    by_name = {}
    for dimension in space.dimensions:
        if dimension.ends is None:
            by_name[dimension.name] = optuna.distributions.CategoricalDistribution(tuple(dimension.choices))
        else:
            low, high, logarithmic = dimension.ends
            by_name[dimension.name] = optuna.distributions.FloatDistribution(low, high, log=logarithmic)
    return by_name


def _with_finite_numbers(value: Any) -> Any:
    """A tree with 0 for each number that is not finite, which JSON lacks and a metric may be."""
    if isinstance(value, dict):
        return {name: _with_finite_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_finite_numbers(item) for item in value]
    return 0.0 if isinstance(value, float) and not math.isfinite(value) else value


def finished(study: Any) -> list[Any]:
    """The trials, of all processes, that were told with the results of their runs.

    Raises:
        UserError: the results are damaged.
    """
    trials = study.get_trials(deepcopy=False)
    found = [trial for trial in trials if trial.state.is_finished() and RESULTS in trial.user_attrs]
    for trial in found:
        results = _with_finite_numbers(trial.user_attrs[RESULTS])
        records.check(results, Many(RESULT, 1), f"--study {study.study_name}: trial {trial.number}")
    return found


def importance(optuna: Any, study: Any) -> Mapping[str, float]:
    """The share of each dimension in the variance of the objective, by functional ANOVA; nothing where none varies."""
    complete = [trial for trial in finished(study) if trial.state == optuna.trial.TrialState.COMPLETE]
    if len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def history(study: Any) -> Sequence[Mapping[str, Any]]:
    """What became of each trial, in order."""
    return [
        {"trial": trial.number, "state": trial.state.name.lower(), "value": trial.value} for trial in finished(study)
    ]
