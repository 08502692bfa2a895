"""What training did to the reward of an arm's own claims: each answered before and after.

The batches of a training curve differ in their claims, which can move their mean reward as
much as training does. Here the claims and the random numbers are the same on both sides.
"""

import pandas as pd

from factmix.study.labels import Label
from factmix.study.spec import Reward, Study
from factmix.training import rewards
from factmix.training.columns import REWARDS
from factmix.training.evaluate import answer, as_in_training
from factmix.training.policy import Policy


def before_and_after(
    policy: Policy, training: pd.DataFrame, study: Study, arm: str
) -> pd.DataFrame:
    """The reward of one answer per training claim, sampled as in training.

    Args:
        policy: with the trained adapter, which is switched off for the answers before.
        training: the arm's training sample.
        study: its training temperature, and its evaluation seed for the random numbers.
        arm: whose reward is taken.

    Returns:
        `columns.REWARDS`, in the order of `training`.
    """
    at_training = as_in_training(study)
    policy.model.eval()
    with policy.model.disable_adapter():
        before = answer(policy, training, at_training, name=f"{arm}, before")
    after = answer(policy, training, at_training, name=f"{arm}, after")
    reward = study.reward_of(arm)
    earned = after.assign(before=_totals(before, reward), after=_totals(after, reward))
    return earned[list(REWARDS)]


def _totals(answered: pd.DataFrame, reward: Reward) -> list[float]:
    columns = (answered[name] for name in ("predicted", "format_valid", "gold"))
    return [
        sum(
            rewards.components(
                reward, predicted=predicted, format_valid=valid, gold=Label(gold)
            ).values()
        )
        for predicted, valid, gold in zip(*columns, strict=True)
    ]
