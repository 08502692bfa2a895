"""Where a study's model comes from, and whether it can be trained; loads no weights.

Weights are read from safetensors only, and the code that comes with a model is never run.
"""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    __version__,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)
from transformers.quantizers.auto import AutoHfQuantizer
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils.hub import cached_file

from factmix.study.files import stored_numbers
from factmix.study.paths import CACHED, ROOT, model_folder
from factmix.study.settings import Model, Prompt
from factmix.training import cached_models

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
LFS_POINTER = b"version https://git-lfs"
MOST_LAYERS = 1_000  # the deepest published models have fewer than 200
MOST_COUNTED = 1_000_000  # of anything else that a configuration counts
MOST_PACKED = 32  # parameters per number in the files of quantised weights
SMALL_TABLES = 2**26  # numbers that a model computes when it is loaded, such as sines of positions


class ModelError(OSError):
    """A model or its tokenizer cannot be loaded."""


class NotFiniteError(ArithmeticError):
    """The gradient of a loss is no finite number, as it is where the loss is none."""


def source_of(model: Model) -> str:
    """The source a model is loaded from: a folder, or a hub id.

    Raises:
        ModelError: there is no such folder, and it is no hub id either.
    """
    folder = model_folder(model)
    if folder.is_dir():
        return str(folder)
    if folder.exists():
        raise failure(
            model, f"{folder} is a file; expected the folder with its {CONFIG} and tokenizer"
        )
    if model.path.startswith(CACHED):
        raise failure(model, f"there is no folder {folder}; fetch it with: {_fetch_command(model)}")
    try:
        cached = is_cached(model, CONFIG)
    except HFValidationError:
        pass
    else:
        # a name in a folder that is there is a folder mistyped, unless it is known to be of the hub
        near = folder.parent if folder.parent != ROOT else None
        if cached or model.revision or not (near and near.is_dir()):
            return model.path
    known = sorted(ROOT.glob(f"models/*/{CONFIG}"))
    names = ", ".join(str(file.parent.relative_to(ROOT)) for file in known)
    raise failure(
        model,
        f"there is no folder {folder}; expected a folder (in the checkout: {names or 'none'}), or a"
        " hub id such as openai/gpt-oss-20b; if this is one, set model.revision as well",
    )


def download_command(model: Model) -> str:
    """The command that downloads a model into the cache of Hugging Face, or into factmix's own."""
    if model.path.startswith(CACHED):
        return _fetch_command(model)
    revision = f" --revision {model.revision}" if model.revision else ""
    return f"hf download {model.path}{revision}"


def is_cached(model: Model, file: str) -> bool:
    """Whether a file of a hub model is in the cache of Hugging Face."""
    if model.path.startswith(CACHED):
        return False
    return isinstance(try_to_load_from_cache(model.path, file, revision=model.revision), str)


def _fetch_command(model: Model) -> str:
    """The command that fetches a model of factmix's cache; ModelError if there is none of it."""
    name = model.path.removeprefix(CACHED)
    if name not in cached_models.MODELS:
        raise failure(
            model,
            f"there is no folder {model_folder(model)}, and no such model to fetch; expected one"
            f" of: {cached_models.known()}",
        )
    return f"factmix fetch {name}"


def is_here(model: Model) -> bool:
    """Whether at least the configuration of a model can be read without a download."""
    if model.path.startswith(CACHED) and not model_folder(model).exists():
        _fetch_command(model)  # which knows the name
        return False
    return Path(source_of(model)).is_dir() or is_cached(model, CONFIG)


def failure(model: Model, reason: str) -> ModelError:
    """The error that a model cannot be loaded, with the reason and its remedy."""
    return ModelError(f"{model.path}: the model cannot be loaded: {reason}")


@contextmanager
def explained(model: Model, part: str) -> Iterator[None]:
    """Turns whatever the libraries raise while loading a part of a model into a `ModelError`."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        local = model_folder(model).is_dir()
        download = f"; download it, with network access, with: {download_command(model)}"
        reason = " ".join(str(error).split())[:400].rstrip(".")
        raise failure(
            model,
            f"{part}: {type(error).__name__}: {reason}; expected a causal language model with its"
            f" tokenizer, as save_pretrained writes them{'' if local else download}",
        ) from error


def read_config(model: Model, *, only_local: bool = False) -> PreTrainedConfig:
    """The configuration of a model, with every check that needs no tokenizer.

    Args:
        model: of the study.
        only_local: whether not to download what is missing.

    Raises:
        ModelError: the model cannot be loaded, or cannot be trained by this project.
    """
    source = source_of(model)
    with explained(model, CONFIG):
        if Path(source).is_dir():
            folder = Path(source)
        else:
            revision = model.revision
            file = cached_file(source, CONFIG, revision=revision, local_files_only=only_local)
            folder = Path(str(file)).parent
        described = _check_files(model, folder, whole=Path(source).is_dir())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # transformers warns about its own renamed attributes
            shape: PreTrainedConfig = AutoConfig.from_pretrained(
                str(folder), trust_remote_code=False
            )
        _check_kind(model, shape)
        _check_quantisation(model, described)
        _check_size(model, shape, folder)
    return shape


def check_positions(model: Model, shape: PreTrainedConfig, prompt: Prompt) -> None:
    """Raises ModelError if prompts and completions can be longer than what the model reads."""
    text = shape.get_text_config()
    most = getattr(text, "max_position_embeddings", None)
    rope = getattr(text, "rope_parameters", None) or {}
    asked = prompt.max_tokens + prompt.max_completion_tokens
    if most and asked > most * max(1, rope.get("factor") or 1):
        raise ModelError(
            f"{model.path}: the model reads at most {most} tokens, and prompt.max_tokens with"
            f" prompt.max_completion_tokens is {asked}; lower prompt.max_tokens to"
            f" {most - prompt.max_completion_tokens} or less, or use another model"
        )


def check_tokenizer(
    model: Model, tokenizer: PreTrainedTokenizerBase, shape: PreTrainedConfig
) -> None:
    """Raises ModelError if a text can have tokens for which the model has no embedding.

    Special tokens may lack one: they stand in a text only by name. Those of images do in models
    whose text part was published by itself.
    """
    rows = int(shape.get_text_config().vocab_size)
    special = set(tokenizer.all_special_ids) - {tokenizer.eos_token_id, tokenizer.pad_token_id}
    named = getattr(tokenizer, "added_tokens_decoder", {})
    special |= {number for number, token in named.items() if token.special}
    special -= {tokenizer.eos_token_id, tokenizer.pad_token_id}
    last = max(set(tokenizer.get_vocab().values()) - special, default=0)
    if last >= rows:
        raise ModelError(
            f"{model.path}: the tokenizer has tokens up to {last}, and the model has embeddings for"
            f" {rows} tokens (vocab_size); expected the tokenizer that the model was trained with"
        )


def empty_model(shape: PreTrainedConfig) -> PreTrainedModel:
    """The model that a configuration describes, on the device meta: without any memory."""
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        model: PreTrainedModel = AutoModelForCausalLM.from_config(shape, trust_remote_code=False)
    return model


def _check_files(model: Model, folder: Path, *, whole: bool) -> dict[str, Any]:
    """The content of config.json; ModelError if the files of a model cannot be what they should.

    Args:
        model: for messages.
        folder: with its files.
        whole: whether all files should be there; not if a part has been downloaded only.
    """
    if (folder / "adapter_config.json").exists():
        base = _read_object(model, folder / "adapter_config.json").get("base_model_name_or_path")
        raise failure(
            model,
            f"it is an adapter of {base}, as adapter_config.json says, and not a model; merge the"
            " two (PEFT's merge_and_unload), save the result and name its folder",
        )
    if not (folder / CONFIG).exists():
        raise failure(model, f"there is no {CONFIG} in it")
    files = [
        file for pattern in ("*.json", "*.safetensors", "*.model") for file in _in(folder, pattern)
    ]
    for file in files:
        if _begins(file, LFS_POINTER):
            raise failure(
                model, f"{file.name} is a Git LFS pointer; fetch the file itself with: git lfs pull"
            )
    described = _read_object(model, folder / CONFIG)
    _check_counts(model, described)
    kind = described.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        remedy = "use a newer version, or another model"
        if "auto_map" in described:
            remedy = (
                "it comes with code of its own (auto_map), which factmix never runs: use a model"
                " that transformers supports by itself"
            )
        raise failure(
            model,
            f"{CONFIG}: model_type: {kind!r} is unknown to transformers {__version__}; {remedy}",
        )
    if whole:
        _check_weights(model, folder)
    return described


def _check_weights(model: Model, folder: Path) -> None:
    """Raises ModelError if a file of the weights is missing, cut or of another format."""
    if not (folder / WEIGHTS).exists() and not (folder / INDEX).exists():
        kinds = ("*.bin", "*.gguf", "*.pt", "*.pth")
        others = [file.name for kind in kinds for file in _in(folder, kind)]
        instead = f", only {', '.join(others[:3])}" if others else ""
        raise failure(
            model,
            f"there is no {WEIGHTS} in it{instead}; factmix reads weights from safetensors only:"
            " load the model elsewhere, and save it again with save_pretrained",
        )
    for file in _weight_files(model, folder):
        if not file.exists():
            raise failure(model, f"{file.name} is missing, which {INDEX} names")
        try:
            with safe_open(file, "pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise failure(
                model,
                f"{file.name} is cut or damaged ({file.stat().st_size:,} bytes; {error}); download"
                " or copy it again",
            ) from error


def _weight_files(model: Model, folder: Path) -> list[Path]:
    """The files that transformers loads, as it chooses between them."""
    if (folder / WEIGHTS).exists() or not (folder / INDEX).exists():
        return [folder / WEIGHTS]
    named = _read_object(model, folder / INDEX).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(each, str) for each in named.values()):
        raise failure(model, f"{INDEX}: weight_map: expected the file of each weight")
    return [folder / name for name in sorted(set(named.values()))]


def _check_counts(model: Model, described: Mapping[str, Any], where: str = "") -> None:
    """Raises ModelError for counts so large that reading the configuration takes all memory."""
    for key, value in described.items():
        if isinstance(value, dict):
            _check_counts(model, value, f"{where}{key}.")
        most = MOST_LAYERS if "layer" in key else MOST_COUNTED
        counts = "layer" in key or re.match(r"(num|n)_(?!pos|ctx)", key)
        if counts and isinstance(value, int | float) and not value <= most:
            raise failure(model, f"{CONFIG}: {where}{key}: got {value}, expected at most {most:,}")


def _check_kind(model: Model, shape: PreTrainedConfig) -> None:
    """Raises ModelError for a model that does not continue a text."""
    causal = type(shape) in MODEL_FOR_CAUSAL_LM_MAPPING
    if not causal or shape.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise failure(model, f"{shape.model_type} is no causal language model")


def _check_quantisation(model: Model, described: Mapping[str, Any]) -> None:
    """Raises ModelError for weights that this installation cannot unpack."""
    packed = described.get("quantization_config")
    if packed is None:
        return
    method = packed.get("quant_method") if isinstance(packed, dict) else packed
    try:
        if not AutoHfQuantizer.supports_quant_method(packed):
            raise ValueError(f"transformers {__version__} does not know it")
        if method != "mxfp4":  # which `load_base` turns into ordinary weights
            AutoHfQuantizer.from_config(packed, pre_quantized=True).validate_environment()
    except RuntimeError:
        return  # no GPU: not a fault of the model, and loading will say so
    except Exception as error:
        raise failure(
            model,
            f"its weights are quantised ({method}): {error}; or use the model without quantisation",
        ) from error


def _check_size(model: Model, shape: PreTrainedConfig, folder: Path) -> None:
    """Raises ModelError if the configuration describes a larger model than the files hold."""
    described = empty_model(shape)
    files = [file for file in _weight_files(model, folder) if file.exists()]
    if not files:
        return  # not downloaded yet
    stored = sum(stored_numbers(file) for file in files)
    if getattr(shape, "quantization_config", None):
        stored *= MOST_PACKED
    expected = sum(each.numel() for each in described.parameters())
    tables = sum(each.numel() for each in described.buffers())
    if expected > stored or tables > max(stored, SMALL_TABLES):
        raise failure(
            model,
            f"{CONFIG} describes a model of {expected + tables:,} numbers, and the weights have"
            f" {stored:,}; expected those of the same model, complete",
        )


def _read_object(model: Model, file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise failure(model, f"{file.name} is no valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise failure(model, f"{file.name}: expected a JSON object, got {str(content)[:40]}")
    return content


def _in(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())


def _begins(file: Path, start: bytes) -> bool:
    with file.open("rb") as content:
        return content.read(len(start)) == start
