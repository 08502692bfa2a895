"""FEVER (Thorne, Vlachos, Christodoulopoulos and Mittal, NAACL 2018): claims about Wikipedia.

Source: https://fever.ai/dataset/fever.html, train.jsonl or paper_dev.jsonl, and wiki-pages.zip, the
pages that the claims refer to (CC BY-SA 3.0). A row, cut:

    {"id": 137334, "verifiable": "VERIFIABLE", "label": "SUPPORTS",
     "claim": "Fox 2000 Pictures released the film Soul Food.",
     "evidence": [[[289914, 283015, "Soul_Food_-LRB-film-RRB-", 0]], [[291259, 284217, ...]]]}

`evidence` lists sets of sentences as [annotation, evidence, page, line]; each set alone decides the
claim. A verifiable claim gets the first set whose sentences are all in the dump. An undecided claim
names no page; it gets the five sentences that retrieval finds from the claim alone.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt
from tqdm import tqdm

from factmix.data.fetch import fetch
from factmix.data.groups import Groups
from factmix.data.jsonl import Text, check_new, read_rows
from factmix.data.pool import Pool
from factmix.data.text import normalised, page_title
from factmix.data.wiki import Reference, Wiki, open_wiki
from factmix.study.examples import Example
from factmix.study.labels import Label

LABEL_OF = {"SUPPORTS": Label.PASS, "REFUTES": Label.FAIL, "NOT ENOUGH INFO": Label.NA}
SIZES = {1: "1 sentence", 2: "2 sentences"}  # kinds of claims: how much evidence there is
WITHOUT_EVIDENCE = "verifiable claims of which the Wikipedia dump holds no whole evidence set"
CLAIMS = {"fever": "fever_paper_dev", "fever_train": "fever_train"}  # dataset -> file of claims
UNRETRIEVED = "undecided claims for which retrieval finds no sentence"


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int
    claim: Text
    label: Literal["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"]
    evidence: list[list[tuple[int | None, int | None, str | None, NonNegativeInt | None]]]


@dataclass(frozen=True)
class Claim:
    """A claim and its evidence sets, each of which decides it; none for the label NA."""

    id: str
    text: str
    label: Label
    evidence_sets: tuple[tuple[Reference, ...], ...]


def read_claims(path: Path) -> list[Claim]:
    """The claims in a copy of one of FEVER's files.

    Raises:
        DataError: a line is malformed.
    """
    claims = []
    seen: dict[str, str] = {}
    with path.open("rb") as lines:
        for where, row in read_rows(lines, _Row, str(path)):
            check_new(str(row.id), where, seen)
            sets = tuple(
                tuple(
                    Reference(page, line) for _, _, page, line in each if page and line is not None
                )
                for each in row.evidence
                if each and all(page and line is not None for _, _, page, line in each)
            )
            claims.append(Claim(str(row.id), row.claim, LABEL_OF[row.label], sets))
    return claims


def pool(claims: list[Claim], wiki: Wiki, dataset: str) -> Pool:
    """The claims with evidence, and the number of claims skipped because they have none.

    Claims that share a page in any of their evidence sets are in one group, and so are claims with
    the same normalised text: the evidence of one may decide the other. FEVER names no page for an
    undecided claim, so it belongs to the page of its best retrieved sentence. Its other retrieved
    sentences link nothing; otherwise chance matches would link all of Wikipedia into one group.
    """
    shown: list[tuple[Claim, tuple[str, ...]]] = []
    groups = Groups()
    skipped: Counter[str] = Counter()
    linked: set[str] = set()
    for claim in tqdm(claims, desc=f"evidence of {dataset}", disable=None, leave=False):
        if claim.label is Label.NA:
            references: tuple[Reference, ...] = tuple(wiki.search(claim.text))
            pages = [reference.page for reference in references[:1]]
        else:
            references = whole_evidence(claim, wiki)
            pages = [each.page for every in claim.evidence_sets for each in every]
        evidence = tuple(text for each in references if (text := wiki.evidence(each)))
        if not evidence:
            skipped[UNRETRIEVED if claim.label is Label.NA else WITHOUT_EVIDENCE] += 1
            continue
        shown.append((claim, evidence))
        titles = [page_title(page) for page in pages]
        linked.update(titles)
        for title in titles:
            groups.link(titles[0], title)
        groups.link(titles[0], f"claim: {normalised(claim.text)}")
    examples = [
        Example(
            id=claim.id,
            group=groups.of(f"claim: {normalised(claim.text)}"),
            dataset=dataset,
            claim=claim.text,
            evidence=evidence,
            label=claim.label,
            kind=SIZES.get(len(evidence), "3 or more sentences"),
        )
        for claim, evidence in shown
    ]
    return Pool(tuple(examples), dict(skipped), {title: groups.of(title) for title in linked})


def whole_evidence(claim: Claim, wiki: Wiki) -> tuple[Reference, ...]:
    """The first evidence set whose sentences are all in the dump; empty if there is none."""
    for each in claim.evidence_sets:
        if all(wiki.sentence(reference) for reference in each):
            return each
    return ()


def page_recall(
    claims: list[Claim], wiki: Wiki, *, at: int = 5, most: int | None = None, seed: int = 0
) -> dict[str, float | int | str]:
    """The recall of retrieval: how often it finds the pages that decide a claim.

    Args:
        claims: only claims with a whole evidence set in the dump count.
        wiki: the dump to search.
        at: pages retrieved per claim.
        most: size of a random subsample of the claims; by default all of them.
        seed: for that subsample.

    Returns:
        {value, unit, n, pages}: the share of n claims for which all pages of at least one evidence
        set are among those retrieved, and the number of pages in the dump.
    """
    decided = [claim for claim in claims if whole_evidence(claim, wiki)]
    if most is not None and len(decided) > most:
        rows = np.random.default_rng(seed).choice(len(decided), most, replace=False)
        decided = [decided[row] for row in np.sort(rows)]
    hits = 0
    for claim in tqdm(decided, desc=f"pages at {at}", disable=None, leave=False):
        found = {page_title(page) for page in wiki.search_pages(claim.text, most=at)}
        hits += any(
            {page_title(each.page) for each in every} <= found for every in claim.evidence_sets
        )
    value = hits / len(decided) if decided else 0.0
    return {"value": value, "unit": "fraction", "n": len(decided), "pages": wiki.pages}


def retrieval_recall(dataset: str, *, most: int, seed: int) -> dict[str, float | int | str]:
    """`page_recall` at 5 for the claims of a dataset in this file."""
    return page_recall(read_claims(fetch(CLAIMS[dataset])), open_wiki(), most=most, seed=seed)


def fever() -> Pool:
    """The claims of the paper's development split; a group is a set of linked pages."""
    return pool(read_claims(fetch(CLAIMS["fever"])), open_wiki(), "fever")


def fever_train() -> Pool:
    """The claims of the training split: 15 times as many, with 15 times the retrieval time."""
    return pool(read_claims(fetch(CLAIMS["fever_train"])), open_wiki(), "fever_train")
