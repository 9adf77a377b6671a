"""Arrays to figures, in a language; the one place of matplotlib.

Whatever is drawn is drawn by a function of small arrays and of the `aejax.figures.words.Words` of a language, and is a
figure of matplotlib: no file is written, and pyplot is not used, so nothing is shared between two figures.
`aejax.figures.canvas.save_figure` writes one as PNG, `aejax.figures.vector.svg` as SVG, with the same bytes for the
same arrays. Figures are as wide as a page (900 pixels), in colours that people of any colour vision can tell apart.
"""
