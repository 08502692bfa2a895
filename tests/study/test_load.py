import re
import shutil

import pytest
from pydantic import ValidationError

from factmix.study.files import write_json
from factmix.study.load import find_study, load_kept, load_study
from factmix.study.paths import ROOT
from factmix.study.spec import Study, StudyError

STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.fixture
def broken(tmp_path):
    """Loads the smoke study with one piece of its text replaced; gives the error and its line."""

    def load(old, new):
        text = (ROOT / "studies" / "smoke.yaml").read_text(encoding="utf-8")
        assert text.count(old) == 1
        path = tmp_path / "mine.yaml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(StudyError) as caught:
            load_study(path)
        line = text[: text.index(old)].count("\n") + 1
        return str(caught.value).replace(str(path), "mine.yaml"), line

    return load


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_loads_under_the_name_of_its_file(path):
    study = load_study(path)
    assert study.name == path.stem
    assert study.baseline in study.arms


def test_a_mixture_may_not_hold_a_dataset_that_is_held_out(broken):
    old = "  debate: {stands_for: Climate-FEVER, hard: true}\n"
    message, _ = broken(old, old.replace("hard: true", "held_out: true"))
    line = (ROOT / "studies" / "smoke.yaml").read_text().split("    debate:")[0].count("\n") + 1
    assert message == (
        f"mine.yaml:{line}: mixtures.hard_only.debate: 'debate' is held out, and so no arm may"
        " train on it; remove it from the mixture, or held_out from datasets.debate"
    )


def test_an_unknown_study_is_answered_with_the_known_ones():
    with pytest.raises(StudyError, match=r"nothing\.yaml: no such study; .*main.*smoke"):
        find_study("nothing")


def test_unknown_mixture(broken):
    message, line = broken("  balanced: {mixture: balanced,", "  balanced: {mixture: even,")
    assert message == (
        f"mine.yaml:{line}: arms.balanced.mixture: 'even' is not defined;"
        " expected one of: balanced, hard_only"
    )


def test_unknown_reward(broken):
    message, line = broken(
        "hard_only: {mixture: hard_only, reward: published}",
        "hard_only: {mixture: hard_only, reward: printed}",
    )
    assert message == (
        f"mine.yaml:{line}: arms.hard_only.reward: 'printed' is not defined;"
        " expected one of: format_only, published"
    )


def test_unknown_dataset_in_a_mixture(broken):
    message, line = broken(
        "debate: {NA: 6, PASS: 6, FAIL: 5}", "debates: {NA: 6, PASS: 6, FAIL: 5}"
    )
    assert message == (
        f"mine.yaml:{line}: mixtures.hard_only.debates: 'debates' is not defined;"
        " expected one of: debate, encyclopedia, revision"
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ("{debates: {NA: 6}}", ".debates: 'debates' is not defined; expected one of: debate, ency"),
        ("{debate: {NA: 0}}", ": there is no example; expected at least one of some dataset and"),
    ],
)
def test_a_warm_start_has_examples_of_datasets_that_there_are(broken, counts, said):
    numbers = "steps: 1, batch: 1, learning_rate: 1.0, seed: 0, afterwords: 0"
    started = f"warm_start: {{{numbers}, counts: {counts}}}\n"
    message, line = broken("prompt:\n  worked", f"{started}prompt:\n  worked")
    assert message.startswith(f"mine.yaml:{line}: warm_start.counts{said}")


def test_unknown_baseline(broken):
    message, line = broken("baseline: format_only", "baseline: control")
    assert message.startswith(f"mine.yaml:{line}: baseline: 'control' is not defined; ")


def test_negative_count(broken):
    message, line = broken("counts: {NA: 20, PASS: 10, FAIL: 10}", "counts: {NA: 20, PASS: -1}")
    assert message == (
        f"mine.yaml:{line}: evaluation.counts.PASS: "
        "Input should be greater than or equal to 0; got -1"
    )


def test_a_label_that_is_none(broken):
    message, line = broken("counts: {NA: 20, PASS: 10, FAIL: 10}", "counts: {NEI: 20}")
    assert message.startswith(
        f"mine.yaml:{line}: evaluation.counts.NEI: Input should be 'NA', 'PAS"
    )


@pytest.mark.parametrize(
    ("old", "new", "key", "missing"),
    [
        (" counts: {NA: 20, PASS: 10, FAIL: 10}", " counts: {PASS: 9, FAIL: 9}", "counts", "NA"),
        (
            "trajectory_counts: {NA: 6, PASS: 3, FAIL: 3}",
            "trajectory_counts: {NA: 9, PASS: 0, FAIL: 0}",
            "trajectory_counts",
            "PASS, FAIL",
        ),
    ],
)
def test_an_evaluation_without_one_of_the_labels_is_refused(broken, old, new, key, missing):
    message, line = broken(old, new)
    assert message.startswith(
        f"mine.yaml:{line}: evaluation.{key}: there is no example of {missing}; "
        "expected at least one of each label"
    )


def test_a_small_dataset_is_evaluated_on_each_label_too(broken):
    message, line = broken(
        "debate: {stands_for: Climate-FEVER, hard: true}", "debate: {disjoint_counts: {NA: 9}}"
    )
    assert message.startswith(
        f"mine.yaml:{line}: datasets.debate.disjoint_counts: there is no example of PASS, FAIL; "
    )


def test_the_trajectory_is_a_part_of_the_evaluation(broken):
    message, line = broken("trajectory_counts: {NA: 6,", "trajectory_counts: {NA: 21,")
    assert message == (
        f"mine.yaml:{line}: evaluation.trajectory_counts.NA: got 21, but encyclopedia is evaluated"
        " on 20 examples of NA; expected at most as many"
    )


def test_the_trajectory_is_a_part_of_what_a_small_dataset_is_evaluated_on(broken):
    message, _ = broken(
        "debate: {stands_for: Climate-FEVER, hard: true}",
        "debate: {disjoint_counts: {NA: 5, PASS: 5, FAIL: 5}}",
    )
    assert "trajectory_counts.NA: got 6, but debate is evaluated on 5 examples of NA" in message


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("training:\n", "trainig:\n", "trainig"),
        ("  group_size: 4", "  groupsize: 4", "training.groupsize"),
        ("mixture: hard_only,", "mixtures: hard_only,", "arms.hard_only.mixtures"),
        ("    explore: 8.0", "    explored: 8.0", "rewards.published.explored"),
    ],
)
def test_misspelt_key(broken, old, new, key):
    message, line = broken(old, new)
    assert message == f"mine.yaml:{line}: {key}: there is no such key"


def test_missing_key_is_reported_where_it_should_be(broken):
    message, line = broken("evaluation:\n  seed: 43\n", "evaluation:\n")
    assert message == f"mine.yaml:{line}: evaluation.seed: this key is missing"


def test_all_keys_that_are_missing_in_one_place_are_named(broken):
    message, line = broken("training:\n  steps: 2\n  prompts_per_step: 4\n", "training:\n")
    assert message == (
        f"mine.yaml:{line}: training.steps: this key is missing, and so is prompts_per_step"
    )


def test_seeds_that_are_named_twice(broken):
    message, line = broken("seeds: [0]", "seeds: [0, 1, 0]")
    assert message.startswith(f"mine.yaml:{line}: seeds: [0, 1, 0] repeats a seed")


def test_unknown_kind_of_reward(broken):
    message, line = broken(
        "  format_only:\n    kind: format_only", "  format_only:\n    kind: form"
    )
    assert message.startswith(f"mine.yaml:{line}: rewards.format_only: Input tag 'form'")


def test_unknown_scheduler(broken):
    message, line = broken("lr_scheduler: constant", "lr_scheduler: constat")
    assert message.startswith(
        f"mine.yaml:{line}: training.lr_scheduler: Input should be 'constant'"
    )
    assert message.endswith("got 'constat'")


def test_a_weight_for_every_label(broken):
    message, line = broken("weights: {NA: 0.15, PASS: 2.5, FAIL: 3.5}", "weights: {PASS: 2.5}")
    assert message.startswith(
        f"mine.yaml:{line}: rewards.published.weights: there is no weight for NA, FAIL"
    )


def test_bad_yaml(broken):
    message, line = broken("seeds: [0]", "seeds: [0")
    # The parser notices at the next key that the list was never closed.
    assert message == f"mine.yaml:{line + 2}: not valid YAML: expected ',' or ']', but got ':'"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("2026-02-30", "not valid YAML: '2026-02-30' cannot be read as timestamp"),
        ("!!int none", "not valid YAML: 'none' cannot be read as int"),
        ("!!bool 2", "not valid YAML: '2' cannot be read as bool"),
        ("9" * 5000, "not valid YAML: '999999999999...9999999999999' cannot be read as int"),
        ('"\\ud83d"', "not valid YAML: '\\ud83d' cannot be read as str"),
        ("&a [*a]", "seeds.0: Input should be a valid integer; got [[[[[[[...]]]]]]]"),
        ("[4294967296]", "seeds.0: Input should be less than 4294967296; got 4294967296"),
        (
            f"[{'x' * 999}]",
            "seeds.0: Input should be a valid integer, unable to parse string as an"
            " integer; got 'xxxxxxxxxxxx...xxxxxxxxxxxxx'",
        ),
    ],
    ids=["date", "int", "bool", "digits", "half", "cycle", "seed", "long"],
)
def test_a_value_that_is_none_of_yaml_or_of_a_study_is_one_line(broken, value, problem):
    message, line = broken("seeds: [0]", f"seeds: {value}")
    assert message == f"mine.yaml:{line}: {problem}"


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_every_number_is_finite(broken, value):
    message, line = broken("    correct: 4.0", f"    correct: {value}")
    assert message.startswith(
        f"mine.yaml:{line}: rewards.published.correct: Input should be a finite number"
    )


def test_endless_nesting_is_refused(broken):
    message, _ = broken("seeds: [0]", "seeds: " + "[" * 3000)
    assert message.startswith(
        "mine.yaml:1: expected a study; got lists or mappings that are nested"
    )


def test_aliases_that_multiply_are_refused_at_once_and_in_short(broken):
    rows = [f"a0: &a0 [{'x, ' * 9}x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    message, _ = broken("seeds: [0]", "\n".join([*rows, "seeds: *a11"]))
    assert message.endswith("a0: there is no such key")
    message, _ = broken(
        "seeds: [0]", "seeds:\n  - " + "\n  - ".join(row.partition(": ")[2] for row in rows)
    )
    assert len(message) < 300


def test_names_of_any_length_are_shown_in_short(broken, extending):
    message, line = broken("seeds: [0]", f"seeds: [0]\n{'k' * 900}: 1")
    assert message.startswith(f"mine.yaml:{line + 1}: {'k' * 40}...") and len(message) < 150
    message, _ = broken("baseline: format_only", f"baseline: {'b' * 5000}")
    assert "b...b" in message and len(message) < 250
    message = extending(f"extends: {'e' * 5000}\n")
    assert message.startswith("e" * 40) and "no such study; expected one of: mine, smoke" in message
    with pytest.raises(StudyError, match=r"f\.\.\.f+\.yaml: no such study") as caught:
        find_study("f" * 5000)
    assert len(str(caught.value)) < 500


def test_a_byte_order_mark_is_no_part_of_a_study(tmp_path):
    text = (ROOT / "studies" / "smoke.yaml").read_text(encoding="utf-8")
    for name, mark in (("plain", ""), ("marked", "\ufeff")):
        (tmp_path / f"{name}.yaml").write_text(mark + text, encoding="utf-8")
    plain, marked = load_study(tmp_path / "plain.yaml"), load_study(tmp_path / "marked.yaml")
    assert marked == plain.model_copy(update={"name": "marked"})


def test_a_key_that_comes_twice_is_refused(broken):
    arm = "  hard_only: {mixture: hard_only, reward: published}\n"
    message, line = broken(arm, arm + arm)
    assert message.startswith(f"mine.yaml:{line + 1}: hard_only: this key occurs twice")


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        (b"# caf\xe9\n", "expected UTF-8; got the byte 0xe9"),
        (b"# \x07\n", "not valid YAML: special characters are not allowed"),
    ],
)
def test_bytes_that_are_no_yaml_are_named_with_their_line(tmp_path, mistake, problem):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"# first\n" + mistake)
    with pytest.raises(StudyError, match=rf"mine\.yaml:2: {problem}"):
        load_study(path)


@pytest.mark.parametrize("name", ["2024", "1e3", "2026-11-28", "my study", "[x]", "-x", "yes", "ä"])
def test_a_name_that_would_mean_something_else_somewhere_is_refused(broken, tmp_path, name):
    expected = f"a name begins with a letter, .*; got '{re.escape(name)}'"
    shutil.copy(ROOT / "studies" / "smoke.yaml", tmp_path / f"{name}.yaml")
    with pytest.raises(StudyError, match=rf"\.yaml:1: name: {expected}"):
        load_study(tmp_path / f"{name}.yaml")
    with pytest.raises(StudyError, match=rf"'{re.escape(name)}': expected .*a name begins with"):
        find_study(name)
    if name != "[x]":  # YAML for a list
        for part, old in (
            ("arms", "balanced: {mixture"),
            ("mixtures", "balanced:\n"),
            ("rewards", "published:\n"),
            ("datasets", "debate: {stands_for"),
        ):
            message, line = broken(f"\n  {old}", f"\n  {name}:{old.partition(':')[2]}")
            assert re.match(rf"mine\.yaml:{line + 1}: {part}\.{name}: {expected}", message)


def test_a_name_may_have_a_hyphen(tmp_path):
    shutil.copy(ROOT / "studies" / "smoke.yaml", tmp_path / "my-study.yaml")
    assert load_study(tmp_path / "my-study.yaml").name == "my-study"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("balanced: {mix", "format-only: {mix", "'format-only' differs from 'format_only' only in"),
        ("balanced: {mix", "Hard_only: {mix", "'Hard_only' differs from 'hard_only' only in case"),
        ("balanced: {mix", "base-x: {mix", "names that begin with 'base_' or 'always_' are"),
    ],
)
def test_names_that_would_share_a_file_or_a_result_are_refused(broken, old, new, complaint):
    message, line = broken(f"\n  {old}", f"\n  {new}")
    assert message.startswith(f"mine.yaml:{line + 1}: ") and complaint in message


def test_a_dataset_is_not_called_as_a_sample(broken):
    message, line = broken("\n  debate: {st", "\n  train-balanced: {}\n  debate: {st")
    assert message.startswith(f"mine.yaml:{line + 1}: datasets.train-balanced: its file train-bal")


def test_a_mixture_is_not_called_as_the_variant_of_another():
    content = find_study("smoke").model_dump()
    content["mixtures"]["balanced-as_released"] = content["mixtures"]["balanced"]
    content["arms"]["balanced"]["protocol"] = "as_released"
    with pytest.raises(
        ValidationError, match=r"train-balanced-as_released\.parquet is that of mix"
    ):
        Study.model_validate(content)


@pytest.mark.parametrize("name", ["studies/smoke.yaml", "smoke.yaml", "studies/smoke", "../smoke"])
def test_a_file_instead_of_a_name_is_answered_with_the_names(name):
    with pytest.raises(StudyError, match=r"without folder and \.yaml.*: main, .*smoke"):
        find_study(name)


def test_a_name_of_its_own_is_refused(broken):
    message, line = broken("sample_seed: 42\n", "name: other\nsample_seed: 42\n")
    assert message == f"mine.yaml:{line}: name: a study is named after its file; remove this key"


def test_an_empty_file_is_no_study(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(StudyError, match=r"empty\.yaml:1: expected a mapping"):
        load_study(tmp_path / "empty.yaml")


def test_a_copy_of_a_study_is_a_study_of_another_name(tmp_path):
    shutil.copy(ROOT / "studies" / "smoke.yaml", tmp_path / "mine.yaml")
    assert load_study(tmp_path / "mine.yaml").name == "mine"


def test_an_unknown_protocol(broken):
    message, line = broken(
        "hard_only: {mixture: hard_only, reward: published}",
        "hard_only: {mixture: hard_only, reward: published, protocol: released}",
    )
    assert message.startswith(f"mine.yaml:{line}: arms.hard_only.protocol: Input should be 'as_des")


def test_passes_that_do_not_fill_a_step(broken):
    message, line = broken("  group_size: 4", "  group_size: 4\n  prompts_per_pass: 3")
    assert message == (
        f"mine.yaml:{line + 1}: training.prompts_per_pass: 3 prompts per pass do not divide the 4"
        " of prompts_per_step; expected a divisor of it"
    )


@pytest.fixture
def extending(tmp_path):
    """Loads a study with this text, which may extend the smoke study beside it."""
    (tmp_path / "smoke.yaml").write_text(
        (ROOT / "studies" / "smoke.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )

    def load(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_study(path)
        except StudyError as error:
            return str(error).replace(f"{tmp_path}/", "")

    return load


def test_a_study_takes_from_the_one_it_extends_what_it_does_not_say(extending):
    smoke = find_study("smoke")
    mine = extending("extends: smoke\ndescription: More seeds.\nseeds: [3, 4]\n")
    changed = {"name": "mine", "description": "More seeds.", "seeds": [3, 4]}
    assert mine == smoke.model_copy(update=changed)


def test_a_key_of_the_extending_study_stands_in_the_place_of_the_whole_other(extending):
    mine = extending(
        "extends: smoke\narms:\n  format_only: {mixture: hard_only, reward: format_only}\n"
    )
    assert list(mine.arms) == ["format_only"]
    assert mine.arms["format_only"].mixture == "hard_only"


def test_mistakes_in_the_extending_study_are_told_with_its_own_line(extending):
    assert extending("extends: smoke\nseeds: [-1]\n") == (
        "mine.yaml:2: seeds.0: Input should be greater than or equal to 0; got -1"
    )


def test_a_key_that_was_meant_to_change_in_part_is_said_to_be_replaced_whole(extending):
    message = extending("extends: smoke\ntraining:\n  steps: 5\n")
    assert message.startswith(
        "mine.yaml:2: training.prompts_per_step: this key is missing, and so are group_size, "
    )
    assert "training of this file replaces all of training in" in message
    assert message.endswith("smoke.yaml; repeat the keys that stay the same)")


def test_what_no_longer_fits_is_told_with_both_lines(extending):
    text = (ROOT / "studies" / "smoke.yaml").read_text(encoding="utf-8")
    line = text[: text.index("\nbaseline:")].count("\n") + 2
    assert extending("extends: smoke\narms:\n  mine: {mixture: balanced, reward: published}\n") == (
        "mine.yaml:1: baseline: 'format_only' is not defined; expected one of: mine"
        f" (baseline is from smoke.yaml:{line})"
    )


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing", "nothing.yaml: no such study; expected one of: mine, smoke"),
        ("../smoke", "extends: expected the name of a study in the same folder; got '../smoke'"),
        ("[smoke]", "extends: expected the name of a study in the same folder; got ['smoke']"),
        ("mine", "mine.yaml:1: extends: 'mine' itself extends 'mine'; expected a study that"),
    ],
)
def test_only_a_whole_study_beside_it_is_extended(extending, name, complaint):
    assert complaint in extending(f"extends: {name}\n")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_what_results_keep_of_a_study_is_the_study(path, tmp_path):
    study = load_study(path)
    write_json(tmp_path / "study.json", study.model_dump(mode="json"))
    assert load_kept(tmp_path / "study.json") == study


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('"lora"', '"adapter"', r"study\.json: model\.adapter: there is no such key"),
        ('"mixture": "hard_only"', '"mixture": "hard"', r"arms\.hard_only\.mixture: 'hard' is not"),
        ('"seeds": [', '"seeds": ', r"study\.json:\d+: not valid JSON: "),
        (None, "[]", r"study\.json: .*valid dictionary"),
        (None, '"caf\xe9"', r"study\.json: not valid JSON: 'utf-8' codec"),
        (None, "[" * 10**5, r"study\.json: not valid JSON: maximum recursion"),
    ],
)
def test_a_kept_study_that_cannot_be_used_is_an_error_with_the_remedy(old, new, wrong, tmp_path):
    kept = tmp_path / "toy" / "study.json"
    remedy = "make study STUDY=toy .*make freeze STUDY=toy"
    with pytest.raises(StudyError, match=rf"study\.json does not exist.*{remedy}"):
        load_kept(kept)
    write_json(kept, find_study("smoke").model_dump(mode="json"))
    text = kept.read_text()
    assert old is None or old in text
    kept.write_text(text.replace(old, new, 1) if old else new, encoding="latin-1")
    with pytest.raises(StudyError, match=f"{wrong}.*{remedy}"):
        load_kept(kept)


@pytest.mark.parametrize("tag", ["python/object/apply:os.mkdir", "python/object/new:os.mkdir"])
def test_a_study_runs_no_code(broken, tmp_path, tag):
    folder = tmp_path / "made"
    message, line = broken("sample_seed: 42", f"sample_seed: !!{tag} ['{folder}']")
    assert f"mine.yaml:{line}: not valid YAML: could not determine a constructor" in message
    assert not folder.exists()
