"""Climate-FEVER (Diggelmann et al., 2020): claims about the climate found on the internet.

Source: https://github.com/tdiggelm/climate-fever-dataset, dataset/climate-fever.jsonl. A row, cut:

    {"claim_id": "0", "claim": "Global warming is driving polar bears toward extinction",
     "claim_label": "SUPPORTS", "evidences": [{"article": "Global warming", "evidence":
     "Environmental impacts include the extinction or relocation of ...", ...}, ...]}

Every claim has five sentences from Wikipedia. A claim is DISPUTED when some of them support it and
others refute it; the blog counts that as NA, and so does this project. Two to five annotators voted
on each sentence; the kind of a claim is "split" if they disagreed on any of its sentences, else
"agreed".
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from factmix.data.fetch import fetch
from factmix.data.jsonl import Row, Text, read_examples
from factmix.data.text import normalised
from factmix.study.examples import Example
from factmix.study.labels import Label

LABEL_OF = {
    "SUPPORTS": Label.PASS,
    "REFUTES": Label.FAIL,
    "NOT_ENOUGH_INFO": Label.NA,
    "DISPUTED": Label.NA,
}


class _Evidence(BaseModel):
    article: Text
    evidence: Text
    votes: list[str | None] = []


class _Row(Row):
    claim_id: Text
    claim: Text
    claim_label: Literal["SUPPORTS", "REFUTES", "NOT_ENOUGH_INFO", "DISPUTED"]
    evidences: list[_Evidence] = Field(min_length=1)

    def example(self, dataset: str) -> Example:
        return Example(
            id=self.claim_id,
            group=f"climate-fever-{self.claim_id}",
            dataset=dataset,
            claim=self.claim,
            # Sentences say "it" or "the study"; the article's title says what they are about.
            evidence=tuple(f"{each.article}: {each.evidence}" for each in self.evidences),
            label=LABEL_OF[self.claim_label],
            kind=self._agreement(),
        )

    def _agreement(self) -> str:
        """Whether the annotators of each sentence agreed; "" without their votes."""
        voted = [{vote for vote in each.votes if vote} for each in self.evidences]
        if not any(voted):
            return ""
        return "agreed" if all(len(votes) < 2 for votes in voted) else "split"


def read(path: Path) -> list[Example]:
    """The examples in a copy of climate-fever.jsonl.

    Some claims occur twice and differ only in punctuation, at times with different verdicts. Such
    claims share the group of the first one.

    Raises:
        DataError: a line is malformed.
    """
    with path.open("rb") as lines:
        examples = read_examples(lines, _Row, str(path), "climate_fever")
    group_of: dict[str, str] = {}
    return [
        replace(example, group=group_of.setdefault(normalised(example.claim), example.group))
        for example in examples
    ]


def climate_fever() -> list[Example]:
    """Real claims, each with five sentences; a group is a claim and its near-duplicates."""
    return read(fetch("climate_fever"))
