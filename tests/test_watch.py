"""Runs are looked at while they train: what the page says is what their files say, and nobody else is served."""

import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from running import TINY, arguments, assert_refused, call, environment

from aejax.report import words
from aejax.report.page import render, watch
from aejax.runs import workdir

EN, ES = map(words.catalogue, words.LANGUAGES)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs: one that is finished, and one whose first evaluation is all that there is."""
    from aejax import cli

    folder = tmp_path_factory.mktemp("watched") / "runs"
    assert cli.main(arguments(TINY, workdir=folder / "done")) == 0
    shutil.copytree(folder / "done", folder / "many" / "half way")
    (folder / "many" / "half way" / "summary.json").unlink()
    metrics = folder / "many" / "half way" / "metrics.csv"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:2]))
    return folder


@pytest.mark.parametrize("language", [EN, ES])
def test_the_page_says_what_the_files_say_now(runs, language):
    text = render.text(watch.page(runs, 7, language), language).decode()
    assert '<meta http-equiv="refresh" content="7">' in text
    for folder, steps in ((runs / "done", "4 / 4"), (runs / "many" / "half way", "2 / 4")):
        assert steps in text
        assert language.number(workdir.read_metrics(folder)[-1]["validation_mse"]) in text
    assert text.count(language.text["watch"]["finished"]) == 1
    assert "half way" in text
    assert text.count("<img") == 1, "one figure of all learning curves"


def test_one_run_a_run_before_its_first_evaluation_and_a_damaged_one(runs, tmp_path):
    for name in ("begun", "damaged"):
        shutil.copytree(runs / "done", tmp_path / name)
        (tmp_path / name / "summary.json").unlink()
    (tmp_path / "begun" / "metrics.csv").unlink()
    (tmp_path / "damaged" / "metrics.csv").write_text("step,loss\n1,a\n")
    one = render.text(watch.page(tmp_path / "begun", 5, EN), EN).decode()
    assert "0 / 4" in one
    assert EN.text["watch"]["begun"] in one
    assert "<img" not in one
    assert "is damaged" in render.text(watch.page(tmp_path, 5, EN), EN).decode()


def test_a_folder_without_runs_and_a_port_that_is_none_are_refused(tmp_path, runs, capsys):
    assert_refused(call(["watch", str(tmp_path)], capsys), "no run has begun there")
    assert_refused(call(["watch", str(runs), "--port", "70000"], capsys), "--port 70000: allowed: 0 to 65535")
    assert_refused(call(["watch", str(runs), "--every", "0"], capsys), "--every 0: allowed: 1 or more")


def test_the_command_serves_this_machine_until_it_is_interrupted(runs):
    command = [sys.executable, "-m", "aejax", "watch", str(runs), "--port", "0"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            address = re.match(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert "half way" in answer.read().decode()
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{address}config.json", timeout=60)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
