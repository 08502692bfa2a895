"""Damaged model folders: each is loaded and answers, or is refused with one message.

    python tests/fuzz/models.py 500

prints how many were loaded, refused, or ended in a traceback; it exits with 1 if any did, or if one
took more than `MOST_GIB` of memory.
"""

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    GPT2Config,
    PretrainedConfig,
    Qwen2VLConfig,
    T5Config,
)
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1]))
import small_models
from factmix.study.examples import Example, to_frame
from factmix.study.files import peak_memory_gb
from factmix.study.labels import Label
from factmix.study.load import find_study
from factmix.study.paths import ROOT
from factmix.study.settings import Model, Prompt
from factmix.training import model_check, policy
from factmix.training.evaluate import answer

MOST_GIB = 1.0  # that a single folder may add to the memory of the process
JSON_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")
FILES = (*JSON_FILES, "model.safetensors")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
KEYS = (
    "auto_map",
    "bos_token",
    "chat_template",
    "do_sample",
    "dtype",
    "eos_token",
    "head_dim",
    "is_decoder",
    "is_encoder_decoder",
    "layer_types",
    "max_length",
    "max_position_embeddings",
    "num_labels",
    "pad_token",
    "padding_side",
    "quantization_config",
    "rope_parameters",
    "sliding_window",
    "text_config",
    "tie_word_embeddings",
    "tokenizer_class",
    "torch_dtype",
    "use_cache",
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 7, 64, 10**4, 10**6, 10**9, 2**31, 2**63, -(10**12)),
    *(0.5, 1e308, float("nan"), float("inf"), "", "nope", "7", "float16", "bfloat16", "complex64"),
    *("int8", "gelu", "eager", "gpt2", "LlamaTokenizer", "<|end|>", "left", "\u0000", "x" * 10_000),
    *([], {}, [1], [None], {"a": 1}, ["full_attention"] * 2, ["nope"] * 4, {"AutoConfig": "a.B"}),
    *({"rope_type": "yarn", "factor": 4.0}, {"rope_type": "nope"}, {"quant_method": "gptq"}),
    *({"quant_method": "bitsandbytes", "load_in_4bit": True}, {"quant_method": "mxfp4"}),
    *({"content": "<|none|>", "special": True}, {"quant_method": None}),
)
OTHERS: tuple[Callable[[], PretrainedConfig], ...] = (
    *(lambda name=name: small_models.config(name, vocabulary=2752) for name in small_models.NAMES),
    lambda: small_models.config("mamba", vocabulary=2752),
    *(BertConfig, T5Config, Qwen2VLConfig, lambda: GPT2Config(n_layer=2, n_embd=32, n_head=4)),
)

Edit = Callable[[Path], object]
CLAIMS = to_frame(
    Example(f"e{i}", f"g{i}", "debate", f"The dam raises rents {i}.", ("It did.",) * i, Label.NA)
    for i in range(2)
)
PROMPT = Prompt(worked_examples=0, max_tokens=300, max_completion_tokens=3)


def whole(folder: Path, name: str) -> Path:
    """Writes a whole model of an architecture of `small_models`, with random weights."""
    model = small_models.build(small_models.config(name, vocabulary=2752), seed=0)
    model.generation_config.eos_token_id = 1
    model.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "models" / "embedded" / file, folder)
    return folder


def outcome(folder: Path) -> tuple[bool, str, str]:
    """What became of a folder.

    Returns:
        whether its configuration could be read; "loaded", "refused", "traceback" or "memory"; and
        the message or traceback.
    """
    lora = find_study("smoke").model.lora
    model = Model(path=str(folder), lora=lora)
    before, readable = peak_memory_gb(), False
    try:
        model_check.read_config(model)
        readable = True
        loaded = policy.load_base(model, PROMPT)
        answer(loaded, CLAIMS, prompt=PROMPT, temperature=1.0, seed=0)
        if loaded.model.config.model_type != "mamba":  # which lacks the targets of this adapter
            policy.add_adapter(loaded, lora, 0)
        end, said = "loaded", ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        said = str(error)
        end = "refused" if type(error).__module__.startswith("factmix.") else "traceback"
        if end == "traceback" or not said or "\n" in said:
            end, said = "traceback", traceback.format_exc()
    if peak_memory_gb() - before > MOST_GIB:
        end = "memory"
    return readable, end, said


def _in_json(file: str, change: Callable[[dict[str, Any]], object]) -> Edit:
    def edit(folder: Path) -> None:
        try:
            content = json.loads((folder / file).read_text(encoding="utf-8"))
            change(content)
            (folder / file).write_text(json.dumps(content))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            pass  # an earlier edit has left nothing to change

    return edit


def _in_bytes(file: str, change: Callable[[bytes], bytes]) -> Edit:
    def edit(folder: Path) -> None:
        if (folder / file).is_file():
            (folder / file).write_bytes(change((folder / file).read_bytes()))

    return edit


def _in_weights(change: Callable[[dict[str, torch.Tensor], str], object], place: float) -> Edit:
    def edit(folder: Path) -> None:
        try:
            tensors = load_file(folder / "model.safetensors")
        except Exception:
            return  # an earlier edit has left nothing to change
        names = sorted(tensors)
        change(tensors, names[int(place * len(names))])
        save_file(tensors, folder / "model.safetensors")

    return edit


def _described(make: Callable[[], PretrainedConfig]) -> Edit:
    return lambda folder: make().save_pretrained(folder)


def _set_somewhere(content: Any, places: list[float], value: Any) -> None:
    """Sets a value deep in nested JSON; each place chooses a key of one level."""
    for depth, place in enumerate(places):
        keys = list(content) if isinstance(content, dict) else range(len(content))
        key = keys[int(place * len(keys))]
        if depth + 1 == len(places) or not isinstance(content[key], dict | list):
            content[key] = value
            return
        content = content[key]


def _flip(content: bytes, place: float, value: int) -> bytes:
    where = int(place * len(content))
    return content[:where] + bytes([value]) + content[where + 1 :]


PLACE = st.floats(0, 1, exclude_max=True)
VALUE = st.sampled_from(VALUES)
SETTINGS = JSON_FILES[:3]
# the first ones more often: what they change can often be loaded
KINDS = ("set", "new", "weights") * 2 + ("del", "deep", "bytes", "other", "file")


@st.composite
def edits(draw: Callable[..., Any]) -> Edit:
    """One change of a model folder."""
    file, value, place = draw(st.sampled_from(FILES)), draw(VALUE), draw(PLACE)
    name = draw(st.sampled_from(SETTINGS))
    kind = draw(st.sampled_from(KINDS))
    if kind == "set":
        return _in_json(name, lambda each: each.update({list(each)[int(place * len(each))]: value}))
    if kind == "new":
        key = draw(st.sampled_from(KEYS))
        return _in_json(name, lambda each: each.update({key: value}))
    if kind == "del":
        return _in_json(name, lambda each: each.pop(list(each)[int(place * len(each))]))
    if kind == "deep":
        places = draw(st.lists(PLACE, min_size=1, max_size=6))
        return _in_json("tokenizer.json", lambda each: _set_somewhere(each, places, value))
    if kind == "bytes":
        number = draw(st.integers(0, 255))
        change = draw(
            st.sampled_from(
                (
                    lambda content: content[: int(place * len(content))],
                    lambda content: _flip(content, place, number),
                    lambda content: content + bytes([number]) * 9,
                    lambda _: POINTER,
                    lambda _: b"",
                    lambda _: b"[]",
                    lambda content: b"\xef\xbb\xbf" + content,
                    lambda content: content.decode("latin-1").encode("utf-16"),
                )
            )
        )
        return _in_bytes(file, change)
    if kind == "weights":
        shaped = draw(st.sampled_from(((0,), (1,), (3, 5), (2048, 32), (2, 2, 2))))
        dtype = draw(st.sampled_from((torch.int8, torch.float16, torch.bfloat16, torch.float64)))
        return _in_weights(
            draw(
                st.sampled_from(
                    (
                        lambda tensors, one: tensors.pop(one),
                        lambda tensors, one: tensors.update({f"{one}.x": tensors.pop(one)}),
                        lambda tensors, one: tensors.update({one: torch.ones(shaped)}),
                        lambda tensors, one: tensors.update({one: tensors[one].to(dtype)}),
                        lambda tensors, one: tensors.update({one: tensors[one] * torch.nan}),
                        lambda tensors, one: tensors.update({one: tensors[one] * 1e30}),
                        lambda tensors, one: tensors.update({"more": torch.ones(3)}),
                    )
                )
            ),
            place,
        )
    if kind == "other":
        return _described(draw(st.sampled_from(OTHERS)))
    others = ("adapter_config.json", "pytorch_model.bin", "model.safetensors.index.json", "x.json")
    to = draw(st.sampled_from((*others, *FILES)))
    copied = draw(st.booleans())

    def edit(folder: Path) -> None:
        if (folder / file).is_file() and to != file:
            (shutil.copy if copied else shutil.move)(folder / file, folder / to)

    return edit


def campaign(count: int, *, start: int = 0) -> tuple[Counter[str], list[str]]:
    """Loads damaged folders.

    Args:
        count: how many.
        start: of the random numbers.

    Returns:
        how many were tried, "readable" (their configuration could be read), and of each outcome;
        and what was said of those that ended in a traceback or took too much memory.
    """
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as root:
        clean = {name: whole(Path(root) / name, name) for name in ("llama", "gpt_oss", "mamba")}
        for name, folder in clean.items():
            assert outcome(folder) == (True, "loaded", ""), name

        @seed(start)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(sorted(clean)), st.lists(edits(), min_size=1, max_size=2))
        def one(name: str, changes: list[Edit]) -> None:
            folder = Path(root) / "damaged"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(clean[name], folder)
            for change in changes:
                change(folder)
            readable, end, said = outcome(folder)
            counts.update(["tried", end, *(["readable"] if readable else [])])
            if end in ("traceback", "memory"):
                faults.append(f"{end}: {said}")

        one()
    return counts, faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many folders")
    parser.add_argument("--seed", type=int, default=0)
    given_args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    counted, problems = campaign(given_args.count, start=given_args.seed)
    print("\n".join(problems))
    print(dict(counted), f"peak {peak_memory_gb():.1f} GiB")
    raise SystemExit(bool(problems))
