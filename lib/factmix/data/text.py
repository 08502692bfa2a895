"""Normal forms of claims and page titles, the same for all datasets."""

import re
import unicodedata


def normalised(claim: str) -> str:
    """The words of a claim in lower case, so that punctuation and spacing make no difference.

    A claim without any word (such as "?!") is kept as it is.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", claim).casefold())
    return " ".join(words) or claim


_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-COLON-": ":"}


def readable(text: str) -> str:
    """Text of FEVER or VitaminC with its encoded brackets and colons restored."""
    for written, meant in _BRACKETS.items():
        text = text.replace(written, meant)
    return text


def page_title(page: str) -> str:
    """The title of a Wikipedia page, the same for all datasets."""
    return " ".join(readable(unicodedata.normalize("NFC", page)).replace("_", " ").split())
