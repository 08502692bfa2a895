"""The data dictionary: what every column and key of a study's results means.

The descriptions stand in the modules that write the files; here they are collected. A name in angle
brackets stands for several, which `PLACES` explains.
"""

from collections.abc import Collection, Iterable

from factmix.data.mixtures import REPORT_KEYS
from factmix.results import by_kind, compare, domain_number, domain_shares, protocols, statements
from factmix.results.results_json import LEAF
from factmix.stats.metrics import METRIC_MEANINGS, METRICS
from factmix.study import descriptions
from factmix.study.labels import ANSWERS, LABELS
from factmix.training import columns
from factmix.training.columns import RUN

__all__ = [
    "LEAF",
    "METRIC_MEANINGS",
    "PLACES",
    "RESULTS",
    "RUN",
    "TABLES",
    "undescribed",
    "unused",
]

# What a name in brackets stands for, and which names these are where they are always the same.
PLACES: dict[str, tuple[str, Collection[str]]] = {
    "arm": ("an arm of the study", ()),
    "system": ("an arm, `base` (the base model), `always_na` or `always_pass`", ()),
    "dataset": ("a dataset of the study", ()),
    "mixture": ("a mixture of the study", ()),
    "part": ("`total`, or a part of the arm's reward", ()),
    "reason": ("why a row cannot be used", ()),
    "metric": ("a metric, from the table below", METRICS),
    "label": ("a label", tuple(map(str, LABELS))),
    "lower": ("a label in lower case", tuple(label.lower() for label in LABELS)),
    "answer": ("a label, or INVALID", ANSWERS),
    "number": ("a number", ()),
    "setting": ("what two arms differ in", ("mixture", "reward")),
    "pair": ("`<arm>_over_<arm>`, or of mixtures: the first minus the second", ()),
    "cell": (
        "which part of the protocol is as released: the `evidence` of training, all other "
        "`settings`, or both (`released`)",
        [cell for cell in protocols.CELLS.values() if cell != protocols.AS_DESCRIBED],
    ),
    "outcome": ("`na_share` (share of NA among all answers) or `accuracy`", protocols.OUTCOMES),
    "share": (
        "of a change over the base model: `total`, `shift` (what two constants give) or "
        "`learning` (the rest)",
        ("total", "shift", "learning"),
    ),
    "reward": ("a reward of the study", ()),
    "statement": ("a statement of the plan", tuple(statements.MEASURE)),
    "family": (
        "questions that are tested together",
        tuple(dict.fromkeys((*domain_number.MEASURE, *domain_shares.MEASURE))),
    ),
    "kind": ("a kind of claims", ()),
    "side": ("whether the claims are `undecided` (gold NA) or `decided`", by_kind.SIDES),
    "source": ("a dataset that mixtures have shares of", ()),
    "question": (
        "whether a `second` or a `third` training dataset helps, whether an easy one does "
        "(`easy_in_pair`, `easy_alone`), whether mixtures of `several` do, or a dataset of which "
        "something is asked",
        (),
    ),
    "quantity": ("what is compared, such as `balanced_over_hard_only`", ()),
    "measure": (
        "`change` of balanced accuracy over the base model, the `learning` in it, its `slope` "
        f"per {statements.PER} prompts of a dataset, or `recall_na`",
        ("change", "learning", "slope", "recall_na"),
    ),
    "spread": (
        "over seeds: `grouped` (their mean, with the interval and the test for other seeds and "
        "other groups of examples), `seed_variance` and `example_variance` (of the mean, from one "
        "choice of seeds or of examples to another)",
        ("grouped", "seed_variance", "example_variance"),
    ),
}
_NAMES = {place: names for place, (_, names) in PLACES.items()}

# Columns of each table: one Parquet file for each run, one CSV file for all runs.
TABLES: dict[str, dict[str, str]] = {
    "predictions": columns.PREDICTIONS,
    "clean": columns.PREDICTIONS,
    "trajectory": columns.TRAJECTORY,
    "metrics": columns.METRICS,
    "rewards": columns.REWARDS,
}

# The nesting of results.json, as dotted keys of its leaves.
RESULTS: dict[str, str] = {
    **compare.KEYS,
    **{f"data.{key}": meaning for key, meaning in REPORT_KEYS.items()},
    **compare.CONTRAST_KEYS,
}


def undescribed(names: Iterable[str], described: Collection[str]) -> list[str]:
    """The names that no description, or more than one, is of."""
    return descriptions.undescribed(names, described, _NAMES)


def unused(names: Collection[str], described: Iterable[str]) -> list[str]:
    """The descriptions that are of none of the names."""
    return descriptions.unused(names, described, _NAMES)
