"""Text of claims and page titles in one form, however a dataset writes it."""

import re
import unicodedata


def normalised(claim: str) -> str:
    """The words of a claim, lower case: equal for claims that differ in punctuation or spacing.

    A claim without any word (such as "?!") is kept as it is.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", claim).casefold())
    return " ".join(words) or claim


_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-COLON-": ":"}


def readable(text: str) -> str:
    """Text of Wikipedia as FEVER and VitaminC write it, with its brackets and colons put back."""
    for written, meant in _BRACKETS.items():
        text = text.replace(written, meant)
    return text


def page_title(page: str) -> str:
    """The title of a Wikipedia page: the same for all datasets, however they write it."""
    return " ".join(readable(unicodedata.normalize("NFC", page)).replace("_", " ").split())
