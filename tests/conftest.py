"""Fixtures that several test modules share."""

import os
from pathlib import Path

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
    """Folder of a book that was built from invented results; _build/html has its pages."""
    folder = tmp_path_factory.mktemp("a book [x]")  # as a path may be
    invented_book.build_with_runs(folder)
    return folder
