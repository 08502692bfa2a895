import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from factmix.study.lock import LockedError, alone

HOST = socket.gethostname()
HOLD = """
import sys, time
from pathlib import Path
from factmix.study.lock import alone
with alone(Path(sys.argv[1]), "a study"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "lock"


def test_the_second_is_told_of_the_first(lock: Path) -> None:
    with alone(lock, "a study"):
        first = rf"a study is already running: process {os.getpid()} on {HOST} since \d{{4}}-.*;"
        with pytest.raises(LockedError, match=first), alone(lock, "a study"):
            pass
    with alone(lock, "a study"):
        pass


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_block_that_ended_leaves_no_name(
    lock: Path, error: type[BaseException] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        with alone(lock, "a study"):
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert lock.read_text() == ""
    with alone(lock, "a study"):
        assert capsys.readouterr().err == ""


def test_a_lock_of_a_killed_process_is_taken_over(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"process {process.pid} "), alone(lock, "a study"):
            pass
        process.send_signal(signal.SIGKILL)
    with alone(lock, "a study"):
        said = capsys.readouterr().err
    assert said.startswith(f"a study was killed before (process {process.pid} on {HOST} since ")
    assert said.endswith("); taking over\n") and said.count("\n") == 1


def test_a_process_of_another_machine_may_still_run(lock: Path) -> None:
    lock.parent.mkdir()
    lock.write_text(f"process 1 on not-{HOST} since 2026-01-02 03:04:05\n")
    remedy = rf"not-{HOST} since .*if it has ended, delete this file"
    with pytest.raises(LockedError, match=remedy), alone(lock, "a study"):
        pass
    lock.unlink()
    with alone(lock, "a study"):
        pass


def test_without_locks_of_the_file_system_a_living_process_keeps_its_name(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr("factmix.study.lock.fcntl.flock", unsupported)
    with alone(lock, "a study"):
        assert "cannot be locked (no locks here): start nothing twice" in capsys.readouterr().err
        with pytest.raises(LockedError, match=f"process {os.getpid()} "), alone(lock, "a study"):
            pass
        assert f"process {os.getpid()} " in lock.read_text()  # still the first's
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    lock.write_text(f"process {ended.pid} on {HOST} since 2026-01-02 03:04:05\n")
    with alone(lock, "a study"):
        assert f"was killed before (process {ended.pid} " in capsys.readouterr().err
