"""The sentences of a dump of Wikipedia, in files of a few invented pages."""

import shutil
from pathlib import Path

import pytest

from factmix.data import wiki
from factmix.data.wiki import Reference, Wiki, open_wiki
from invented_dump import PAGES, write_dump


@pytest.fixture
def small(tmp_path: Path) -> Wiki:
    return open_wiki(write_dump(tmp_path, PAGES), tmp_path / "cache")


def test_sentences_are_found_by_page_and_line(small: Wiki) -> None:
    assert small.sentence(Reference("Vell", 1)) == "It rises in the Tallow hills ."
    assert small.sentence(Reference("Harrow_-LRB-town-RRB-", 2)) == "It has a library ."
    for absent in (("Harrow_-LRB-town-RRB-", 1), ("Vell", 2), ("Tallow", 0)):
        assert small.sentence(Reference(*absent)) is None


def test_a_page_is_found_in_either_unicode_form(small: Wiki) -> None:
    for name in ("Cafe\u0301_Oakmere", "Caf\u00e9_Oakmere"):
        text = "Caf\u00e9 Oakmere is a restaurant ( since 1931 ) ."
        assert small.sentence(Reference(name, 0)) == text


def test_evidence_names_its_page(small: Wiki) -> None:
    found = small.evidence(Reference("Harrow_-LRB-town-RRB-", 2))
    assert found == "Harrow (town): It has a library ."
    assert small.evidence(Reference("Vell", 9)) is None


def test_the_page_that_a_claim_names_comes_first(small: Wiki) -> None:
    assert small.search_pages("The Vell is a long river.")[0] == "Vell"
    assert small.search_pages("Cafe Oakmere has closed.")[0] == "Caf\u00e9_Oakmere"
    assert small.search_pages("zyx?") == small.search_pages("?!") == []


def test_common_words_choose_no_page_where_there_are_rarer_ones(
    small: Wiki, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(small.search_pages("a restaurant")) == 3  # "a" is in all three
    monkeypatch.setattr(wiki, "FEW", 2)
    assert small.search_pages("a restaurant") == ["Caf\u00e9_Oakmere"]
    assert len(small.search_pages("a")) == 3


def test_quotes_and_operators_of_the_index_in_a_claim_are_words(small: Wiki) -> None:
    assert small.search_pages('"Vell" AND NOT (river* OR: ^NEAR')[0] == "Vell"


def test_sentences_are_ranked_among_the_pages_found(small: Wiki) -> None:
    found = small.search("The library of Harrow is old.")
    assert found[0] == Reference("Harrow_-LRB-town-RRB-", 2)
    assert len(found) <= wiki.SENTENCES
    assert small.search("The library of Harrow is old.") == found  # now from what was kept
    assert small.search("Nothing fits.") == []


def test_bm25_by_hand() -> None:
    # Two texts of 2 and 4 words, so the mean is 3; one term of weight 2, once in each.
    # 2 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)) = 4.4 / 1.9, and with 4 / 3: 4.4 / 2.5
    scores = wiki._bm25({"a": 2.0}, [["a", "b"], ["a", "b", "c", "d"]])
    assert scores == pytest.approx([4.4 / 1.9, 4.4 / 2.5])


def test_the_excerpt_of_the_mirror(mirror: Path, tmp_path: Path) -> None:
    archive = shutil.copy(mirror / "wiki-pages.zip", tmp_path)
    excerpt = open_wiki(Path(archive), tmp_path)
    assert (excerpt.pages, excerpt.skipped) == (290, 0)
    assert excerpt.sentence(Reference("Soul_Food_-LRB-film-RRB-", 0)).startswith("Soul Food is a ")  # type: ignore[union-attr]
