"""MNIST and its kin: 28×28 images in four IDX files each, made into prepared records and from those into the cache."""

import contextlib
import gzip
import io
import math
import struct
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data import cache, records
from aejax.data.published import TIMEOUT, downloading
from aejax.data.splits import Raw
from aejax.errors import UserError

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
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
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


def key_of(name: str, data_dir: str | None) -> str:
    """The name of the cache entry; another folder of records is another entry."""
    key = f"{name}-{VERSION}"
    return key if data_dir is None else f"{key}-{sha256(str(_folder(data_dir)).encode()).hexdigest()[:12]}"


def load_published(name: str, data_dir: str | None) -> Raw:
    """The rows of a published data set: from the cache, else from records, else from the internet.

    Args:
        name: a key of `PUBLISHED`.
        data_dir: folder of the records; beside the cache where None.

    Returns:
        The rows; x is (rows, 28, 28, 1) uint8, memory-mapped.

    Raises:
        UserError: nothing is prepared and there is no internet.
    """
    entry = cache.made(key_of(name, data_dir), lambda: prepare_published(name, None, data_dir))
    published = PUBLISHED[name]
    return records.to_raw(*entry)._replace(source=f"{published.citation}; {published.homepage}")


def prepare_published(name: str, source_dir: str | None, data_dir: str | None) -> Path:
    """Writes the records of a published data set and decodes them into the cache.

    Args:
        name: a key of `PUBLISHED`.
        source_dir: folder with the four IDX files; they are downloaded where None and where nothing is prepared.
        data_dir: folder for the records; beside the cache where None.

    Returns:
        The folder of the records.

    Raises:
        UserError: files are missing or damaged, or there is no internet.
    """
    folder = _folder(data_dir)
    target = folder / name / VERSION
    if source_dir is not None:
        _write_records(name, Path(source_dir).expanduser(), folder, overwrite=True)
        cache.drop(key_of(name, data_dir))
    elif not (target / "dataset_info.json").is_file():
        with tempfile.TemporaryDirectory(prefix="aejax-") as scratch:
            _download(name, Path(scratch))
            _write_records(name, Path(scratch), folder, overwrite=False)
    builder = records.find(name, str(folder))
    cache.build(key_of(name, data_dir), lambda scratch: records.decode(builder, scratch))
    return target


def _folder(data_dir: str | None) -> Path:
    return Path(data_dir).expanduser().resolve() if data_dir else cache.root().parent / "tensorflow_datasets"


def _download(name: str, folder: Path) -> None:
    """Fetches the four files into a folder and checks their digests."""
    from urllib.request import urlopen

    published = PUBLISHED[name]
    debian = f", for example those of Debian's package {published.debian}" if published.debian else ""
    with downloading(name, published.title, published.url, f"the files at hand{debian}"):
        for file_name, digest in zip(FILES.values(), published.digests, strict=True):
            with urlopen(f"{published.url}{file_name}.gz", timeout=TIMEOUT) as answer:
                data = answer.read()
            if sha256(data).hexdigest() != digest:
                url = f"{published.url}{file_name}.gz"
                raise UserError(f"{url}: what was downloaded is not the published file; try again")
            (folder / f"{file_name}.gz").write_bytes(data)


def _write_records(name: str, source: Path, folder: Path, *, overwrite: bool) -> None:
    tfds = records.import_tfds()
    from aejax.data.published.images import BUILDERS

    read_folder(source)  # before anything is overwritten
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS if overwrite else tfds.GenerateMode.REUSE_DATASET_IF_EXISTS
    config = tfds.download.DownloadConfig(manual_dir=source, download_mode=mode)
    cache.say(f"preparing {name} in {folder}; this takes about half a minute")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # tensorflow-datasets prints what it does and draws progress bars; neither can be asked not to.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder = BUILDERS[name](data_dir=str(folder), file_format="array_record")
            builder.download_and_prepare(download_config=config, download_dir=folder / "downloads")
    except OSError as error:
        raise UserError(f"{name}: cannot write to {folder}: {error.strerror or error}") from error


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file of bytes, compressed with gzip or not.

    An IDX file is two zero bytes, the type (8: unsigned byte), the number of axes, the size of each axis as a
    big-endian 32-bit number, and the values in row-major order.

    Args:
        path: the file.

    Returns:
        The values, uint8.

    Raises:
        UserError: the file is damaged, cut short, or something else.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: the compressed file is damaged or cut short: {error}") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise UserError(f"{path}: not an IDX file of bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise UserError(f"{path}: the file is cut short within its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise UserError(
            f"{path}: the header promises {math.prod(shape)} bytes, {len(data) - start} follow; the file is damaged"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_folder(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
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
    paths = {part: _path_in(folder, name) for part, name in FILES.items()}
    arrays = {}
    for split, count in ROWS.items():
        images, labels = read_idx(paths[split, "images"]), read_idx(paths[split, "labels"])
        for array, what, shape in ((images, "images", (count, 28, 28)), (labels, "labels", (count,))):
            if array.shape != shape:
                raise UserError(f"{paths[split, what]}: has shape {array.shape}; expected {shape}")
        if labels.max(initial=0) > 9:
            raise UserError(f"{paths[split, 'labels']}: holds the label {labels.max()}; expected 0 to 9")
        arrays[split] = images, labels
    return arrays


def _path_in(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise UserError(f"{folder}: the file {name}.gz (or {name}) is missing; needed are {', '.join(FILES.values())}")
