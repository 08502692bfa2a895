"""What every system answered to the same evaluation examples, read from a run and checked."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from factmix.stats.metrics import Floats
from factmix.study.labels import LABELS, Label
from factmix.study.paths import Paths
from factmix.study.spec import BASE, Study, name_in_variant

__all__ = [
    "BASE",
    "CONSTANTS",
    "Answers",
    "CompareError",
    "check_files",
    "predictions",
    "read_answers",
    "reference_of",
]

CONSTANTS = {"always_na": Label.NA, "always_pass": Label.PASS}
PROBABILITIES = tuple(f"p_{label.lower()}" for label in LABELS)


class CompareError(ValueError):
    """Something that the comparison needs is missing or does not fit together."""


@dataclass(frozen=True)
class Answers:
    """One system's answers to one dataset, in the order of the baseline's.

    Attributes:
        run: the folder they are from, relative to the run of the study.
        gold: gold label of each example.
        predicted: answer to each example; INVALID where none could be read.
        groups: the group of each example.
        valid: how many answers are in exactly the expected format; None for constants.
        probabilities: of each label, shape (examples, labels), in the order of `LABELS`; None for
            constants.
    """

    run: str
    gold: list[str]
    predicted: list[str]
    groups: list[str]
    valid: int | None
    probabilities: Floats | None


def check_files(study: Study, paths: Paths) -> None:
    """Raises one CompareError that names every missing file and the commands to make them."""
    seed = study.seeds[0]
    made_by = {
        paths.data_report: f"factmix data {study.name}",
        **{
            paths.base_of(variant) / "predictions.parquet": f"factmix evaluate {study.name} {BASE}"
            for variant in study.evaluation_samples()
        },
    }
    for arm in study.arms:
        folder = paths.arm(arm, seed)
        for name in ("run.json", "metrics.parquet", "trajectory.parquet", "rewards.parquet"):
            made_by[folder / name] = f"factmix train {study.name} {arm} --seed {seed}"
        for each in study.seeds:
            made_by[paths.arm(arm, each) / "predictions.parquet"] = (
                f"factmix evaluate {study.name} {arm} --seed {each}"
            )
    absent = [path for path in made_by if not path.is_file()]
    if absent:
        files = ", ".join(str(path.relative_to(paths.root)) for path in absent)
        commands = "; ".join(dict.fromkeys(made_by[path] for path in absent))
        raise CompareError(
            f"study {study.name}: {paths.root} lacks {files}; make what is missing with: {commands}"
        )


def predictions(study: Study, paths: Paths) -> pd.DataFrame:
    """predictions.parquet of the untrained model, then of every arm's first seed."""
    files = [
        folder / "predictions.parquet" for folder in _folders(study, paths, study.seeds[0]).values()
    ]
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def read_answers(
    study: Study, paths: Paths, seed: int | None = None
) -> dict[str, dict[str, Answers]]:
    """The answers of the untrained model, of every arm and of the constants.

    The untrained model and the constants are there once for every variant of the evaluation set,
    the usual one as "base", "always_na" and "always_pass".

    Args:
        study: the study.
        paths: its run.
        seed: which seed of the arms; by default the first.

    Returns:
        system -> dataset -> answers. The answers to a dataset are in the same order in all systems
        of one variant, which are those with the same `reference_of`.

    Raises:
        CompareError: a dataset is missing, or systems of one variant answered different examples.
    """
    folders = _folders(study, paths, study.seeds[0] if seed is None else seed)
    frames = {
        system: pd.read_parquet(folder / "predictions.parquet")
        .set_index(["dataset", "id"])
        .sort_index()
        for system, folder in folders.items()
    }
    references = reference_of(study)
    answers: dict[str, dict[str, Answers]] = {}
    for system, frame in frames.items():
        baseline = references[system]
        reference = frames[baseline]
        answered = set(reference.index.get_level_values("dataset"))
        absent = [name for name in study.datasets if name not in answered]
        if absent:
            _refuse(study, folders[baseline], f"has no answers to {', '.join(absent)}")
        if not (frame.index.is_unique and frame.index.equals(reference.index)):
            _refuse(study, folders[system], f"answers other examples than {baseline}'s")
        if not frame["gold"].equals(reference["gold"]):
            _refuse(study, folders[system], f"has other gold labels than {baseline}'s")
        answers[system] = {
            dataset: Answers(
                run=folders[system].name,
                gold=frame.loc[dataset]["gold"].tolist(),
                predicted=frame.loc[dataset]["predicted"].tolist(),
                groups=frame.loc[dataset]["group"].tolist(),
                valid=int(frame.loc[dataset]["format_valid"].sum()),
                probabilities=frame.loc[dataset][list(PROBABILITIES)].to_numpy(dtype=float),
            )
            for dataset in study.datasets
        }
    for variant, baseline in study.evaluation_samples().items():
        for name, label in CONSTANTS.items():
            answers[name_in_variant(name, variant)] = {
                dataset: Answers(
                    "data", given.gold, [str(label)] * len(given.gold), given.groups, None, None
                )
                for dataset, given in answers[baseline].items()
            }
    return answers


def reference_of(study: Study) -> dict[str, str]:
    """The baseline that each system is compared with: the untrained models, then the arms."""
    samples = study.evaluation_samples().items()
    untrained = {name_in_variant(BASE, variant): baseline for variant, baseline in samples}
    return untrained | {arm: study.baseline_of(arm) for arm in study.arms}


def _folders(study: Study, paths: Paths, seed: int) -> dict[str, Path]:
    untrained = {
        name_in_variant(BASE, variant): paths.base_of(variant)
        for variant in study.evaluation_samples()
    }
    return untrained | {arm: paths.arm(arm, seed) for arm in study.arms}


def _refuse(study: Study, folder: Path, problem: str) -> None:
    raise CompareError(
        f"{folder / 'predictions.parquet'} {problem}; expected all systems to have answered the "
        f"evaluation set as it is now: delete that file and the baseline's, and make them again "
        f"with: factmix evaluate {study.name} ..."
    )
