"""Every block of code in the guide runs, as a reader would run it; and the reference leaves nothing out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT, environment

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELSEWHERE = "console"
"""The language of what needs a cluster or a network, which no test has."""


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page, tmp_path):
    bin_folder = str(Path(sys.executable).parent)
    own = environment(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    own["PYTHONPATH"] = f"{ROOT}{os.pathsep}{tmp_path}"  # beside the files that the page has shown so far
    own.pop("JAX_DISABLE_MOST_OPTIMIZATIONS")  # a page reproduces recorded numbers, to the last bit
    for language, text in blocks(page):
        if language == "python" and (named := re.match(r"# (\w+\.py)\n", text)):
            (tmp_path / named[1]).write_text(text.partition("\n")[2], encoding="utf-8")
            continue
        if language not in ("bash", "python"):
            continue
        command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def test_the_guide_has_code_of_each_kind():
    languages = [language for page in PAGES for language, _ in blocks(page)]
    assert languages.count("bash") > 5
    assert languages.count("python") > 5
    assert set(languages) <= {"bash", "python", ELSEWHERE, "text"}


def test_what_needs_a_cluster_is_spelled_as_the_command_line_takes_it():
    from aejax.cli import parser, spelled

    shown = [text for page in PAGES for language, text in blocks(page) if language == ELSEWHERE]
    commands = [line for text in shown for line in text.replace("\\\n", " ").splitlines()]
    found = list(filter(None, (re.search(r"\baejax (run|sweep) .*", line) for line in commands)))
    assert len(found) > 3
    for command in found:
        words = command[0].partition("#")[0].split()[1:]
        assert parser().parse_args(spelled([word.strip("\"'") for word in words])).config


def test_the_reference_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="needs the extra docs: pip install '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / "guide" / "first_run.html").exists()
