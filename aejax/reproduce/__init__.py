"""The experiments of a collection run again, and their numbers compared with recorded ones.

A collection is a folder of configs with an ``expected.json``. `record` reads and writes that file, `run` chooses the
experiments and trains them, in the worker processes of `processes`; `compare` judges their numbers, `summary` says how
far it is and what came out, `command` is the command line.
"""
