"""The experiments of a collection run again, and their numbers compared with recorded ones.

A collection is a folder of configs with an ``expected.json``. `record` reads and writes that file and chooses the
experiments, which `experiments` trains as jobs; `compare` judges their numbers, `summary` says what came out, `command`
is the command line.
"""
