"""Where the study as described and its released code differ: the settings, and two presets."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

Evidence = Literal["retrieved", "as_released"]
Split = Literal["group_disjoint", "as_released"]
WeightBy = Literal["predicted", "gold"]
InvalidAs = Literal["invalid", "NA"]
BaselinePrompt = Literal["same", "instructed"]
ProtocolName = Literal["as_described", "as_released"]


class Protocol(BaseModel):
    """How an arm is trained and evaluated, apart from its mixture and its reward.

    `ArmSettings` has a key for each of these. Samples are told apart by split and evidence alone
    (`sample_variant`).

    Attributes:
        evidence_train: retrieved: every claim is shown with evidence. as_released: only the
            evidence that the released code could parse; see `evidence.visible_evidence`.
        evidence_eval: the same for evaluation.
        split: group_disjoint: training and evaluation share no group and no claim. as_released:
            both are drawn from the same examples, with different seeds.
        weight_by: which label's weight the reward uses: the predicted or the gold label's.
        invalid_as: whether an answer without a label counts as invalid or as NA.
        sampler_refresh: training steps between updates of the weights that sample completions;
            with 1 they are always the current weights.
        baseline_prompt: same: a baseline is evaluated with the prompt of all other arms.
            instructed: its prompt also has instructions on the format of the answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    evidence_train: Evidence
    evidence_eval: Evidence
    split: Split
    weight_by: WeightBy
    invalid_as: InvalidAs
    sampler_refresh: PositiveInt
    baseline_prompt: BaselinePrompt


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "as_described": Protocol(
        evidence_train="retrieved",
        evidence_eval="retrieved",
        split="group_disjoint",
        weight_by="predicted",
        invalid_as="invalid",
        sampler_refresh=1,
        baseline_prompt="same",
    ),
    "as_released": Protocol(
        evidence_train="as_released",
        evidence_eval="as_released",
        split="as_released",
        weight_by="gold",
        invalid_as="NA",
        sampler_refresh=50,
        baseline_prompt="instructed",
    ),
}


def updates_sampled_from(step: int, refresh: int) -> int:
    """How many updates the weights have had that sample the completions of a step.

    The released code takes new weights at the end of each step whose number, counted from 0, is a
    positive multiple of `refresh` (train_grpo.py:762 at d6f221e). So the first `refresh` + 1 steps
    sample from the base model.

    Args:
        step: its number, from 0, which is also the number of updates before it.
        refresh: a protocol's `sampler_refresh`; with 1, sampling always uses the current weights.
    """
    if refresh == 1:
        return step
    renewed = max(step - 1, 0) // refresh * refresh
    return renewed + 1 if renewed else 0


def sample_variant(split: Split, evidence: Evidence) -> str:
    """The suffix in the file name of a sample that differs from the study's usual one."""
    if (split, evidence) == ("group_disjoint", "retrieved"):
        return "as_described"
    if (split, evidence) == ("as_released", "as_released"):
        return "as_released"
    return f"split_{split}-evidence_{evidence}"
