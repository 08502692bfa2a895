"""The language model that is trained: base weights, tokenizer, LoRA adapter, and its prompts."""

import logging
import shutil
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar
from transformers.utils.quantization_config import Mxfp4Config

from factmix.study.examples import Example
from factmix.study.labels import LABELS
from factmix.study.paths import model_folder
from factmix.study.prompts import CUE, render
from factmix.study.settings import Lora, Model, Prompt
from factmix.study.spec import StudyError
from factmix.training.model_check import (
    ModelError,
    check_positions,
    check_tokenizer,
    explained,
    failure,
    is_cached,
    is_here,
    read_config,
    source_of,
)

# Chat templates such as gpt-oss's insert today's date; a fixed date keeps prompts reproducible.
TEMPLATE_DATE = date(2025, 8, 5)

# These architectures have learned attention sinks, which faster kernels do not support.
EAGER = frozenset({"gpt_oss"})


class PromptError(ValueError):
    """A prompt is too long even without evidence, or its style needs a missing chat template."""


@dataclass(frozen=True)
class Policy:
    """A causal language model with its tokenizer.

    Attributes:
        model: the base model, or a PEFT model around it.
        tokenizer: pads on the left.
        stop_ids: tokens that end a completion: end of sequence, and all that contain a newline.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    stop_ids: tuple[int, ...]


def load_tokenizer(model: Model, *, only_local: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a study's model; it pads on the left.

    Raises:
        ModelError: it cannot be loaded; with `only_local`, also if it has not been downloaded.
    """
    with explained(model, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source_of(model),
            revision=model.revision,
            trust_remote_code=False,
            local_files_only=only_local,
            padding_side="left",
        )
        if tokenizer.eos_token_id is None:
            raise failure(
                model,
                "the tokenizer has no token for the end of a sequence; name one in"
                " tokenizer_config.json: eos_token",
            )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def checked(
    model: Model, prompt: Prompt | None = None, *, only_local: bool = False
) -> tuple[PreTrainedConfig, PreTrainedTokenizerBase]:
    """The configuration and the tokenizer of a model that can be trained; loads no weights.

    Args:
        model: of the study.
        prompt: of the study; its longest prompts must fit the model.
        only_local: whether not to download what is missing.

    Raises:
        ModelError: the model cannot be loaded, or does not fit its tokenizer or the prompts.
    """
    shape = read_config(model, only_local=only_local)
    tokenizer = load_tokenizer(model, only_local=only_local)
    with explained(model, "tokenizer"):
        check_tokenizer(model, tokenizer, shape)
        if prompt:
            check_positions(model, shape, prompt)
    return shape, tokenizer


def local_tokenizer(model: Model, prompt: Prompt) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a model that is here, and None for one that must be downloaded first.

    Raises:
        ModelError: what is here cannot be loaded, see `checked`.
    """
    files = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
    if not is_here(model) or not (
        model_folder(model).is_dir() or any(is_cached(model, file) for file in files)
    ):
        return None
    return checked(model, prompt, only_local=True)[1]


def device() -> str:
    """Where models run: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def dtype_of(model: Model) -> torch.dtype:
    """The dtype of a model's weights: the study's, else by the device.

    The default is bfloat16 on a CUDA device with native support, and float32 elsewhere. Of CPUs,
    those with avx512_bf16 are somewhat faster in bfloat16, which rounds more: a study must ask for
    it. On Apple's devices float16 would need loss scaling.
    """
    if model.dtype:
        chosen: torch.dtype = getattr(torch, model.dtype)
        return chosen
    if device() == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32


def attention_of(model: Model, shape: PreTrainedConfig) -> str | None:
    """The attention implementation of a model; None for the default of transformers."""
    return model.attention or ("eager" if shape.model_type in EAGER else None)


def load_base(model: Model, prompt: Prompt | None = None, warm_start: Path | None = None) -> Policy:
    """The base model of a study, on `device()` and in `dtype_of(model)`.

    Args:
        model: of the study.
        prompt: of the study; its longest prompts must fit the model.
        warm_start: folder of an adapter that is merged into the model; see `training.warm_start`.

    Raises:
        ModelError: the model cannot be loaded, or does not work.
        StudyError: it does not generate text.
    """
    disable_progress_bar()  # loading a weight file takes only a moment
    # hides the client's warning at each retry; the final failure is raised
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    shape, tokenizer = checked(model, prompt)
    # MXFP4 weights cannot be trained.
    quantised = (getattr(shape, "quantization_config", None) or {}).get("quant_method") == "mxfp4"
    attention = attention_of(model, shape)
    with explained(model, "weights"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source_of(model),
            revision=model.revision,
            trust_remote_code=False,
            use_safetensors=True,
            **({"quantization_config": Mxfp4Config(dequantize=True)} if quantised else {}),
            **({"attn_implementation": attention} if attention else {}),
            dtype=dtype_of(model),
            output_loading_info=True,
        )
        base: PreTrainedModel = loaded[0]
        names = sorted(loaded[1]["missing_keys"])
        if names:
            raise failure(
                model,
                f"its files lack {len(names)} weights, such as {names[0]}, which would be random;"
                " expected all weights of the model that config.json describes",
            )
        base.to(device())  # type: ignore[arg-type]
        base.eval()
        ids = torch.tensor([tokenizer(CUE)["input_ids"]], device=base.device)
        with torch.no_grad():
            tried = base(input_ids=ids).logits
        if not tried.isfinite().all():
            raise failure(
                model,
                f"a forward pass in {base.dtype} gives logits that are not finite; its weights are"
                " damaged, or need another model.dtype",
            )
    if base.generation_config is None:
        raise StudyError(
            f"{model.path}: the model does not generate text; expected a causal language model"
        )
    embeddings: Any = base.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    named = base.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [] if named is None else [named]
    if not all(isinstance(each, int) and 0 <= each < rows for each in ends):
        raise failure(
            model,
            f"generation_config.json: eos_token_id: got {named!r}; expected the number of a token,"
            f" or several, below {rows}",
        )
    stop_ids = tuple(dict.fromkeys((*stopping_tokens(tokenizer), *ends)))
    base.generation_config.eos_token_id = list(stop_ids)
    base.generation_config.pad_token_id = tokenizer.pad_token_id
    policy = Policy(base, tokenizer, stop_ids)
    if warm_start is None:
        return policy
    return replace(policy, model=load_adapter(policy, warm_start).model.merge_and_unload())


def stopping_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """End of sequence, and every token whose text contains a newline."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    newline = [token for token, text in enumerate(texts) if "\n" in text]
    return (int(tokenizer.eos_token_id), *newline)


def add_adapter(policy: Policy, lora: Lora, seed: int) -> Policy:
    """The policy with a new LoRA adapter, initialised with `seed`."""
    torch.manual_seed(seed)
    return replace(policy, model=adapted(policy.model, lora))


def adapted(model: PreTrainedModel, lora: Lora) -> PeftModel:
    """A model with the study's adapter.

    Raises:
        StudyError: a target is in no part of the model; PEFT itself ignores it unless all are.
    """
    modules = {name for name, part in model.named_modules() if not list(part.children())}
    parameters = {name for name, _ in model.named_parameters()}
    for key, targets, known in (
        ("target_modules", lora.target_modules, modules),
        ("target_parameters", lora.target_parameters, parameters),
    ):
        for target in targets:
            if not any(f".{name}".endswith(f".{target}") for name in known):
                ends = sorted({name.rsplit(".", 1)[-1] for name in known})
                raise StudyError(
                    f"model.lora.{key}: '{target}' is in no part of this"
                    f" {type(model).__name__}; expected ends of names such as: {', '.join(ends)}"
                )
    if not lora.target_modules and not lora.target_parameters:
        raise StudyError("model.lora.target_modules: expected at least one; got none")
    return get_peft_model(model, lora_config(lora))


def lora_config(lora: Lora) -> LoraConfig:
    """The study's adapter in PEFT's terms."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=lora.target_modules,
        target_parameters=lora.target_parameters or None,
        lora_dropout=0.0,  # required by target_parameters
        bias="none",
        task_type="CAUSAL_LM",
    )


def save_adapter(model: Any, folder: Path) -> None:
    """Writes adapter/ into the folder of a run; it is there whole, or not at all.

    Args:
        model: a PEFT model.
        folder: of the run, with the checkpoints of its training.
    """
    adapter, part = folder / "adapter", folder / "checkpoints" / "adapter"
    model.save_pretrained(str(part))
    if adapter.exists():  # of a training that was killed between here and run.json
        shutil.rmtree(adapter)
    part.rename(adapter)


def load_adapter(policy: Policy, folder: Path) -> Policy:
    """The policy with a trained adapter, in evaluation mode.

    Raises:
        ModelError: the files of the adapter are missing or damaged.
    """
    if not (folder / "adapter_model.safetensors").is_file():  # PEFT would take a pickle instead
        raise ModelError(
            f"{folder}: there is no adapter_model.safetensors; expected the files that training"
            f" writes; delete {folder.parent / 'run.json'} and train again"
        )
    try:
        with warnings.catch_warnings():
            # PEFT uses attributes that transformers has renamed
            warnings.simplefilter("ignore", FutureWarning)
            model = PeftModel.from_pretrained(policy.model, str(folder))
    except Exception as error:
        raise ModelError(
            f"{folder}: the adapter cannot be loaded: {error}; expected the files that training"
            f" writes; delete {folder.parent / 'run.json'} and train again"
        ) from error
    model.eval()
    return replace(policy, model=model)


def whole_prompt(
    tokenizer: PreTrainedTokenizerBase,
    claim: str,
    evidence: tuple[str, ...],
    prompt: Prompt,
) -> str:
    """The prompt of a claim with all of its evidence, in the study's style.

    In the style "harmony" it is the user message in the tokenizer's chat template, dated
    `TEMPLATE_DATE`. The assistant's final answer starts with `CUE`, so that the next token is the
    label, as in the plain style.

    Raises:
        PromptError: the tokenizer has no chat template.
    """
    text = render(
        claim,
        evidence,
        worked_examples=prompt.worked_examples,
        instructed=prompt.instructed,
    )
    if prompt.prompt_style == "plain":
        return text
    if tokenizer.chat_template is None:
        raise PromptError(
            f"prompt.prompt_style is harmony, but the tokenizer {tokenizer.name_or_path} has no"
            " chat template; expected one, as chat models have: use such a model, or set"
            " prompt.prompt_style: plain"
        )
    chat = tokenizer.apply_chat_template(
        [
            {"role": "user", "content": text.removesuffix(CUE).rstrip()},
            {"role": "assistant", "content": CUE},
        ],
        # this macro overrides the function with which templates get today's date
        chat_template=f"{{%- macro strftime_now(format) -%}}{TEMPLATE_DATE}{{%- endmacro -%}}"
        + tokenizer.get_chat_template(),
        tokenize=False,
        continue_final_message=True,
        reasoning_effort="low",  # ignored by templates without this option
    )
    assert isinstance(chat, str)
    begin = tokenizer.bos_token
    if begin and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
        chat = chat.removeprefix(begin)  # the tokenizer adds one itself
    return chat


def label_tokens(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[list[int]]:
    """The tokens of each label, in the order of `LABELS`, as they continue a prompt.

    A label by itself can have other tokens: SentencePiece puts a space before the first word.

    Args:
        tokenizer: of the model.
        prompt: a whole prompt; all end in `CUE`, so one stands for all.

    Raises:
        PromptError: the tokens of the prompt change when a label follows.
    """
    return following_tokens(tokenizer, prompt, LABELS)


def following_tokens(
    tokenizer: PreTrainedTokenizerBase, text: str, endings: Sequence[str]
) -> list[list[int]]:
    """The tokens of each ending as it continues a text.

    Raises:
        PromptError: the tokens of the text change when an ending follows.
    """
    before = tokenizer(text)["input_ids"]
    both = [tokenizer(f"{text}{ending}")["input_ids"] for ending in endings]
    for ending, ids in zip(endings, both, strict=True):
        if len(ids) <= len(before) or ids[: len(before)] != before:
            raise PromptError(
                f"the tokenizer {tokenizer.name_or_path} changes the tokens at the end of a prompt"
                f" when {str(ending)!r} follows: {before[-3:]} become {ids[-4:]}; expected the"
                " tokens of the prompt and then those of the answer, as the answer's probability is"
                " undefined otherwise; use a model with another tokenizer"
            )
    return [ids[len(before) :] for ids in both]


def prompt_texts(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], prompt: Prompt
) -> list[str]:
    """The `prompt_text` of each example; the tokenizer is called once for all of them.

    Raises:
        PromptError: one is too long even without evidence.
    """
    texts = [whole_prompt(tokenizer, each.claim, each.evidence, prompt) for each in examples]
    lengths = [len(tokens) for tokens in tokenizer(texts)["input_ids"]]
    return [
        text if length <= prompt.max_tokens else prompt_text(tokenizer, example, prompt)[0]
        for text, length, example in zip(texts, lengths, examples, strict=True)
    ]


def prompt_text(
    tokenizer: PreTrainedTokenizerBase, example: Example, prompt: Prompt
) -> tuple[str, bool]:
    """The prompt of an example, and whether its evidence was cut at the end to fit.

    Raises:
        PromptError: it is too long even without evidence.
    """

    def within(evidence: tuple[str, ...]) -> tuple[str, int]:
        text = whole_prompt(tokenizer, example.claim, evidence, prompt)
        return text, prompt.max_tokens - len(tokenizer(text)["input_ids"])

    text, room = within(example.evidence)
    if room >= 0:
        return text, False
    words = [len(sentence.split()) for sentence in example.evidence]

    def excess(count: int) -> int:
        return -within(_first_words(example.evidence, count))[1]

    most = bisect_right(range(1, sum(words) + 1), 0, key=excess)  # words that fit
    text, room = within(_first_words(example.evidence, most))
    if room < 0:
        raise PromptError(
            f"{example.dataset} {example.id}: even without evidence the prompt is {-room} tokens "
            f"too long; raise prompt.max_tokens (now {prompt.max_tokens}), or remove the claim"
        )
    return text, True


def _first_words(evidence: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The first words of some sentences; a sentence that is cut is written with single spaces."""
    kept: list[str] = []
    for sentence in evidence:
        words = sentence.split()
        if count < len(words):
            return (*kept, " ".join(words[:count])) if count else tuple(kept)
        kept.append(sentence)
        count -= len(words)
    return tuple(kept)
