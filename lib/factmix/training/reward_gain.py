"""The reward on an arm's own training claims, before and after training.

The batches of a training curve differ in their claims, which can change the mean reward as much as
training does. Here the claims and the random numbers are the same before and after.
"""

from functools import partial

import pandas as pd

from factmix.study.labels import Label
from factmix.study.run import Run
from factmix.study.settings import Reward
from factmix.training import rewards
from factmix.training.columns import REWARDS
from factmix.training.evaluate import answer
from factmix.training.policy import Policy


def before_and_after(policy: Policy, training: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The reward of one answer per training claim, sampled as in training.

    Args:
        policy: with the trained adapter, which is disabled for the answers before training.
        training: the training sample of the run.
        run: for its reward, its training temperature, and its evaluation seed.

    Returns:
        `columns.REWARDS`, in the order of `training`.
    """
    asked = partial(
        answer,
        policy,
        training,
        prompt=run.prompt,
        temperature=run.training.temperature,
        seed=run.evaluation.seed,
    )
    policy.model.eval()
    with policy.model.disable_adapter():
        before = asked(name=f"{run.arm}, before")
    after = asked(name=f"{run.arm}, after")
    earned = after.assign(before=totals(before, run.reward), after=totals(after, run.reward))
    return earned[list(REWARDS)]


def totals(answered: pd.DataFrame, reward: Reward) -> list[float]:
    """What each answer earns, all components together; columns of `columns.PREDICTIONS`."""
    columns = (answered[name] for name in ("predicted", "format_valid", "gold"))
    return [
        sum(
            rewards.components(
                reward, predicted=predicted, format_valid=valid, gold=Label(gold)
            ).values()
        )
        for predicted, valid, gold in zip(*columns, strict=True)
    ]
