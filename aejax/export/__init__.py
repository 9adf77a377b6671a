"""A trained net leaves aejax: for NumPy alone, as ONNX or StableHLO, for the Hugging Face Hub, or as a page."""

from aejax.export.actions import Net
from aejax.export.folder import FORMATS, check, write

__all__ = ["FORMATS", "Net", "check", "write"]
