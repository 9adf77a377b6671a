"""Sweeps: many settings and seeds of one experiment, trained together as few compiled programs.

`axes` spells the values, `plan` makes runs of them and groups those of equal static setting, `groups` trains a group as
one program, `engines` does the groups of a plan in a folder, `results` makes the table.
"""
