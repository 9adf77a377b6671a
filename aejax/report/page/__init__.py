"""One self-contained page of a run, a sweep, several folders or a whole collection, in English or Spanish.

What a page says stands in catalogues under ``text``, one folder for each language and the same keys in all of them; how
it looks in ``templates``. Nothing on a page is fetched: figures, formulas and drawings are part of the file.
"""
