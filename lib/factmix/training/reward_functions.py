"""A study's reward as reward functions for TRL, which also log."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from factmix.study.labels import ANSWERS, Label
from factmix.study.prompts import parse
from factmix.study.settings import Reward
from factmix.training import rewards

Earned = dict[str, float]


class RewardError(RuntimeError):
    """A reward function raised, or gave something else than a finite number."""


def earner(reward: Reward) -> Callable[[str, bool, str, str], Earned]:
    """`rewards.components` of a reward, whose failures name the reward and the example.

    Returns:
        a function of the answer, whether its format is valid, the gold label, and the example in
        words. It raises RewardError.
    """
    expected: tuple[str, ...] = ()

    @lru_cache(maxsize=4096)  # few answers are distinct
    def earned(predicted: str, format_valid: bool, gold: str) -> Earned:
        nonlocal expected
        values = rewards.components(
            reward, predicted=predicted, format_valid=format_valid, gold=Label(gold)
        )
        expected = expected or tuple(values)
        if tuple(values) != expected:
            raise ValueError(f"components are {', '.join(values)}, not {', '.join(expected)}")
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}, which is no finite number")
        return values

    def named(predicted: str, format_valid: bool, gold: str, example: str) -> Earned:
        try:
            return earned(predicted, format_valid, gold)
        except Exception as error:
            raise RewardError(
                f"the reward function {rewards.REWARDS[reward.kind].__name__} of kind"
                f" '{reward.kind}' failed at {example}, gold label {gold}, answer {predicted}:"
                f" {type(error).__name__}: {error}"
            ) from error

    return named


def reward_functions(reward: Reward) -> list[Callable[..., list[float]]]:
    """TRL reward functions: one per component, then one with weight 0 that only logs.

    Each logs its values by gold label as "<name>|<label>"; TRL logs their mean.

    Raises:
        RewardError: see `earner`.
    """

    def by_gold(
        log: Callable[[str, float], None], name: str, values: list[float], gold: list[str]
    ) -> None:
        for label, value in zip(gold, values, strict=True):
            log(f"{name}|{label}", value)  # one by one, because counts differ by process

    def component(name: str) -> Callable[..., list[float]]:
        def earned(
            completions: list[str], gold: list[str], example: list[str], log_metric: Any, **_: Any
        ) -> list[float]:
            values = [each[name] for each in map(earnings, completions, gold, example)]
            by_gold(log_metric, f"reward/{name}", values, gold)
            return values

        earned.__name__ = name
        return earned

    # Few completions are distinct, and every function below parses all of them.
    read_once = lru_cache(maxsize=4096)(parse)

    earns = earner(reward)

    def earnings(completion: str, gold: str, example: str) -> Earned:
        read = read_once(completion)
        return earns(str(read.predicted), read.format_valid, gold, example)

    def answers(
        completions: list[str], gold: list[str], example: list[str], log_metric: Any, **_: Any
    ) -> list[float]:
        read = [read_once(completion) for completion in completions]
        right = [float(each.predicted == label) for each, label in zip(read, gold, strict=True)]
        total = [
            sum(earnings(*each).values()) for each in zip(completions, gold, example, strict=True)
        ]
        log_metric("accuracy", sum(right) / len(right))
        log_metric("format_rate", sum(each.format_valid for each in read) / len(read))
        for possible in ANSWERS:
            share = sum(each.predicted == possible for each in read) / len(read)
            log_metric(f"share/{possible}", share)
        by_gold(log_metric, "accuracy", right, gold)
        by_gold(log_metric, "reward/total", total, gold)
        return right

    names = earns(Label.NA, True, Label.NA, "no example, before training")
    return [*map(component, names), answers]
