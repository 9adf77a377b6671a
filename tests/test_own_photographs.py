"""Photographs of one's own: folders and tables of image files of every kind, and what a net makes of new ones."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import arguments, assert_refused, call

import aejax
from aejax import cli, data
from aejax.data.images import read_images
from aejax.errors import UserError

RANDOM = np.random.default_rng(0)
WHOLE = {"validation": 0, "test": 0}
SMALL = {
    "model": "{'name': 'conv.convolutional', 'channels': (4,), 'code': 3}",
    "data.size": "(12, 8)",
    "data.fit": "pad",
    "data.colour": "grey",
    "train.steps": "4",
    "train.batch_size": "4",
    "train.evaluate_every": "2",
    "report.figures": "false",
}


@pytest.fixture(autouse=True)
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pics").mkdir()
    return tmp_path / "pics"


def noise(height=8, width=8, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def save(path, pixels=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise() if pixels is None else pixels).save(path, **options)
    return path


def rows(folder, **options):
    return data.load(f"images:{folder}", **WHOLE | options).train.x


def said(folder, **options):
    return "\n".join(data.load(f"images:{folder}", **WHOLE | options).understood)


@pytest.mark.parametrize("ending", ["png", "PNG", "bmp", "tif", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_the_file(folder, ending, channels):
    pixels = noise(channels=channels)
    save(folder / f"a.{ending}", pixels)
    x = rows(folder)
    assert (x.dtype, x.shape) == (np.uint8, (1, 8, 8, channels))
    np.testing.assert_array_equal(x[0], pixels.reshape(8, 8, channels))


@pytest.mark.parametrize(("ending", "options"), [("jpg", {"quality": 95}), ("webp", {"lossless": True}), ("gif", {})])
def test_other_formats_are_read_as_well(folder, ending, options):
    smooth = np.add.outer(np.arange(8), np.arange(8)).astype(np.uint8) * 10
    save(folder / f"a.{ending}", np.stack([smooth] * 3, 2), **options)
    assert np.abs(rows(folder).astype(int)[0] - smooth[..., None]).max() <= 6


def test_rows_are_in_the_order_of_their_paths_by_code_points(folder):
    levels = {"b/x.png": 1, "Z.png": 2, "a.png": 3, "é.png": 4, "b.png": 5}
    for name, level in levels.items():
        save(folder / name, np.full((4, 4), level, np.uint8))
    assert rows(folder)[:, 0, 0, 0].tolist() == [levels[name] for name in sorted(levels)]


def test_palettes_transparency_and_one_bit(folder):
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[:2] = (200, 100, 0, 255)
    save(folder / "a.png", clear)
    Image.fromarray(clear[..., :3]).quantize(2).save(folder / "b.png")
    Image.fromarray(clear[..., 0] > 0).save(folder / "c.png")
    x = rows(folder)
    assert x[0, 0, 0].tolist() == [200, 100, 0]
    assert x[0, 3, 3].tolist() == [255, 255, 255]
    assert x[1, 0, 0].tolist() == [200, 100, 0]
    assert x[2, :, 0, 0].tolist() == [255, 255, 0, 0]
    assert "transparent in places, laid on white: 1" in said(folder)


def test_sixteen_bits_become_eight(folder):
    save(folder / "a.png", np.array([[0, 128, 257], [32768, 65535, 65535]], np.uint16))
    assert rows(folder, size=(2, 3))[0, ..., 0].tolist() == [[0, 0, 1], [128, 255, 255]]
    assert "16 bits for each value, 16 of which are used, scaled to 8: 1" in said(folder, size=(2, 3))


def test_as_many_of_sixteen_bits_count_as_are_used_and_new_images_are_read_alike(folder, tmp_path):
    for name, greatest in {"a.png": 4095, "b.png": 1000}.items():
        save(folder / name, np.array([[0, greatest]], np.uint16))
    assert rows(folder, size=(1, 2))[:, 0, 1, 0].tolist() == [255, 62]
    assert "16 bits for each value, 12 of which are used, scaled to 8: 2" in said(folder, size=(1, 2))
    assert rows(folder, size=(1, 2), bits=10)[:, 0, 1, 0].tolist() == [255, 249]
    reading = data.load(f"images:{folder}", size=(1, 2), **WHOLE).reading
    save(tmp_path / "new.png", np.array([[0, 500]], np.uint16))
    assert read_images(str(tmp_path / "new.png"), reading=reading).x[0, 0, 1, 0] == 31


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_images_are_turned_as_exif_says(folder, ending):
    pixels = np.zeros((32, 16, 3), np.uint8)
    pixels[:16] = 255  # white above, and after a quarter turn to the right, white on the right
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / f"a.{ending}", pixels, exif=exif)
    x = rows(folder)[0]
    assert x.shape == (16, 32, 3)
    assert x[:, 20:].min() > 240
    assert x[:, :12].max() < 15
    assert "turned as EXIF says: 1" in said(folder)


def test_sizes_follow_a_rule_that_is_said(folder):
    save(folder / "a.png", noise(20, 30))
    assert rows(folder).shape == (1, 20, 30, 3)
    assert said(folder) == "1 image of 20x30 pixels (height x width), in colour"
    save(folder / "b.png", noise(30, 100, 1))
    assert rows(folder).shape == (2, 64, 64, 3)
    assert "2 images of 20x30 to 30x100 pixels (height x width), in colour, resized to 64x64: the l" in said(folder)
    assert rows(folder, size=16, colour="grey").shape == (2, 16, 16, 1)
    assert rows(folder, size=(12, 16)).shape == (2, 12, 16, 3)


def test_fits_are_crop_pad_and_stretch(folder):
    thirds = np.repeat(np.array([0, 120, 240], np.uint8), 10)[None].repeat(10, 0)
    save(folder / "a.png", thirds)
    assert set(np.unique(rows(folder, size=10))) == {120}
    padded = rows(folder, size=30, fit="pad")[0, ..., 0]
    np.testing.assert_array_equal(padded[10:20], thirds)
    assert not padded[:10].any()
    assert not padded[20:].any()
    stretched = rows(folder, size=(10, 9), fit="stretch")[0, 5, :, 0]
    assert np.abs(stretched[[0, 4, 8]].astype(int) - [0, 120, 240]).max() <= 1


def test_what_cannot_be_read_is_left_out_and_counted(folder, monkeypatch):
    sound = save(folder / "a.png").read_bytes()
    for name, content in {
        "b.png": sound[:60],
        "c.jpg": b"no image",
        "d.png": b"",
        ".e.png": sound,
        "f.txt": b"",
    }.items():
        (folder / name).write_bytes(content)
    (folder / "g.png").symlink_to("nowhere")
    (folder / "h").symlink_to(".")
    os.mkfifo(folder / "i.png")
    save(folder / "j.png", noise(60, 60))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert rows(folder).shape == (1, 8, 8, 3)
    line = said(folder).splitlines()[-1]
    for part in (
        "2 damaged ('b.png', 'c.jpg')",
        "1 empty ('d.png')",
        "1 hidden ('.e.png')",
        "1 no image ('f.txt')",
        "1 missing ('g.png')",
        "1 a link to a folder that is read already ('h/')",
        "1 no file ('i.png')",
        "1 too many pixels ('j.png')",
    ):
        assert part in line


def test_damage_behind_the_header_leaves_the_others_in_place(folder):
    for name, level in {"a": 10, "c": 30, "d": 40}.items():
        save(folder / f"{name}.png", np.full((64, 64), level, np.uint8))
    sound = save(folder / "b.bmp", noise(64, 64, 1)).read_bytes()
    (folder / "b.bmp").write_bytes(sound[:2000])
    assert rows(folder)[:, 0, 0, 0].tolist() == [10, 30, 40]
    assert "1 damaged ('b.bmp')" in said(folder)


def test_folders_are_classes_where_all_images_lie_in_some(folder):
    for name in ("dogs/a.png", "cats/b.png", "cats/deep/c.png"):
        save(folder / name)
    dataset = data.load(f"images:{folder}", **WHOLE)
    assert dataset.label_names == ("cats", "dogs")
    assert dataset.train.labels.tolist() == [0, 0, 1]
    assert "classes are the 2 folders: 'cats' (2), 'dogs' (1)" in dataset.understood
    assert data.load(f"images:{folder}", labels="no", **WHOLE).label_names == ()
    save(folder / "e.png")
    assert data.load(f"images:{folder}", **WHOLE).label_names == ()


def test_folders_called_train_and_test_are_parts(folder):
    for name in ("train/dogs/a.png", "train/cats/b.png", "test/cats/c.png", "val/dogs/d.png"):
        save(folder / name)
    dataset = data.load(f"images:{folder}", validation=0)
    assert dataset.label_names == ("cats", "dogs")
    assert [part.labels.tolist() for part in (dataset.train, dataset.test)] == [[0, 1, 1], [0]]
    assert [part.source_index.tolist() for part in (dataset.train, dataset.test)] == [[1, 2, 3], [0]]
    assert "folders name 1 test rows and 3 training rows, val ones among them" in dataset.understood


def test_a_table_names_images_and_their_labels(tmp_path, folder):
    for name, level in {"a.png": 1, "b.png": 2}.items():
        save(folder / name, np.full((4, 4), level, np.uint8))
    lines = [["kind", "path"], ["wet", "pics/b.png"], ["dry", "pics/gone.png"], ["dry", str(folder / "a.png")]]
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    dataset = data.load(f"images:{tmp_path / 'list.csv'}", label_column="kind", **WHOLE)
    assert dataset.train.x[:, 0, 0, 0].tolist() == [2, 1]
    assert dataset.label_names == ("dry", "wet")
    assert dataset.train.labels.tolist() == [1, 0]
    assert any("1 missing ('pics/gone.png')" in line for line in dataset.understood)
    with pytest.raises(UserError, match="did you mean 'kind'"):
        data.load(f"images:{tmp_path / 'list.csv'}", label_column="kinds")
    (tmp_path / "list.csv").write_text("pics/b.png\npics/a.png\n")
    with pytest.raises(UserError, match="its first line names an image"):
        data.load(f"images:{tmp_path / 'list.csv'}")
    (tmp_path / "list.csv").write_text("weight,height\n1,2\n")
    with pytest.raises(UserError, match="no column holds paths of images"):
        data.load(f"images:{tmp_path / 'list.csv'}")


def test_images_are_decoded_once_and_again_when_a_file_changes(folder, monkeypatch):
    path = save(folder / "a.png")
    first = rows(folder)
    assert isinstance(first, np.memmap)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", None)
        np.testing.assert_array_equal(rows(folder), first)
    save(path)
    os.utime(path, ns=(1, 1))
    assert (rows(folder) != first).any()
    assert len(list(Path(os.environ["AEJAX_CACHE_DIR"], "data").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "options", "fragment"),
    [
        ("images:nowhere", {}, "there is no such folder or file"),
        ("images:pics", {}, r"no image that can be read \(.png, .*left out: 1 no image \('notes.txt'\)"),
        ("images:pics/notes.txt", {}, "no column holds paths of images"),
        ("images:pics", {"label_column": "kind"}, "its classes are the folders in it"),
        ("images:pics", {"labels": "y.npy"}, "data.labels: 'y.npy' is not read beside photographs; allowed: no, where"),
        ("images:pics", {"fit": "crp"}, "data.fit: expected one of crop, pad, stretch or None"),
        ("images:pics", {"size": 0}, "data.size: expected int"),
        ("images:pics", {"size": (1, 2, 3)}, "has 3 numbers; allowed: one, or two: height and width"),
        ("images:pics", {"channels": "first"}, r"data.channels: 'images:pics' does not take it; only file data do"),
        ("digits", {"size": 4}, r"data.size: 'digits' does not take it; only images: data do"),
        ("pics", {}, "looks like images; write 'images:pics'"),
    ],
)
def test_mistakes_are_refused(tmp_path, folder, monkeypatch, name, options, fragment):
    (folder / "notes.txt").write_text("weight\n1\n2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=fragment):
        data.load(name, **options)


def test_a_folder_is_shown(folder, capsys):
    save(folder / "wet" / "a.png")
    save(folder / "dry" / "b.png")
    for name in (str(folder), f"images:{folder}"):
        answer = call(["data", "show", name, "--size", "4", "6"], capsys)
        assert answer.code == 0
        assert "2 images of 8x8 pixels (height x width), in colour, resized to 4x6" in answer.out
        assert "classes are the 2 folders: 'dry' (1), 'wet' (1)" in answer.out
    assert "classes" not in call(["data", "show", str(folder), "--labels", "no"], capsys).out
    assert_refused(call(["data", "show", str(folder), "--decimal", ","], capsys), "data.decimal", "allowed: label_col")
    for number in range(10):
        save(folder / "wet" / f"{number}.png")
    task = ["run", "photographs/autoencoder:anomaly", "--set", f"data.name=images:{folder}"]
    assert_refused(call(task, capsys), "which labels", "allowed: data.normal, some of dry, wet; or data.labels=no")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of some steps on twelve photographs of two kinds, and their folder."""
    folder, run = tmp_path_factory.mktemp("trained") / "pics", tmp_path_factory.mktemp("runs") / "run"
    for number in range(12):
        save(folder / ("wet", "dry")[number % 2] / f"{number:02d}.png", noise(20, 16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AEJAX_CACHE_DIR", str(folder.parent / "cache"))
        assert cli.main(arguments(SMALL | {"data.name": f"images:{folder}"}, workdir=run)) == 0
    return run, folder


def read_table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_results_that_name_the_files(trained):
    run, _ = trained
    codes = read_table(run / "codes.csv")
    names = [f"dry/{n:02d}.png" for n in range(1, 12, 2)] + [f"wet/{n:02d}.png" for n in range(0, 12, 2)]
    assert [row["file"] for row in codes] == names
    assert {row["split"] for row in codes} == {"train", "validation", "test"}
    assert list(codes[0])[2:] == ["label", "code0", "code1", "code2"]
    assert [row["label"] for row in codes] == [name[:3] for name in names]
    for name in names:
        with Image.open(run / "reconstructions" / name) as image:
            assert image.size == (8, 12)


def test_new_photographs_become_what_those_in_training_were(trained, tmp_path, capsys):
    run, _ = trained
    for name, size in {"a.png": (20, 16), "deep/b.jpg": (200, 160), "c.gif": (20, 40)}.items():
        save(tmp_path / "new" / name, noise(*size))
    (tmp_path / "new" / "bad.png").write_bytes(b"bad")
    codes = tmp_path / "codes.csv"
    answer = call(["apply", str(run), "encode", "--input", str(tmp_path / "new"), "--output", str(codes)], capsys)
    assert (answer.code, answer.err) == (0, "")
    assert "1 damaged ('bad.png')" in answer.out
    rows = read_table(codes)
    assert [row["file"] for row in rows] == ["a.png", "c.gif", "deep/b.jpg"]
    x = data.load(f"images:{tmp_path / 'new'}", size=(12, 8), fit="pad", colour="grey", **WHOLE).train.x
    expected = aejax.open(run).encode(x)
    np.testing.assert_allclose([[float(row[f"code{n}"]) for n in range(3)] for row in rows], expected, rtol=1e-5)
    one = ["apply", str(run), "encode", "--input", str(tmp_path / "new" / "a.png"), "--output", str(codes)]
    assert call(one, capsys).code == 0
    (row,) = read_table(codes)
    assert row.pop("file") == rows[0].pop("file") == "a.png"
    np.testing.assert_allclose([*map(float, row.values())], [*map(float, rows[0].values())], rtol=1e-5)


def test_images_are_written_into_a_folder_under_the_same_names(trained, tmp_path, capsys):
    run, _ = trained
    for name in ("a.png", "a.bmp", "deep/b.jpg"):
        save(tmp_path / "new" / name, noise(20, 16))
    words = ["apply", str(run), "reconstruct", "--input", str(tmp_path / "new"), "--output", str(tmp_path / "out")]
    answer = call(words, capsys)
    assert (answer.code, answer.err) == (0, "")
    x = data.load(f"images:{tmp_path / 'new'}", size=(12, 8), fit="pad", colour="grey", **WHOLE).train.x
    for name, image in zip(["a.bmp", "a.png", "deep/b.jpg"], aejax.open(run).reconstruct(x), strict=True):
        with Image.open(tmp_path / "out" / f"{name}.png") as written:
            np.testing.assert_allclose(np.asarray(written), np.clip(image[..., 0], 0, 255), atol=0.51)
    assert_refused(call(words, capsys), "is there already; allowed: a new folder, or an empty one")
    words[2], words[-1] = "encode", str(tmp_path / "other")
    assert_refused(call(words, capsys), "encode gives no images for a folder; allowed: .csv")
    assert not (tmp_path / "other").exists()


def test_a_net_of_other_rows_takes_no_photographs(tiny, folder, capsys):
    save(folder / "a.png")
    for source, fragment in ((folder, "is a folder"), (f"images:{folder}", "was not trained on some")):
        words = ["apply", str(tiny), "encode", "--input", str(source), "--output", str(folder / "codes.csv")]
        assert_refused(call(words, capsys), fragment)


def test_odd_photographs_are_shown_where_they_are_odd(tmp_path, capsys):
    for number in range(16):
        save(tmp_path / "pics" / f"{number:02d}.png", np.full((8, 8), 100 + number, np.uint8))
    spoilt = np.full((8, 8), 108, np.uint8)
    spoilt[2, 5] = 255
    save(tmp_path / "pics" / "spoilt.png", spoilt)
    settings = SMALL | {"task": "{'name': 'anomaly', 'members': 2}", "data.size": "none", "data.fit": "none"}
    settings |= {"data.name": f"images:{tmp_path / 'pics'}", "data.test": "0.0", "data.validation": "0.0"}
    answer = call(arguments(settings, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    scores = {row["file"]: float(row["score"]) for row in read_table(tmp_path / "run" / "scores.csv")}
    assert max(scores, key=scores.get) == "spoilt.png"
    shown = {path.name for path in (tmp_path / "run" / "highest_scores").iterdir()}
    assert shown == set(sorted(scores, key=scores.get)[-8:])
    new = ["--input", str(tmp_path / "pics" / "spoilt.png"), "--output", str(tmp_path / "heat")]
    assert call(["apply", str(tmp_path / "run"), "score", *new], capsys).code == 0
    for heat in (tmp_path / "run" / "highest_scores" / "spoilt.png", tmp_path / "heat" / "spoilt.png"):
        with Image.open(heat) as image:
            red, green, _ = np.moveaxis(np.asarray(image).astype(int), 2, 0)
        assert np.unravel_index((red - green).argmax(), red.shape) == (2, 5)


def test_photographs_are_streamed_from_a_folder_that_is_packed(folder, tmp_path, capsys):
    pytest.importorskip("grain")
    for number in range(12):
        save(folder / ("wet", "dry")[number % 2] / f"{number:02d}.png", noise(20, 16))
    packed = tmp_path / "packed"
    answer = call(["data", "pack", str(folder), "--output", str(packed), "--size", "12", "8", "--fit", "pad"], capsys)
    assert answer.code == 0
    settings = {name: value for name, value in SMALL.items() if not name.startswith("data.")}
    settings |= {"data.name": f"stream:{packed}"}
    assert call(arguments(settings, workdir=tmp_path / "run"), capsys).code == 0
    x = data.load(f"images:{folder}", size=(12, 8), fit="pad", **WHOLE).train.x
    codes = tmp_path / "codes.csv"
    words = ["apply", str(tmp_path / "run"), "encode", "--input", str(folder), "--output", str(codes)]
    assert call(words, capsys).code == 0
    found = [[float(row[f"code{n}"]) for n in range(3)] for row in read_table(codes)]
    np.testing.assert_allclose(found, aejax.open(tmp_path / "run").encode(x), rtol=1e-5)


def test_new_images_are_written_as_files(trained, tmp_path, capsys):
    _, folder = trained
    task = {"name": "generation", "features": "rows", "components": 2, "samples": 5, "neighbours": 1}
    settings = SMALL | {"data.name": f"images:{folder}", "data.test": "0.3", "task": str(task)}
    answer = call(arguments(settings, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "run" / "synthetic").iterdir())
    assert names == [f"{number}.png" for number in range(1, 8)], "as many as there are training images"
    words = ["apply", str(tmp_path / "run"), "sample", "--rows", "12", "--output", str(tmp_path / "more")]
    assert call(words, capsys).code == 0
    names = sorted(path.name for path in (tmp_path / "more").iterdir())
    assert names == [f"{number:02d}.png" for number in range(1, 13)]
    with Image.open(tmp_path / "more" / "07.png") as image:
        assert (image.mode, image.size) == ("L", (8, 12))


def test_long_readings_show_their_progress_and_large_ones_where_they_lie(folder, monkeypatch, capsys):
    monkeypatch.setattr("aejax.console.PLAIN_SECONDS", 0)
    monkeypatch.setattr("aejax.data.images.LARGE", 100)
    save(folder / "a.png")
    save(folder / "b.png")
    assert "decoded they are 0.0 GB, which are mapped into memory from" in said(folder)
    assert capsys.readouterr().out.splitlines() == ["looking at images: 2 of 2", "reading images: 2 of 2"]


def test_images_from_elsewhere_are_written_inside_the_folder_too(trained, tmp_path, capsys):
    run, _ = trained
    outside = save(tmp_path / "elsewhere" / "b.png", noise(20, 16))
    save(tmp_path / "a.png", noise(20, 16))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.csv").write_text(f"path\n../a.png\n{outside}\n../a.png\n")
    source, output = f"images:{tmp_path / 'lists' / 'list.csv'}", tmp_path / "out"
    words = ["apply", str(run), "reconstruct", "--input", source, "--output", str(output)]
    assert call(words, capsys).code == 0
    written = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.png"))
    assert written == sorted(["a 1.png", f"{str(outside.parent)[1:]}/b 2.png", "a 3.png"])
