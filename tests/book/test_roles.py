"""What a number in prose says about itself, and that mouse, keyboard and finger can get at it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page, sync_playwright

from browsers import chromium
from factmix.study.paths import ROOT


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import roles

    return roles


def test_facts_are_interval_n_test_study_arm_seed_and_name(
    roles: ModuleType, tmp_path: Path
) -> None:
    leaf = {
        "value": 0.25,
        "unit": "fraction",
        "interval": [0.125, 0.5],
        "n": 1000,
        "p": 0.004,
        "p_holm": 0.02,
        "run": "hard-s-only-s12",
    }
    source = roles.Source({}, tmp_path, "results/toy/results.json", "toy", 0.9)
    assert roles.facts(leaf, "metrics.a", source) == [
        ("90\u00a0% interval", "12.5 to 50.0\u00a0%"),
        ("n", "1,000"),
        ("test", "p\u00a0=\u00a00.004 (corrected by Holm: p\u00a0=\u00a00.020)"),
        ("study", "toy"),
        ("arm", "hard-s-only"),
        ("seed", "12"),
        ("name", "metrics.a"),
    ]
    leaf |= {"p": 0.0039, "p_holm": 0.01995, "at_floor": ["p", "p_holm"]}
    bound = dict(roles.facts(leaf, "metrics.a", source))["test"]
    assert bound == "p\u00a0\u2264\u00a00.0039 (corrected by Holm: p\u00a0<\u00a00.02)"


@pytest.mark.parametrize(
    ("run", "arm"),
    [("base", "base, the base model"), ("data", "none, it follows from the data")],
)
def test_a_number_of_no_training_has_no_seed(
    roles: ModuleType, tmp_path: Path, run: str, arm: str
) -> None:
    leaf = {"value": 3, "unit": "count", "run": run}
    found = roles.facts(leaf, "a", roles.Source({}, tmp_path, ""))
    assert found == [("arm", arm), ("name", "a")]


def test_a_setting_has_its_name_and_study(roles: ModuleType, tmp_path: Path) -> None:
    source = roles.Source({}, tmp_path, "studies/toy.yaml", "toy")
    assert roles.facts(200, "training.steps", source) == [
        ("study", "toy"),
        ("name", "training.steps"),
    ]


def test_facts_and_links_are_escaped(roles: ModuleType) -> None:
    html = roles.tip("number-1", [("n", "<3")], [('a"b', "R&D")])
    assert "&lt;3" in html
    assert '<a href="a&quot;b">R&amp;D</a>' in html


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 360, "height": 640}, has_touch=True)
        browser.close()


@pytest.fixture
def page(roles: ModuleType, browser_page: Page, tmp_path: Path) -> Page:
    """A page of 360 px, opened as a file, with one number at the right end of a line."""
    note = roles.tip("tip", [("n", "1,000"), ("key", "a.long_key" * 9)], [("#there", "results")])
    shutil.copy(ROOT / "book/_static/numbers.css", tmp_path)
    shutil.copy(ROOT / "book/_static/numbers.js", tmp_path)
    (tmp_path / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="numbers.css">'
        '<script src="numbers.js"></script><button>before</button>'
        "<p style='margin-top: 5rem; text-align: right'>It rose to "
        f'<span class="num"><span class="num-value" tabindex="0" aria-describedby="tip">'
        f"64.0</span>{note}</span></p>",
        encoding="utf-8",
    )
    browser_page.goto((tmp_path / "page.html").as_uri())
    browser_page.mouse.move(0, 0)
    return browser_page


def test_note_shows_under_the_pointer_which_may_move_onto_it(page: Page) -> None:
    tip = page.locator(".num-tip")
    assert not tip.is_visible()
    page.locator(".num-value").hover()
    assert tip.is_visible()
    tip.hover()
    assert tip.is_visible()
    page.mouse.move(0, 0)
    assert not tip.is_visible()


def test_note_shows_on_focus_its_link_comes_next_and_escape_hides_it(page: Page) -> None:
    tip = page.locator(".num-tip")
    page.locator("button").focus()
    page.keyboard.press("Tab")
    assert tip.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "results"
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    assert page.evaluate("document.activeElement.className") == "num-value"
    page.locator("button").focus()
    page.keyboard.press("Tab")
    assert tip.is_visible()


def test_escape_hides_a_note_under_the_pointer(page: Page) -> None:
    page.locator(".num-value").hover()
    page.keyboard.press("Escape")
    assert not page.locator(".num-tip").is_visible()
    page.mouse.move(0, 0)
    page.locator(".num-value").hover()
    assert page.locator(".num-tip").is_visible()


def test_note_shows_when_tapped_until_something_else_is(page: Page) -> None:
    page.locator(".num-value").tap()
    assert page.locator(".num-tip").is_visible()
    page.touchscreen.tap(10, 600)
    assert not page.locator(".num-tip").is_visible()


def test_note_is_not_cut_off_on_a_phone(page: Page) -> None:
    page.locator(".num-value").focus()
    box = page.locator(".num-tip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    number = page.locator(".num-value").bounding_box()
    assert number is not None
    assert box["y"] >= number["y"] + number["height"] - 1  # the number stays readable
