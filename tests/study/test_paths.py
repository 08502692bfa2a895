from pathlib import Path

import pytest

from factmix.study.load import find_study
from factmix.study.paths import ROOT, FolderError, Paths, folder_in


@pytest.mark.parametrize(
    ("value", "folder"),
    [(None, None), ("", None), ("~/x", Path("/home/me/x")), ("/my runs/[x]", Path("/my runs/[x]"))],
)
def test_a_folder_in_the_environment_is_read_as_a_shell_would(
    monkeypatch: pytest.MonkeyPatch, value: str | None, folder: Path | None
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("FACTMIX_RUNS", raising=False)
    if value is not None:
        monkeypatch.setenv("FACTMIX_RUNS", value)
    assert folder_in("FACTMIX_RUNS") == folder
    assert Paths.of(find_study("smoke")).root == (folder or ROOT / "runs") / "smoke"


def test_a_home_folder_that_is_not_known_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTMIX_RUNS", "~nobody-of-this-name/runs")
    with pytest.raises(FolderError, match=r"FACTMIX_RUNS: got '~nobody.*without ~, or set HOME"):
        folder_in("FACTMIX_RUNS")
