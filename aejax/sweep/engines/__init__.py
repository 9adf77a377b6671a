"""Where training is done: in this process, in others of this machine, on a Ray cluster, or as jobs of SLURM.

`jobs` says what an engine and a job are, and has jobs done; sweeps and reproductions use it. `groups` trains the groups
of a sweep in this process, or as jobs of an engine: `ray` and `slurm` are such engines.
"""
