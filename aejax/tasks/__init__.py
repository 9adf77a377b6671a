"""What autoencoders are for: one application per file, each `evaluate(...)` beside a baseline.

A task is a pure function ``evaluate(key, model, params, dataset, *, options) -> Evaluation``. A config names it by
file and function (``"reconstruction.evaluate"``), or by the import path of any such function.
"""
