"""Which examples are trained on and which are evaluated: drawn by seed, never the same.

The evaluation set is drawn first, dataset by dataset in the study's order, whatever the mixtures.
What it touches is then kept out of training by construction: every group of which it holds an
example, and every row whose claim reads like one of its claims. A group's name means the same unit
in all datasets of a study, and groups that a dataset links, as pages that decide one claim, are so.

An arm whose protocol splits as the released code did gets other samples: training and evaluation
are drawn at random from the same examples, and what they share is reported.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from factmix.data.datasets import check_known, load
from factmix.data.evaluation_set import draw_evaluation
from factmix.data.evidence import visible_evidence
from factmix.data.groups import linked
from factmix.data.leaks import check_disjoint, overlap, shared_examples
from factmix.data.pool import DataError, Pool
from factmix.data.text import normalised
from factmix.study.examples import COLUMNS, count_examples, to_frame
from factmix.study.files import write_json, write_parquet
from factmix.study.labels import LABELS
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS, Split
from factmix.study.spec import Study

Report = dict[str, Any]


# The report, as dotted keys with their meanings; beside these it has the fingerprint of all data.
REPORT_KEYS: dict[str, str] = {
    "datasets.<dataset>.pool.<label>": "examples that there are",
    "datasets.<dataset>.pool.with_evidence": "of these, with evidence",
    "datasets.<dataset>.pool.without_evidence": "of these, without",
    "datasets.<dataset>.evaluation.<label>": "examples of the evaluation set",
    "datasets.<dataset>.evaluation.with_evidence": "of these, with evidence",
    "datasets.<dataset>.evaluation.without_evidence": "of these, without",
    "datasets.<dataset>.excluded.group": "examples that training lacks, as their group is in "
    "the evaluation set",
    "datasets.<dataset>.excluded.claim": "the same, as their claim is there",
    "datasets.<dataset>.skipped.<reason>": "rows of the dataset's files that cannot be used; "
    "only where there are some",
    "mixtures.<mixture>.<dataset>.<label>": "examples of a training sample",
    "mixtures.<mixture>.<dataset>.with_evidence": "of these, with evidence",
    "mixtures.<mixture>.<dataset>.without_evidence": "of these, without",
    "overlap.<mixture>.groups": "groups that a mixture and the evaluation set share",
    "overlap.<mixture>.claims": "claims that they share",
    "arms.<arm>.groups": "groups that an arm's training sample and its evaluation set share",
    "arms.<arm>.claims": "claims that they share",
    "arms.<arm>.examples.<dataset>.<label>": "examples that they share",
}


@dataclass(frozen=True)
class _Drawn:
    """The examples of one way to split, with all their evidence.

    Attributes:
        evaluation: the evaluation set.
        training: each mixture's sample.
        excluded: per dataset, the rows kept from training beside the evaluation examples.
    """

    evaluation: pd.DataFrame
    training: dict[str, pd.DataFrame]
    excluded: dict[str, dict[str, int]]


def prepare(study: Study, paths: Paths) -> Report:
    """Draws the study's evaluation set and the training sample of each of its mixtures.

    Writes each dataset's examples, `paths.evaluation` (with a column `trajectory`: whether the
    example is in the part that is answered during training), one `paths.train` per mixture, the
    variants of both that arms with another protocol need, and `paths.data_report`, which is written
    last.

    Returns:
        The report: fingerprint; datasets.<name>.pool, .evaluation and .excluded; mixtures.<name>.
        <dataset>; overlap.<mixture>; arms.<arm>. Counts are of examples, by label and by whether
        there is evidence. `excluded` are the rows kept out of training beside the evaluation
        examples themselves: by their group, or only by their claim. `skipped`, where there is any,
        are rows of the dataset's files that cannot be used, by the reason. `arms` has what each
        arm's training sample and evaluation set share: groups, claims, and examples by dataset and
        label.

    Raises:
        DataError: a dataset is not known, or too small for what is asked of it.
        LeakError: training and evaluation share something, although the protocol says not to.
    """
    check_known(study)
    loaded = {name: _pool(name) for name in study.datasets}
    pools = linked({name: (pool, raw.pages) for name, (pool, raw) in loaded.items()})
    usual = PROTOCOLS[study.protocol]
    splits = dict.fromkeys([usual.split, *(study.protocol_of(arm).split for arm in study.arms)])
    drawn = {split: _draw(study, pools, split) for split in splits}

    evaluation = visible_evidence(drawn[usual.split].evaluation, usual.evidence_eval, "evaluation")
    evaluations = {"": evaluation}
    trainings = {
        (mixture, ""): visible_evidence(train, usual.evidence_train, "train")
        for mixture, train in drawn[usual.split].training.items()
    }
    arms = {}
    for arm in study.arms:
        settings, sample = study.protocol_of(arm), study.training_sample(arm)
        variant, own = study.evaluation_sample(arm), drawn[settings.split]
        if variant not in evaluations:
            evaluations[variant] = visible_evidence(
                own.evaluation, settings.evidence_eval, "evaluation"
            )
        if sample not in trainings:
            trainings[sample] = visible_evidence(
                own.training[sample[0]], settings.evidence_train, "train"
            )
        both = trainings[sample], evaluations[variant]
        if settings.split == "group_disjoint":
            check_disjoint(*both, f"study {study.name}, arm {arm}")
        arms[arm] = {**overlap(*both), "examples": shared_examples(*both)}

    training = {mixture: trainings[mixture, ""] for mixture in study.mixtures}
    variants = {f"evaluation {name}": each for name, each in evaluations.items() if name}
    variants |= {" ".join(sample): each for sample, each in trainings.items() if sample[1]}
    report: Report = {
        "fingerprint": _fingerprint({"evaluation": evaluation, **training, **variants}),
        "datasets": {
            name: {
                "pool": count_examples(pool),
                "evaluation": count_examples(evaluation[evaluation["dataset"] == name]),
                "excluded": drawn[usual.split].excluded[name],
                **({"skipped": dict(raw.skipped)} if raw.skipped else {}),
            }
            for name, (pool, raw) in loaded.items()
        },
        "mixtures": {
            mixture: {
                name: count_examples(part) for name, part in train.groupby("dataset", sort=False)
            }
            for mixture, train in training.items()
        },
        "overlap": {mixture: overlap(train, evaluation) for mixture, train in training.items()},
        "arms": arms,
    }
    for name, pool in pools.items():
        write_parquet(paths.pool(name), pool)
    for variant, each in evaluations.items():
        write_parquet(paths.evaluation_of(variant), each)
    for sample, each in trainings.items():
        write_parquet(paths.train(*sample), each)
    write_json(paths.data_report, report)
    return report


def _draw(study: Study, pools: dict[str, pd.DataFrame], split: Split) -> _Drawn:
    parts: list[pd.DataFrame] = []
    for name, pool in pools.items():
        reserved = {group for part in parts for group in part["group"]}
        rng = _rng(study.evaluation.seed, "evaluation", name)
        parts.append(draw_evaluation(study, name, pool, split, reserved, rng))
    evaluation = pd.concat(parts, ignore_index=True)
    if split == "as_released":
        everything = {name: [True] * len(pool) for name, pool in pools.items()}
        excluded = {name: {"group": 0, "claim": 0} for name in pools}
        return _Drawn(evaluation, _training(study, pools, everything), excluded)
    groups, claims = set(evaluation["group"]), set(evaluation["claim"].map(normalised))
    free, excluded = {}, {}
    for name, pool in pools.items():
        by_group = pool["group"].isin(groups)
        by_claim = pool["claim"].map(normalised).isin(claims) & ~by_group
        free[name] = (~(by_group | by_claim)).tolist()
        excluded[name] = {
            "group": int(by_group.sum() - (evaluation["dataset"] == name).sum()),
            "claim": int(by_claim.sum()),
        }
    training = _training(study, pools, free)
    for mixture, train in training.items():
        check_disjoint(train, evaluation, f"study {study.name}, mixture {mixture}")
    return _Drawn(evaluation, training, excluded)


def check_drawn(study: Study, arms: Iterable[str], paths: Paths) -> None:
    """Stops when samples of these arms are not there, or are not what the study now asks for.

    Raises:
        DataError: naming the file and how to draw it.
    """
    remedy = f"draw the data with: factmix data {study.name}"
    for arm in arms:
        split = study.protocol_of(arm).split
        evaluated = {name: study.evaluation_counts(name, split) for name in study.datasets}
        for file, wanted in (
            (paths.train(*study.training_sample(arm)), study.mixtures[study.arm(arm).mixture]),
            (paths.evaluation_of(study.evaluation_sample(arm)), evaluated),
        ):
            if not file.is_file():
                raise DataError(f"{file} does not exist; {remedy}")
            sample = pd.read_parquet(file, columns=["dataset", "label"])
            held = Counter(zip(sample["dataset"], sample["label"], strict=True))
            asked = {
                (name, str(label)): count
                for name, counts in wanted.items()
                for label, count in counts.items()
            }
            for name, label in asked | held:
                if held[name, label] != asked.get((name, label), 0):
                    raise DataError(
                        f"{file}: {name}, {label}: it holds {held[name, label]} examples, and the"
                        f" study now asks for {asked.get((name, label), 0)}; {remedy}"
                    )


def development(study: Study, paths: Paths) -> pd.DataFrame:
    """Examples for choices that neither training nor evaluation data may decide.

    They share no group and no claim with the evaluation set or with any mixture.

    Returns:
        Rows of all datasets with the columns of examples, from the files that `prepare` wrote.
    """
    files = [
        paths.evaluation,
        *(paths.evaluation_of(study.evaluation_sample(arm)) for arm in study.arms),
        *(paths.train(mixture) for mixture in study.mixtures),
        *(paths.train(*study.training_sample(arm)) for arm in study.arms),
    ]
    used = pd.concat([pd.read_parquet(file)[list(COLUMNS)] for file in dict.fromkeys(files)])
    groups, claims = set(used["group"]), set(used["claim"].map(normalised))
    pool = pd.concat([pd.read_parquet(paths.pool(name)) for name in study.datasets])
    seen = pool["group"].isin(groups) | pool["claim"].map(normalised).isin(claims)
    return pool[~seen].reset_index(drop=True)


def _pool(name: str) -> tuple[pd.DataFrame, Pool]:
    """A dataset's examples, and what else was said of them when they were read."""
    loaded = load(name)
    pool = to_frame(loaded.examples)
    repeated = pool["id"][pool["id"].duplicated()].tolist()
    if repeated:
        raise DataError(f"dataset {name}: the id '{repeated[0]}' occurs more than once")
    return pool, loaded


def _training(
    study: Study, pools: dict[str, pd.DataFrame], free: dict[str, list[bool]]
) -> dict[str, pd.DataFrame]:
    """Each mixture's examples: of one order per dataset and label, the first so many that are free.

    So a mixture that takes fewer examples takes a subset, and mixtures do not depend on each other.
    """
    order = {
        (name, label): [
            row
            for row in _rng(study.sample_seed, "training", name, label).permutation(
                np.flatnonzero(pool["label"] == label)
            )
            if free[name][row]
        ]
        for name, pool in pools.items()
        for label in LABELS
    }
    training = {}
    for mixture, parts in study.mixtures.items():
        taken = []
        for name, counts in parts.items():
            for label, needed in counts.items():
                rows = order[name, label]
                if needed > len(rows):
                    total = int((pools[name]["label"] == label).sum())
                    raise DataError(
                        f"study {study.name}: mixtures.{mixture}: {name}, {label}: {needed}"
                        f" examples needed, {len(rows)} available (of {total}; the others are in"
                        " the evaluation set or share a group or a claim with it)"
                    )
                taken.append(pools[name].iloc[rows[:needed]])
        if sum(map(len, taken)) < study.training.prompts_per_step:
            raise DataError(
                f"study {study.name}: mixtures.{mixture}: {sum(map(len, taken))} examples are fewer"
                f" than the {study.training.prompts_per_step} of training.prompts_per_step"
            )
        training[mixture] = pd.concat(taken, ignore_index=True)
    return training


def _fingerprint(frames: dict[str, pd.DataFrame]) -> str:
    """SHA-256 of every example that is trained on or evaluated, in order."""
    digest = hashlib.sha256()
    for name, frame in frames.items():
        digest.update(json.dumps([name, frame.to_dict("records")]).encode())
    return digest.hexdigest()


def _rng(seed: int, *purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that no draw depends on another."""
    return np.random.default_rng([seed, *"/".join(purpose).encode()])
