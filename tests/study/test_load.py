import shutil

import pytest

from factmix.study.files import write_json
from factmix.study.load import find_study, load_kept, load_study
from factmix.study.paths import ROOT
from factmix.study.spec import StudyError

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
    with pytest.raises(StudyError, match=r"nothing\.yaml: no such study; .*embedded.*smoke"):
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
        f"mine.yaml:{line}: rewards.published.weights: Value error, there is no weight for NA, FAIL"
    )


def test_bad_yaml(broken):
    message, line = broken("seeds: [0]", "seeds: [0")
    # The parser notices at the next key that the list was never closed.
    assert message == f"mine.yaml:{line + 2}: not valid YAML: expected ',' or ']', but got ':'"


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


@pytest.mark.parametrize("name", ["studies/smoke.yaml", "smoke.yaml", "studies/smoke", "../smoke"])
def test_a_file_instead_of_a_name_is_answered_with_the_names(name):
    with pytest.raises(StudyError, match=r"without folder and \.yaml.*: embedded, .*smoke"):
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
    kept.write_text(text.replace(old, new, 1) if old else new)
    with pytest.raises(StudyError, match=f"{wrong}.*{remedy}"):
        load_kept(kept)
