"""Data sets that tensorflow-datasets has prepared in the array_record format, read without TensorFlow."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np

from aejax.console import complain
from aejax.data.encoding import observed
from aejax.data.published import Family
from aejax.data.splits import Raw
from aejax.errors import UserError, first_line, shown
from aejax.types import Split

_TRAIN_PARTS = ("train", "validation", "val", "dev")  # pooled: validation rows are drawn by the caller's seed
_BLOCK = 1024  # records read together
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # number of channels to Pillow's name for them


def find(spec: str, data_dir: str | None) -> Any:
    """The read-only builder of a prepared data set.

    Args:
        spec: as tensorflow-datasets spells it.
        data_dir: its folder; the default of tensorflow-datasets where None.

    Returns:
        The builder.

    Raises:
        UserError: there is none, or it is in a format that needs TensorFlow.
    """
    tfds = import_tfds()
    from tensorflow_datasets.core.read_only_builder import builder_from_files

    where = data_dir or tfds.core.constants.DATA_DIR
    try:
        with _known_features(tfds):
            builder = builder_from_files(spec, data_dir=data_dir and str(Path(data_dir).expanduser()))
    except UserError as error:
        raise UserError(f"tfds:{spec}: {error}") from None
    except tfds.core.registered.DatasetNotFoundError as error:
        raise UserError(
            f"tfds:{spec}: nothing is prepared under this name in {where}; prepare it there with"
            " file_format='array_record', or name another folder with data_dir"
        ) from error
    except (ValueError, OSError) as error:
        raise UserError(f"tfds:{spec}: write it as name, name/config, name:version or name/config:version") from error
    file_format = builder.info.file_format
    if file_format is None or file_format.value != "array_record":
        raise UserError(
            f"tfds:{spec}: prepared in {builder.data_path} in the format {getattr(file_format, 'value', 'unknown')},"
            " which needs TensorFlow; prepare it again with file_format='array_record'"
        )
    return builder


@contextmanager
def _known_features(tfds: Any) -> Iterator[None]:
    """Have metadata of data sets import no module but tensorflow-datasets' own features, whatever class they name."""
    kind = tfds.features.FeatureConnector
    original = vars(kind)["cls_from_name"]

    def known(cls: type, name: str) -> type:
        if not str(name).startswith("tensorflow_datasets.core.features."):
            raise UserError(f"its metadata name the feature {shown(name)}; allowed: those of tensorflow-datasets")
        return original.__get__(None, cls)(name)

    kind.cls_from_name = classmethod(known)
    try:
        yield
    finally:
        kind.cls_from_name = original


def import_tfds() -> Any:
    """tensorflow-datasets, or one line that says how to get it."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(f"this data set needs tensorflow-datasets (pip install aejax): {error}") from error
    return tensorflow_datasets


def to_raw(arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> Raw:
    """Decoded arrays, as `decode` writes them, as a data set."""
    is_image, names = arrays["train_x"].dtype == np.uint8, tuple(details["feature_names"])
    parts = {
        part: Split(*observed(arrays[f"{part}_x"], names, details["source"]), arrays.get(f"{part}_labels"))
        for part in ("train", "test")
        if f"{part}_x" in arrays
    }
    return Raw(
        **parts,
        kind="image" if is_image else "table",
        licence=details["licence"],
        source=details["source"],
        bounds=(0, 255) if is_image else None,
        label_names=tuple(details["label_names"]),
        feature_names=names,
    )


def decode(builder: Any, target: Path) -> dict[str, Any]:
    """Writes train_x, train_labels, test_x and test_labels as ``.npy`` files.

    Args:
        builder: of a prepared data set.
        target: folder for the files.

    Returns:
        Label names, feature names, licence and source.

    Raises:
        UserError: the features are not understood, or a file is damaged.
    """
    info = builder.info
    feature, label, is_image = _fields(info)
    parts = {"train": [p for p in _TRAIN_PARTS if p in info.splits], "test": [p for p in ("test",) if p in info.splits]}
    if not parts["train"]:
        raise UserError(f"{info.full_name}: has no part 'train'; it has {', '.join(info.splits) or 'none'}")
    shape = None
    for name, sources in parts.items():
        if sources:
            complain(f"decoding {info.full_name} ({', '.join(sources)}); this happens once")
            shape = _decode_part(builder, sources, target / name, shape)
    return {
        "label_names": [] if label is None else list(info.features[label].names),
        "feature_names": [] if is_image else [f"{feature} {i}" for i in range(shape[0])],
        "licence": info.redistribution_info.license or "not stated",
        "source": f"tensorflow-datasets {info.full_name}, parts {', '.join(parts['train'] + parts['test'])}",
    }


def _fields(info: Any) -> tuple[str, str | None, bool]:
    """The names of the one image or numeric vector, and of the label, if any; whether it is an image."""
    from tensorflow_datasets import features as kinds

    takes = "aejax takes one uint8 image or one vector of numbers, and a class label"
    if not isinstance(info.features, kinds.FeaturesDict):
        raise UserError(f"{info.full_name}: its rows are not named features; {takes}")
    features = dict(sorted(info.features.items()))  # read back from disk, their order is a matter of chance
    images = [n for n, f in features.items() if isinstance(f, kinds.Image)]
    labels = [n for n, f in features.items() if isinstance(f, kinds.ClassLabel)]
    rows = images or [n for n, f in features.items() if n not in labels and _is_vector(f, kinds)]
    label = "label" if "label" in labels else labels[0] if len(labels) == 1 else None
    if len(rows) != 1:
        has = ", ".join(f"{n} ({type(f).__name__})" for n, f in features.items())
        raise UserError(f"{info.full_name}: has the features {has}; {takes}")
    dtype, channels = np.dtype(features[rows[0]].np_dtype), features[rows[0]].shape[-1]
    if images and (dtype != np.uint8 or channels not in _MODES):
        refusal = f"decoding {dtype} images with {channels} channels needs TensorFlow"
        raise UserError(f"{info.full_name}: {refusal}; {takes}")
    return rows[0], label, bool(images)


def _is_vector(feature: Any, kinds: Any) -> bool:
    has_one_axis = isinstance(feature, kinds.Tensor) and len(feature.shape) == 1 and feature.shape[0] is not None
    return has_one_axis and np.dtype(feature.np_dtype).kind in "biuf"


def _decode_part(builder: Any, sources: Sequence[str], target: Path, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Decodes the records of some parts into one array of rows and one of labels; gives the shape of a row."""
    from tensorflow_datasets import decode as decoding

    feature, label, is_image = _fields(builder.info)
    # Pillow decodes the image below: tensorflow-datasets would choose OpenCV where that is installed, whose
    # JPEG decoding differs in the last bit.
    decoders = {feature: decoding.SkipDecoding()} if is_image else None
    channels, data_set = builder.info.features[feature].shape[-1], builder.info.full_name
    total = sum(builder.info.splits[s].num_examples for s in sources)
    x, labels, read = None, np.zeros(total, np.int32), 0
    for record in _records(builder, sources, decoders):
        row = _pixels(record[feature], channels, data_set) if is_image else np.asarray(record[feature])
        shape = shape or row.shape
        if row.shape != shape:
            raise UserError(f"{data_set}: holds rows of shape {shape} and of shape {row.shape}; aejax takes one shape")
        if x is None:
            dtype = np.uint8 if is_image else np.float32
            x = np.lib.format.open_memmap(f"{target}_x.npy", "w+", dtype, (total, *shape))
        x[read], labels[read] = row, 0 if label is None else record[label]
        read += 1
    if x is None or read != total:
        raise UserError(f"{data_set}: {read} of {total} rows can be read; prepare it again")
    x.flush()
    if label is not None:
        np.save(f"{target}_labels.npy", labels)
    return shape


def _records(builder: Any, sources: Sequence[str], decoders: Any) -> Iterator[dict[str, Any]]:
    for name in sources:
        try:
            source = builder.as_data_source(split=name, decoders=decoders)
            for start in range(0, len(source), _BLOCK):
                yield from source.__getitems__(range(start, min(start + _BLOCK, len(source))))
        except ImportError as error:
            raise UserError(f"{builder.info.full_name}: reading it needs TensorFlow: {error}") from error
        except UserError:
            raise
        except Exception as error:  # the readers raise whatever their C++ part raises
            where = f"{builder.info.full_name}: part {name!r} in {builder.data_path}"
            raise UserError(f"{where} is damaged: {first_line(error)}") from error


def _pixels(encoded: bytes, channels: int, name: str) -> np.ndarray:
    from PIL import Image

    source = io.BytesIO(encoded)
    try:  # more pixels than Pillow trusts are refused before they are there
        with catch_warnings(action="error", category=Image.DecompressionBombWarning), Image.open(source) as image:
            pixels = np.asarray(image.convert(_MODES[channels]))
    except Exception as error:  # damaged images raise whatever their parsers do
        raise UserError(f"{name}: an image is damaged or needs TensorFlow's decoder: {first_line(error)}") from error
    return pixels[..., None] if channels == 1 else pixels


def _builder(name: str, options: Mapping[str, Any]) -> Any:
    return find(name.removeprefix("tfds:"), options["data_dir"])


def _key(name: str, options: Mapping[str, Any]) -> str:
    builder = _builder(name, options)
    folder = Path(builder.data_path)
    mark = sha256(str(folder).encode() + (folder / "dataset_info.json").read_bytes()).hexdigest()[:12]
    return f"tfds-{builder.info.full_name.replace('/', '-')}-{mark}"


PREPARED = Family(
    key=_key,
    make=lambda name, source, options, target: decode(_builder(name, options), target),
    raw=lambda name, arrays, details, options: to_raw(arrays, details),
    takes=("data_dir",),
    folder=lambda name, options: Path(_builder(name, options).data_path),
)
"""``tfds:NAME``; parts ``train`` and ``validation`` are pooled, ``test`` is the official test part, others left out."""
