"""The figures of the pages on the published study, from its committed counts and curves."""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from factmix import audit, figures, look, ternary
from factmix.labels import ANSWERS, LABELS
from factmix.numbers import show
from factmix.released import CONTROL, DATASETS, MIXTURES, PRINTED, SYSTEMS, WINDOW
from factmix.study import AccuracyReward
from factmix_book import published_study
from factmix_book.drawings import Drawing, write_drawings
from factmix_book.published_study import READINGS, Published

_PARTS = {"reward/total": "reward", "reward/r_explore": "explore part", "accuracy": "accuracy"}


def write(study: Published, into: Path) -> set[Path]:
    """Draws each figure, and writes alt.json with what they show in words."""
    drawings: dict[str, Drawing] = {
        "gains": (_gains_alt(study), partial(_gains, study)),
        "confusion": (_confusion_alt(study), partial(_confusion, study)),
        "curves": (_curves_alt(study), partial(_curves, study)),
        "decisions": (_decisions_alt(study), partial(_decisions, study)),
    }
    return write_drawings(drawings, into)


def _gains(study: Published) -> Figure:
    gains = pd.DataFrame(study.report["gains"]).rename(
        columns={"mixture": "arm", "recomputed": "value"}
    )
    gains["dataset"] = gains["dataset"].map(DATASETS)
    return figures.plot_gains(gains, metrics=PRINTED, alpha=study.ledger.alpha)


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


def _confusion(study: Published) -> Figure:
    rows = [
        (system, DATASETS[dataset], str(LABELS[gold]), str(ANSWERS[answer]))
        for system, of in study.report["confusion"].items()
        for dataset, counts_LA in of.items()
        for gold, answer in np.ndindex(len(LABELS), len(ANSWERS))
        for _ in range(counts_LA[gold][answer])
    ]
    return figures.plot_confusion(
        pd.DataFrame(rows, columns=["arm", "dataset", "gold", "predicted"])
    )


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


def _curves(study: Published) -> Figure:
    """Means of every ten steps: what is kept of the logs."""
    frames = []
    for mixture in MIXTURES:
        logged = study.derived["curves"][mixture]["logged"]
        columns = {name: logged[name]["windows"] for name in _PARTS}
        frame = pd.DataFrame(columns).assign(arm=mixture)
        frames.append(frame.assign(step=WINDOW * frame.index + WINDOW / 2))
    metrics = pd.concat(frames)
    figure, axes = plt.subplots(1, len(_PARTS), figsize=(look.WIDTH, 2.8), squeeze=False)
    for i, (ax, (name, title)) in enumerate(zip(axes.flat, _PARTS.items(), strict=True)):
        figures.plot_training_curves(metrics, component=name, window=1, ax=ax)
        ax.set_title(title)
        ax.set_ylabel("mean per completion" if i == 0 else "")
        ax.get_legend().remove()
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(MIXTURES)
    )
    return figure


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


def _decisions(study: Published) -> Figure:
    rewards = published_study.readings(study)
    maps = {READINGS[name]: audit.decision_regions(reward) for name, reward in rewards.items()}
    maps["plain accuracy"] = audit.decision_regions(AccuracyReward(kind="accuracy"))
    return ternary.plot_decision_maps(maps)


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
