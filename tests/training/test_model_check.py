"""Folders that people name as a model: what is wrong with each is said before anything is drawn."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from factmix.cli import main
from factmix.data import mixtures
from factmix.study import load
from factmix.study.paths import ROOT, model_folder
from factmix.study.settings import Model
from factmix.study.spec import Study
from factmix.training.model_check import ModelError, read_config, source_of
from factmix.training.policy import checked, local_tokenizer

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6080376\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded model."""
    return Path(shutil.copytree(ROOT / "models" / "embedded", tmp_path / "model"))


def _at(folder: Path | str, smoke: Study) -> Model:
    return smoke.model.model_copy(update={"path": str(folder)})


def _set(file: str, **keys: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / file).read_text()) | keys
        (folder / file).write_text(json.dumps(content))

    return change


def _write(file: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(text)


def _cut(file: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:9999])


def _rename(file: str, name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).rename(folder / name)


CONFIG, WEIGHTS = "config.json", "model.safetensors"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "kind": (_set(CONFIG, model_type="new"), "'new' is unknown to transformers .* newer version"),
    "no_kind": (_write(CONFIG, "{}"), "model_type: None is unknown"),
    "code": (_set(CONFIG, model_type="x", auto_map={"AutoConfig": "x.X"}), "never runs: use a"),
    "adapter": (_write("adapter_config.json", '{"base_model_name_or_path": "a/b"}'), "of a/b, as"),
    "no_config": (_rename(CONFIG, "config.yaml"), r"there is no config\.json in it"),
    "json": (_write(CONFIG, '{"a"'), r"config\.json is no valid JSON"),
    "list": (_write(CONFIG, "[1]"), r"expected a JSON object, got \[1\]"),
    "packed": (
        _set(CONFIG, quantization_config={"quant_method": "gptq", "bits": 4}),
        r"\(gptq\).* optimum",
    ),
    "packing": (_set(CONFIG, quantization_config={"quant_method": "zz"}), r"\(zz\).* not know it"),
    "pointer": (_write(WEIGHTS, POINTER), r"safetensors is a Git LFS pointer; .*: git lfs pull"),
    "words": (_write("tokenizer.json", POINTER), r"tokenizer\.json is a Git LFS pointer"),
    "cut": (_cut(WEIGHTS), r"cut or damaged \(9,999 bytes; .*\); download or copy it again"),
    "pickled": (_rename(WEIGHTS, "pytorch_model.bin"), r"only pytorch_model\.bin; factmix reads"),
    "shard": (_rename(WEIGHTS, "model.safetensors.index.json"), "is no valid JSON"),
    "encoder": (_set(CONFIG, model_type="bert"), "bert is no causal language model"),
    "layers": (_set(CONFIG, num_hidden_layers=8, layer_types=None), "2,692,320 .* have 1,698,464"),
    "huge": (_set(CONFIG, num_hidden_layers=10**12), "num_hidden_layers: got 1000000000000, exp"),
    "wide": (_set(CONFIG, hidden_size=10**7), r"describes a model of .* have 1,698,464"),
    "vocabulary": (_set(CONFIG, vocab_size=1000), "up to 2751, .* embeddings for 1000 tokens"),
    "end": (_set("tokenizer_config.json", eos_token=None), "no token for the end of a sequence"),
    "split": (_cut("tokenizer.json"), "cannot be loaded: .*; expected a causal language model"),
    "positions": (_set(CONFIG, max_position_embeddings=64), "at most 64 tokens, .* is 516; lower"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_model_that_cannot_be_loaded_says_why(
    name: str, folder: Path, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    gptq = "transformers.quantizers.quantizer_gptq"
    monkeypatch.setattr(f"{gptq}.is_optimum_available", lambda: False)
    change, reason = FAULTS[name]
    change(folder)
    with pytest.raises(ModelError, match=rf"^{folder}: .*{reason}") as caught:
        local_tokenizer(_at(folder, smoke), smoke.prompt)
    assert "\n" not in str(caught.value)


def test_an_index_must_name_files_that_are_there(folder: Path, smoke: Study) -> None:
    (folder / WEIGHTS).rename(folder / "part.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    assert read_config(_at(folder, smoke)).vocab_size == 2752
    index.write_text(json.dumps({"weight_map": {"a": "other.safetensors"}}))
    with pytest.raises(ModelError, match=r"other\.safetensors is missing, which model\..* names"):
        read_config(_at(folder, smoke))


def test_special_tokens_may_lack_an_embedding_and_words_may_not(folder: Path, smoke: Study) -> None:
    words = json.loads((folder / "tokenizer.json").read_text())
    image = {"id": 2752, "content": "<image>", "special": True}
    image |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    words["added_tokens"].append(image)
    (folder / "tokenizer.json").write_text(json.dumps(words))
    assert len(checked(_at(folder, smoke), smoke.prompt)[1]) == 2753
    image["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(ModelError, match="tokens up to 2752"):
        checked(_at(folder, smoke), smoke.prompt)


def test_a_path_from_home_is_a_folder(
    folder: Path, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert source_of(_at("~/model", smoke)) == str(folder)
    assert model_folder(_at("models/embedded", smoke)) == ROOT / "models" / "embedded"


@pytest.mark.parametrize("path", ["~/no/model", "models/embeded", "/no/model", "./x", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(path: str, smoke: Study) -> None:
    there_are = r"checkout: models/embedded, models/swapped\)"
    with pytest.raises(ModelError, match=rf"there is no folder /.*{there_are}"):
        source_of(_at(path, smoke))


def test_a_hub_id_is_not_taken_for_a_folder(smoke: Study) -> None:
    for path, revision in (("nobody/nothing", None), ("models/embeded", "a1b2"), ("gpt2", None)):
        model = _at(path, smoke).model_copy(update={"revision": revision})
        assert source_of(model) == path
        assert local_tokenizer(model, smoke.prompt) is None
    with pytest.raises(ModelError, match=r"config\.json is a file; expected the folder"):
        source_of(_at("models/embedded/config.json", smoke))


@pytest.mark.parametrize("command", [["plan"], ["data"]])
def test_commands_refuse_a_model_before_data_are_drawn(
    command: list[str],
    folder: Path,
    smoke: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    FAULTS["cut"][0](folder)
    study = smoke.model_copy(update={"model": _at(folder, smoke)})
    monkeypatch.setattr(load, "find_study", lambda _: study)
    monkeypatch.setattr(mixtures, "prepare", None)  # would fail if it were called
    monkeypatch.setattr("sys.argv", ["factmix", *command, "smoke"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"factmix: {folder}: the model cannot be loaded: model.safetensors is")
    assert said.count("\n") == 1
