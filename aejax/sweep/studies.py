"""An Optuna study: where it is kept, which trials are this process's to train, and what becomes of them."""

import json
import secrets
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aejax.config.differences import differences, first_of
from aejax.errors import UserError
from aejax.files import lock, to_json
from aejax.storage import checksums, records
from aejax.storage.records import Many
from aejax.sweep.axes import Axis
from aejax.sweep.block import RESULT
from aejax.sweep.table import METRIC

FILE, SEARCHERS = "study.log", "searchers"
SWEEP, SEARCHER, RESULTS, SEAL = "sweep", "searcher", "results", "seal"
WARM_UP = 3
"""No trial is given up in the first third of its steps, where a small learning rate looks worse than it is."""
ATTEMPTS = 20
"""How often a database is tried again that another process is just making, or holds locked."""


class Search(NamedTuple):
    """How a space is searched.

    Attributes:
        metric: a column of validation rows, the objective: its mean over the seeds and folds of a trial.
        maximise: whether more of it is better.
        trials: of the study, those of other processes included.
        batch: trials that are trained together.
        storage: URL of a database; None for a file in the folder.
        study: its name.
        prune: whether trials that are worse than the median of those before them are given up.
    """

    metric: str = METRIC
    maximise: bool = False
    trials: int = 64
    batch: int = 16
    storage: str | None = None
    study: str = "aejax"
    prune: bool = True


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
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # constant_liar, before version 5
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
        except OSError:
            raise
        except Exception as error:  # Optuna replays the file, and raises whatever that leads to
            raise UserError(f"{folder / FILE}: is damaged: it is no study ({type(error).__name__})") from None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    shown, line = url, lambda error: str(error).strip().partition("\n")[0]
    try:
        shown = make_url(url).render_as_string(hide_password=True)
        # a file is opened for each transaction and closed after it, so that none is left open at the end
        of_file = {"connect_args": {"timeout": 60}, "poolclass": NullPool}
        options = of_file if make_url(url).get_backend_name() == "sqlite" else {}
        return _patiently(lambda: optuna.storages.RDBStorage(url, engine_kwargs=options))
    except ImportError as error:
        raise UserError(f"--storage {shown}: a package is missing: {line(error)}") from None
    except SQLAlchemyError as error:
        example = "such as sqlite:///study.db or postgresql://user@host/name"
        raise UserError(f"--storage {shown}: {line(error)}; allowed: a database that answers, {example}") from None


def _patiently(make: Callable[[], Any], attempts: int = ATTEMPTS) -> Any:
    """What `make` returns, tried again where another process is just making the same tables."""
    from sqlalchemy.exc import DBAPIError

    try:
        return make()
    except DBAPIError as error:
        passing = ("already exists", "locked", "unique", "duplicate", "no such table")
        if attempts == 1 or not any(word in str(error).lower() for word in passing):
            raise
    time.sleep(0.1 + 0.001 * secrets.randbelow(200))
    return _patiently(make, attempts - 1)


def open_study(optuna: Any, database: Any, search: Search, identity: Mapping[str, Any]) -> Any:
    """The study of a search, made if it is not there.

    Args:
        optuna: the module.
        database: from `storage`.
        search: how it is done.
        identity: what is searched, and the config that all trials share.

    Raises:
        UserError: it belongs to another sweep.
    """
    config, direction = identity["config"], "maximize" if search.maximise else "minimize"
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=config["train"]["steps"] // WARM_UP)
    study = optuna.create_study(
        storage=database,
        study_name=search.study,
        sampler=numbered_sampler(optuna, config["seed"]),
        pruner=pruner if search.prune else optuna.pruners.NopPruner(),
        direction=direction,
        load_if_exists=True,
    )
    before, now = study.user_attrs.get(SWEEP), {**identity, "metric": search.metric, "direction": direction}
    if before is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(SWEEP, now)
        return study
    changed = differences(before, now) if isinstance(before, dict) else ["it was not made by aejax"]
    if changed:
        raise UserError(
            f"--study {search.study}: is that of another sweep ({first_of(changed)}); "
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
            if lock(file, wait=False) is not False:
                yield path.name
                return


def ask(optuna: Any, study: Any, dimensions: Mapping[str, Axis], name: str, count: int, most: int) -> list[Any]:
    """Trials to train next: those that were left unfinished under this name, and new proposals.

    Args:
        optuna: the module.
        study: from `open_study`.
        dimensions: what is searched, by the name of the parameter.
        name: from `searcher`.
        count: how many.
        most: of the study, those of other processes included.
    """
    state = optuna.trial.TrialState
    living = lambda: [t for t in study.get_trials(deepcopy=False) if t.state != state.FAIL]
    left = [t for t in living() if t.state == state.RUNNING and t.user_attrs.get(SEARCHER) == name]
    trials = [optuna.trial.Trial(study, trial._trial_id) for trial in left[:count]]
    ranges = {name: _distribution(optuna, axis) for name, axis in dimensions.items()}
    while len(trials) < count and len(living()) < most:
        trial = study.ask(ranges)
        trial.set_user_attr(SEARCHER, name)
        if sum(each.number < trial.number for each in living()) >= most:  # another process was faster
            study.tell(trial, state=state.FAIL)
            break
        trials.append(trial)
    return trials


def _distribution(optuna: Any, axis: Axis) -> Any:
    if axis.ends is None:
        return optuna.distributions.CategoricalDistribution(tuple(axis.choices))
    low, high, logarithmic = axis.ends
    return optuna.distributions.FloatDistribution(low, high, log=logarithmic)


def numbered_sampler(optuna: Any, seed: int) -> Any:
    """A tree-structured Parzen estimator that draws with a seed of the trial's own.

    So a proposal depends on the trials before it and on its number, not on the process that asks, nor on how many it
    has asked for: a search that was killed goes on as it would have, and two processes do not propose the same.
    """

    def of_trial(trial: Any, name: str = "") -> Any:
        trial_seed = (seed * 1_000_003 + trial.number) % 2**32 ^ zlib.crc32(name.encode())
        return optuna.samplers.TPESampler(seed=trial_seed, constant_liar=True)

    class NumberedSampler(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return of_trial(trial).infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return of_trial(trial).sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return of_trial(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    return NumberedSampler()


def finished(study: Any) -> list[Any]:
    """The trials, of all processes, that were told with the results of their runs.

    Raises:
        UserError: one is damaged, or not as it was told.
    """
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state.is_finished() and RESULTS in trial.user_attrs]
    for trial in complete:
        plain = json.loads(to_json(trial.user_attrs[RESULTS]))  # a metric may be a number that JSON lacks
        what = f"--study {study.study_name}: trial {trial.number}"
        records.check(plain, Many(RESULT, 1), what)
        if trial.user_attrs.get(SEAL) not in (None, seal_of(trial, trial.values)):  # None: of an older version
            raise UserError(f"{what}: is damaged: it does not have the SHA-256 that it was told with")
    return complete


def seal_of(trial: Any, values: Sequence[float] | None) -> str:
    """The SHA-256 of what was proposed, what came of it and, unless it was given up, the objective."""
    is_whole = getattr(trial, "state", None) is None or trial.state.name == "COMPLETE"
    results, params = trial.user_attrs[RESULTS], dict(sorted(trial.params.items()))
    return checksums.seal_of({"params": params, "results": results, "values": values if is_whole else None})


def importance(optuna: Any, study: Any) -> Mapping[str, float]:
    """The share of each dimension in the variance of the objective, by functional ANOVA; nothing where none varies."""
    complete = [trial for trial in finished(study) if trial.state == optuna.trial.TrialState.COMPLETE]
    if len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
