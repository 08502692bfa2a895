"""The built book as readers meet it: in a browser, opened as files, without a network."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from browsers import chromium
from factmix.published import audit
from factmix.report import interactive
from factmix.report.sources import committed_results
from factmix.study.examples import Example
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.load import find_study
from factmix.study.settings import WeightedReward
from factmix.training.rewards import components

pytestmark = pytest.mark.slow

HEAVIEST = 1_500_000  # bytes of a page and of what it alone loads
HEAVIEST_OF_RUN = 2_500_000  # the page of a run has the figures of two chapters
# Rules are of WCAG and of good practice; how style sheets are read does not matter to those used.
AXE = {"resultTypes": ["violations"], "preload": False}
# Images without words, and those that are to be seen and do not load.
IMAGES = """async () => {
    const faults = [...document.images].filter((image) => !image.alt.trim());
    for (const image of document.images) {
        if (!image.checkVisibility()) continue;
        image.loading = "eager";
        await image.decode().catch(() => faults.push(image));
    }
    return faults.map((image) => image.outerHTML.slice(0, 200));
}"""
BY_SCRIPT = {"search.html"}  # its headings come with the results


@dataclass
class Visit:
    """What a page did when it was opened on a wide light screen and on a narrow dark one.

    Attributes:
        faults: errors of the console, of scripts and of requests.
        requests: addresses that were asked for, by theme.
        violations: accessibility, serious and critical: theme, rule and element.
        images: those that did not load, or have no alt text.
        headings: levels, in order.
        overflow: pixels by which the narrow page is wider than the screen.
    """

    faults: list[str] = field(default_factory=list)
    requests: dict[str, set[str]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    overflow: int = 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = chromium()
    # A root's Chromium does not start with its sandbox.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def html(built: Path) -> Path:
    return built / "_build" / "html"


def pages(html: Path) -> list[Path]:
    static = ("_static", "_sphinx_design_static")
    return [p for p in sorted(html.rglob("*.html")) if p.relative_to(html).parts[0] not in static]


@pytest.fixture(scope="module")
def visits(html: Path, browser: Browser) -> dict[str, Visit]:
    """Each page, opened once on each screen."""
    screens = {
        "light": browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light"),
        "dark": browser.new_context(viewport={"width": 360, "height": 800}, color_scheme="dark"),
    }
    found = {}
    for path in pages(html):
        visit = found[str(path.relative_to(html))] = Visit()
        for theme, screen in screens.items():
            _visit(screen, path, theme, visit)
    for screen in screens.values():
        screen.close()
    return found


def _visit(screen: BrowserContext, path: Path, theme: str, visit: Visit) -> None:
    page = watched(screen, visit)
    asked = visit.requests[theme] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    # Executed notebooks look alike, and take longest: in dark two of them are enough.
    if theme == "light" or path.parent.name != "notebooks" or path.stem in ("compare", "data"):
        for violation in Axe().run(page, options=AXE).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                visit.violations += [
                    f"{theme}, {violation['id']}: {node['html'][:200]}"
                    for node in violation["nodes"]
                ]
    if theme == "dark":
        visit.overflow = page.evaluate(
            "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
        )
    else:
        visit.headings = page.evaluate(
            "[...document.querySelectorAll('article :is(h1, h2, h3, h4, h5, h6)')]"
            ".map((h) => Number(h.tagName[1]))"
        )
    visit.images += page.evaluate(IMAGES)
    page.close()


def watched(screen: BrowserContext, visit: Visit) -> Page:
    """A new page that writes down what goes wrong on it."""
    page = screen.new_page()
    page.on("console", lambda m: visit.faults.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: visit.faults.append(str(error)))
    page.on("requestfailed", lambda request: visit.faults.append(f"failed: {request.url}"))
    return page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not have gone wrong at the end of the test."""
    screen, visit = browser.new_context(), Visit()
    yield watched(screen, visit)
    screen.close()
    assert not visit.faults


def faulty(visits: dict[str, Visit], part: str) -> dict[str, Any]:
    return {name: getattr(visit, part) for name, visit in visits.items() if getattr(visit, part)}


def test_no_page_has_an_error_in_the_console_or_a_failed_request(visits: dict[str, Visit]) -> None:
    assert {"index.html", "reward.html", "appendix/examples.html", "search.html"} <= set(visits)
    assert faulty(visits, "faults") == {}


def test_no_page_asks_another_server_for_anything(visits: dict[str, Visit]) -> None:
    asked = {url for visit in visits.values() for urls in visit.requests.values() for url in urls}
    assert {url for url in asked if urlsplit(url).scheme not in ("file", "data", "blob")} == set()


def test_no_page_scrolls_sideways_on_a_phone(visits: dict[str, Visit]) -> None:
    assert faulty(visits, "overflow") == {}


def test_a_wide_table_fades_where_there_is_more_until_it_is_scrolled_there(
    html: Path, page: Page
) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto((html / "results.html").as_uri())
    table = page.wait_for_selector(".pst-scrollable-table-container[data-more]")
    assert table
    assert table.evaluate("area => getComputedStyle(area).maskImage") != "none"
    table.evaluate("area => area.scrollTo(area.scrollWidth, 0)")
    page.wait_for_function("area => !area.hasAttribute('data-more')", arg=table)
    assert table.evaluate("area => getComputedStyle(area).maskImage") == "none"


def test_every_image_loads_and_has_words(visits: dict[str, Visit]) -> None:
    assert faulty(visits, "images") == {}


def test_headings_begin_with_one_title_and_skip_no_level(visits: dict[str, Visit]) -> None:
    for name in visits.keys() - BY_SCRIPT:
        levels = visits[name].headings
        assert levels[:1] == [1], name
        assert levels.count(1) == 1, name
        assert all(after - before <= 1 for before, after in pairwise(levels)), (name, levels)


def test_no_page_has_a_serious_fault_in_accessibility(visits: dict[str, Visit]) -> None:
    assert faulty(visits, "violations") == {}


def test_every_page_is_light(visits: dict[str, Visit]) -> None:
    loaded = {
        (name, theme): {unquote(urlsplit(url).path) for url in urls if url.startswith("file:")}
        for name, visit in visits.items()
        for theme, urls in visit.requests.items()
    }
    everywhere = set.intersection(*loaded.values())
    weights = {
        page: sum(Path(file).stat().st_size for file in files - everywhere)
        for page, files in loaded.items()
    }
    heavy = {
        place: weight
        for place, weight in weights.items()
        if weight > (HEAVIEST_OF_RUN if "/runs/" in place[0] else HEAVIEST)
    }
    assert heavy == {}


def test_every_internal_link_leads_somewhere(html: Path) -> None:
    soups = {p: BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser") for p in pages(html)}
    ids = {p: {tag["id"] for tag in soup.find_all(id=True)} for p, soup in soups.items()}
    broken = []
    for path, soup in soups.items():
        for tag in soup.find_all(["a", "img", "script", "link", "source"]):
            address = urlsplit(tag.get("href") or tag.get("src") or "")
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            missing = not target.is_file()
            if not missing and address.fragment and target in ids:
                missing = unquote(address.fragment) not in ids[target]
            if missing:
                broken.append(f"{path.relative_to(html)}: {address.geturl()}")
    assert broken == []


def test_search_finds_a_term_in_a_book_that_was_opened_as_files(html: Path, page: Page) -> None:
    page.goto((html / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("organism")
    page.keyboard.press("Enter")
    # results come one by one, the best first
    page.locator("#search-results li a").get_by_text("Discussion", exact=True).wait_for()


def open_explorer(html: Path, page: Page) -> None:
    page.goto((html / "reward.html").as_uri())
    page.get_by_label("explore_bonus").wait_for()


def test_explorer_begins_with_the_settings_of_the_study(html: Path, page: Page) -> None:
    reward = find_study("main").rewards["published"]
    assert isinstance(reward, WeightedReward)
    open_explorer(html, page)
    for name, value in reward.weights.items():
        assert float(page.get_by_label(f"weight of {name}").input_value()) == value
    for name, value in (("correct_factor", reward.correct), ("format_penalty", reward.format)):
        assert float(page.get_by_label(name).input_value()) == value
    assert page.get_by_label("the predicted label").is_checked()


def random_reward(rng: np.random.Generator) -> WeightedReward:
    names = ("correct", "wrong", "false_na", "explore", "format")
    numbers = dict(zip(names, rng.normal(0, 4, 5).tolist(), strict=True))
    return WeightedReward(
        kind="weighted",
        weights=dict(zip(LABELS, rng.uniform(0, 5, 3).tolist(), strict=True)),
        weight_by=str(rng.choice(["predicted", "gold"])),
        invalid_as=str(rng.choice(["invalid", "NA"])),
        **numbers,
    )


def test_script_pays_what_the_library_pays(html: Path, page: Page) -> None:
    rng = np.random.default_rng(0)
    rewards = [random_reward(rng) for _ in range(40)]
    cases = [
        (reward, answer, valid, gold)
        for reward in rewards
        for answer in ANSWERS
        for valid in (True, False)
        for gold in LABELS
    ]
    open_explorer(html, page)
    paid = page.evaluate(
        "(cases) => cases.map((each) => factmix.reward.components(...each))",
        [[reward.model_dump(mode="json"), *rest] for reward, *rest in cases],
    )
    for (reward, answer, valid, gold), found in zip(cases, paid, strict=True):
        due = components(reward, predicted=answer, format_valid=valid, gold=gold)
        assert found == pytest.approx(due), (reward, answer, valid, gold)
    maps = page.evaluate(
        "(rewards) => rewards.map(factmix.reward.regions)",
        [reward.model_dump(mode="json") for reward in rewards],
    )
    for reward, regions in zip(rewards, maps, strict=True):
        for label, corners in audit.decision_regions(reward).items():
            assert np.array(regions[label]).ravel() == pytest.approx(corners.ravel(), abs=1e-9)


def test_map_of_the_explorer_is_described_and_sliders_have_known_attributes(
    html: Path, page: Page
) -> None:
    open_explorer(html, page)
    map_ = page.locator(".reward-explorer svg")
    hint = page.locator(f"[id='{map_.get_attribute('aria-describedby')}']")
    assert hint.inner_text().startswith("Click into the triangle")
    assert page.locator(".reward-explorer input[unit]").count() == 0
    belief = page.get_by_label("p(PASS)")
    assert (belief.get_attribute("aria-valuetext") or "").endswith("%")


def test_explorer_works_by_keyboard(html: Path, page: Page) -> None:
    open_explorer(html, page)
    status = page.locator(".reward-explorer [role=status]")
    assert "NA for 0\u00a0%" in status.inner_text()
    page.get_by_label("explore_bonus").focus()
    page.keyboard.press("Home")
    page.get_by_text("most is NA").wait_for()  # after a moment, so that it is not read at each step
    assert "NA for 0\u00a0%" not in status.inner_text()
    assert "NA for" in (page.locator(".reward-explorer svg").get_attribute("aria-label") or "")
    page.get_by_label("the predicted label").focus()
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("the gold label").is_checked()
    page.get_by_role("button", name="Back to the study").focus()
    page.keyboard.press("Enter")
    assert page.get_by_label("the predicted label").is_checked()
    page.get_by_text("NA for 0\u00a0%").wait_for()


def test_explorer_takes_the_belief_from_a_click_into_the_map(html: Path, page: Page) -> None:
    open_explorer(html, page)
    map_ = page.locator(".reward-explorer svg")
    box = map_.bounding_box()
    assert box is not None
    scale = box["width"] / 400  # of the drawing's own units, in which PASS is at (20, 346)
    map_.click(position={"x": 20 * scale, "y": 346 * scale})
    assert float(page.get_by_label("p(PASS)").input_value()) == pytest.approx(100, abs=2)
    row = page.locator(".reward-explorer tr", has_text="PASS (best)")
    pays = [cell.replace("\u2212", "-") for cell in row.locator("td").all_inner_texts()]
    assert float(pays[3]) == pytest.approx(float(pays[1]), abs=0.5)  # sure of PASS


def test_without_scripts_there_are_a_figure_and_a_table(html: Path, browser: Browser) -> None:
    screen = browser.new_context(java_script_enabled=False)
    page = screen.new_page()
    page.goto((html / "reward.html").as_uri())
    assert page.locator(".reward-explorer img").filter(visible=True).count() == 1
    page.goto((html / "appendix" / "examples.html").as_uri())
    assert page.locator(".example-browser tbody tr").count() == 48
    assert "takes a browser that runs scripts" in page.inner_text(".example-browser")
    screen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_scripts_each_figure_is_seen_once_in_light_colours(
    html: Path, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    screen = browser.new_context(java_script_enabled=False, color_scheme=scheme)
    page = screen.new_page()
    for name in ("reward", "training", "results"):
        page.goto((html / f"{name}.html").as_uri())
        figures = page.locator("figure, .reward-explorer").filter(has=page.locator("img")).all()
        assert figures
        for figure in figures:
            seen = figure.locator("img").filter(visible=True)
            assert seen.count() == 1
            assert seen.get_attribute("class") == "only-light"
    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    screen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_is_chosen_before_anything_of_the_page_is_there(
    html: Path, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    screen = browser.new_context(color_scheme=scheme)
    page = screen.new_page()
    page.add_init_script("""
        new MutationObserver((_, observer) => {
            if (!document.body) return;
            window.first = document.documentElement.dataset.theme;
            observer.disconnect();
        }).observe(document, { childList: true, subtree: true });
    """)
    page.goto((html / "training.html").as_uri())
    assert page.evaluate("window.first") == scheme
    screen.close()


def open_examples(html: Path, page: Page, chosen: str = "") -> str:
    """Opens the page with a selection; returns what it says of it."""
    page.goto("about:blank")  # else only what is behind the # would change
    page.goto((html / "appendix" / "examples.html").as_uri() + chosen)
    return page.locator(".example-browser [role=status]").inner_text()


def answers(built: Path, arm: str) -> pd.DataFrame:
    return pd.read_parquet(built / "results" / "main" / arm / "predictions.parquet")


def test_examples_are_filtered_by_keyboard_and_the_address_says_how(
    built: Path, html: Path, page: Page
) -> None:
    arm, baseline = answers(built, "hard_only-s0"), answers(built, "format_only-s0")
    right, before = (each["predicted"] == each["gold"] for each in (arm, baseline))
    fixed = (arm["dataset"] == "revision") & right & ~before
    assert open_examples(html, page) == f"{len(arm)} of {len(arm)} examples"
    for name, keys in (("Dataset", "rev"), ("Arm", "hard_only"), ("Show", "fixed")):
        page.get_by_label(name, exact=True).focus()
        page.keyboard.type(keys)
    said = f"{fixed.sum()} of {len(arm)} examples"
    assert page.locator(".example-browser [role=status]").inner_text() == said
    assert page.locator(".examples > li").count() == min(10, fixed.sum())
    address = page.url
    assert address.endswith("#dataset=revision&arm=hard_only&show=fixed")
    assert open_examples(html, page, f"#{address.partition('#')[2]}") == said
    assert page.get_by_label("Dataset").input_value() == "revision"
    page.get_by_role("button", name="Clear all").click()
    page.get_by_text(f"{len(arm)} of {len(arm)} examples").wait_for()
    assert "#" not in page.url


@pytest.mark.parametrize("show", ["all_right", "all_wrong", "differ"])
def test_examples_are_selected_by_what_the_arms_agree_on(
    built: Path, html: Path, page: Page, show: str
) -> None:
    arms = [answers(built, f"{arm}-s0") for arm in find_study("main").arms]
    rights = np.array([arm["predicted"] == arm["gold"] for arm in arms])
    given = np.array([arm["predicted"] for arm in arms])
    due = {
        "all_right": rights.all(axis=0),
        "all_wrong": ~rights.any(axis=0),
        "differ": (given != given[0]).any(axis=0),
    }[show]
    assert due.any()
    assert open_examples(html, page, f"#show={show}") == f"{due.sum()} of {len(due)} examples"


@pytest.mark.parametrize("answer", ["NA", "PASS", "FAIL"])
@pytest.mark.parametrize("show", ["right", "wrong", "fixed", "broken"])
def test_one_arm_meets_all_that_is_asked_of_any(
    built: Path, html: Path, page: Page, answer: str, show: str
) -> None:
    study = find_study("main")
    before = answers(built, f"{study.baseline}-s0")
    was_right = before["predicted"] == before["gold"]
    due = np.zeros(len(before), dtype=bool)
    for name in study.arms:
        arm = answers(built, f"{name}-s0")
        right = arm["predicted"] == arm["gold"]
        shown = {
            "right": right,
            "wrong": ~right,
            "fixed": right & ~was_right,
            "broken": ~right & was_right,
        }[show]
        due |= shown & (arm["predicted"] == answer)
    said = open_examples(html, page, f"#answer={answer}&show={show}")
    assert said == f"{due.sum()} of {len(due)} examples"


def test_following_the_link_of_an_example_keeps_the_focus_in_the_list(
    html: Path, page: Page
) -> None:
    open_examples(html, page)
    link = page.locator(".examples .about a").nth(3)
    id_ = link.inner_text()
    link.focus()
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("^1 of ")).wait_for()
    assert page.locator(".examples .about a").all_inner_texts() == [id_]
    assert page.evaluate("document.activeElement.className") == "examples"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == id_


def test_search_of_examples_leaves_out_what_is_around_the_words(html: Path, page: Page) -> None:
    open_examples(html, page)
    id_ = page.locator(".examples .about a").first.inner_text()
    page.get_by_label("Search claim").fill(f"  {id_} ")
    page.get_by_text(re.compile("^1 of ")).wait_for()
    assert page.url.endswith(f"#q={id_}")


def test_examples_are_searched_and_paged(built: Path, html: Path, page: Page) -> None:
    total = len(answers(built, "base"))
    open_examples(html, page)
    forward = page.get_by_label("Pages, above").get_by_role("button", name="Next")
    first = page.locator(".examples .claim").first.inner_text()
    forward.click()
    assert page.url.endswith("#page=2")
    assert page.locator(".examples .about a").first.inner_text() != first
    id_ = page.locator(".examples .about a").first.inner_text()
    page.get_by_label("Search claim").fill(id_.upper())
    page.get_by_text(f"1 of {total} examples").wait_for()
    assert page.locator(".examples .about a").all_inner_texts() == [id_]
    assert "page" not in page.url.partition("#")[2]
    assert open_examples(html, page, "#page=999&dataset=nowhere") == f"{total} of {total} examples"


def test_claim_with_markup_is_shown_as_text(html: Path, page: Page, tmp_path: Path) -> None:
    text = "<b>bold</b> &amp; </script><script>document.title = 'taken'</script>"
    answer = {"dataset": "debate", "id": "marked", "gold": "NA", "predicted": "NA"}
    answer |= {"p_na": 1.0, "p_pass": 0.0, "p_fail": 0.0}
    arms = ["base", *find_study("main").arms]
    marked = Example("marked", "marked", "debate", text, (text,), Label.NA)
    shown = interactive.columns(dict.fromkeys(arms, pd.DataFrame([answer])), {"debate": [marked]})
    shutil.copytree(html, tmp_path / "html")
    data = tmp_path / "html" / "_static" / "examples_data.js"
    data.write_text(interactive.script(shown), encoding="utf-8")
    assert open_examples(tmp_path / "html", page) == "1 of 1 examples"
    assert page.locator(".examples .claim").inner_text() == text
    assert page.locator(".examples li li").inner_text() == text
    assert page.locator(".examples :is(b, script)").count() == 0
    assert page.title() != "taken"


def test_browser_of_examples_shows_ten_of_thousands(html: Path, page: Page, tmp_path: Path) -> None:
    shown = interactive.data(committed_results("main"))
    shutil.copytree(html, tmp_path / "html")
    data = tmp_path / "html" / "_static" / "examples_data.js"
    data.write_text(interactive.script(shown), encoding="utf-8")
    total = len(shown["ids"])
    assert open_examples(tmp_path / "html", page) == f"{total:,} of {total:,} examples"
    assert page.locator(".examples > li").count() == 10
    weight = data.stat().st_size + (html / "appendix" / "examples.html").stat().st_size
    assert weight < HEAVIEST
