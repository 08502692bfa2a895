"""Draws the evaluation set and the training samples of a study, without overlap.

The evaluation set is drawn first, dataset by dataset in the study's order, independently of the
mixtures. Training then excludes every group that has an example in it, and every example whose
normalised claim is in it. Some groups of a generated dataset are kept for development, out of all
samples. A group name means the same unit in all datasets of a study. Groups that a dataset links,
such as two pages that decide one claim, are treated as one.

The examples of a warm start are drawn last, from those that share no group and no claim with any
other sample.

An arm whose protocol splits as the released code did gets other samples: training and evaluation
are drawn at random from the same examples, and their overlap is reported. Of a generated dataset
the study's own evaluation set is left out of them, so that it stays clean for such an arm.
"""

import hashlib
import json
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
from factmix.study import freshness
from factmix.study.examples import COLUMNS, count_examples, to_frame
from factmix.study.files import read_record, sha256, write_parquet, write_record
from factmix.study.labels import LABELS
from factmix.study.paths import Paths
from factmix.study.protocol import Split
from factmix.study.run import (
    BaseRun,
    EvaluationSample,
    Run,
    Sample,
    TrainingSample,
    WarmStartRun,
)
from factmix.study.settings import Counts
from factmix.study.spec import Study

Report = dict[str, Any]

DEVELOPMENT_SHARE = 1 / 8  # of the groups of a generated dataset

# The counts of the report, as dotted keys with their meanings; it also has `fingerprint`,
# `depends_on` and `files_sha256`.
REPORT_KEYS: dict[str, str] = {
    "datasets.<dataset>.pool.<label>": "examples that there are",
    "datasets.<dataset>.pool.with_evidence": "of these, with evidence",
    "datasets.<dataset>.pool.without_evidence": "of these, without",
    "datasets.<dataset>.development": "of these, examples that no sample uses; only of generated "
    "datasets",
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
    "warm_start.<dataset>.<label>": "examples of the warm start; only of a study that has one",
    "warm_start.<dataset>.with_evidence": "of these, with evidence",
    "warm_start.<dataset>.without_evidence": "of these, without",
    "left.<dataset>.<label>": "examples that share no group and no claim with any sample; only of "
    "a study with a warm start",
    "left.<dataset>.with_evidence": "of these, with evidence",
    "left.<dataset>.without_evidence": "of these, without",
    "overlap.<mixture>.groups": "groups that a mixture and the evaluation set share",
    "overlap.<mixture>.claims": "claims that they share",
    "arms.<arm>.groups": "groups that an arm's training sample and its evaluation set share",
    "arms.<arm>.claims": "claims that they share",
    "arms.<arm>.examples.<dataset>.<label>": "examples that they share",
}


@dataclass(frozen=True)
class _Drawn:
    """The examples of one kind of split, with all their evidence.

    Attributes:
        evaluation: the evaluation set.
        training: the training samples with this split, by name.
        excluded: for each dataset, how many rows training excludes besides the evaluation examples.
    """

    evaluation: pd.DataFrame
    training: dict[str, pd.DataFrame]
    excluded: dict[str, dict[str, int]]


def prepare(study: Study, paths: Paths) -> Report:
    """Draws the study's evaluation set, the sample of each of its mixtures, and its warm start's.

    Writes each dataset's examples, `paths.evaluation` (with a column `trajectory`: whether the
    example is also answered during training), a training sample per mixture, the variants of both
    for arms with another protocol, and, last, `paths.data_report`.

    Returns:
        The report: fingerprint; datasets.<name>.pool, .evaluation and .excluded; mixtures.<name>.
        <dataset>; overlap.<mixture>; arms.<arm>. Counts are of examples, by label and by whether
        there is evidence. `excluded` counts the rows excluded from training because they share a
        group, or only a claim, with the evaluation examples; these themselves are not counted.
        `skipped`, if any, counts the unusable rows of the dataset's files by reason. `arms` has
        what each arm's training sample and evaluation set share: groups, claims, and examples by
        dataset and label. Of arms and mixtures whose samples differ by seed, these are of the
        first seed. With a warm start also warm_start.<name> and left.<name>: counts of its
        sample, and of the examples that share no group and no claim with any sample.

    Raises:
        DataError: a dataset is unknown, or has too few examples.
        LeakError: training and evaluation overlap, and the protocol does not allow it.
    """
    check_known(study)
    loaded = {name: _pool(name) for name in study.datasets}
    whole = linked({name: (pool, raw.pages) for name, (pool, raw) in loaded.items()})
    kept = _kept_for_development(study, whole)
    pools = {
        name: pool[~pool["group"].isin(kept)].reset_index(drop=True) for name, pool in whole.items()
    }
    usual, *variants = [run.evaluation_sample for run in study.base_runs()]
    drawn = {usual.split: _draw(study, pools, usual)}
    left = _left_to_split(study, pools, usual, drawn[usual.split].evaluation)
    for variant in variants:
        if variant.split not in drawn:
            drawn[variant.split] = _draw(study, left, variant)
    evaluations = {
        sample.name: visible_evidence(drawn[sample.split].evaluation, sample.evidence, "evaluation")
        for sample in (usual, *variants)
    }
    trainings = {
        sample.name: visible_evidence(
            drawn[sample.split].training[sample.name], sample.evidence, "train"
        )
        for sample in study.training_samples()
    }
    for run in study.all_runs():
        where = f"study {study.name}, arm {run.arm}, seed {run.seed}"
        for asked in run.answers().values():
            if asked.evaluation_sample.split == "group_disjoint":
                evaluated = evaluations[asked.evaluation_sample.name]
                check_disjoint(trainings[run.training_sample.name], evaluated, where)
    arms = {}
    for run in study.runs():
        train = trainings[run.training_sample.name]
        evaluated = evaluations[run.evaluation_sample.name]
        arms[run.arm] = {
            **overlap(train, evaluated),
            "examples": shared_examples(train, evaluated),
        }

    drawn_before = pd.concat(
        [each[list(COLUMNS)] for each in (*evaluations.values(), *trainings.values())]
    )
    warm_start = _warm_start(study, pools, drawn_before)

    evaluation = evaluations[usual.name]
    training: dict[str, pd.DataFrame] = {}
    for sample in study.training_samples():
        if not sample.variant:
            training.setdefault(sample.mixture, trainings[sample.name])
    report: Report = {
        "fingerprint": _fingerprint(evaluations | trainings | warm_start),
        "datasets": {
            name: {
                "pool": count_examples(pool),
                **(
                    {"development": len(pool) - len(pools[name])}
                    if study.datasets[name].generated
                    else {}
                ),
                "evaluation": count_examples(evaluation[evaluation["dataset"] == name]),
                "excluded": drawn[usual.split].excluded[name],
                **({"skipped": dict(raw.skipped)} if raw.skipped else {}),
            }
            for name, (pool, raw) in loaded.items()
        },
        # With several seeds, the sample of the first.
        "mixtures": {mixture: _counts(train) for mixture, train in training.items()},
        "overlap": {mixture: overlap(train, evaluation) for mixture, train in training.items()},
        "arms": arms,
        "depends_on": freshness.drawing(study),
    }
    for name, started in warm_start.items():
        report[name] = _counts(started)
        report["left"] = {
            each: count_examples(_apart(pool, pd.concat([drawn_before, started])))
            for each, pool in pools.items()
        }
    for name, pool in whole.items():
        write_parquet(paths.pool(name), pool)
    samples = evaluations | trainings | warm_start
    for name, examples in samples.items():
        write_parquet(paths.data / f"{name}.parquet", examples)
    files = [f"{name}.parquet" for name in samples]
    report["files_sha256"] = {name: sha256(paths.data / name) for name in files}
    write_record(paths.data_report, report)
    return report


def _draw(study: Study, pools: dict[str, pd.DataFrame], sample: EvaluationSample) -> _Drawn:
    """The evaluation set and training samples, with the split of an evaluation sample."""
    for name, counts in sample.pool.items():
        pools = {**pools, name: _small(study, name, pools[name], counts)}
    parts: list[pd.DataFrame] = []
    for name, pool in pools.items():
        reserved = {group for part in parts for group in part["group"]}
        rng = _rng(sample.seed, "evaluation", name)
        where = f"study {study.name}"
        parts.append(draw_evaluation(sample, name, pool, reserved, rng, where=where))
    evaluation = pd.concat(parts, ignore_index=True)
    if sample.split == "as_released":
        everything = {name: [True] * len(pool) for name, pool in pools.items()}
        excluded = {name: {"group": 0, "claim": 0} for name in pools}
        return _Drawn(evaluation, _training(study, pools, everything, sample.split), excluded)
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
    training = _training(study, pools, free, sample.split)
    for name, train in training.items():
        check_disjoint(train, evaluation, f"study {study.name}, sample {name}")
    return _Drawn(evaluation, training, excluded)


def _left_to_split(
    study: Study,
    pools: dict[str, pd.DataFrame],
    usual: EvaluationSample,
    evaluation: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """What an arm draws from whose split is not that of the study.

    Generated datasets have enough examples to leave out the evaluation set of a study that splits
    by group, so that such an arm can answer that, too. What is left out are groups and claims.
    """
    return {
        name: _apart(pool, evaluation).reset_index(drop=True)
        if study.datasets[name].generated and usual.split == "group_disjoint"
        else pool
        for name, pool in pools.items()
    }


def _small(study: Study, name: str, pool: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """So many examples of each label, taken at random, in the order of the pool.

    Raises:
        DataError: there are fewer.
    """
    rng = _rng(study.evaluation.seed, "released_pool", name)
    taken = []
    for label, needed in counts.items():
        rows = np.flatnonzero(pool["label"] == label)
        where = f"study {study.name}: datasets.{name}.released_pool: {label}"
        others = "are kept for development, or for the study's own evaluation set"
        _check_enough(where, needed, len(rows), pool, label, others)
        taken.append(rng.permutation(rows)[:needed])
    return pool.iloc[np.sort(np.concatenate(taken))].reset_index(drop=True)


def check_drawn(run: Run | BaseRun | WarmStartRun, paths: Paths) -> None:
    """Checks that the samples of a run exist, are as drawn, and match the study as it is now.

    Raises:
        DataError: one does not; names the file, what differs, and how to draw it.
        DamagedError: the report of what was drawn is not as it was written.
    """
    remedy = f"draw the data with: factmix data {run.study}"
    report = paths.data_report
    content = read_record(report) if report.is_file() else {}
    drawn = content.get("depends_on", {}).get("settings", {}).get("samples", {})
    samples: list[Sample] = []
    if isinstance(run, Run):
        samples.append(run.training_sample)
    if isinstance(run, Run | BaseRun):
        samples += [asked.evaluation_sample for asked in run.answers().values()]
    warm_start = run if isinstance(run, WarmStartRun) else run.warm_start
    if warm_start:
        samples.append(warm_start.sample)
    for sample in samples:
        file = paths.sample(sample)
        if not file.is_file() or sample.name not in drawn:
            seed = sample.run_seed if isinstance(sample, TrainingSample) else None
            listed = "" if seed is None else f" (it draws for the seeds that it lists; add {seed})"
            raise DataError(f"{file} does not exist; {remedy}{listed}")
        settings = freshness.sample_settings(sample)
        changed = freshness.differences({"settings": drawn[sample.name]}, {"settings": settings})
        if changed:
            raise DataError(f"{file} does not match the study as it is now: {changed[0]}; {remedy}")
        kept = content.get("files_sha256", {}).get(file.name)
        if kept and kept != sha256(file):
            raise DataError(f"{file} was changed after it was drawn; {remedy}")


def development(study: Study, paths: Paths) -> pd.DataFrame:
    """Development examples, for choices that must not depend on training or evaluation data.

    They share no group and no claim with any sample of the study: of a generated dataset those that
    are kept for this, whatever the seeds and mixtures; of another, those that no sample took.

    Returns:
        Rows of all datasets with the columns of examples, from the files that `prepare` wrote.
    """
    pools = {name: pd.read_parquet(paths.pool(name)) for name in study.datasets}
    kept = _kept_for_development(study, pools)
    used = pd.concat(
        [pd.read_parquet(paths.sample(each))[list(COLUMNS)] for each in study.samples()]
    )
    pool = pd.concat(
        [
            pool[pool["group"].isin(kept)] if study.datasets[name].generated else pool
            for name, pool in pools.items()
        ]
    )
    return _apart(pool, used).reset_index(drop=True)


def _kept_for_development(study: Study, pools: dict[str, pd.DataFrame]) -> set[str]:
    """Groups of generated datasets that no sample uses."""
    kept: set[str] = set()
    for name, pool in pools.items():
        if study.datasets[name].generated:
            groups = sorted(set(pool["group"]))
            order = _rng(study.evaluation.seed, "development", name).permutation(len(groups))
            kept |= {groups[i] for i in order[: round(DEVELOPMENT_SHARE * len(groups))]}
    return kept


def _apart(pool: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The rows that share no group and no claim with other examples."""
    groups, claims = set(others["group"]), set(others["claim"].map(normalised))
    seen = pool["group"].isin(groups) | pool["claim"].map(normalised).isin(claims)
    return pool[~seen]


def _counts(sample: pd.DataFrame) -> dict[str, dict[str, int]]:
    """The number of examples of each dataset."""
    return {str(name): count_examples(part) for name, part in sample.groupby("dataset", sort=False)}


def _pool(name: str) -> tuple[pd.DataFrame, Pool]:
    """A dataset's examples as a table, and what its loader returned with them."""
    loaded = load(name)
    pool = to_frame(loaded.examples)
    repeated = pool["id"][pool["id"].duplicated()].tolist()
    if repeated:
        raise DataError(f"dataset {name}: the id '{repeated[0]}' occurs more than once")
    return pool, loaded


def _training(
    study: Study, pools: dict[str, pd.DataFrame], free: dict[str, list[bool]], split: Split
) -> dict[str, pd.DataFrame]:
    """The training samples with a split, by name.

    The examples of each dataset and label have one random order, and a mixture takes the first
    free ones. Of two mixtures, the smaller one thus takes a subset, and no mixture depends on
    another. A generated dataset has an order of its own for each seed of a run.
    """
    of_label = {
        (name, label): np.flatnonzero(pool["label"] == label)
        for name, pool in pools.items()
        for label in LABELS
    }
    training: dict[str, pd.DataFrame] = {}
    for sample in study.training_samples():
        if sample.split != split:
            continue
        where = f"study {study.name}: mixtures.{sample.mixture}"
        taken = []
        for name, counts in sample.counts.items():
            own = [f"seed {sample.run_seed}"] if study.datasets[name].generated else []
            for label, needed in counts.items():
                rng = _rng(sample.seed, "training", name, label, *own)
                order = rng.permutation(of_label[name, label])
                rows = [row for row in order if free[name][row]]
                which = f"{where}: {name}, {label}"
                others = "are in the evaluation set or share a group or a claim with it"
                _check_enough(which, needed, len(rows), pools[name], label, others)
                taken.append(pools[name].iloc[rows[:needed]])
        if sum(map(len, taken)) < study.training.prompts_per_step:
            raise DataError(
                f"{where}: {sum(map(len, taken))} examples are fewer"
                f" than the {study.training.prompts_per_step} of training.prompts_per_step;"
                " enlarge the mixture, or lower prompts_per_step"
            )
        training[sample.name] = pd.concat(taken, ignore_index=True)
    return training


def _check_enough(
    where: str, needed: int, available: int, pool: pd.DataFrame, label: str, others: str
) -> None:
    """Raises DataError if a sample asks for more examples of a label than are left of a pool."""
    if needed > available:
        total = int((pool["label"] == label).sum())
        raise DataError(
            f"{where}: {needed} examples needed, {available} available (of {total}; the others"
            f" {others})"
        )


def _warm_start(
    study: Study, pools: dict[str, pd.DataFrame], drawn: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The sample of the study's warm start by its name; nothing without a warm start.

    Args:
        study: for the counts.
        pools: all examples of each dataset.
        drawn: all examples of the other samples.

    Raises:
        DataError: they leave too few.
    """
    warm_start = study.warm_start_run()
    if warm_start is None:
        return {}
    sample, taken = warm_start.sample, []
    for name, counts in sample.counts.items():
        free = _apart(pools[name], drawn)
        for label, needed in counts.items():
            left = free[free["label"] == label]
            where = f"study {study.name}: warm_start.counts: {name}, {label}"
            others = (
                "are in the evaluation set or a mixture, or share a group or a claim with one"
                " that is"
            )
            _check_enough(where, needed, len(left), pools[name], label, others)
            order = _rng(sample.seed, "warm_start", name, label).permutation(len(left))
            taken.append(left.iloc[order[:needed]])
    examples = visible_evidence(pd.concat(taken, ignore_index=True), sample.evidence, "train")
    return {sample.name: examples}


def _fingerprint(frames: dict[str, pd.DataFrame]) -> str:
    """SHA-256 of all training and evaluation examples, in order."""
    digest = hashlib.sha256()
    for name, frame in frames.items():
        digest.update(json.dumps([name, frame.to_dict("records")]).encode())
    return digest.hexdigest()


def _rng(seed: int, *purpose: str) -> np.random.Generator:
    """An independent generator for each purpose."""
    return np.random.default_rng([seed, *"/".join(purpose).encode()])
