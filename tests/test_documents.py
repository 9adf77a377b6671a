"""A person's own documents: a column of text, a folder of files, a list; their words, parts, classes, and new ones."""

import csv

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import aejax
from aejax import data
from aejax.cli import main
from aejax.data import sparse
from aejax.errors import UserError
from aejax.estimators import SemanticHasher, load

WORDS = {"pets": ["cat", "dog", "horse", "bird", "fish"], "money": ["stock", "bond", "bank", "coin", "fund"]}
TINY = {
    "data.weighting": "tfidf",
    "data.scaling": "standard",
    "model.widths": (8,),
    "model.code": 8,
    "train.steps": 20,
    "train.batch_size": 16,
    "task.retrieved": 5,
    "report.figures": False,
}


def cells(path):
    return list(csv.reader(path.read_text().splitlines()))


def documents():
    random, rows = np.random.default_rng(0), []
    for number in range(60):
        topic = list(WORDS)[number % 2]
        text = " ".join(random.choice([*WORDS[topic], "thing"], 6))
        rows.append([f"d{number}", topic, text, "test" if number % 5 == 4 else "train"])
    rows[3][2], rows[9][2] = "", "the of and"
    return rows


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table of documents, and a folder of the same ones."""
    folder = tmp_path_factory.mktemp("documents")
    with open(folder / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "topic", "body", "split"], *documents()])
    for name, topic, text, part in documents():
        path = folder / "tree" / part / topic / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "tree" / "notes.md").write_text("no document")
    return folder


def of_table(files, **more):
    known = {"text": "body", "label_column": "topic", "key": "id", "validation": 0, "weighting": "tfidf"} | more
    return data.load(f"file:{files / 'table.csv'}", scaling="none", **known)


def test_a_column_of_text_becomes_tfidf_of_its_training_documents(files):
    dataset, rows = of_table(files), documents()
    train = [row for row in rows if row[3] == "train"]
    counter = TfidfVectorizer(stop_words="english", sublinear_tf=False)
    counter.fit([row[2] for row in train if row[2].replace("the of and", "")])
    assert dataset.feature_names == tuple(counter.get_feature_names_out())
    at = dataset.test.source_index
    assert at.tolist() == [number for number in range(4, 60, 5) if number != 9]
    counts = np.array([[rows[row][2].split().count(word) for word in dataset.feature_names] for row in at])
    expected = np.log1p(counts) * counter.idf_
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(sparse.to_csr(dataset.test.x).toarray(), expected, rtol=1e-5)
    assert [dataset.label_names[label] for label in dataset.test.labels] == [rows[row][1] for row in at]
    said = "\n".join(dataset.understood)
    assert "column 'split' names 12 test rows and 48 training rows" in said
    assert "left out: 2 documents that hold none of the words (d3, d9)" in said


def test_a_folder_of_files_is_read_as_the_table_of_them(files):
    table, folder = (
        of_table(files),
        data.load(f"texts:{files / 'tree'}", scaling="none", weighting="tfidf", validation=0),
    )
    assert (folder.label_names, folder.feature_names) == (("money", "pets"), table.feature_names)
    assert "left out: 1 no .txt ('notes.md')" in folder.understood
    sort = lambda x: x[np.lexsort(x.T)]
    for part in ("train", "test"):
        np.testing.assert_array_equal(sort(getattr(table, part).x[:]), sort(getattr(folder, part).x[:]))


def test_another_column_called_split_is_passed_over(files, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("split,body\nyes,cat dog\nno,dog fish\nyes,fish cat\nno,cat\n")
    dataset = data.load(f"file:{path}", text="body", validation=0, test=0.25)
    assert (len(dataset.train.x), len(dataset.test.x)) == (3, 1)
    assert "columns that are not read: 'split'" in dataset.understood


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "bod"}, r"^data.text, a column of .*unknown 'bod' \(did you mean 'body'\?\)"),
        ({"dates": "id"}, r"^data.dates: is not taken beside data.text"),
        ({"text": None}, r"^data.weighting: is of documents; allowed: with data.text"),
        ({"text": "number"}, r"^data.text: column 'number' of .* holds numbers"),
    ],
)
def test_what_is_no_text_is_refused(files, tmp_path, options, message):
    lines = (files / "table.csv").read_text().splitlines()
    (tmp_path / "table.csv").write_text("\n".join([f"{lines[0]},number", *(f"{line},5" for line in lines[1:])]))
    with pytest.raises(UserError, match=message):
        of_table(tmp_path, **options)


def test_a_text_without_words_and_folders_without_texts_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"^texts: the training documents hold no words"):
        data.from_texts(["the", "of", "and a"], test=0.0)
    with pytest.raises(UserError, match=r"holds no .txt file that can be read"):
        data.load(f"texts:{tmp_path}")
    with pytest.raises(UserError, match=r"^texts: are no list of texts"):
        data.from_texts("one text")


@pytest.fixture(scope="module")
def run(files):
    known = {"data.name": f"file:{files / 'table.csv'}", "data.text": "body", "data.label_column": "topic"}
    return aejax.run("lecture/hashing", files / "run", **TINY, **known, **{"data.key": "id"})


def test_a_run_says_the_bits_of_every_document_and_apply_takes_new_ones(run, files, capsys):
    rows = cells(files / "run" / "bits.csv")
    assert rows[0][:4] == ["id", "split", "topic", "bit_1"]
    assert [row[0] for row in rows[1:]] == [f"d{number}" for number in range(60)]
    assert rows[4][3:] == rows[10][3:] == [""] * 8, "they hold no words"
    new = files / "new.csv"
    new.write_text(f"body\n{documents()[0][2]}\nnothing known\n")
    apply = lambda action, source, output, *more: main(
        ["apply", str(files / "run"), action, "--input", str(source), "--output", str(files / output), *more]
    )
    assert apply("hash", new, "new_bits.csv") == 0
    assert "document 2 holds none of the words" in capsys.readouterr().out
    answered = cells(files / "new_bits.csv")
    assert answered[1] == rows[1][3:]
    assert answered[2] == [""] * 8
    assert apply("hash", new, "no.csv", "--strict") == 2
    bits = run.apply("hash", [documents()[0][2]]).values
    assert [str(int(each[0])) for each in bits.values()] == rows[1][3:]
    assert apply("neighbours", files / "tree" / "test", "folder.csv") == 0
    assert cells(files / "folder.csv")[0][:2] == ["file", "row_1"]
    assert apply("neighbours", files / "table.csv", "near.csv") == 0
    header, *near = cells(files / "near.csv")
    nearest, apart = header.index("row_10"), header.index("distance_10")
    for row, answer in zip(rows[1:], near, strict=True):
        if row[3]:  # else it holds no words, and is not answered
            other = rows[int(answer[nearest])]
            assert other[1] == "train", "rows are named by their number in the file, from 1"
            assert sum(a != b for a, b in zip(row[3:], other[3:], strict=True)) == int(answer[apart])


def test_a_list_of_texts_is_hashed_and_kept(tmp_path):
    texts = [row[2] for row in documents()]
    hasher = SemanticHasher(bits=8, steps=30, validation_fraction=0.0, random_state=0)
    hasher.set_params(changes={"model.widths": (8,), "train.batch_size": 16})
    with pytest.warns(UserWarning, match=r"^2 of 60 documents hold none of the words"):
        hasher.fit(texts)
    assert hasher.codes_.shape == (60, 1)
    index = hasher.kneighbors(n_neighbors=5, return_distance=False)
    assert (index % 2 == np.arange(60)[:, None] % 2).mean() > 0.7, "documents of a topic share most bits"
    again = load(hasher.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.transform(texts[:3]), hasher.transform(texts[:3]))
