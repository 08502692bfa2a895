"""The answers of an arm to the study's own evaluation set, where it has another one as well."""

import pandas as pd

from factmix.study import freshness
from factmix.study.files import write_sealed
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.training.evaluate import answer_as
from factmix.training.policy import load_adapter, load_base


def evaluate_clean(run: Run, paths: Paths) -> None:
    """Writes `paths.clean` of a trained arm with the adapter that answered its own sample.

    Raises:
        ModelError: the adapter cannot be loaded.
        ValueError: the arm has no clean sample.
    """
    clean = run.on_clean()
    if clean is None:
        raise ValueError(f"{run.name} has no clean sample")
    base = load_base(run.model, run.evaluation_prompt, paths.warm_start_of(run))
    policy = load_adapter(base, paths.run(run) / "adapter")
    rows = answer_as(clean, policy, pd.read_parquet(paths.sample(clean.evaluation_sample)))
    rows.attrs["depends_on"] = freshness.answering(clean, paths)
    write_sealed(paths.clean(run), rows)
