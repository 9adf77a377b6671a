"""What loss terms may know of the rows beforehand, such as their neighbours or the distances along the data.

A relation is a function ``(x, *, options) -> leaves``: x are the scaled rows of one split, (rows, n) float32 on the
host, and every leaf has one entry for each row, (rows, ...). It is computed once; a term finds the entries of its batch
under ``ctx.relations[name]`` and the rows' own places under ``ctx.index``. A config names it in ``relations``, by the
same rules as a loss term.
"""
