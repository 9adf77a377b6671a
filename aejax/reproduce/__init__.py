"""A collection of experiments again: every number beside the recorded one, bit for bit where the machine is the same.

A collection is a folder of configs with an ``expected.json``. `record` reads and writes that file, `compare` judges,
`engine` runs by `workers`, each of which is a process, `command` is the command line.
"""
