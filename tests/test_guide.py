"""Every block of code in the guide runs, as a reader would run it; and the reference leaves nothing out.

With AEJAX_GUIDE_OUTPUTS=docs/guide/outputs what the blocks print is recorded there, for the documentation to show.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forked
from running import ROOT, environment

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))
NOTEBOOKS = sorted((DOCS / "guide").glob("*.ipynb"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDED = ("sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb")
"""The extensions of Sphinx that read; another one shows sources."""
ELSEWHERE = "console"
"""The language of what needs a cluster or a network, which no test has."""


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


COMMAND = re.compile(r"(aejax (?!sweep|reproduce)|python )[^|&;<>$`*]*")
"""What can be forked; a sweep sets JAX up before it is imported, and a reproduction has processes of its own."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page, tmp_path):
    bin_folder = str(Path(sys.executable).parent)
    variables = environment(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    variables["PYTHONPATH"] = f"{ROOT}{os.pathsep}{tmp_path}"  # beside the files that the page has shown so far
    variables.pop("JAX_DISABLE_MOST_OPTIMIZATIONS")  # a page reproduces recorded numbers, to the last bit
    said = []
    for language, text in blocks(page):
        said.append("")
        if language == "python" and (named := re.match(r"# (\w+\.py)\n", text)):
            (tmp_path / named[1]).write_text(text.partition("\n")[2], encoding="utf-8")
            continue
        for command in commands(language, text):
            if command[0] == "bash":
                done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
                code, output = done.returncode, done.stdout + done.stderr
            else:
                running = Forked(command, variables, tmp_path)
                output = "".join(running.communicate())
                code = running.returncode
            assert code == 0, f"{page.name}:\n{text}\n{output[-4000:]}"
            said[-1] += output
    if folder := os.environ.get("AEJAX_GUIDE_OUTPUTS"):
        of_reader = [text.replace(f"{tmp_path}/", "").replace(f"{ROOT}/", "") for text in said]
        (ROOT / folder / f"{page.stem}.json").write_text(json.dumps(of_reader, indent=0, ensure_ascii=False))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda page: page.stem)
def test_every_cell_runs(notebook, tmp_path):
    """One after the other, in a process of their own; the pictures that it shows were made by its cells."""
    pytest.importorskip("IPython", reason="needs the extra docs: pip install '.[docs]'")
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    code = "\n".join("".join(cell["source"]) for cell in cells)
    running = Forked(["-c", code], environment(MPLBACKEND="agg"), tmp_path)
    output = "".join(running.communicate())
    assert running.returncode == 0, output[-4000:]
    shown = [output.get("data", {}) for cell in cells for output in cell["outputs"]]
    assert sum("image/png" in data for data in shown) == code.count("plt.show()")


def commands(language, text):
    """What a block has run: the arguments of Python for each of its commands, or those of bash for the whole."""
    if language == "python":
        return [["-c", text]]
    if language != "bash":
        return []
    lines = text.replace("\\\n", " ").splitlines()
    if not all(COMMAND.fullmatch(line) for line in lines):
        return [["bash", "-euo", "pipefail", "-c", text]]
    each = [shlex.split(line, comments=True) for line in lines]
    return [["-m", *words] if words[0] == "aejax" else words[1:] for words in each]


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


@pytest.mark.slow
def test_the_reference_builds_without_a_warning(tmp_path):
    """Every reference is resolved; scripts/docs writes the pages, too."""
    pytest.importorskip("sphinx", reason="needs the extra docs: pip install '.[docs]'")
    options = ["-q", "-W", "--keep-going", "-b", "dummy", "-D", f"extensions={','.join(NEEDED)}"]
    options += ["-D", "nb_execution_mode=off"]  # they run above
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / ".doctrees" / "guide" / "first_run.doctree").exists()
