"""What a person sees of a reproduction: a line for each run that is finished, and the time left."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aejax import console
from aejax.reproduce.workers import Event, Job, finished, runs_of
from aejax.runs import workdir
from aejax.sweep.folder import counted


def seconds_of(summary: Mapping[str, Any]) -> float:
    """How long a run took when it was run, over all processes that worked on it."""
    return sum(float(value) for name, value in summary["timing"].items() if name.endswith("_seconds"))


def teller(jobs: Sequence[Job], at_once: int) -> Callable[[Event], None]:
    """A function that says what became of a run or a job.

    Args:
        jobs: all that are to be done.
        at_once: how many of them at a time.
    """
    total = sum(len(runs_of(job)) for job in jobs)
    left = {job: [run for run in runs_of(job) if not (job.seeds and finished(run))] for job in jobs}
    known = {job.name: job.seconds for job in jobs}
    spent = {"measured": 0.0, "recorded": 0.0}

    def say(event: Event) -> None:
        job, run = event.job, event.run
        if run is not None:
            left[job].remove(run)
            text = job.name
            if job.seeds:
                seconds = seconds_of(workdir.read_json(run / "summary.json", workdir.SUMMARY))
                spent["measured"] += seconds
                spent["recorded"] += job.seconds or seconds
                known[job.name] = known[job.name] or seconds
                text = f"{job.name}, seed {run.name.removeprefix('seed-')}: {seconds:.1f} s"
        elif event.trouble:
            left[job] = []
            text = f"{job.name}: failed: {event.trouble}"
        else:
            return
        done = total - sum(map(len, left.values()))
        console.say(f"[{done}/{total}] {text}{_until_the_end(left, known, spent, at_once)}")

    if total:
        console.say(
            f"{counted(total, 'run')}, {min(at_once, len(jobs))} at a time{_until_the_end(left, known, spent, at_once)}"
        )
    return say


def _until_the_end(
    left: Mapping[Job, Sequence[Any]], known: Mapping[str, float], spent: Mapping[str, float], at_once: int
) -> str:
    """``"; about 12 min left"``: recorded times, at the pace of the runs so far; those not known at the mean of others.

    The longest job is a bound too: its runs come one after the other.
    """
    times = [seconds for seconds in known.values() if seconds]
    if not times or not any(left.values()):
        return ""
    pace = spent["measured"] / spent["recorded"] if spent["recorded"] else 1.0
    usual = sum(times) / len(times)
    each = [len(runs) * (known[job.name] or usual) * pace for job, runs in left.items()]
    seconds = max(sum(each) / at_once, max(each))
    return f"; about {seconds / 60:.0f} min left" if seconds >= 90 else f"; about {seconds:.0f} s left"
