"""What runs the tests elsewhere calls commands that there are, and finds a browser or says so."""

import os
import re

import pytest

import browsers
from factmix.study.paths import ROOT


def test_the_commands_that_are_called_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in (".ci/run", ".github/workflows/book.yml"):
        called = set(re.findall(r"(?:exec|run:) make ([a-z-]+)", (ROOT / name).read_text()))
        assert called and called <= targets, name
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_audit_reads_the_pinned_packages() -> None:
    rule = (ROOT / "Makefile").read_text().split("\naudit:")[1].split("\n\n")[0]
    assert "pip-audit --requirement requirements.txt" in rule
    pinned = (ROOT / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in pinned if line.strip() and line[0] not in "#- ")


def test_without_a_browser_tests_fail_where_it_is_required_and_skip_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browsers.shutil, "which", lambda _: None)
    monkeypatch.setattr(browsers, "ON_MACOS", "")
    monkeypatch.setenv("FACTMIX_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        browsers.chromium()
    monkeypatch.delenv("FACTMIX_BROWSER")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        browsers.chromium()
