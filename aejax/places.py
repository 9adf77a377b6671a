"""The folder of what can be made again: prepared data and compiled programs."""

import os
from pathlib import Path


def cache_folder(part: str) -> Path:
    """The folder of one kind of it, below `AEJAX_CACHE_DIR` or, where that is not set, in the user's cache folder."""
    from platformdirs import user_cache_path

    given = os.environ.get("AEJAX_CACHE_DIR")
    return (Path(given).expanduser() if given else user_cache_path("aejax")) / part
