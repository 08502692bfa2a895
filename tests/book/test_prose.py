"""No result is typed by hand: every digit in the book's prose is a role's, or is known here."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

from factmix.study.paths import ROOT

BOOK = ROOT / "book"
PAGES = sorted(
    page
    for page in [*BOOK.rglob("*.md"), *BOOK.glob("templates/*.j2")]
    if "_generated" not in page.parts
)
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
PROSE_DIRECTIVES = ("drawn", "dropdown", "note", "warning", "tip", "important", "admonition")

# Names that hold digits, on every page: the metric, the tests of a base model, and commits.
NAMES = re.compile(r"F1|A[1-9]|(?=.*[a-f])[0-9a-f]{7,40}")
# What else may be typed since it is no result of a study: page -> number -> why.
ALLOWED = {
    "real.md": {
        "SmolLM2-135M-Instruct": "the name of a model",
        "135": "millions of parameters, in the name of the model",
    },
    "discussion.md": {"135": "millions of parameters, in the name of a model"},
    "appendix/bigger.md": {"bfloat16": "a type of numbers"},
    "appendix/downloads.md": dict.fromkeys(
        ("studies/smollm2.yaml", "studies/smollm2_seeds.yaml"), "a file"
    ),
    "compare_systems.md": {"UTF-8": "an encoding", "GSM8K": "a benchmark"},
    "methodology.md": {
        "+1": "defines the reward format_only",
        "\u22121": "defines the reward format_only",
        "2": "refers to an entry of the numbered list above it",
        "6": "refers to an entry of the numbered list above it",
    },
    "templates/alt_texts.j2": {"95": "the confidence level that defines the intervals"},
    "templates/tables.md.j2": {
        "95": "the confidence level that defines the intervals",
        "0.1": "a level of a test",
        "1": "a level of a test",
        "5": "a level of a test",
    },
    "appendix/published.md": {
        "95": "the confidence level that defines the intervals",
        "100": "what the shares of a row add up to, by definition",
    },
    "appendix/rerun.md": {"3.11": "the version of Python that is needed"},
    "appendix/statistics.md": {
        "95": "the confidence level that defines the intervals",
        "1,000": "a setting of benchmarks/coverage.py",
        "200": "a setting of benchmarks/coverage.py",
    },
}


def prose(text: str) -> Iterator[str]:
    """Text of a page as readers see it, without code, roles, links' addresses and options."""
    parser = MarkdownIt("commonmark").enable("table")
    for plugin in (myst_role_plugin, colon_fence_plugin, deflist_plugin):
        parser.use(plugin)
    for token in parser.parse(text):
        if token.type in ("fence", "colon_fence"):
            yield from _directive(token)
        for child in token.children or ():
            if child.type in ("text", "image"):
                yield child.content


def _directive(token: Token) -> Iterator[str]:
    """What a directive shows as prose: title and content, but no options."""
    name = re.match(r"\{(\w+)\}(.*)", token.info.strip())
    if name and name[1] in PROSE_DIRECTIVES:
        lines = token.content.splitlines()
        yield from prose("\n".join(line for line in lines if not re.match(r":[\w-]+:", line)))
        if name[1] != "drawn":  # whose argument is the name of a figure
            yield name[2]


def read(page: Path) -> str:
    """The text of a page; of a template what is not Jinja, which looks numbers up."""
    text = page.read_text(encoding="utf-8")
    return JINJA.sub("", text) if page.suffix == ".j2" else text


def typed_numbers(text: str) -> list[str]:
    """The words of a page's prose that hold a digit, without the punctuation around them."""
    words = [word for piece in prose(text) for word in re.findall(r"\S*\d\S*", piece)]
    bare = [word.strip(".,;:()[]\u201c\u201d\"'%") for word in words]
    return [word for word in bare if not NAMES.fullmatch(word)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BOOK)))
def test_no_result_in_prose_is_typed(page: Path) -> None:
    name = str(page.relative_to(BOOK))
    typed = typed_numbers(read(page))
    assert set(typed) - set(ALLOWED.get(name, {})) == set(), f"use a role for these in {name}"


def test_nothing_is_allowed_that_no_page_types() -> None:
    for name, allowed in ALLOWED.items():
        typed = typed_numbers(read(BOOK / name))
        assert set(allowed) - set(typed) == set(), name


@pytest.mark.parametrize(
    "text",
    [
        "It rose to 71.4 %.",
        "- by 3 points",
        "# A gain of 7",
        "| arm | gain |\n|--|--|\n| `a` | 0.5 |",
        "```{drawn} gains\n:name: fig-1\n\nUp by 12 points.\n```",
        ":::{dropdown} All 36 gains\ntext\n:::",
        "see [the 9 others](other)",
        "term\n: was 5",
    ],
)
def test_a_typed_result_is_found_wherever_it_is(text: str) -> None:
    assert len(typed_numbers(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "It rose to {num}`gains.a1.b2|full` {cite}`jones2020`.",
        "run `python 3.py`",
        "```bash\nmake 12\n```",
        "see [this](page-3.md#section-4)",
        "```{drawn} trajectory-2\n:name: fig-2\n\nA caption.\n```",
        "```{include} _generated/tables/f1-debate.md\n```",
        "F1 at commit d6f221e",
    ],
)
def test_what_is_no_prose_may_hold_digits(text: str) -> None:
    assert typed_numbers(text) == []
