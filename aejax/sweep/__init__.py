"""Sweeps: many settings and seeds of one experiment, trained together as few compiled programs.

- `axes` reads the values of fields, `plan` makes runs of their combinations and groups those of equal static setting;
- `prepared` holds what the runs of a group share, its folds too, and says how many fit into memory;
- `program` compiles a block of runs as one program, `block` trains it in a folder, `evaluation` measures it;
- `engines` trains the groups of a plan: in this process, on a Ray cluster, or as jobs of SLURM;
- `table` is the table of a sweep, its statistics and the metric that chooses, `folder` a whole sweep in a folder;
- `search` proposes settings by Optuna, whose `studies` keep the trials, in place of all combinations;
- `command` is ``aejax sweep``, and `nets` is ``aejax.sweep(…)`` from Python.

A member of a sweep is the run that `aejax run --set …` does alone, up to the rounding of another program, which
training amplifies. How far the two depart, at most over four members, by ``python scripts/sweep_tolerance.py``
(jax 0.10.2 on a CPU):

====================  =======  ============================================  ================
config                steps    a parameter, relative to its array's largest  validation error
====================  =======  ============================================  ================
lecture/multilayer    100      1.1e-05                                       5.9e-08
lecture/multilayer    1000     1.7e-05                                       9.5e-08
lecture/multilayer    10,000   2.7e-05                                       7.1e-07
lecture/sparse_l1     100      3.1e-07                                       8.2e-08
lecture/sparse_l1     1000     5.1e-03                                       3.6e-05
lecture/sparse_l1     10,000   4.2e-01                                       4.3e-03
====================  =======  ============================================  ================

A rectified unit under an L1 penalty that a rounding switches off becomes another unit. With ``--exact`` nothing
departs.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aejax.sweep.nets import Nets


class _Package(ModuleType):
    """This package, which is also the function `aejax.sweep.nets.sweep`: ``aejax.sweep(model, loss, data, axes=…)``."""

    def __call__(self, *arguments: Any, **options: Any) -> "Nets":
        from aejax.sweep.nets import sweep

        return sweep(*arguments, **options)


sys.modules[__name__].__class__ = _Package
