"""What autoencoders are for: one application per file, each `evaluate(...)` beside a baseline.

A task is a pure function ``evaluate(key, model, params, dataset, retrain, *, options) -> Evaluation``. `retrain`
trains the config's net again, for a comparison, folds or an ensemble (`aejax.retrain`). A config names a task by file
and function (``"reconstruction.evaluate"``), or by the import path of any such function. A task that can look at many
nets at once has a second function beside it, named ``evaluate_members``, for `evaluate`, and so on, ``(model, params,
dataset, *, together, options) -> {split: {metric: (members,)}}``; a sweep asks it for the metrics.
"""
