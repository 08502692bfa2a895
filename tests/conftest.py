"""Fixtures that several test modules share."""

import fcntl
import os
import shutil
from pathlib import Path

# Workers share the cores. Set before torch is imported, and for what tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

import invented_book
from factmix.study.load import find_study
from factmix.study.spec import Study

# The same examples on every run, however slow the machine is.
settings.register_profile("factmix", deadline=None, derandomize=True)
settings.load_profile("factmix")


@pytest.fixture
def mirror() -> Path:
    """The folder with copies of the public data files; tests that read them skip without it."""
    folder = os.environ.get("FACTMIX_MIRROR")
    if not folder:
        pytest.skip("FACTMIX_MIRROR is not set: this test reads the public data files it names")
    return Path(folder)


@pytest.fixture
def smoke() -> Study:
    return find_study("smoke")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a book that was built from invented results; _build/html has its pages.

    Workers share one: the first builds it.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "a book [x]"  # as a path may be
    with (shared / "book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "book.built").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            invented_book.build_with_runs(folder)
            (shared / "book.built").touch()
    return folder
