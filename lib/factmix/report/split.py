"""The picture of `factmix compare --plot`: what is shift, and what is learning."""

from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from factmix.report import figures, plot_style
from factmix.results.prediction_tables import PredictionsError
from factmix.study.files import written_whole

FORMATS = (".svg", ".png", ".pdf")


def draw_split(compared: dict[str, Any], file: Path) -> None:
    """Draws shift and learning of each dataset, on white.

    Args:
        compared: from `compare_files.compare_pairs`.
        file: to write; its name ends in one of `FORMATS`.

    Raises:
        PredictionsError: another format, no such folder, or a comparison without probabilities.
    """
    if file.suffix.lower() not in FORMATS:
        raise PredictionsError(f"--plot {file}: expected a name that ends in {', '.join(FORMATS)}")
    if not file.parent.is_dir():
        raise PredictionsError(f"--plot {file}: there is no folder {file.parent}")
    if not (split := compared["shift_or_learning"]):
        raise PredictionsError(
            "--plot needs probabilities of every label in both files, in columns such as"
            f" {', '.join(f'p_{label}' for label in compared['labels']) or 'p_yes, p_no'};"
            " name them with --columns p_LABEL=NAME"
        )
    rows = [
        (dataset, name, row[name]["difference"], *row[name]["ci"])
        for dataset, row in split["by_dataset"].items()
        for name in ("shift", "learning")
    ]
    draw = partial(
        figures.plot_shift,
        pd.DataFrame(rows, columns=["dataset", "part", "value", "low", "high"]),
    )
    with written_whole(file) as aside:
        if file.suffix.lower() == ".svg":
            aside.write_bytes(plot_style.svg(draw, paper="white"))
        else:
            with plot_style.style():
                figure = draw()
                figure.savefig(aside, format=file.suffix[1:].lower(), facecolor="white")
                plt.close(figure)
