"""The 20 newsgroups from files at hand: what is counted, weighted, split and refused."""

import numpy as np
import pytest

from aejax import data
from aejax.data import cache, sparse
from aejax.errors import UserError

TRAIN = [
    ("sci.space", "Rocket launch, rocket orbit. The moon"),
    ("sci.space", "orbit of the MOON"),
    ("rec.autos", "engine and brakes; engine"),
    ("rec.autos", "the of and"),
    ("rec.autos", "brakes rocket"),
]
TEST = [("sci.space", "moon moon unseen"), ("rec.autos", "unseen")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))


def tree(folder):
    for part, documents in (("train", TRAIN), ("test", TEST)):
        for number, (group, text) in enumerate(documents):
            path = folder / f"20news-bydate-{part}" / group / str(10 + number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"From: engine@moon\nSubject: brakes\n\n{text}\n\nengineer", encoding="latin-1")
    return folder


def tables(folder):
    folder.mkdir(exist_ok=True)
    for part, documents in (("train", TRAIN), ("test", TEST)):
        lines = "".join(f"{group}\t{text} engineer\n" for group, text in documents)
        (folder / f"20newsgroups-{part}.tab").write_text(f"Category\tText\nd\tstring\nclass\t\n{lines}")
    return folder


@pytest.mark.parametrize("write", [tree, tables])
def test_words_are_counted_and_headers_left_out(write, tmp_path):
    data.prepare("newsgroups", str(write(tmp_path / "given")))
    dataset = data.load("newsgroups", validation=0, scaling="none")
    assert dataset.feature_names == ("brakes", "engine", "engineer", "launch", "moon", "orbit", "rocket")
    assert (dataset.kind, dataset.feature_shape, dataset.label_names) == ("text", (7,), ("rec.autos", "sci.space"))
    assert sparse.is_sparse(dataset.train.x)
    counted = {
        (
            group,
            tuple(
                f"{text} engineer".lower().replace(",", " ").replace(".", " ").replace(";", " ").split().count(w)
                for w in dataset.feature_names
            ),
        )
        for group, text in TRAIN
    }
    of_row = lambda split: [
        (dataset.label_names[label], tuple(np.rint(np.expm1(row)).astype(int).tolist()))
        for label, row in zip(split.labels, split.x[:], strict=True)
    ]
    assert set(of_row(dataset.train)) == counted
    assert len(dataset.train.x) == len(TRAIN)
    assert sorted(of_row(dataset.test)) == [("rec.autos", (0, 0, 1, 0, 0, 0, 0)), ("sci.space", (0, 0, 1, 0, 2, 0, 0))]


def test_tfidf_is_that_of_its_formula(tmp_path):
    data.prepare("newsgroups", str(tables(tmp_path / "given")))
    counts = np.expm1(data.load("newsgroups", validation=0, scaling="none").train.x[:].astype(np.float64))
    dataset = data.load("newsgroups", validation=0, scaling="none", weighting="tfidf").train.x[:]
    weights = np.log1p(counts) * (np.log((1 + len(counts)) / (1 + (counts > 0.5).sum(0))) + 1)
    np.testing.assert_allclose(dataset, weights / np.linalg.norm(weights, axis=1, keepdims=True), rtol=1e-5)


def test_scaled_to_one_and_split_they_stay_sparse(tmp_path):
    data.prepare("newsgroups", str(tables(tmp_path / "given")))
    dataset = data.load("newsgroups", test=0.4, validation=0.3)
    assert all(sparse.is_sparse(split.x) for split in (dataset.train, dataset.validation, dataset.test))
    assert [len(split.x) for split in (dataset.train, dataset.validation, dataset.test)] == [3, 1, 3]
    assert (dataset.range.low, dataset.range.high, float(dataset.shift)) == (0, 1, 0)
    assert dataset.train.x[:].max() * dataset.scale == pytest.approx(1)


def test_documents_without_words_are_left_out_and_it_is_said(tmp_path, capsys):
    folder = tables(tmp_path / "given")
    for part in ("train", "test"):
        path = folder / f"20newsgroups-{part}.tab"
        path.write_text(path.read_text().replace(" engineer", ""))
    data.prepare("newsgroups", str(folder))
    said = capsys.readouterr().err
    assert "newsgroups: 1 training documents hold none of the words and are left out" in said
    dataset = data.load("newsgroups", validation=0)
    assert (len(dataset.train.x), len(dataset.test.x)) == (4, 1)
    assert dataset.test.labels.tolist() == [dataset.label_names.index("sci.space")]


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "given"
    refused = lambda message: pytest.raises(UserError, match=message)
    with refused("there is no such folder"):
        data.prepare("newsgroups", str(folder))
    tables(folder)
    (folder / "20newsgroups-test.tab").unlink()
    with refused("has 0 test parts; needed is one folder .* or one file '20newsgroups-test.tab'"):
        data.prepare("newsgroups", str(folder))
    (folder / "20newsgroups-test.tab").write_text("a\nb\nc\nsci.space\tmoon\textra\n")
    with refused("line 4 has 3 cells; needed are two"):
        data.prepare("newsgroups", str(folder))
    (folder / "20newsgroups-test.tab").write_text("a\nb\nc\nsci.med\tmoon\n")
    with refused("the newsgroup 'sci.med' has test documents and no training ones"):
        data.prepare("newsgroups", str(folder))
    (folder / "20newsgroups-test.tab").write_text("a\nb\nc\n")
    with refused("holds no document"):
        data.prepare("newsgroups", str(folder))
    tables(folder)
    (folder / "20newsgroups-train.tab").write_text("a\nb\nc\nsci.space\tof the\nrec.autos\tthe\n")
    with refused("newsgroups: the training documents hold no words"):
        data.prepare("newsgroups", str(folder))
    assert not cache.exists("newsgroups-1")
    with refused("leave --data-dir away"):
        data.prepare("newsgroups", str(folder), str(tmp_path))


def test_scaled_to_the_root_mean_square_zeros_stay(tmp_path):
    data.prepare("newsgroups", str(tables(tmp_path / "given")))
    dataset = data.load("newsgroups", scaling="standard", validation=0)
    scaled = dataset.train.x[:] * dataset.scale
    assert np.square(scaled).mean() == pytest.approx(1, rel=1e-6)
    assert (float(dataset.shift), dataset.range.low) == (0, 0)
    assert dataset.range.high == pytest.approx(scaled.max())


def test_a_scaling_that_moves_zeros_is_refused(tmp_path):
    data.prepare("newsgroups", str(tables(tmp_path / "given")))
    with pytest.raises(
        UserError, match=r"^data.scaling: signed would move the zeros .*; allowed: unit, standard, none$"
    ):
        data.load("newsgroups", scaling="signed")


def test_without_internet_the_command_for_files_at_hand_is_told(monkeypatch):
    import sklearn.datasets

    def no_answer(**_):
        raise OSError("no route")

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", no_answer)
    with pytest.raises(UserError, match=r"does not answer \(no route\); .* aejax data prepare newsgroups --from DIR"):
        data.load("newsgroups")


def test_only_documents_take_a_weighting():
    with pytest.raises(
        UserError, match=r"^data.weighting: 'digits' does not take it; only file, texts: and text data do"
    ):
        data.load("digits", weighting="log")
