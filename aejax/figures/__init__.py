"""Arrays to pictures, a module for each kind.

Each function writes one PNG, and an SVG beside it, whole and with the same bytes for the same arrays.
The pictures are drawn for the width of a page (900 pixels) with colours that every kind of eye tells apart.
They use matplotlib's objects, never pyplot, so nothing is shared between two of them.
"""
