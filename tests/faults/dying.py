"""A command that comes to grief at a file operation: ``python dying.py HOW NUMBER FOLDER COMMAND...``.

`HOW` is ``kill``: the process dies at the operation of that number, or ``full``: from that one on the disk is full. An
operation opens a file for writing, syncs, renames or removes one, or makes a folder, below `FOLDER`; number 0 never
comes. How many there were is the last line of what the process says, ``operations: 17``, where it lives to say it.
"""

import errno
import os
import signal
import sys

WRITING = os.O_WRONLY | os.O_RDWR
MAKING, REMOVING = ("os.rename", "os.mkdir", "os.truncate"), ("os.remove", "os.rmdir")


def main(how: str, number: int, folder: str, command: list[str]) -> int:
    """Run a command of aejax with its fault; its exit code."""
    from aejax import cli

    count = 0
    sync = os.fsync

    def operation() -> None:
        nonlocal count
        count += 1
        if number and count == number and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if number and count >= number and how == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def hook(event: str, arguments: tuple) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        counts = opened or event in MAKING or (event in REMOVING and how == "kill")
        if counts and str(arguments[0]).startswith(folder):
            operation()

    def synced(descriptor: int) -> None:
        operation()
        sync(descriptor)

    sys.addaudithook(hook)
    os.fsync, sys.argv = synced, ["aejax", *command]
    try:
        return cli.main()  # as the command itself does: the process is its own
    finally:
        print(f"operations: {count}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
