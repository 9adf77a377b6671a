"""What autoencoders are for: one application per file, a `aejax.types.Task` named ``TASK``, always beside a baseline.

A config names one by its file, ``task.name=anomaly``, or any other by its import path. A file holds `Options`, the one
place where the options of a config are written, ``evaluate(key, model, params, dataset, retrain, options)``, and what
else a `Task` may have. `aejax.tasks.needs` has what tasks ask of data and models.
"""
