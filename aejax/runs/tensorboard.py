"""TensorBoard event files, for those who ask for them and have the package that writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aejax.errors import UserError


def import_writer() -> Any:
    """TensorBoard's event writer.

    Raises:
        UserError: the package that writes them is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError:
        raise UserError(
            "report.tensorboard: needs a package; install it with: pip install 'aejax[tensorboard]'"
        ) from None
    return SummaryWriter


def open_writer(folder: Path) -> Any:
    """A writer of TensorBoard event files into the run's folder."""
    return import_writer()(str(folder / "tensorboard"))


def write(writer: Any, row: Mapping[str, float]) -> None:
    """Write one evaluation; ``train_loss`` becomes ``train/loss``. Does nothing without a writer."""
    if writer is not None:
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(name.replace("_", "/", 1), value, int(row["step"]))
