"""Keeps two processes from doing the same work at once."""

import fcntl
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


class LockedError(RuntimeError):
    """Another process is doing the same work, or may be doing it on another machine."""


@contextmanager
def alone(path: Path, work: str) -> Iterator[None]:
    """Holds a lock while the block runs, so that no other process runs such a block.

    The operating system gives up the lock (flock) when the process ends, however it ends. The file
    stays. It names the process while one holds the lock, and is empty after a block that ended. A
    name in a file that nobody holds is thus that of a process that was killed; this process prints
    so and goes on. If the name is of another machine, this machine may not see a lock that is
    held there, so the user has to decide.

    Args:
        path: of the file; its folder is made.
        work: what the block does, for messages.

    Raises:
        LockedError: naming the process that holds the lock, its machine and its start.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        holder = file.read().strip()
        held = _is_held(file.fileno(), path, holder)
        if held:
            raise LockedError(
                f"{work} is already running: {holder or 'another process has just started'}; wait"
                " until it has ended, or end it and try again"
            )
        file.seek(0)
        holder = file.read().strip()  # again: it may have ended in order since
        here = f"on {socket.gethostname()} since"
        if holder and here not in holder:
            raise LockedError(
                f"{path} says that {work} is running: {holder}. Whether it still does cannot be"
                " seen from this machine: wait or end it there; if it has ended, delete this file"
            )
        if holder:
            print(f"{work} was killed before ({holder}); taking over", file=sys.stderr)
        started = datetime.now().isoformat(" ", "seconds")
        file.truncate(0)
        file.write(f"process {os.getpid()} {here} {started}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _is_held(file: int, path: Path, holder: str) -> bool:
    """Whether another process holds the lock; if not, this one does from now on.

    Some network file systems have no such locks. There, the process that the file names holds it
    while it lives.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        print(f"{path} cannot be locked ({error}): start nothing twice", file=sys.stderr)
        named = re.match(rf"process (\d+) on {re.escape(socket.gethostname())} since ", holder)
        return named is not None and _lives(int(named[1]))
    return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True
