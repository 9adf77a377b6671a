"""The tensorflow-datasets builder of MNIST and its kin, which needs no TensorFlow.

It writes what the stock builders write, in the array_record format, so that any program can read it with
``tfds.data_source(name, data_dir=...)``. Importing this module imports tensorflow-datasets.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from aejax.data.published.idx import read_folder
from aejax.data.published.published import PUBLISHED, VERSION


class _Idx(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """28×28 images in four IDX files, which lie in the folder of manual downloads."""

    VERSION = tfds.core.Version(VERSION)
    MANUAL_DOWNLOAD_INSTRUCTIONS = "aejax data prepare NAME --from DIR"

    def _info(self) -> tfds.core.DatasetInfo:
        published = PUBLISHED[self.name]
        return tfds.core.DatasetInfo(
            builder=self,
            description=published.title,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(names=list(published.label_names)),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=published.homepage,
            citation=published.citation,
            license=published.licence,
            disable_shuffling=True,  # the rows keep the order of the files
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        splits = read_folder(Path(dl_manager.manual_dir))
        return {name: self._generate_examples(*arrays) for name, arrays in splits.items()}

    def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict]]:
        from PIL import Image  # encoding an array would need TensorFlow; a Pillow image does not

        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield row, {"image": Image.fromarray(image), "label": int(label)}


class Mnist(_Idx, skip_registration=True):
    """MNIST handwritten digits."""

    name = "mnist"


class FashionMnist(_Idx, skip_registration=True):
    """Fashion-MNIST pictures of clothes."""

    name = "fashion_mnist"


class Kmnist(_Idx, skip_registration=True):
    """Kuzushiji-MNIST cursive Japanese characters."""

    name = "kmnist"


BUILDERS = {builder.name: builder for builder in (Mnist, FashionMnist, Kmnist)}
