"""A task as tests ask it: its needs and its evaluation, with options by their names."""


def needs(module, dataset, model=None, config=None, **options):
    """Raise what the task of a module refuses."""
    module.TASK.needs(dataset, model, config, module.Options(**options))


def evaluate(module, key, model, params, dataset, retrain=None, **options):
    """What the task of a module finds."""
    return module.TASK.evaluate(key, model, params, dataset, retrain, module.Options(**options))
