"""The language model that is trained: base weights, tokenizer, LoRA adapter, and its prompts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from factmix import study as study_module
from factmix.examples import Example
from factmix.prompts import render
from factmix.runs import ROOT


class PromptError(ValueError):
    """A prompt cannot be made to fit."""


@dataclass(frozen=True)
class Policy:
    """A causal language model with its tokenizer.

    Attributes:
        model: the base model, or a PEFT model around it.
        tokenizer: pads on the left.
        stop_ids: tokens that end a completion: end of sequence, and all that hold a newline.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    stop_ids: tuple[int, ...]


def load_base(model: study_module.Model) -> Policy:
    """The base model of a study: bfloat16 on a CUDA device, float32 elsewhere."""
    disable_progress_bar()  # of a weight file that loads in a moment
    cuda = torch.cuda.is_available()
    local = ROOT / model.path
    source = str(local) if local.is_dir() else model.path
    tokenizer = AutoTokenizer.from_pretrained(
        source, revision=model.revision, trust_remote_code=False, padding_side="left"
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        source,
        revision=model.revision,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.bfloat16 if cuda else torch.float32,
    )
    base.to("cuda" if cuda else "cpu")  # type: ignore[arg-type]
    base.eval()
    stop_ids = stopping_tokens(tokenizer)
    if base.generation_config is None:
        raise study_module.StudyError(f"{model.path}: not a model that generates text")
    base.generation_config.eos_token_id = list(stop_ids)
    base.generation_config.pad_token_id = tokenizer.pad_token_id
    return Policy(base, tokenizer, stop_ids)


def stopping_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """End of sequence, and every token whose text holds a newline."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    newline = [token for token, text in enumerate(texts) if "\n" in text]
    return (int(tokenizer.eos_token_id), *newline)


def add_adapter(policy: Policy, lora: study_module.Lora, seed: int) -> Policy:
    """The policy with a fresh LoRA adapter, whose random half is drawn from `seed`."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=lora.target_modules,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
    return replace(policy, model=get_peft_model(policy.model, config))


def load_adapter(policy: Policy, folder: Path) -> Policy:
    """The policy with a trained adapter, ready to answer."""
    model = PeftModel.from_pretrained(policy.model, str(folder))
    model.eval()
    return replace(policy, model=model)


def prompt_text(
    tokenizer: PreTrainedTokenizerBase, example: Example, prompt: study_module.Prompt
) -> tuple[str, bool]:
    """The prompt of an example, and whether evidence had to be cut from its end to make it fit.

    Raises:
        PromptError: when it is too long even without evidence.
    """

    def within(evidence: tuple[str, ...]) -> tuple[str, int]:
        text = render(example.claim, evidence, worked_examples=prompt.worked_examples)
        return text, prompt.max_tokens - len(tokenizer(text)["input_ids"])

    evidence = example.evidence
    text, room = within(evidence)
    cut = room < 0
    while room < 0 and evidence:
        *kept, last = evidence
        words = last.split()[: len(last.split()) + room]  # a word is at least one token
        evidence = (*kept, " ".join(words)) if words else tuple(kept)
        text, room = within(evidence)
    if room < 0:
        raise PromptError(
            f"{example.dataset} {example.id}: the prompt has {-room} tokens too many without any "
            f"evidence; raise prompt.max_tokens (now {prompt.max_tokens}) or leave the claim out"
        )
    return text, cut
