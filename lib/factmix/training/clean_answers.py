"""The answers of an arm to the study's own evaluation set, where it has another one as well."""

import pandas as pd

from factmix.study import freshness
from factmix.study.files import write_sealed
from factmix.study.paths import Paths
from factmix.study.run import CLEAN, Run
from factmix.training.evaluate import answer_as
from factmix.training.policy import load_adapter, load_base


def evaluate_clean(run: Run, paths: Paths) -> None:
    """Writes the answers of a trained arm to its clean sample.

    `arm.answer` has made sure that the adapter is the one that was trained.

    Raises:
        ModelError: the adapter cannot be loaded.
    """
    asked = run.answers()[CLEAN]
    base = load_base(run.model, run.evaluation_prompt, paths.warm_start_of(run))
    policy = load_adapter(base, paths.run(run) / "adapter")
    rows = answer_as(asked, policy, pd.read_parquet(paths.sample(asked.evaluation_sample)))
    rows.attrs["depends_on"] = freshness.answering(asked, paths)
    write_sealed(paths.run(run) / CLEAN, rows)
