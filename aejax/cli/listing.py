"""`aejax list`: the shipped experiments and their variants."""

import argparse


def run(arguments: argparse.Namespace) -> None:
    """Print them, each with the first line of its docstring."""
    import ast

    from aejax import console
    from aejax.config import files as config_files

    rows = []
    for name, path in config_files.shipped().items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        variants = config_files.variants(path)
        rows.append((name, docstring.partition("\n")[0]))
        rows += [(f"  :{variant}", "") for variant in variants]
    console.listing(rows)
