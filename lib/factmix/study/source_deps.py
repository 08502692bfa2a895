"""The source files that a result depends on, so that an edit reruns only what depends on it."""

import ast
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def sources(*modules: str, without: Iterable[str] = ()) -> list[Path]:
    """The files of some modules of factmix and of everything they import from factmix, sorted.

    Args:
        modules: names within factmix, such as "training.grpo" or "data.datasets.vitaminc".
        without: names that are neither listed nor followed.

    Raises:
        ModuleNotFoundError: a module does not exist.
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
    """The modules of factmix that a file imports, anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            # `from factmix.training import grpo` imports a module, `... import Label` does not
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    below = {name.removeprefix("factmix.") for name in names if name.startswith("factmix.")}
    return {name for name in below if _file(name)}
