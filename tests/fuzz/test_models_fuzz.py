"""A few damaged model folders; `python tests/fuzz/models.py 500` tries more."""

import json
from pathlib import Path

import pytest

from fuzz import models


def test_a_damaged_model_is_loaded_or_refused_with_one_message() -> None:
    counts, faults = models.campaign(20)
    assert faults == []
    assert counts["tried"] == 20 == counts["loaded"] + counts["refused"]
    assert counts["readable"] >= 7 and counts["loaded"] >= 2


def test_a_traceback_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models.whole(tmp_path, "llama")
    assert models.outcome(folder) == (True, "loaded", "")
    monkeypatch.setattr(models, "answer", json.loads)
    readable, end, said = models.outcome(folder)
    assert readable and end == "traceback" and "TypeError" in said
