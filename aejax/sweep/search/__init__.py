"""Searching the axes of a sweep: settings are proposed one batch after the other, in place of all their combinations.

`bayesian` is the search, `spaces` says what is searched, `studies` keeps the trials and proposes new ones with Optuna,
and `trials` trains a batch of them, giving up those that fall behind.
"""
