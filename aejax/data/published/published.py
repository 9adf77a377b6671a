"""What is known of the published files: where they are, their digests, the names of the classes."""

from typing import NamedTuple

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
