"""A checkpoint comes back bit for bit or is known to be damaged; a save that dies loses nothing."""

import errno
import hashlib
import json
import random
import shutil
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aejax.errors import UserError
from aejax.storage import checkpoint


def silent(line):
    raise AssertionError(f"nothing is damaged, but: {line}")


def same_bits(left, right):
    left, right = np.asarray(left), np.asarray(right)
    return (left.dtype.name, left.shape, left.tobytes()) == (right.dtype.name, right.shape, right.tobytes())


def assert_same(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    assert all(map(same_bits, jax.tree.leaves(left), jax.tree.leaves(right)))


def sample(seed, size=7):
    """A tree that looks like a state, told apart by its seed."""
    generator = np.random.default_rng(seed)
    return {"params": {"w": generator.normal(size=(size, 3)).astype(np.float32), "b": np.zeros(3)}, "step": seed}


DTYPES = [
    *("bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128", ">f4", ">i8"),
]


def arrays():
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    native = st.sampled_from(DTYPES).flatmap(lambda kind: hnp.arrays(np.dtype(kind), shapes))
    halves = hnp.arrays(np.uint16, shapes).map(lambda array: array.view(ml_dtypes.bfloat16))
    eighths = hnp.arrays(np.uint8, shapes).map(lambda array: array.view(ml_dtypes.float8_e4m3fn))
    turned = native.map(lambda array: array.T)
    return native | halves | eighths | turned | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans()


KEYS = st.text("ab/%._ρ-", max_size=4) | st.just("__metadata__") | st.just("%5F_metadata__")
TREES = st.recursive(
    arrays() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(TREES)
def test_any_tree_comes_back_bit_for_bit(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("run")
    little = jax.tree.map(lambda leaf: np.asarray(leaf).astype(np.asarray(leaf).dtype.newbyteorder("<")), tree)
    checkpoint.save(folder, 3, tree)
    step, restored, info = checkpoint.restore(folder, tree, say=silent)
    assert (step, info) == (3, {})
    assert_same(restored, little)
    assert checkpoint.digest(tree) == checkpoint.digest(restored)
    flat = checkpoint.restore_flat(folder, say=silent) if jax.tree.leaves(tree) else {}
    assert len(flat) == len(jax.tree.leaves(tree))


def test_a_training_state_comes_back_as_it_trains(tmp_path):
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.constant_schedule(1e-2)))

    class State(NamedTuple):
        params: dict
        opt_state: tuple
        step: jax.Array

    def init():
        params = {"encoder": {"kernel": jnp.ones((4, 2))}, "decoder": [jnp.zeros(2, jnp.bfloat16)]}
        return State(params, optimizer.init(params), jnp.int32(0))

    def advance(state):
        gradients = jax.tree.map(lambda leaf: jnp.sin(leaf + state.step), state.params)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        return State(optax.apply_updates(state.params, updates), opt_state, state.step + 1)

    advance = jax.jit(advance, donate_argnums=0)
    state = advance(init())
    info = {"config": {"lr": 0.01, "name": "ρ"}, "loss": float("nan"), "ema": np.float32(0.5)}
    checkpoint.save(tmp_path, 1, state, info=info)
    restored = checkpoint.restore(tmp_path, jax.eval_shape(init), say=silent)
    assert_same(restored.tree, state)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(restored.tree))
    assert restored.info == {"config": {"lr": 0.01, "name": "ρ"}, "loss": "nan", "ema": 0.5}
    assert_same(advance(restored.tree), advance(state))
    flat = checkpoint.restore_flat(tmp_path, "params/encoder")
    assert list(flat) == ["kernel"]
    params = checkpoint.restore(tmp_path, jax.eval_shape(init).params, prefix="params").tree
    assert same_bits(params["encoder"]["kernel"], flat["kernel"])


def test_leaves_come_back_as_what_like_has(tmp_path):
    tree = {"array": jnp.ones(2), "wide": np.arange(2, dtype=np.int64)}
    checkpoint.save(tmp_path, 0, tree)
    as_numpy = checkpoint.restore(tmp_path, jax.tree.map(np.asarray, tree)).tree
    assert all(isinstance(leaf, np.ndarray) and leaf.flags.writeable for leaf in as_numpy.values())
    struct = {"array": tree["array"], "wide": jax.ShapeDtypeStruct((2,), np.int64)}
    restored = checkpoint.restore(tmp_path, struct).tree
    assert isinstance(restored["array"], jax.Array)
    assert not restored["array"].committed
    assert restored["wide"].dtype == np.int64  # jax would narrow it
    placed = {**tree, "array": jax.device_put(tree["array"], jax.devices()[0])}
    assert checkpoint.restore(tmp_path, placed).tree["array"].committed


def test_other_tools_can_read_the_data(tmp_path):
    from safetensors import safe_open

    manifest = checkpoint.save(tmp_path, 12, {"a": {"b": np.float32([1, 2])}, "c": jnp.bfloat16([1.5])})
    record = json.loads(manifest.read_text())
    data = tmp_path / record["data"]
    assert hashlib.sha256(data.read_bytes()).hexdigest() == record["sha256"]
    with safe_open(data, framework="np") as file:
        assert sorted(file.keys()) == ["a/b", "c"]
        assert file.get_tensor("a/b").tolist() == [1, 2]
        assert file.get_tensor("c").view(ml_dtypes.bfloat16).tolist() == [1.5]


def test_nothing_saved_is_none(tmp_path):
    assert checkpoint.restore(tmp_path / "absent", {}) is None
    assert checkpoint.steps(tmp_path / "absent") == []
    with pytest.raises(UserError, match="no checkpoint that verifies"):
        checkpoint.restore_flat(tmp_path)


def test_keep_and_steps(tmp_path):
    for step in range(0, 50, 10):
        checkpoint.save(tmp_path, step, sample(step), keep=3)
    assert checkpoint.steps(tmp_path) == [20, 30, 40]
    assert len(list(tmp_path.iterdir())) == 6
    assert_same(checkpoint.restore(tmp_path, sample(0), step=20).tree, jax.tree.map(np.asarray, sample(20)))
    checkpoint.save(tmp_path, 30, sample(1), keep=2)  # the run went back
    assert checkpoint.steps(tmp_path) == [20, 30]
    assert_same(checkpoint.restore(tmp_path, sample(0)).tree, jax.tree.map(np.asarray, sample(1)))
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_one_does_not_count_as_kept(tmp_path):
    for step in (1, 2):
        checkpoint.save(tmp_path, step, sample(step), keep=2)
    next(tmp_path.glob("step-00000002-*")).unlink()
    checkpoint.save(tmp_path, 3, sample(3), keep=2)
    assert 1 in checkpoint.steps(tmp_path)
    checkpoint.save(tmp_path, 4, sample(4), keep=2)
    assert checkpoint.steps(tmp_path) == [3, 4]
    assert len(list(tmp_path.iterdir())) == 4


def test_leftovers_of_killed_saves_are_removed_and_other_files_are_not(tmp_path):
    checkpoint.save(tmp_path, 1, sample(1))
    leftovers = [".unfinished-0123", "step-00000002-0123456789abcdef.safetensors"]
    others = ["step-notes.json", "notes.txt", "metrics.csv"]
    for name in leftovers + others:
        (tmp_path / name).write_bytes(b"x")
    checkpoint.save(tmp_path, 3, sample(3))
    names = {path.name for path in tmp_path.iterdir()}
    assert names.isdisjoint(leftovers)
    assert names.issuperset(others)
    assert checkpoint.steps(tmp_path) == [1, 3]


@pytest.fixture
def two(tmp_path):
    for step in (1, 2):
        checkpoint.save(tmp_path, step, sample(step), info={"loss": 0.1 * step, "name": "ñ"})
    return tmp_path


def assert_falls_back(folder, reason):
    said = []
    step, tree, _ = checkpoint.restore(folder, sample(0), say=said.append)
    assert step == 1
    assert_same(tree, jax.tree.map(np.asarray, sample(1)))
    assert len(said) == 1
    assert reason in said[0]
    assert "step 2" in said[0]
    assert "trying step 1" in said[0]
    assert "\n" not in said[0]
    with pytest.raises(UserError, match="step 2"):
        checkpoint.restore(folder, sample(0), step=2)


@pytest.mark.parametrize("pattern", ["step-00000002-*.safetensors", "step-00000002.json"])
def test_any_flipped_bit_is_found(two, pattern):
    path = next(two.glob(pattern))
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        assert_falls_back(two, "damaged" if path.suffix == ".json" else "SHA-256")
    path.write_bytes(whole)
    assert checkpoint.restore(two, sample(0), say=silent).step == 2


@pytest.mark.parametrize("pattern", ["step-00000002-*.safetensors", "step-00000002.json"])
@pytest.mark.parametrize("part", [0, 0.5, 0.999, 1.1])
def test_a_file_cut_off_or_too_long_is_found(two, pattern, part):
    path = next(two.glob(pattern))
    whole = path.read_bytes()
    path.write_bytes((whole * 2)[: int(part * len(whole))])
    assert_falls_back(two, "passed over")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("step-00000002-*.safetensors", "data are missing"), ("step-00000002.json", "manifest is missing")],
)
def test_a_missing_part_is_found(two, pattern, reason):
    next(two.glob(pattern)).unlink()
    assert_falls_back(two, reason)


@pytest.mark.parametrize("text", ["[]", "7", "null", "{}", '{"seal": 1}', "[" * 100_000, '{"a": NaN}'])
def test_json_that_is_no_manifest_is_found(two, text):
    (two / "step-00000002.json").write_text(text)
    assert_falls_back(two, "manifest is damaged")


def test_the_manifest_of_another_step_is_found(two):
    shutil.copy(two / "step-00000001.json", two / "step-00000002.json")
    assert_falls_back(two, "manifest is damaged")


def test_a_part_that_cannot_be_read_is_found(two):
    path = next(two.glob("step-00000002-*"))
    path.unlink()
    path.mkdir()
    assert_falls_back(two, "cannot be read")


def test_all_damaged_is_none_and_said(two):
    for path in two.glob("*.safetensors"):
        path.write_bytes(b"")
    said = []
    assert checkpoint.restore(two, sample(0), say=said.append) is None
    assert len(said) == 2
    assert "none before it" in said[1]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda tree: tree["params"].update(w=np.zeros((7, 4), np.float32)), r"params/w .*\(7, 3\).*\(7, 4\)"),
        (lambda tree: tree["params"].update(w=np.zeros((7, 3))), r"params/w is float32.*and float64"),
        (lambda tree: tree["params"].update(c=1.0), r"params/c is absent in the checkpoint"),
        (lambda tree: tree["params"].pop("b"), r"params/b is float64 \(3,\) in the checkpoint and absent"),
        (lambda tree: tree.update(step=jax.ShapeDtypeStruct((), np.int32)), r"step is int64 \(\).*int32 \(\)"),
    ],
)
def test_what_does_not_fit_is_named(two, change, line):
    like = sample(0)
    change(like)
    with pytest.raises(UserError, match=line) as caught:
        checkpoint.restore(two, like)
    assert "\n" not in str(caught.value)


def test_a_prefix_or_step_that_is_not_there_is_named(two):
    with pytest.raises(UserError, match="no 'model'; it holds: params, step"):
        checkpoint.restore_flat(two, "model")
    with pytest.raises(UserError, match=r"step 5 .*; there are: 1, 2"):
        checkpoint.restore(two, sample(0), step=5)


@pytest.mark.parametrize(
    ("leaf", "line"),
    [(jax.random.key(0), "'a/k' is a typed key"), ("text", "'a/k' is of type str"), (object(), "'a/k' .* object")],
    ids=["key", "text", "object"],
)
def test_what_has_no_stored_form_is_refused(tmp_path, leaf, line):
    with pytest.raises(UserError, match=line):
        checkpoint.save(tmp_path / "run", 1, {"a": {"k": leaf}})
    with pytest.raises(UserError, match=line):
        checkpoint.digest({"a": {"k": leaf}})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("step", "keep"), [(-1, 2), (1, 0)])
def test_a_bad_step_or_keep_is_refused(tmp_path, step, keep):
    with pytest.raises(UserError, match="step must be"):
        checkpoint.save(tmp_path, step, {}, keep=keep)


def test_digest_is_the_documented_one_everywhere():
    tree = {"b": np.float32([[1, 2]]), "a": {"x/y": np.int32(3)}, "c": jnp.bfloat16([1.5])}
    expected = hashlib.sha256(
        b'["a/x%2Fy", "int32", []]\n'
        + (3).to_bytes(4, "little")
        + b'["b", "float32", [1, 2]]\n\x00\x00\x80\x3f\x00\x00\x00\x40'
        + b'["c", "bfloat16", [1]]\n\xc0\x3f'
    ).hexdigest()
    assert checkpoint.digest(tree) == expected
    assert checkpoint.digest(jax.tree.map(jnp.asarray, tree)) == expected
    assert checkpoint.digest({**tree, "b": np.asarray([[1, 2]], ">f4")}) == expected
    assert checkpoint.digest({**tree, "b": np.float32([[1, 9, 2, 9]])[:, ::2]}) == expected


@pytest.mark.parametrize(
    "other",
    [{"b": np.zeros(2)}, {"a": np.zeros((2, 1))}, {"a": np.zeros(2, int)}, {"a": -np.zeros(2)}, [np.zeros(2)]],
)
def test_digest_tells_names_shapes_types_and_bits_apart(other):
    assert checkpoint.digest({"a": np.zeros(2)}) != checkpoint.digest(other)


def run_python(code: str, folder) -> str:
    script = f"""
import os, resource, signal, sys, time
import numpy as np
from aejax.storage import checkpoint
folder = {str(folder)!r}
def tree(step):
    return {{"params": {{"w": np.full(50_000, step, np.float32)}}, "step": step, "draft": 0}}
{code}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


def assert_restores(folder, at_least):
    like = {"params": {"w": np.zeros(50_000, np.float32)}, "step": 0, "draft": 0}
    for step in checkpoint.steps(folder):
        checkpoint.restore(folder, like, step=step)  # what has a manifest is whole
    step, tree, _ = checkpoint.restore(folder, like, say=lambda line: None)
    assert step >= at_least
    assert tree["step"] == step
    assert (tree["params"]["w"] == step).all()
    return step


KILLED_AT_EACH_FILE_OPERATION = """
def die_at(count):
    left = [count]
    def hook(event, arguments):
        if event in ("open", "os.rename", "os.remove", "os.mkdir"):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for count in range(100):
    run = os.path.join(folder, str(count))
    checkpoint.save(run, 1, tree(1))
    checkpoint.save(run, 2, tree(2))
    child = os.fork()
    if not child:
        die_at(count)
        checkpoint.save(run, 3, tree(3))
        checkpoint.save(run, 3, {**tree(3), "draft": 1})
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def test_a_save_killed_before_any_file_operation_loses_nothing(tmp_path):
    run_python(KILLED_AT_EACH_FILE_OPERATION, tmp_path)
    runs = sorted(tmp_path.iterdir(), key=lambda run: int(run.name))
    assert 15 < len(runs) < 100
    steps = [assert_restores(run, at_least=2) for run in runs]
    assert steps == sorted(steps)  # once the new one is there, it stays, also while it is saved again
    assert set(steps) == {2, 3}
    for run in runs:
        checkpoint.save(run, 4, sample(4), keep=1)
        assert len(list(run.iterdir())) == 2


KILLED_AT_RANDOM = """
reader, writer = os.pipe()
child = os.fork()
if not child:
    step = 0
    while True:
        checkpoint.save(folder, step, tree(step))
        os.write(writer, b"%d\\n" % step)
        step += 1
os.close(writer)
reports = os.fdopen(reader)
first = reports.readline()
time.sleep({delay})
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print((first + reports.read()).split()[-1])
"""


def test_a_run_killed_at_a_random_moment_loses_nothing(tmp_path):
    delays = random.Random(0)
    for trial in range(3):
        folder = tmp_path / str(trial)
        code = KILLED_AT_RANDOM.replace("{delay}", str(delays.uniform(0.0, 0.2)))
        assert_restores(folder, at_least=int(run_python(code, folder)))


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path):
    code = """
checkpoint.save(folder, 1, tree(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoint.save(folder, 2, tree(2))
except OSError as error:
    print(error.errno)
"""
    assert int(run_python(code, tmp_path)) == errno.EFBIG
    assert assert_restores(tmp_path, at_least=1) == 1
    assert len(list(tmp_path.iterdir())) == 2
