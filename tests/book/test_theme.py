"""The book's fixes to its theme."""

import pytest
from bs4 import BeautifulSoup

from factmix.study.paths import ROOT


def test_each_toggle_of_the_sidebar_is_named_by_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book.theme import name_toggles

    html = '<li><a href="a.html">Arms</a><details><summary></summary><ul></ul></details></li>'
    toctree = BeautifulSoup(html, "html.parser")
    name_toggles(toctree)
    assert toctree.summary is not None
    assert toctree.summary["aria-label"] == "Pages below Arms"
