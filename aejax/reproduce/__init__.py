"""A collection of experiments again: every number beside the recorded one, bit for bit where the machine is the same.

A collection is a folder of configs with an ``expected.json``. `record` reads (by `reading`) and writes that file,
`choice` says which experiments are run, `engine` runs by `workers`, each of which is a process, `compare` judges,
`telling` says what came out, `command` is the command line.
"""
