"""Sweeps on Ray: two nodes on this machine, a worker that is killed, and what cannot be had."""

import json
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import running
from running import ROOT, assert_refused, call, free_port, table

from aejax.errors import UserError
from aejax.sweep.engines import ray as ray_engine

pytest.importorskip("ray", reason="Ray has no wheel for this Python or system: pip install 'aejax[ray]'")

CONFIG = """
from aejax.config import base


def get_config():
    config = base()
    config.data.name, config.data.rows = "bars", 120
    config.model = {"name": "dense.multilayer", "widths": (8,), "code": 2}
    config.terms.peaks = {"name": "terms_of_mine.peaks", "weight": 0.1}
    config.train.steps, config.train.batch_size, config.train.checkpoint_every = 3000, 16, 10**6
    config.report.figures = False
    return config


def sweep():
    return {"terms.peaks.weight": [0.01, 0.1], "seed": "0:2", "model.code": [2, 3]}
"""
TERM = '''
def peaks(ctx):
    """The mean square of the code's largest unit."""
    return (ctx.code.max(-1) ** 2).mean()
'''
NODES = """
import sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
cluster.add_node(**node)
raylets = [process.process.pid for node in cluster.list_all_nodes() for process in node.all_processes["raylet"]]
print(cluster.address, *raylets, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def two_nodes(folder):
    """A cluster of two nodes: its address, and the processes that workers are children of."""
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # sockets have short names
        process = subprocess.Popen(
            [sys.executable, "-c", NODES],
            env=environment() | {"RAY_TMPDIR": short, "TMPDIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            address, *raylets = process.stdout.readline().split()
            yield address, set(map(int, raylets))
        finally:
            process.communicate("", timeout=60)


def environment():
    variables = running.environment()
    variables = {name: value for name, value in variables.items() if name not in ("XLA_FLAGS", "RAY_ADDRESS")}
    return variables | {"RAY_USAGE_STATS_ENABLED": "0"}


def begin(folder, workdir, *options, **changes):
    words = [sys.executable, "-m", "aejax", "sweep", str(folder / "bars.py"), "--workdir", str(workdir), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*words, "--strategy", "vmap"], env=environment() | changes, cwd=ROOT, text=True, **pipes)


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out, err


def workers(raylets):
    """The processes that do a task, by number, and whose children they are."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (path / "cmdline").read_bytes().startswith(b"ray::aejax sweep"):
                parents[int(path.name)] = parent
        except OSError:
            continue
    return parents


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """An experiment, and what one process makes of it."""
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "bars.py").write_text(CONFIG)
    (folder / "terms_of_mine.py").write_text(TERM)
    out, _ = finish(begin(folder, folder / "local", "--devices", "1"))
    assert "group 2 of 2: 4 runs" in out
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds a worker in /proc")
def test_two_nodes_make_the_table_of_one_process_though_a_worker_is_killed(tmp_path, local):
    with two_nodes(tmp_path / "tmp") as (address, raylets):
        sweep = begin(local, tmp_path / "ray", "--engine", "ray", "--address", address)
        seen, deadline = {}, time.monotonic() + 200
        while len(set(seen.values())) < 2 or not list(tmp_path.glob("tmp/aejax-task-*/parts/*/strategy.json")):
            assert sweep.poll() is None, sweep.communicate()
            assert time.monotonic() < deadline
            seen |= workers(raylets)
            time.sleep(0.02)
        victim = next(iter(workers(raylets)))
        os.kill(victim, signal.SIGKILL)
        out, err = finish(sweep)
        left = list(tmp_path.glob("tmp/aejax-task-*"))
    assert "task 2 of 2 (4 runs): done" in out
    assert err == ""
    assert len(left) == 1, "just what the killed worker had begun"
    assert (tmp_path / "ray" / "table.csv").read_bytes() == (local / "local" / "table.csv").read_bytes()
    assert len({row["parameters_digest"] for row in table(tmp_path / "ray")}) == 8
    assert parts(tmp_path / "ray") == parts(local / "local")


def parts(folder):
    """What a sweep keeps of its blocks, but for the times that they took."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.safetensors")}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_cluster_of_its_own_ends_with_an_interrupted_sweep_which_goes_on(tmp_path, local):
    with tempfile.TemporaryDirectory(prefix="ray-") as short:
        tasks = ("--engine", "ray", "--task-runs", "1")
        sweep, deadline = begin(local, tmp_path / "ray", *tasks, RAY_TMPDIR=short), time.monotonic() + 200
        while not list(tmp_path.glob("ray/parts/*/done.json")):
            assert sweep.poll() is None, sweep.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        sweep.send_signal(signal.SIGINT)
        _, err = sweep.communicate(timeout=60)
        assert (sweep.returncode, err.count("\n")) == (130, 2), err
        assert "go on with the same command" in err
        assert not processes_of(short)
    done = {path: path.read_bytes() for path in tmp_path.glob("ray/parts/*/done.json")}
    assert 1 <= len(done) < 8
    out, _ = finish(begin(local, tmp_path / "ray", "--devices", "1"))
    assert f"{len(done)} of 8 runs are done" in out
    assert {path: path.read_bytes() for path in done} == done
    digests = {row["parameters_digest"] for row in table(tmp_path / "ray")}
    assert len(digests) == 8
    assert {json.loads(text)["results"][0]["parameters_digest"] for text in done.values()} <= digests


def processes_of(folder):
    """The processes that name a folder on their command line."""
    numbers = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            numbers += [path.name] if folder.encode() in (path / "cmdline").read_bytes() else []
        except OSError:
            continue
    return numbers


AXIS = ("sweep", "lecture/sparse_l1", "--axis", "seed=0:2")


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:none", "there.invalid:6379"])
def test_a_cluster_that_cannot_be_reached_is_told_in_one_line(tmp_path, capsys, address):
    address = address or f"127.0.0.1:{free_port()}"
    words = [*AXIS, "--workdir", str(tmp_path / "sweep"), "--engine", "ray", "--address", address]
    assert_refused(call(words, capsys), f"--address {address}: ", "host:port")
    assert not (tmp_path / "sweep").exists()


def test_a_head_that_is_gone_for_good_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(ray_engine, "ASK_SECONDS", 0)
    alive = ray_engine.watch(f"127.0.0.1:{free_port()}", Path("runs/x"))
    alive()  # it may come back
    monkeypatch.setattr(ray_engine, "GONE_SECONDS", 0)
    with pytest.raises(UserError, match=r"the Ray cluster of 127.* has gone; .* --workdir runs/x does the rest"):
        alive()


def test_a_port_where_something_else_answers_is_no_cluster(tmp_path, capsys):
    with socketserver.TCPServer(("127.0.0.1", 0), OldServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        words = [*AXIS, "--workdir", str(tmp_path / "sweep"), "--engine", "ray", "--address", address]
        assert_refused(call(words, capsys), f"--address {address}: no Ray cluster answers there (something else does)")
        server.shutdown()


class OldServer(socketserver.BaseRequestHandler):
    """Of HTTP/1.1."""

    def handle(self):
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
