"""A study's reward as reward functions for TRL, which also log."""

import math
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

from factmix.study.labels import ANSWERS, INVALID, LABELS, Label
from factmix.study.prompts import parse
from factmix.study.settings import Reward
from factmix.training import rewards


class RewardError(ValueError):
    """A reward function raises, or gives something else than finite numbers."""


def check(reward: Reward) -> None:
    """Asks a reward for all that an answer can be: few things, since it sees no texts.

    Raises:
        RewardError: it fails for one of them; names the function, the answer and the gold label.
    """
    names: set[str] = set()
    answers = [*product(map(str, LABELS), (True, False)), (INVALID, False)]
    for (predicted, valid), gold in product(answers, LABELS):
        try:
            values = rewards.components(reward, predicted=predicted, format_valid=valid, gold=gold)
            names = names or set(values)
            _validate(values, names)
        except Exception as error:
            form = "valid" if valid else "no valid"
            raise RewardError(
                f"the reward function {rewards.REWARDS[reward.kind].__name__} of kind"
                f" '{reward.kind}' fails for the answer {predicted} in {form} format where the gold"
                f" label is {gold}: {type(error).__name__}: {error}"
            ) from error


def _validate(values: Mapping[str, float], names: Collection[str]) -> None:
    if not names or values.keys() != names or not all(map(math.isfinite, values.values())):
        expected = ", ".join(sorted(names)) or "its parts, of which there must be one"
        raise ValueError(f"got {values}; expected a finite number for each of {expected}")


def reward_functions(reward: Reward) -> list[Callable[..., list[float]]]:
    """TRL reward functions: one per component, then one with weight 0 that only logs.

    Each logs its values by gold label as "<name>|<label>"; TRL logs their mean. They take the
    columns gold and example (its id) of the training data, and raise RewardError, which names the
    example, where the reward fails later.

    Raises:
        RewardError: see `check`.
    """
    check(reward)
    names = set(rewards.component_names(reward))

    def by_gold(
        log: Callable[[str, float], None], name: str, values: list[float], gold: list[str]
    ) -> None:
        for label, value in zip(gold, values, strict=True):
            log(f"{name}|{label}", value)  # one by one, because counts differ by process

    def component(name: str) -> Callable[..., list[float]]:
        def earned(
            completions: list[str], gold: list[str], example: list[str], log_metric: Any, **_: Any
        ) -> list[float]:
            values = []
            for completion, label, of in zip(completions, gold, example, strict=True):
                try:
                    values.append(earnings(completion, label)[name])
                except Exception as error:  # `check` passed, so it depends on something else
                    raise RewardError(
                        f"the reward function {rewards.REWARDS[reward.kind].__name__} of kind"
                        f" '{reward.kind}' fails for the completion {completion!r} of example"
                        f" {of}, whose gold label is {label}: {type(error).__name__}: {error};"
                        " correct it, and training starts again"
                    ) from error
            by_gold(log_metric, f"reward/{name}", values, gold)
            return values

        earned.__name__ = name
        return earned

    # Few completions are distinct, and every function below parses all of them.
    read_once = lru_cache(maxsize=4096)(parse)

    @lru_cache(maxsize=4096)
    def earnings(completion: str, gold: str) -> dict[str, float]:
        read = read_once(completion)
        values = rewards.components(
            reward, predicted=read.predicted, format_valid=read.format_valid, gold=Label(gold)
        )
        _validate(values, names)
        return values

    def answers(completions: list[str], gold: list[str], log_metric: Any, **_: Any) -> list[float]:
        read = [read_once(completion) for completion in completions]
        right = [float(each.predicted == label) for each, label in zip(read, gold, strict=True)]
        total = [
            sum(earnings(text, label).values())
            for text, label in zip(completions, gold, strict=True)
        ]
        log_metric("accuracy", sum(right) / len(right))
        log_metric("format_rate", sum(each.format_valid for each in read) / len(read))
        for possible in ANSWERS:
            share = sum(each.predicted == possible for each in read) / len(read)
            log_metric(f"share/{possible}", share)
        by_gold(log_metric, "accuracy", right, gold)
        by_gold(log_metric, "reward/total", total, gold)
        return right

    return [*(component(name) for name in rewards.component_names(reward)), answers]
