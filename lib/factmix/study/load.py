"""Loads and checks a study: from its YAML, or from the study.json stored with its results."""

import json
import re
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.reader import ReaderError

from factmix.study.names import RULE, is_name
from factmix.study.paths import ROOT
from factmix.study.spec import Study, StudyError, StudyFieldError

MISSING = "this key is missing"


def find_study(name: str) -> Study:
    """The study of that name in studies/; StudyError lists the existing names."""
    folder = ROOT / "studies"
    if not is_name(name):
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml") if is_name(path.stem)))
        raise StudyError(
            f"'{_brief(name)}': expected the name of a study in {folder}, without folder and .yaml,"
            f" one of: {known}; {RULE}"
        )
    return load_study(folder / f"{name}.yaml")


def load_study(path: Path) -> Study:
    """The study of a YAML file, checked; its name is that of the file.

    With `extends: name`, every top-level key that the file lacks is taken from the study of that
    name in the same folder.

    Raises:
        StudyError: the YAML has a mistake; names file, line and key of the first one.
    """
    text, own = _read_mapping(path)
    inherited: dict[str, Any] = {}
    if "extends" in own:
        name, here = own.pop("extends"), f"{path}:{_line_of(['extends'], text)}: extends"
        if not isinstance(name, str) or Path(name).name != name:
            raise StudyError(
                f"{here}: expected the name of a study in the same folder; got {reprlib.repr(name)}"
            )
        extended = path.with_name(f"{name}.yaml")
        extended_text, inherited = _read_mapping(extended)
        if "extends" in inherited:
            raise StudyError(
                f"{here}: '{name}' itself extends '{inherited['extends']}'; expected a study that"
                f" extends no other: extend '{inherited['extends']}', and repeat here the keys of"
                f" '{name}' that you need"
            )
    try:
        return Study.model_validate({"name": path.stem, **inherited, **own})
    except ValidationError as error:
        where, message = _first_mistake(error)
        message = _brief(message)
        if where[0] in inherited and where[0] not in own:
            message += f" ({where[0]} is from {extended}:{_line_of(where, extended_text)})"
            line = _line_of(["extends"], text)
        else:
            if message.startswith(MISSING) and where[0] in inherited:
                message += (
                    f" ({where[0]} of this file replaces all of {where[0]} in {extended}; repeat"
                    " the keys that stay the same)"
                )
            line = _line_of(where, text)
        raise StudyError(f"{path}:{line}: {_brief('.'.join(where))}: {message}") from error


def load_kept(path: Path) -> Study:
    """The study of some results, from the study.json stored with them.

    Raises:
        StudyError: the file is missing, or its keys are not those of a study in this version.
    """
    again = (
        f"make the results again with: make study STUDY={path.parent.name} (for those in results/,"
        f" then also: make freeze STUDY={path.parent.name})"
    )
    if not path.is_file():
        raise StudyError(
            f"{path} does not exist; expected the study that the results in this folder belong to;"
            f" {again}"
        )
    try:
        return Study.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise StudyError(f"{path}:{error.lineno}: not valid JSON: {error.msg}; {again}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise StudyError(f"{path}: not valid JSON: {error}; {again}") from error
    except ValidationError as error:
        where, message = _first_mistake(error)
        expected = "expected a study as this version writes it"
        raise StudyError(f"{path}: {'.'.join(where)}: {message}; {expected}; {again}") from error


def _read_mapping(path: Path) -> tuple[str, dict[str, Any]]:
    """A study file's text and its keys."""
    there = sorted(file for file in path.parent.glob("*.yaml") if file.is_file())
    if path not in there:  # asked in this way, a name may also be too long for a file
        known = ", ".join(file.stem for file in there) or "none there"
        raise StudyError(
            f"{path.parent / _brief(path.name)}: no such study; expected one of: {known}"
        )
    text, content = _read_yaml(path)
    if not isinstance(content, dict):
        raise StudyError(f"{path}:1: expected a mapping of keys such as model, datasets, arms")
    if "name" in content:
        line = _line_of(["name"], text)
        raise StudyError(f"{path}:{line}: name: a study is named after its file; remove this key")
    return text, content


def _read_yaml(path: Path) -> tuple[str, Any]:
    """A file's text and its parsed content."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
        loader = _Loader(text)
        root = loader.get_single_node()
        again = _repeated_key(root)
        _take_keys_as_text(root)
        content = loader.construct_document(root) if root else None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        got = raw[error.start]
        raise StudyError(f"{path}:{line}: expected UTF-8; got the byte {got:#04x}") from error
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise StudyError(f"{path}:{line}: not valid YAML: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise StudyError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except RecursionError as error:
        raise StudyError(
            f"{path}:1: expected a study; got lists or mappings that are nested in"
            " hundreds of others"
        ) from error
    if again:
        line = again.start_mark.line + 1
        raise StudyError(
            f"{path}:{line}: {_brief(again.value)}: this key occurs twice in the same mapping;"
            " remove or rename one of them"
        )
    return text, content


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, whose every mistake has a line: also an impossible date or number."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode("utf-8")  # half a character, such as \ud83d, is no text
            return value
        except (ValueError, LookupError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"{reprlib.repr(node.value)} cannot be read as {kind}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def _repeated_key(root: yaml.Node | None) -> yaml.Node | None:
    """The first key that repeats one of the same mapping; YAML would silently keep the last."""
    for mapping in _mappings(root):
        seen: set[str] = set()
        for key, _ in mapping.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    return key
                seen.add(key.value)
    return None


def _take_keys_as_text(root: yaml.Node | None) -> None:
    """Makes keys such as 2024 or yes, which may be meant as names, the text that they are."""
    for mapping in _mappings(root):
        for key, _ in mapping.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Every mapping of a document once; by aliases it may be in several places, or in itself."""
    waiting, visited = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _first_mistake(error: ValidationError) -> tuple[list[str], str]:
    """The key path of the mistake to report, and what is wrong with it."""
    # A misspelt key is also a missing one; report the misspelling, which the author can see.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, StudyFieldError):
        return cause.where.split("."), str(cause)
    where = [str(part) for part in first["loc"] if part != "[key]"]
    if where[:1] == ["rewards"] and len(where) > 3:
        del where[2]  # the kind of reward, which pydantic adds as the tag of the union
    if first["type"] == "extra_forbidden":
        return where, "there is no such key"
    if first["type"] == "missing":
        return where, _missing(error, first["loc"][:-1])
    message = first["msg"].removeprefix("Value error, ")  # of our own checks
    return where, f"{message}; got {reprlib.repr(first['input'])}"


def _missing(error: ValidationError, place: tuple[int | str, ...]) -> str:
    """The message for missing keys in one mapping: the first, then the others by name."""
    keys = [
        str(each["loc"][-1])
        for each in error.errors()
        if each["type"] == "missing" and each["loc"][:-1] == place
    ]
    if len(keys) == 1:
        return MISSING
    return f"{MISSING}, and so {'is' if len(keys) == 2 else 'are'} {', '.join(keys[1:])}"


def _brief(text: str) -> str:
    """A text with every very long word shortened in its middle."""
    return re.sub(r"\S{100,}", lambda word: f"{word[0][:40]}...{word[0][-40:]}", text)


def _line_of(where: list[str], text: str) -> int:
    """The line (from 1) of the deepest key of a path that is in the YAML text."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next((kv for kv in node.value if kv[0].value == part), None)
            if found is None:
                continue  # not a key of the file, such as the tag of a union
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit():
            node = node.value[int(part)]
            line = node.start_mark.line + 1
    return line
