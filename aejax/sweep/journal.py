"""What the host keeps of a block while it trains: means of the losses, early stopping, and the parameters to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.sweep.programs import GOING_ON

FINISHED, EARLY, BROKEN, PRUNED = "finished", "stopped early", "not finite", "pruned"


class Outcome(NamedTuple):
    """What became of one member.

    Attributes:
        params: the parameters to keep, on the host.
        status: `FINISHED`, `EARLY`, `BROKEN` or `PRUNED`.
        step: steps that it trained; a member that broke was frozen as it was before the step of this number, from 0.
        means: the loss and each term, means over the steps since the last evaluation.
    """

    params: Any
    status: str
    step: int
    means: dict[str, float]


@dataclass
class Journal:
    """Arrays over the M members of a block.

    Attributes:
        sums: by name, (M,) sums since the last evaluation.
        counts: (M,) steps that those are.
        means: by name, (M,) means over the last interval in which a member trained; nan before.
        best_loss: (M,) the lowest validation loss so far.
        waited: (M,) evaluations since then.
        early: (M,) whether early stopping froze the member.
        pruned: (M,) whether a search froze it.
        best: the parameters of the lowest validation loss, leaves (M, ...); () without early stopping.
    """

    sums: dict[str, np.ndarray]
    counts: np.ndarray
    means: dict[str, np.ndarray]
    best_loss: np.ndarray
    waited: np.ndarray
    early: np.ndarray
    pruned: np.ndarray
    best: Any

    @classmethod
    def fresh(cls, members: int, names: Sequence[str], best: Any) -> "Journal":
        """Of a block that has not begun; `names` are those of the loss and its terms."""
        zeros = lambda kind: np.zeros(members, kind)
        return cls(
            sums={name: zeros(np.float64) for name in names},
            counts=zeros(np.int32),
            means={name: np.full(members, np.nan) for name in names},
            best_loss=np.full(members, np.inf),
            waited=zeros(np.int32),
            early=zeros(bool),
            pruned=zeros(bool),
            best=best,
        )

    def add(self, history: Mapping[str, np.ndarray], step: int, n: int, stopped: np.ndarray) -> None:
        """Take in the values (M, capacity) of n steps from `step` on, up to where each member was frozen."""
        limit = np.where(stopped == GOING_ON, n, np.clip(stopped - step, 0, n))
        counted = np.arange(n)[None] < limit[:, None]
        for name, values in history.items():
            self.sums[name] = self.sums[name] + np.where(counted, values[:, :n], 0).sum(-1, dtype=np.float64)
        self.counts = self.counts + limit

    def close(self) -> None:
        """End an interval of the means; a member without a step in it keeps those it had."""
        for name, total in self.sums.items():
            self.means[name] = np.where(self.counts > 0, total / np.maximum(self.counts, 1), self.means[name])
            self.sums[name] = np.zeros_like(total)
        self.counts = np.zeros_like(self.counts)

    def judge(self, losses: np.ndarray, params: Any, going_on: np.ndarray, patience: int) -> np.ndarray:
        """Keep the parameters that are better than ever; which members have now waited long enough, (M,) bool."""
        better = going_on & (losses < self.best_loss)
        self.best_loss = np.where(better, losses, self.best_loss)
        self.waited = np.where(better, 0, self.waited + going_on).astype(np.int32)
        wide = lambda leaf: better.reshape(-1, *[1] * (leaf.ndim - 1))
        self.best = jax.tree.map(lambda new, old: np.where(wide(new), new, old), params, self.best)
        enough = going_on & (self.waited >= patience)
        self.early = self.early | enough
        return enough

    def outcomes(self, params: Any, stopped: np.ndarray, steps: int, *, early_stopping: bool) -> list[Outcome]:
        """Each member's end; `params` are the last ones, leaves (M, ...)."""
        found = []
        for member, frozen in enumerate(stopped):
            chosen = EARLY if self.early[member] else PRUNED if self.pruned[member] else BROKEN
            status = FINISHED if frozen == GOING_ON else chosen
            judged = early_stopping and np.isfinite(self.best_loss[member])
            kept = jax.tree.map(lambda leaf, m=member: leaf[m], self.best if judged else params)
            means = {name: float(values[member]) for name, values in self.means.items()}
            found.append(Outcome(kept, status, steps if frozen == GOING_ON else int(frozen), means))
        return found
