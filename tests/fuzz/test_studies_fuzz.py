"""Whatever is written into a study's file, it is accepted or refused with a message."""

from pathlib import Path

import pytest
import studies
from hypothesis import HealthCheck, given, settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    studies.place_studies(folder)
    return folder


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(studies.MUTATIONS)
def test_a_mutated_study_is_accepted_or_refused(folder: Path, raw: bytes) -> None:
    assert studies.outcome(raw, folder) in ("accepted", "refused")


@pytest.mark.parametrize("token", studies.TOKENS, ids=lambda token: repr(token)[:20])
def test_odd_yaml_is_accepted_or_refused(folder: Path, token: str) -> None:
    text = "extends: smoke\ndescription: D\nseeds: [0]\n"
    for line in (f"seeds: {token}", f"seeds: [0]\n{token}", f"{token}: [0]"):
        raw = text.replace("seeds: [0]", line).encode()
        assert studies.outcome(raw, folder) in ("accepted", "refused")


def test_a_campaign_counts_what_became_of_each_mutation_and_shows_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(path: Path) -> None:
        raise KeyError("seeds")

    said: list[str] = []
    monkeypatch.setattr(studies, "load_study", broken)
    assert studies.campaign(3, said.append) == 3
    assert said[0] == "      3 mutations" and said[2:5] == [
        "      0 accepted",
        "      0 refused",
        "      3 faults",
    ]
    assert "KeyError: 'seeds' (broken)" in said[5]
