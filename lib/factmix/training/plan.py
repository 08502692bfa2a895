"""Plans a study without loading weights: what it trains, what it costs, and what is missing."""

import warnings
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import torch
from transformers import GptOssConfig, PreTrainedConfig, Qwen2Config

from factmix.data.datasets import FILES, check_known
from factmix.data.fetch import locate
from factmix.data.sources import SOURCES
from factmix.study.paths import Paths, model_folder
from factmix.study.run import BASE
from factmix.study.settings import Lora, Model
from factmix.study.spec import Study
from factmix.training import duration
from factmix.training.model_check import (
    CONFIG,
    INDEX,
    WEIGHTS,
    download_command,
    empty_model,
    is_cached,
    is_here,
    read_config,
)
from factmix.training.policy import adapted, attention_of, dtype_of, local_tokenizer

Plan = dict[str, Any]

# Configurations of models whose parameters can be counted without downloading them. The defaults
# of transformers are those of the 120b model for gpt-oss, and of a 7b model for Qwen2.
KNOWN = {
    "openai/gpt-oss-20b": GptOssConfig(num_hidden_layers=24, num_local_experts=32),
    "Qwen/Qwen2.5-0.5B-Instruct": Qwen2Config(
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    ),
}

GIB = 2**30
DAY = 24 * 3600  # seconds; a study that takes longer on a CPU is for a GPU
TOO_LOW = "twice"  # as far as an estimate was below what a study took, once it was run
TRAINED_BYTES = 16  # per trainable parameter: weight, gradient and AdamW's two moments, in float32
ACTIVATION_BYTES = 34  # per token, layer and hidden unit, at 16 bits; see `memory`
ATTENTION_BYTES = 5  # per pair of tokens, layer and head, at 16 bits
LOGIT_BYTES = 12  # per token and vocabulary entry: policy, base model, and a gradient


def plan(study: Study, paths: Paths) -> Plan:
    """The plan of a study.

    Returns:
        arms.<arm>: mixture, baseline, its settings, examples, steps, completions, most_tokens (of
        prompts and completions in training), evaluated (examples) and commands; commands: those to
        run before all arms; model: parameters, trainable, and most_gib as estimated by `memory`;
        time: the `duration.Estimate`; both None if the model's configuration is not known; missing:
        what must be downloaded, installed or drawn first, each with its remedy; reuses: whether
        runs that `results/` has are copied instead, which `time` leaves out.

    Raises:
        DataError: a dataset is unknown.
        ModelError: the model cannot be loaded, or is too small for the longest prompts.
        StudyError: a target of the adapter is in no part of the model.
    """
    check_known(study)
    tokenizer = local_tokenizer(study.model, study.prompt)
    shape = configuration(study.model)
    takes = None if shape is None else duration.estimate(study, paths, shape, tokenizer)
    numbers, prompt = study.training, study.prompt
    arms = {}
    for run in study.runs():
        completions = run.steps * numbers.prompts_per_step * numbers.group_size
        arms[run.arm] = {
            "mixture": run.mixture,
            "baseline": run.baseline,
            **run.protocol.model_dump(),
            "examples": run.training_sample.size,
            "steps": run.steps,
            "completions": completions,
            "most_tokens": completions * (prompt.max_tokens + prompt.max_completion_tokens),
            "evaluated": sum(asked.evaluation_sample.size for asked in run.answers().values()),
            "commands": [
                f"factmix {command} {study.name} {run.arm} --seed {seed}"
                for seed in study.seeds
                for command in ("train", "evaluate")
            ],
        }
    return {
        "study": study.name,
        "model": _model(study, shape, takes),
        "time": None if takes is None else asdict(takes),
        "commands": [
            f"factmix data {study.name}",
            *([f"factmix warm-start {study.name}"] if study.warm_start else []),
            f"factmix evaluate {study.name} {BASE}",
        ],
        "arms": arms,
        "missing": _missing(study, paths, takes),
        "reuses": study.reuse,
    }


def text(planned: Plan) -> str:
    """The plan as text for a terminal."""
    model = planned["model"]
    lines = [f"{planned['study']}: {model['path']}"]
    if model["parameters"] is None:
        lines.append("  parameters and memory are unknown until the model is downloaded")
    else:
        lines.append(
            f"  {model['parameters']:,} parameters, {model['trainable']:,} of them trained;"
            f" about {model['most_gib']:.1f} GiB for the largest training step"
        )
    if planned["time"] is not None:
        lines += _time(duration.Estimate(**planned["time"]))
        if planned["reuses"]:
            lines.append(
                "  less where results/ has a run as this study would make it: it is copied"
            )
    lines += [f"  {command}" for command in planned["commands"]]
    for arm, each in planned["arms"].items():
        lines += [
            f"{arm}: {each['mixture']}, {each['examples']:,} examples, {each['steps']} steps,"
            f" {each['completions']:,} completions, at most {each['most_tokens']:,} tokens;"
            f" {each['evaluated']:,} examples to evaluate; compared with {each['baseline']}",
            *(f"  {command}" for command in each["commands"]),
        ]
    lines += [f"missing: {each['what']}\n  {each['remedy']}" for each in planned["missing"]]
    return "\n".join(lines if planned["missing"] else [*lines, "nothing is missing"])


def configuration(model: Model) -> PreTrainedConfig | None:
    """A model's configuration, from local files or `KNOWN`; None if it would need a download.

    Raises:
        ModelError: the files that are here cannot be loaded.
    """
    return read_config(model, only_local=True) if is_here(model) else KNOWN.get(model.path)


def parameters(shape: PreTrainedConfig, lora: Lora) -> tuple[int, int]:
    """The number of parameters of a model, and of its adapter."""
    model = empty_model(shape)
    count = sum(each.numel() for each in model.parameters())
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")  # PEFT uses attributes that transformers has renamed
        trained = adapted(model, lora)
    return count, sum(each.numel() for each in trained.parameters() if each.requires_grad)


def memory(
    study: Study, shape: PreTrainedConfig, count: int, trainable: int, *, itemsize: int = 2
) -> float:
    """A rough estimate of the memory of a training step with the longest prompts, in GiB.

    It is the sum of:

    1. the weights, of `itemsize` bytes each;
    2. the adapter with its gradient and moments;
    3. the activations of one pass, with prompts at full length and all their completions: 34 bytes
       per token, layer and hidden unit, and with eager attention 5 bytes per pair of tokens, layer
       and head (Korthikanti et al., 2022);
    4. the probabilities over the vocabulary at each completion token;
    5. the keys and values of a prompt that each of its completions attends to, if all differ: as
       they are picked and as the completion is appended, and both once for each attention head.
    """
    described = shape.get_text_config()
    numbers, prompt, layers = study.training, study.prompt, described.num_hidden_layers
    prompts = numbers.prompts_per_pass or numbers.prompts_per_step
    written = prompts * numbers.group_size * prompt.max_completion_tokens
    tokens = prompts * prompt.max_tokens + written
    units = tokens * layers * described.hidden_size * ACTIVATION_BYTES
    if attention_of(study.model, shape) == "eager":
        pairs = tokens * prompt.max_tokens * layers * described.num_attention_heads
        units += pairs * ATTENTION_BYTES
    head = getattr(described, "head_dim", None) or (
        described.hidden_size // described.num_attention_heads
    )
    kept_heads = getattr(described, "num_key_value_heads", None) or described.num_attention_heads
    copied = 2 * head * (2 * kept_heads + described.num_attention_heads)  # numbers, per token
    copies = prompts * numbers.group_size * prompt.max_tokens * layers * copied * itemsize
    kept = count * itemsize + trainable * TRAINED_BYTES + units * itemsize / 2 + copies
    return float((kept + written * described.vocab_size * LOGIT_BYTES) / GIB)


def _model(
    study: Study, shape: PreTrainedConfig | None, takes: duration.Estimate | None
) -> dict[str, Any]:
    known: dict[str, Any] = dict.fromkeys(("parameters", "trainable", "most_gib"))
    if shape is not None:
        count, trainable = parameters(shape, study.model.lora)
        # a study that takes too long here is for a GPU, and there in 16 bits
        size = 2 if _needs_gpu(takes) else dtype_of(study.model).itemsize
        known = {
            "parameters": count,
            "trainable": trainable,
            "most_gib": memory(study, shape, count, trainable, itemsize=size),
        }
    return {"path": study.model.path, "revision": study.model.revision, **known}


def _how_long(takes: duration.Estimate) -> str:
    """Such as "about 3 hours"; "at most" where prompts are taken to be as long as they can be."""
    units = ((DAY, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
    size, unit = next((each for each in units if takes.seconds >= 2 * each[0]), units[-1])
    return f"{'about' if takes.drawn else 'at most about'} {takes.seconds / size:.0f} {unit}"


def _time(takes: duration.Estimate) -> list[str]:
    """The lines of the plan about time, with what was assumed."""
    longest = max(takes.step_seconds, key=takes.step_seconds.__getitem__)
    step = takes.step_seconds[longest]
    tokens = f"{takes.step_tokens[longest]:,.0f} distinct tokens"
    source = "in the drawn data" if takes.drawn else "if every prompt has prompt.max_tokens"
    more = f", or up to {TOO_LOW} that" if takes.drawn else ""
    return [
        f"  {_how_long(takes)} on this machine ({takes.device}){more}: training steps of up to"
        f" {step:,.{1 if step < 10 else 0}f} s",
        f"  assumed: {takes.active / 1e6:,.1f} million active parameters, {tokens} a step {source},"
        f" {duration.PASSES} forward passes of them, and {takes.rate / 1e9:,.0f} billion operations"
        " a second, as measured just now",
    ]


def _needs_gpu(takes: duration.Estimate | None) -> bool:
    return takes is not None and takes.seconds > DAY and not torch.cuda.is_available()


def _missing(study: Study, paths: Paths, takes: duration.Estimate | None) -> list[dict[str, str]]:
    missing = []
    model = study.model
    if not model_folder(model).is_dir() and not _downloaded(model):
        missing.append(
            {
                "what": f"the model {model.path} has not been downloaded",
                "remedy": download_command(model),
            }
        )
    files = [file for name in study.datasets for file in FILES.get(name, ())]
    for file in dict.fromkeys(files):
        if locate(file) is None:
            size = SOURCES[file].size
            about = f", {size / 1e6:,.0f} MB" if size else ""
            missing.append(
                {
                    "what": f"{SOURCES[file].url} has not been downloaded{about}",
                    "remedy": f"factmix fetch {file}",
                }
            )
    if study.training.generation == "vllm" and find_spec("vllm") is None:
        missing.append(
            {
                "what": "training.generation is vllm, and vllm is not installed",
                "remedy": "pip install vllm (with a CUDA device), or generation: transformers",
            }
        )
    if not paths.data_report.is_file():
        missing.append(
            {"what": "the data have not been drawn", "remedy": f"factmix data {study.name}"}
        )
    if takes and _needs_gpu(takes):
        missing.append(
            {
                "what": "there is no CUDA device, and on this machine the study takes"
                f" {_how_long(takes)}",
                "remedy": "run the study on a machine with a GPU; `make study` resumes there",
            }
        )
    return missing


def _downloaded(model: Model) -> bool:
    """Whether the model's configuration and weights (or their index file) are in the cache."""
    return is_cached(model, CONFIG) and any(is_cached(model, file) for file in (WEIGHTS, INDEX))
