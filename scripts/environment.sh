# Sourced by scripts/demo and scripts/test: makes the virtual environment .venv in the checkout and installs aejax.
# Usage: . scripts/environment.sh EXTRAS     (EXTRAS such as "[test]", or "")
# PYTHON names the interpreter; without it the first of python3, python3.13, 3.12 and 3.11 that fits is taken.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${AEJAX_VENV:-$root/.venv}
fail() { echo "$(basename "$0"): $*" >&2; exit 2; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of 3.11 to 3.13"
    python=$PYTHON
else
    for python in python3 python3.13 python3.12 python3.11 none; do
        if fits "$python"; then break; fi
    done
    [ "$python" != none ] || fail "needs Python 3.11, 3.12 or 3.13 and finds none; install one, or name it: PYTHON=/path/to/python $0"
fi

if ! fits "$venv/bin/python"; then
    echo "making a virtual environment in $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 || {
        rm -rf "$venv"
        fail "$python cannot make a virtual environment; install its venv module (on Debian and Ubuntu: apt install python3-venv) and check that $root can be written"
    }
fi

# what is installed is what pyproject.toml asks for: install again only when it has changed
wanted=$(cksum <"$root/pyproject.toml")
if [ "$(cat "$venv/installed$1" 2>/dev/null)" != "$wanted" ]; then
    echo "installing aejax$1 and what it needs (a few minutes the first time)"
    log=$venv/install.log
    if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root$1" >"$log" 2>&1; then
        grep -qiE 'connection|resolve|network|timed out|could not find a version|no matching distribution' "$log" &&
            fail "pip could not download what aejax needs; is there a network? (all it said: $log)"
        fail "pip could not install aejax (all it said: $log)"
    fi
    echo "$wanted" >"$venv/installed$1"
fi
