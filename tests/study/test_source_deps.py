import pytest

from factmix.study.source_deps import sources


def names(*modules: str, without: tuple[str, ...] = ()) -> set[str]:
    return {path.name for path in sources(*modules, without=without)}


def test_imports_are_followed_to_their_end() -> None:
    assert names("study.prompts") == {"prompts.py", "examples.py", "labels.py"}


def test_what_is_left_out_is_not_followed() -> None:
    assert names("study.prompts", without=("study.examples",)) == {"prompts.py", "labels.py"}


def test_imports_inside_functions_and_of_packages_count() -> None:
    assert {"mixtures.py", "grpo.py", "vitaminc.py", "__init__.py"} <= names("cli")


def test_training_does_not_depend_on_figures_or_statistics() -> None:
    drawn_or_counted = {"comparison.py", "curves.py", "bootstrap.py", "compare.py"}
    assert not drawn_or_counted & names("training.grpo", "data.mixtures", "training.evaluate")


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module 'study\.promts'"):
        sources("study.promts")
