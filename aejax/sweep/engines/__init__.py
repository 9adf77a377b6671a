"""Engines of a sweep: `local` trains its groups in this process, `ray` and `slurm` hand them to others as a `task`."""
