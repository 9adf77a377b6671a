"""A net in two files: each half does its part and no more, and a sealed one gives nothing away."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import TINY, arguments, assert_refused, call

from aejax.cli import passphrase
from aejax.errors import UserError
from aejax.models import conv, dense
from aejax.models.architecture import leaves_read
from aejax.runs import apply, artifact
from aejax.storage.trees import path_name

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(artifact.SCRYPT, "n", 2**4)  # quick to guess, and quick to test
        patch.delenv(passphrase.VARIABLE, raising=False)
        yield


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """The folder of a finished run."""
    return shutil.copytree(tiny, tmp_path_factory.mktemp("split") / "run")


@pytest.fixture
def parted(whole, tmp_path, capsys):
    """Two files of it, a file with the passphrase, and rows."""
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\nand a second line\n", encoding="utf-8")
    files = {"encoder": tmp_path / "e.aejax", "decoder": tmp_path / "d.sealed"}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    answer = call(["split", str(whole), *options, "--passphrase-file", str(secret)], capsys)
    assert answer.code == 0, answer
    assert PASSPHRASE not in answer.out + answer.err
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(7, 8)).astype(np.float32))
    return files["encoder"], files["decoder"], secret, tmp_path


def use(source, action, given, target, capsys, *more):
    words = ["apply", str(source), action, "--input", str(given), "--output", str(target), *map(str, more)]
    return call(words, capsys)


def test_two_halves_do_what_the_whole_does(whole, parted, capsys):
    encoder, decoder, secret, folder = parted
    x = folder / "x.npy"
    assert use(whole, "encode", x, folder / "code.npy", capsys).code == 0
    assert use(encoder, "encode", x, folder / "half.npy", capsys).code == 0
    assert (folder / "code.npy").read_bytes() == (folder / "half.npy").read_bytes()
    assert use(whole, "reconstruct", x, folder / "x_hat.npy", capsys).code == 0
    opened = use(decoder, "decode", folder / "half.npy", folder / "again.npy", capsys, "--passphrase-file", secret)
    assert opened.code == 0
    np.testing.assert_allclose(np.load(folder / "again.npy"), np.load(folder / "x_hat.npy"), rtol=1e-6)


@pytest.mark.parametrize(("half", "action"), [(0, "decode"), (0, "reconstruct"), (1, "encode"), (1, "reconstruct")])
def test_a_half_refuses_what_the_other_does(half, action, parted, capsys):
    *files, secret, folder = parted
    answer = use(files[half], action, folder / "x.npy", folder / "out.npy", capsys, "--passphrase-file", secret)
    assert_refused(answer, "this half of a net cannot do it", f"allowed: {'decode' if half else 'encode'}")
    assert not (folder / "out.npy").exists()


def test_neither_file_holds_the_other_half(whole, parted):
    encoder, decoder, _, _ = parted
    trained = apply.load(whole)
    kernels = {part: np.asarray(trained.params[part]["layer0"]["kernel"]).tobytes() for part in ("encoder", "decoder")}
    assert kernels["encoder"] in encoder.read_bytes()
    assert kernels["decoder"] not in encoder.read_bytes()
    sealed = decoder.read_bytes()
    assert kernels["decoder"] not in sealed
    assert b"layer0" not in sealed
    half = artifact.read(encoder, lambda: "")
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(half.params["decoder"]))


def test_a_wrong_passphrase_and_any_changed_byte_are_refused_alike(parted, capsys):
    _, decoder, secret, folder = parted
    np.save(folder / "code.npy", np.zeros((2, 2), np.float32))
    out = folder / "out.npy"
    wrong = folder / "wrong"
    wrong.write_text(PASSPHRASE.title())
    lines = {use(decoder, "decode", folder / "code.npy", out, capsys, "--passphrase-file", wrong).err}
    content = decoder.read_bytes()
    start = content.index(b"\n") + 1
    for place in (start, start + artifact.SALT, start + artifact.SALT + artifact.NONCE, len(content) - 1):
        decoder.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        answer = use(decoder, "decode", folder / "code.npy", out, capsys, "--passphrase-file", secret)
        assert_refused(answer, "cannot be opened: the passphrase is wrong, or the file was changed")
        lines.add(answer.err)
    assert len(lines) == 1, "the line does not tell which of the two it was"
    for length in (start, start + 5, len(content) - 1):
        decoder.write_bytes(content[:length])
        answer = use(decoder, "decode", folder / "code.npy", out, capsys, "--passphrase-file", secret)
        assert_refused(answer, "cannot be opened")
    assert not out.exists()


def test_a_damaged_encoder_and_other_formats_are_refused(parted, capsys):
    encoder, decoder, secret, folder = parted
    content = encoder.read_bytes()
    encoder.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert_refused(use(encoder, "encode", folder / "x.npy", folder / "o.npy", capsys), "is damaged", "SHA-256")
    encoder.write_bytes(content.replace(b" 1\n", b" 2\n", 1))
    assert_refused(use(encoder, "encode", folder / "x.npy", folder / "o.npy", capsys), "is of format 2, this version")
    decoder.write_bytes(decoder.read_bytes().replace(b" 1\n", b" 9\n", 1))
    answer = use(decoder, "decode", folder / "x.npy", folder / "o.npy", capsys, "--passphrase-file", secret)
    assert_refused(answer, "is of format 9, this version")
    assert_refused(
        use(secret, "encode", folder / "x.npy", folder / "o.npy", capsys), "no half that `aejax split` wrote"
    )


def test_what_split_refuses(whole, tmp_path, capsys, monkeypatch):
    encoder, decoder = tmp_path / "e", tmp_path / "d"
    files = ["--encoder", str(encoder), "--decoder", str(decoder)]
    (tmp_path / "empty").write_text("\n")
    refused = lambda *words: call(["split", str(whole), *words], capsys)
    assert_refused(refused(*files, "--passphrase-file", str(tmp_path / "empty")), "the passphrase is empty")
    assert_refused(refused(*files, "--passphrase-file", str(tmp_path / "none")), "none")
    assert_refused(refused(*files), "nobody is there to ask")
    monkeypatch.setenv(passphrase.VARIABLE, "")
    assert_refused(refused(*files), f"{passphrase.VARIABLE}: the passphrase is empty")
    monkeypatch.setenv(passphrase.VARIABLE, PASSPHRASE)
    assert_refused(refused("--encoder", str(encoder), "--decoder", str(encoder)), "is the encoder's file")
    assert_refused(refused("--encoder", str(tmp_path / "no" / "e")), "there is no folder")
    assert_refused(call(["split", str(tmp_path), *files], capsys), "is no folder of a run")
    assert not encoder.exists()
    assert not decoder.exists()
    assert refused(*files).code == 0
    assert_refused(refused(*files), "is there already")


def test_a_person_types_a_new_passphrase_twice(monkeypatch):
    typed = iter(["one", "two", "", "same", "same", "known"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(UserError, match="not the same"):
        passphrase.new(None)
    with pytest.raises(UserError, match="is empty"):
        passphrase.new(None)
    assert passphrase.new(None) == "same"
    assert passphrase.known(None) == "known"


def test_shared_weights_are_not_split(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(passphrase.VARIABLE, PASSPHRASE)
    assert call(arguments({**TINY, "model.tied": "true"}, workdir=tmp_path / "run"), capsys).code == 0
    answer = call(["split", str(tmp_path / "run")], capsys)
    assert_refused(answer, "share encoder/layer0/kernel", "model.tied=false")
    assert not list((tmp_path / "run").glob("*.aejax"))


def test_only_models_of_aejax_are_read(whole, tmp_path):
    """A file from elsewhere must not name a function of another package."""
    trained = apply.load(whole)
    arrays = artifact.halves(trained)["encoder"]
    half = artifact.as_bytes(trained, arrays)
    with pytest.raises(UserError, match=r"^model.name of a half: unknown 'subprocess.run'"):
        artifact.as_bytes(trained._replace(settings={"name": "subprocess.run"}), arrays)
    told = half[4 : 4 + int.from_bytes(half[:4], "big")]
    text = told.replace(b'"dense.multilayer"', b'"subprocess.getoutput"')
    artifact.write_encoder(tmp_path / "e", len(text).to_bytes(4, "big") + text + half[4 + len(told) :])
    with pytest.raises(UserError, match=r"subprocess\.getoutput"):
        artifact.read(tmp_path / "e", lambda: "")


@pytest.mark.parametrize("model", [dense.multilayer((6,), widths=(4,), code=2), conv.convolutional((8, 8, 1), code=3)])
def test_which_parameters_are_read(model):
    params = model.init(jax.random.key(0))
    x, code = jnp.ones((1, int(np.prod(model.feature_shape)))), jnp.ones((1, model.code_size))
    for part, function, given in (("encoder", model.encode, x), ("decoder", model.decode, code)):
        read = set(map(path_name, leaves_read(function, params, given)))
        assert read
        assert {name.partition("/")[0] for name in read} == {part}
        # what is not read can be anything
        other = {
            name: leaf if name == part else jax.tree.map(lambda v: v * jnp.nan, leaf) for name, leaf in params.items()
        }
        assert bool(jnp.isfinite(function(other, given)).all())


def test_the_default_files_lie_in_the_folder(whole, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(passphrase.VARIABLE, PASSPHRASE)
    shutil.copytree(whole, tmp_path / "run")
    assert call(["split", str(tmp_path / "run")], capsys).code == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"encoder.aejax", "decoder.sealed"}
