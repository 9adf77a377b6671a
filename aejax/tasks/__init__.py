"""What autoencoders are for: one application per file, each `evaluate(...)` beside a baseline.

A task is a pure function ``evaluate(key, model, params, dataset, retrain, *, options) -> Evaluation``. `retrain`
trains the config's net again, for a comparison, folds or an ensemble (`aejax.retrain`). A config names a task by file
and function (``"reconstruction.evaluate"``), or by the import path of any such function.
"""
