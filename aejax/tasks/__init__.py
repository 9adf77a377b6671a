"""What autoencoders are for: one application per file, each `evaluate(...)` beside a baseline.

A task is a pure function ``evaluate(key, model, params, dataset, retrain, *, options) -> Evaluation``. `retrain`
trains the config's net again, for a comparison, folds or an ensemble (`aejax.training.retrain`). A config names a task
by file and function (``"reconstruction.evaluate"``), or by the import path of any such function. A task that can look
at many nets at once has a second function beside it, named ``evaluate_members``, for `evaluate`, and so on, ``(model,
params, dataset, *, together, options) -> {split: {metric: (members,)}}``; a sweep asks it for the metrics.

`VALIDATED` in a task's module names what it may find on validation rows, some of it only with labels or categories. A
sweep, which is decided by one of these, so refuses a name that is none of them before it trains; a task without
`VALIDATED` is asked for it afterwards. ``validation_baselines(dataset, **options) -> {metric: {baseline: value}}`` is
what needs no net there; a sweep shows the first baseline of the metric beside it. That of ``mse`` is PCA for all tasks.
"""
