"""Which source files a result depends on, so that editing one reruns what it made and no more."""

import ast
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def sources(*modules: str, without: Iterable[str] = ()) -> list[Path]:
    """The files of modules of factmix and of all that they import from factmix, sorted.

    Args:
        modules: names below factmix, such as "grpo" or "datasets.vitaminc".
        without: names that are neither listed nor followed.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    passed = set(without)
    while waiting:
        name = waiting.pop()
        if name in passed:
            continue
        passed.add(name)
        path = _file(name)
        if path is None:
            raise ModuleNotFoundError(f"factmix has no module '{name}'")
        found[name] = path
        waiting += _imported(path)
    return sorted(found.values())


def _file(name: str) -> Path | None:
    stem = PACKAGE.joinpath(*name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imported(path: Path) -> set[str]:
    """Names below factmix that a file imports, wherever in the file it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            # `from factmix import grpo` names a module, `from factmix.labels import Label` not
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    below = {name.removeprefix("factmix.") for name in names if name.startswith("factmix.")}
    return {name for name in below if _file(name)}
