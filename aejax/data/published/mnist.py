"""From the IDX files of MNIST and its kin to prepared records, and from those to decoded arrays in the cache."""

import contextlib
import io
import tempfile
from hashlib import sha256
from pathlib import Path

from aejax.data import cache, records
from aejax.data.published import downloading, downloads
from aejax.data.published.idx import FILES, PUBLISHED, VERSION, read_folder
from aejax.data.splits import Raw
from aejax.errors import UserError


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
    published = PUBLISHED[name]
    debian = f", for example those of Debian's package {published.debian}" if published.debian else ""
    with downloading(name, published.title, published.url, f"the files at hand{debian}"):
        for file_name, digest in zip(FILES.values(), published.digests, strict=True):
            data = downloads.fetch(f"{published.url}{file_name}.gz", sha256=digest)
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
