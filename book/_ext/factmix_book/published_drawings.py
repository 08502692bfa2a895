"""The figures of the pages on the published study, from its committed counts and curves."""

from functools import partial
from pathlib import Path

import pandas as pd

from factmix.published import audit
from factmix.published.released import CONTROL, DATASETS, MIXTURES, PRINTED, SYSTEMS, WINDOW
from factmix.report import figure_data, figures, ternary
from factmix.results.numbers import show
from factmix.study.labels import LABELS
from factmix.study.settings import AccuracyReward
from factmix_book import published_study
from factmix_book.drawings import Drawing, write_drawings
from factmix_book.published_study import READINGS, Published

NOTEBOOK = "published"
_PARTS = {"reward": "reward/total", "explore part": "reward/r_explore", "accuracy": "accuracy"}


def write(study: Published, into: Path) -> set[Path]:
    """Draws each figure, and writes figures.json with what they show in words."""
    drawings: dict[str, Drawing] = {
        "gains": _gains(study),
        "confusion": _confusion(study),
        "curves": _curves(study),
        "decisions": _decisions(study),
    }
    return write_drawings(drawings, into)


def _gains(study: Published) -> Drawing:
    gains = pd.DataFrame(study.report["gains"]).rename(
        columns={"mixture": "arm", "recomputed": "value"}
    )
    gains["dataset"] = gains["dataset"].map(DATASETS)
    draw = partial(figures.plot_gains, metrics=PRINTED, alpha=study.ledger.alpha)
    columns = ["arm", "dataset", "metric", "value", "low", "high", "p"]
    return Drawing(_gains_alt(study), gains[columns], draw, NOTEBOOK)


def _gains_alt(study: Published) -> str:
    gains = study.numbers["gains"]
    found = "; ".join(
        f"{mixture}: "
        + ", ".join(f"{DATASETS[d]} {show(of['accuracy'])}" for d, of in gains[mixture].items())
        for mixture in MIXTURES
    )
    return (
        "Gains over the control recomputed from the released answers, with 95 % intervals, for "
        f"accuracy, macro F1, F1 of NA and recall of NA. Gain in accuracy, {found}."
    )


def _confusion(study: Published) -> Drawing:
    counts = figure_data.confusion(study.report)
    counts["dataset"] = counts["dataset"].map(DATASETS)
    return Drawing(_confusion_alt(study), counts, figures.plot_confusion, NOTEBOOK)


def _confusion_alt(study: Published) -> str:
    metrics = study.numbers["metrics"]
    found = "; ".join(
        f"{system}: "
        + ", ".join(
            f"{name} {show(metrics[system][d]['recall_na'])}" for d, name in DATASETS.items()
        )
        for system in SYSTEMS
    )
    return (
        f"Gold label against answer of the four systems on three datasets. Recall of NA, {found}."
    )


def _curves(study: Published) -> Drawing:
    """Means of every ten steps: what is kept of the logs."""
    frames = []
    for mixture in MIXTURES:
        logged = study.derived["curves"][mixture]["logged"]
        columns = {name: logged[name]["windows"] for name in _PARTS.values()}
        frame = pd.DataFrame(columns).assign(arm=mixture)
        frames.append(frame.assign(step=WINDOW * frame.index + WINDOW / 2))
    draw = partial(
        figures.plot_curves, components=_PARTS, columns=3, ylabel="mean per completion", window=1
    )
    return Drawing(_curves_alt(study), pd.concat(frames), draw, NOTEBOOK)


def _curves_alt(study: Published) -> str:
    curves = study.numbers["curves"]
    found = "; ".join(
        f"{mixture}, {show(of['steps'])} steps: reward from {show(of['reward_total']['start'])} to "
        f"{show(of['reward_total']['end'])}, explore part from "
        f"{show(of['reward_r_explore']['start'])} to {show(of['reward_r_explore']['end'])}"
        for mixture, of in curves.items()
        if mixture != CONTROL
    )
    return f"Reward, its explore part and accuracy in the three released logs. {found}."


def _decisions(study: Published) -> Drawing:
    """The data are the corners of the regions in the triangle of beliefs."""
    rewards = published_study.readings(study)
    maps = {READINGS[name]: audit.decision_regions(reward) for name, reward in rewards.items()}
    maps["plain accuracy"] = audit.decision_regions(AccuracyReward(kind="accuracy"))
    corners = [
        (title, str(label), *corner)
        for title, regions in maps.items()
        for label, corners_V3 in regions.items()
        for corner in corners_V3.tolist()
    ]
    data = pd.DataFrame(corners, columns=["reward", "answer", *(f"p({label})" for label in LABELS)])
    return Drawing(
        _decisions_alt(study), data, lambda _: ternary.plot_decision_maps(maps), NOTEBOOK
    )


def _decisions_alt(study: Published) -> str:
    shares = {
        READINGS[name]: audit.decision_shares(reward)["NA"]
        for name, reward in published_study.readings(study).items()
    }
    shares["plain accuracy"] = audit.decision_shares(AccuracyReward(kind="accuracy"))["NA"]
    found = "; ".join(f"{name}: {100 * share:.1f} %" for name, share in shares.items())
    return (
        "Three triangles of beliefs about the gold label, coloured by the answer with the highest "
        f"expected reward. Share of beliefs for which that is NA, {found}."
    )
