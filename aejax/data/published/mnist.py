"""MNIST and its kin: 28×28 images in four IDX files each, kept as records of tensorflow-datasets and in the cache."""

import contextlib
import gzip
import io
import math
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.console import complain
from aejax.data import cache, records
from aejax.data.published import Family, Options, downloading, fetch
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.files import unfinished

MOST_BYTES = 2**26
"""Of a file of images, unpacked."""

ROWS = {"train": 60_000, "test": 10_000}

# Split, then what it holds, to the name that all of these data sets give to the file.
FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


class Published(NamedTuple):
    """One data set of 28×28 images in four IDX files.

    Attributes:
        title: for people.
        url: folder of the four files, which end in ``.gz``.
        digests: SHA-256 of the compressed files, in the order of `FILES`.
        label_names: one for each class.
        licence: of the data.
        homepage: of the data.
        citation: in one line.
        debian: a Debian package with the files, or None.
    """

    title: str
    url: str
    digests: tuple[str, str, str, str]
    label_names: tuple[str, ...]
    licence: str
    homepage: str
    citation: str
    debian: str | None = None


VERSION = "3.0.1"  # that of tensorflow-datasets, whose own builders make the same features

PUBLISHED = {
    "mnist": Published(
        title="MNIST handwritten digits",
        url="https://storage.googleapis.com/cvdf-datasets/mnist/",
        digests=(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        label_names=tuple(map(str, range(10))),
        licence="CC BY-SA 3.0",
        homepage="http://yann.lecun.com/exdb/mnist/",
        citation="LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998",
    ),
    "fashion_mnist": Published(
        title="Fashion-MNIST pictures of clothes",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        digests=(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        label_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        licence="MIT",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        citation="Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017, arXiv 1708.07747",
        debian="dataset-fashion-mnist",
    ),
    "kmnist": Published(
        title="Kuzushiji-MNIST cursive Japanese characters",
        url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        digests=(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        label_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        licence="CC BY-SA 4.0",
        homepage="http://codh.rois.ac.jp/kmnist/index.html.en",
        citation="Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, arXiv 1812.01718",
    ),
}


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array in an IDX file of bytes, compressed with gzip or not.

    An IDX file is two zero bytes, the type (8: unsigned byte), the number of axes, the size of each axis as a
    big-endian 32-bit number, and the values in row-major order.

    Args:
        path: the file.
        shape: that the array should have.

    Returns:
        The values, uint8.

    Raises:
        UserError: the file is damaged, cut short, or something else.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: the compressed file is damaged or cut short: {error}") from error
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    if not data.startswith(header):
        what = "bytes of another shape" if data.startswith(b"\0\0\x08") else "no IDX file of bytes"
        raise UserError(f"{path}: holds {what}; expected bytes of shape {shape}")
    if len(data) - len(header) != math.prod(shape):
        expected, follow = math.prod(shape), len(data) - len(header)
        raise UserError(f"{path}: the header promises {expected} bytes, {follow} follow; the file is damaged")
    return np.frombuffer(data, np.uint8, offset=len(header)).reshape(shape)


def _read_folder(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of the four files in a folder, with or without ``.gz`` at the end of their names.

    Args:
        folder: where the files are.

    Returns:
        By split, ``"train"`` and ``"test"``: images (rows, 28, 28) and labels (rows,), uint8.

    Raises:
        UserError: a file is missing or damaged, or has another shape.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    paths, parts = {}, {}
    for part, name in FILES.items():
        there = [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
        if not there:
            needed = f"needed are {', '.join(FILES.values())}"
            raise UserError(f"{folder}: the file {name}.gz (or {name}) is missing; {needed}")
        paths[part] = there[0]
    for split, count in ROWS.items():
        images, labels = read_idx(paths[split, "images"], (count, 28, 28)), read_idx(paths[split, "labels"], (count,))
        if labels.max(initial=0) > 9:
            raise UserError(f"{paths[split, 'labels']}: holds the label {labels.max()}; expected 0 to 9")
        parts[split] = images, labels
    return parts


def _key(name: str, options: Options) -> str:
    """Another folder of records is another entry."""
    other = "" if options["data_dir"] is None else sha256(str(_home(options)).encode()).hexdigest()[:12]
    return "-".join(filter(None, (name, VERSION, other)))


def _home(options: Options) -> Path:
    """The folder of tensorflow-datasets: that of the option, or one beside the cache."""
    folder = options["data_dir"]
    return Path(folder).expanduser().resolve() if folder else cache.root().parent / "tensorflow_datasets"


def _folder(name: str, options: Options) -> Path:
    return _home(options) / name / VERSION


def _make(name: str, source: Path | None, options: Options, target: Path) -> Mapping[str, Any]:
    """Decodes the records, which are first written from the four files in `source`, or from the internet."""
    if source is not None:
        _write_records(name, source, _home(options))
    elif not (_folder(name, options) / "dataset_info.json").is_file():
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            _download(name, Path(scratch))
            _write_records(name, Path(scratch), _home(options))
    return records.decode(records.find(name, str(_home(options))), target)


def _raw(name: str, arrays: cache.Arrays, details: Mapping[str, Any], options: Options) -> Raw:
    published = PUBLISHED[name]
    return records.to_raw(arrays, details)._replace(source=f"{published.citation}; {published.homepage}")


def _download(name: str, folder: Path) -> None:
    """Fetches the four files into a folder and checks their digests."""
    published = PUBLISHED[name]
    debian = f", for example those of Debian's package {published.debian}" if published.debian else ""
    with downloading(name, published.title, published.url, f"the files at hand{debian}"):
        for file_name, digest in zip(FILES.values(), published.digests, strict=True):
            data = fetch(f"{published.url}{file_name}.gz", sha256=digest)
            (folder / f"{file_name}.gz").write_bytes(data)


def _write_records(name: str, source: Path, folder: Path) -> None:
    """Writes what the stock builder writes, which any program reads with ``tfds.data_source(name, data_dir=...)``."""
    tfds = records.import_tfds()
    parts = _read_folder(source)  # before anything is overwritten
    config, path = tfds.download.DownloadConfig(manual_dir=source), folder / name / VERSION
    complain(f"preparing {name} in {folder}; this takes about half a minute")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(folder, Path.mkdir) as scratch:
            # tensorflow-datasets prints what it does and draws progress bars; neither can be asked not to.
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                builder = _builder(tfds, name, parts)(data_dir=str(scratch), file_format="array_record")
                builder.download_and_prepare(download_config=config, download_dir=scratch / "downloads")
            if path.exists():
                path.rename(scratch / "replaced")
            (scratch / name / VERSION).rename(path)
    except OSError as error:
        raise UserError(f"{name}: cannot write to {folder}: {error.strerror or error}") from error


def _builder(tfds: Any, data_set: str, parts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> type:
    """A builder of tensorflow-datasets for images and labels by split, which needs no TensorFlow."""
    published = PUBLISHED[data_set]

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """28×28 images that lie in memory."""

        name = data_set
        VERSION = tfds.core.Version(VERSION)
        MANUAL_DOWNLOAD_INSTRUCTIONS = "aejax data prepare NAME --from DIR"

        def _info(self) -> Any:
            image, label = tfds.features.Image(shape=(28, 28, 1)), tfds.features.ClassLabel(names=published.label_names)
            return tfds.core.DatasetInfo(
                builder=self,
                description=published.title,
                features=tfds.features.FeaturesDict({"image": image, "label": label}),
                supervised_keys=("image", "label"),
                homepage=published.homepage,
                citation=published.citation,
                license=published.licence,
                disable_shuffling=True,  # the rows keep the order of the files
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
            return {split: self._generate_examples(*arrays) for split, arrays in parts.items()}

        def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict]]:
            from PIL import Image  # encoding an array would need TensorFlow; a Pillow image does not

            for row, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield row, {"image": Image.fromarray(image), "label": int(label)}

    return Builder


MNIST = Family(_key, _make, _raw, takes=("data_dir",), folder=_folder)
