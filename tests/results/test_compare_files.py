"""Comparing files of any task: other labels, other columns, only right or wrong, few examples."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from factmix.report.split import check_file, draw_split
from factmix.results.compare_files import as_text, compare_pairs
from factmix.results.prediction_files import (
    MOST_LABELS,
    PredictionsError,
    pair,
    read_columns,
    read_words,
)

RNG = np.random.default_rng(5)


@pytest.fixture
def files(tmp_path):
    """Writes the answers of two systems as CSV, the second's in another order."""

    def write(gold, first, second, **columns):
        paths = []
        for name, answers in (("a", first), ("b", second)):
            frame = pd.DataFrame({"id": range(len(gold)), "gold": gold, "predicted": answers})
            frame = frame.assign(**columns).rename(columns=columns.pop("names", {}))
            frame = frame if name == "a" else frame[::-1]
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
            paths.append(tmp_path / f"{name}.csv")
        return paths

    return write


def compared(paths, **how):
    return compare_pairs(pair(*paths, **how), resamples=200, confidence=0.95, seed=1)


def guesses(labels, n=200):
    return [list(RNG.choice(labels, n)) for _ in range(3)]


@pytest.mark.parametrize("labels", [["yes", "no"], list("ABCD"), ["0", "1", "2"], ["JA", "nein"]])
def test_any_labels_are_compared_as_scikit_learn_counts_them(files, labels):
    gold, first, second = guesses(labels)
    result = compared(files(gold, first, second))
    assert list(result["metrics"]) == [
        "accuracy",
        "macro_f1",
        *(f"f1_{label.lower()}" for label in sorted(labels)),
    ]
    for system, answers in (("baseline", first), ("model", second)):
        shown = {name: row[system] for name, row in result["metrics"].items()}
        assert shown["accuracy"] == pytest.approx(accuracy_score(gold, answers))
        assert shown["macro_f1"] == pytest.approx(f1_score(gold, answers, average="macro"))
        by_label = f1_score(gold, answers, average=None, labels=sorted(labels))
        assert list(shown.values())[2:] == pytest.approx(by_label)
    right = [np.array(gold) == answers for answers in (first, second)]
    assert result["mcnemar"]["fixed"] == (~right[0] & right[1]).sum()
    assert result["mcnemar"]["broken"] == (right[0] & ~right[1]).sum()


def test_renamed_labels_give_the_same_numbers(files):
    gold, first, second = guesses(["NA", "PASS", "FAIL"])
    study = compared(files(gold, first, second))
    words = {"NA": "2", "PASS": "0", "FAIL": "1"}
    coded = [[words[label] for label in answers] for answers in (gold, first, second)]
    given = read_words("2=NA, 0=PASS, 1=FAIL")
    again = compared(files(*coded), words=given)
    for result in (study, again):
        mapped = [read.pop("mapped") for read in result["read"].values()]
    assert again == study
    assert {word: n + mapped[0][word] for word, n in mapped[1].items()} == {
        word: 2 * coded[0].count(word) + coded[1].count(word) + coded[2].count(word)
        for word in given
    }


def test_what_is_plainly_a_label_is_read(files):
    gold = ["PASS", "FAIL", "NA", "PASS", "NA"]
    said = ["pass", " **Fail** ", "na.", '"PASS"', "`NA`"]
    pairs = pair(*files(gold, said, gold))
    assert pairs.baseline == pairs.gold == gold
    assert pairs.invalid == (0, 0)


def test_missing_answers_are_counted(files):
    gold = ["PASS", "FAIL", "NA", "NA"]
    said = as_text(compared(files(gold, ["PASS", "FAIL", "", ""], gold)))
    assert "2 invalid answers, 2 missing; 0 ids only in this file" in said


def test_no_other_word_is_guessed_to_be_a_label(files):
    gold = ["PASS", "FAIL", "NA", "PASS", "NA", "PASS"]
    said = ["PASS", "FALSE", "N/A", "PASS", "NA", "passed"]
    pairs = pair(*files(gold, said, gold))
    assert pairs.baseline == ["PASS", "INVALID", "INVALID", "PASS", "NA", "INVALID"]
    assert (pairs.invalid, pairs.unread[0]) == ((3, 0), ["FALSE", "N/A", "passed"])
    assert "3 invalid answers, such as FALSE, N/A, passed" in as_text(
        compared(files(gold, said, gold))
    )


def test_answers_in_other_words_are_refused_with_three_of_them_and_the_remedy(files):
    gold = ["PASS", "FAIL", "NA", "NA"]
    said = ["SUPPORTS", "REFUTES", "NOT ENOUGH INFO", "NA"]
    with pytest.raises(PredictionsError) as error:
        pair(*files(gold, said, gold))
    assert "a.csv: 3 of 4 answers are none of the gold labels (NA, PASS, FAIL)" in str(error.value)
    assert "--labels 'SUPPORTS=LABEL,REFUTES=LABEL,NOT ENOUGH INFO=LABEL'" in str(error.value)
    words = read_words('SUPPORTS=PASS,REFUTES=FAIL,"NOT ENOUGH INFO"=NA')
    assert pair(*files(gold, said, gold), words=words).baseline == gold


def test_columns_are_named_and_said(files):
    gold, first, second = guesses(["yes", "no"])
    plain = compared(files(gold, first, second))
    names = {"id": "key", "gold": "answer", "predicted": "said"}
    paths = files(gold, first, second, names=names)
    named = compared(paths, columns=read_columns("id=key,gold=answer,predicted=said"))
    assert named["metrics"] == plain["metrics"]
    assert "key as id, answer as gold, said as predicted" in as_text(named)
    with pytest.raises(
        PredictionsError, match=r"lacks a column of an id and of gold label .*; it h"
    ):
        compared(paths)
    with pytest.raises(
        PredictionsError, match="--columns gold=truth: neither file has this column"
    ):
        compared(paths, columns=read_columns("gold=truth"))
    with pytest.raises(PredictionsError, match=r"--columns goold=.*: expected one of: id, gold"):
        compared(paths, columns=read_columns("goold=answer"))


def test_a_column_that_is_used_occurs_once(tmp_path):
    rows = ["note,id,gold,predicted,note", "x,1,a,a,y", "x,2,b,a,y"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    assert pair(tmp_path / "a.csv", tmp_path / "a.csv").gold == ["a", "b"]
    (tmp_path / "a.csv").write_text("\n".join(rows).replace("note", "gold"))
    with pytest.raises(PredictionsError, match="more than one column is called gold"):
        pair(tmp_path / "a.csv", tmp_path / "a.csv")


def test_a_column_is_not_guessed_where_two_could_be_meant(files):
    names = {"gold": "label"}
    paths = files(["a", "b"], ["a", "b"], ["b", "b"], names=names, target=["a", "a"])
    with pytest.raises(PredictionsError, match=r"label, target can each be the column 'gold'"):
        pair(*paths)
    assert pair(*paths, columns={"gold": ["label"]}).gold == ["a", "b"]


@pytest.mark.parametrize("option", ["gold", "gold=", "=target", "gold=target,,id=x"])
def test_an_option_that_assigns_nothing_is_refused(option):
    with pytest.raises(
        PredictionsError, match=r"--columns: got .*; expected NAME=VALUE,NAME=VALUE"
    ):
        read_columns(option)


def test_a_word_means_one_label():
    assert read_words('"yes, surely"=PASS,\n\ra=b=FAIL') == {"yes, surely": "PASS", "a=b": "FAIL"}
    with pytest.raises(PredictionsError, match="yes is PASS and FAIL"):
        read_words("Yes=PASS,yes=FAIL")


def sample(doc_id, right, **fields):
    """A line of a sample log of lm-evaluation-harness, for a question with four choices."""
    return {
        "doc_id": doc_id,
        "doc": {"question": "?", "choices": ["w", "x", "y", "z"], "answer": doc_id % 4},
        "target": str(doc_id % 4),
        "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": " A"}},
        "resps": [[["-1.25", "False"]], [["-0.5", "True"]]],
        "filtered_resps": [["-1.25", "False"], ["-0.5", "True"]],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "doc_hash": f"{doc_id:064x}",
        "prompt_hash": "0" * 64,
        "target_hash": "1" * 64,
        "acc": float(right),
        "acc_norm": 0.0,
        **fields,
    }


@pytest.fixture
def samples(tmp_path):
    def write(name, rows):
        path = tmp_path / f"samples_{name}_2025-01-01T00-00-00.000000.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


RIGHT = [[True, False, False, False, True, False], [True, True, True, False, False, True]]


def test_sample_logs_of_the_harness_are_compared_by_their_score(samples):
    a, b = (
        samples(name, [sample(i, each) for i, each in enumerate(right)])
        for name, right in zip("ab", RIGHT, strict=True)
    )
    result = compared((a, b))
    assert list(result["metrics"]) == ["accuracy"]
    row = result["metrics"]["accuracy"]
    assert (row["baseline"], row["model"]) == (2 / 6, 4 / 6)
    assert (result["mcnemar"]["fixed"], result["mcnemar"]["broken"]) == (3, 1)
    assert result["mcnemar"]["p"] == pytest.approx(10 / 16)
    assert result["stuart_maxwell"] is None
    said = as_text(result)
    assert "6 rows; columns doc_id as id, acc as correct, target as gold" in said
    assert "answers compared as right or wrong; 0 pairs dropped" in said
    normed = compared((a, b), columns={"correct": ["acc_norm"]})
    assert normed["metrics"]["accuracy"]["model"] == 0
    assert normed["mcnemar"]["p"] == 1


def test_one_filter_of_a_sample_log_is_taken(samples):
    rows = [
        sample(i, right, filter=name, exact_match=float(right), acc=None)
        for name in ("strict-match", "flexible-extract")
        for i, right in enumerate(RIGHT[name == "strict-match"])
    ]
    log = samples("gsm8k", [{k: v for k, v in row.items() if k != "acc"} for row in rows])
    for columns in (None, {"dataset": ["filter"]}):
        with pytest.raises(PredictionsError, match=r"each filter \(strict-match, flex") as error:
            pair(log, log, columns=columns)
        assert "--columns dataset=filter --dataset strict-match" in str(error.value)
    result = compared((log, log), columns={"dataset": ["filter"]}, dataset="strict-match")
    assert result["metrics"]["accuracy"]["model"] == 4 / 6


def test_answers_of_a_sample_log_are_labels_where_they_are_named(samples):
    rows = [
        sample(i, said == gold, target=gold, filtered_resps=[said], resps=[[said]])
        for i, (gold, said) in enumerate(zip("yynn", "ynyn", strict=True))
    ]
    log = samples("x", rows)
    pairs = pair(log, log, columns={"predicted": ["filtered_resps"]})
    assert (pairs.gold, pairs.model) == (list("yynn"), list("ynyn"))


def test_logs_of_other_documents_are_refused(samples):
    a = samples("a", [sample(i, True) for i in range(6)])
    b = samples("b", [sample(i, True, doc_hash="f" * 64) for i in range(6)])
    with pytest.raises(PredictionsError, match=r"6 ids have another content \(doc_hash\)"):
        pair(a, b)


def test_a_score_between_right_and_wrong_is_refused(samples):
    log = samples("a", [sample(0, True), sample(1, 0.5)])
    with pytest.raises(PredictionsError, match=r"line 2: acc is 0\.5; expected right or wrong"):
        pair(log, log)


def test_answers_are_compared_with_scores_by_whether_they_are_right(files, tmp_path):
    a, _ = files(["x", "y", "x", "y"], ["x", "x", "x", "y"], ["x"] * 4)
    scores = pd.DataFrame({"id": [3, 2, 1, 0], "correct": [False, True, True, True]})
    scores.to_json(tmp_path / "scores.json", orient="records")
    pairs = pair(a, tmp_path / "scores.json")
    assert pairs.baseline == ["right", "wrong", "right", "right"]
    assert pairs.model == ["right", "right", "right", "wrong"]
    with pytest.raises(PredictionsError, match="--labels needs two files with gold labels"):
        pair(a, tmp_path / "scores.json", words={"x": "y"})


def test_a_task_with_many_labels_is_compared_by_accuracy(files):
    numbers = [str(i) for i in range(MOST_LABELS + 1)]
    said = [*numbers[:-3], "other", "", "INVALID"]
    pairs = pair(*files(numbers, said, numbers))
    assert (pairs.baseline.count("right"), pairs.model.count("right")) == (8, 11)
    assert pairs.invalid == (2, 0)
    with pytest.raises(PredictionsError, match=r"11 of 11 answers are none of the gold labels"):
        pair(*files(numbers, ["x"] * 11, numbers))


def test_labels_that_no_paired_example_has_are_left_out(files):
    gold, said = ["NA", "PASS", "NA", "PASS"], ["NA", "FAIL", "NA", "PASS"]
    result = compared(files(gold, said, gold))
    assert list(result["metrics"]) == ["accuracy", "macro_f1", "f1_pass", "f1_na", "recall_na"]
    assert result["metrics"]["f1_pass"]["baseline"] == pytest.approx(2 / 3)
    assert result["invalid"]["baseline"] == 0
    assert list(compared(files(["A"] * 4, list("ABAB"), ["A"] * 4))["metrics"]) == ["accuracy"]


def test_a_label_that_no_example_has_as_gold_can_be_named(files):
    paths = files(["yes"] * 4, ["no", "no", "no", "yes"], ["yes"] * 4)
    with pytest.raises(
        PredictionsError, match=r"3 of 4 answers are none of the gold labels \(yes\)"
    ):
        pair(*paths)
    pairs = pair(*paths, words={"no": "no"})
    assert (pairs.labels, pairs.possible) == (("yes",), ("yes", "no", "INVALID"))
    assert (pairs.invalid, pairs.baseline.count("no")) == ((0, 0), 3)


def test_valid_and_invalid_can_be_labels(files):
    gold = ["valid", "INVALID", "INVALID", "valid"]
    pairs = pair(*files(gold, ["valid", "invalid", "?", ""], gold))
    assert pairs.baseline == ["valid", "INVALID", " INVALID", " INVALID"]
    assert pairs.invalid == (2, 0)
    assert compared(files(gold, gold, gold))["metrics"]["accuracy"]["model"] == 1


def test_ids_that_one_file_lacks_and_repeated_ids_are_counted(tmp_path):
    for name, ids in {"a": [1, 2, 3, 4], "b": [4, 3, 9], "c": [1, 1, 2, 2, 3, 3, 4, 4]}.items():
        frame = pd.DataFrame({"id": ids, "gold": "x", "predicted": "x"})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    result = compared((tmp_path / "a.csv", tmp_path / "b.csv"))
    assert (result["n"], result["unpaired"]) == (2, {"baseline": 2, "model": 1})
    said = as_text(result)
    assert "0 invalid answers; 2 ids only in this file" in said
    assert "0 invalid answers; 1 ids only in this file" in said
    with pytest.raises(PredictionsError, match="4 ids occur more than once, such as 1, 2, 3;"):
        pair(tmp_path / "a.csv", tmp_path / "c.csv")


def test_few_pairs_and_tiny_p_values_are_printed_right(files):
    gold = ["PASS"] * 5 + ["FAIL"] * 5
    said = as_text(compared(files(gold, gold[::-1], gold)))
    assert "Accuracy 0.0000 -> 1.0000 (+1.0000) on 10 pairs, McNemar p = 0.002" in said
    gold = ["PASS", "FAIL"] * 1000
    said = as_text(compared(files(gold, gold[1:] + gold[:1], gold)))
    assert "2,000 pairs, McNemar p < 0.001\n" in said
    assert "p = 0" not in said
    row = said.splitlines()[3].split()
    assert row[0] == "accuracy"
    assert row[-4:] == ["<", "0.01", "<", "0.04"]  # the floor of 200 resamples, and four tests


def test_labels_with_strange_characters_stay_on_one_line(files):
    gold, first, second = guesses(["a\nb", "\x1b[31mred", "x" * 200], 30)
    said = as_text(compared(files(gold, first, second)))
    assert "\x1b" not in said
    assert r"'f1_a\nb'" in said
    assert max(map(len, said.splitlines())) < 400


def test_a_counter_of_rows_is_no_id(tmp_path):
    gold = ["yes", "no"] * 20
    rows = pd.DataFrame({"gold": gold, "predicted": gold})
    rows.to_csv(tmp_path / "a.csv")
    rows.sample(frac=1, random_state=0).reset_index(drop=True).to_csv(tmp_path / "b.csv")
    with pytest.raises(PredictionsError, match="id"):
        pair(tmp_path / "a.csv", tmp_path / "b.csv")


def test_labels_that_differ_in_case_only_are_not_read_as_one(files):
    gold, answers = ["a", "A", "b"] * 10, ["A", "a", "b"] * 10
    with pytest.raises(PredictionsError, match=r"'?a'? and '?A'? differ in case"):
        compared(files(gold, answers, gold))


def test_a_number_is_not_read_as_another(files):
    gold = [f".{i}" for i in range(1, 25)]
    answers = gold[:12] + [text.removeprefix(".") for text in gold[12:]]
    assert compared(files(gold, answers, gold))["metrics"]["accuracy"]["baseline"] == 0.5


def test_whole_numbers_that_pandas_wrote_with_a_point_are_whole_numbers(files):
    gold, answers = ["0", "1"] * 10, ["0.0", "1.0"] * 10
    assert compared(files(gold, answers, gold))["metrics"]["accuracy"]["baseline"] == 1


def scored(labels, n=300, seed=0):
    """Gold labels, and probabilities of two systems; the second's constants are moved."""
    rng = np.random.default_rng(seed)
    first = rng.dirichlet(np.ones(len(labels)), size=n)
    gold = [labels[i] for i in (first.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)]
    second = first * np.exp(np.linspace(0, 3, len(labels)))
    return gold, first, second / second.sum(axis=1, keepdims=True)


def write_scored(tmp_path, labels, gold, *systems, columns="p_{}", given=None, **more):
    paths = []
    for i, probabilities in enumerate(systems):
        told = {columns.format(label): probabilities[:, j] for j, label in enumerate(labels)}
        frame = pd.DataFrame(
            {
                "id": range(len(gold)),
                "gold": gold,
                "predicted": [labels[j] for j in probabilities.argmax(axis=1)],
                **{name: values for name, values in told.items() if name in (given or told)},
                **more,
            }
        )
        frame = frame if i else frame[::-1]
        paths.append(tmp_path / f"{i}.csv")
        frame.to_csv(paths[-1], index=False)
    return paths


@pytest.mark.parametrize("labels", [["yes", "no"], list("ABCD"), ["NA", "PASS", "FAIL"]])
@pytest.mark.parametrize("columns", ["p_{}", "prob_{}", "Probability_{}"])
def test_moved_thresholds_are_told_from_learning(tmp_path, labels, columns):
    paths = write_scored(tmp_path, labels, *scored(labels), columns=columns)
    result = compared(paths)
    (split,) = result["shift_or_learning"]["by_dataset"].values()
    assert split["learning"]["difference"] == 0 and split["agreement"] == 1
    assert split["shift"]["difference"] == pytest.approx(split["model"] - split["baseline"])
    assert split["shift"]["ci"][1] < 0 and split["n"] == 300
    assert split["separation"]["baseline"] == pytest.approx(split["separation"]["model"])
    assert set(split["constants"]) == set(labels)
    assert "\nall " in as_text(result)


def test_ties_of_rounded_probabilities_are_told_about(tmp_path):
    labels = ["NA", "PASS", "FAIL"]
    gold, first, second = scored(labels)
    result = compared(write_scored(tmp_path, labels, gold, first, second))
    (split,) = result["shift_or_learning"]["by_dataset"].values()
    assert split["tied_shifted"] <= len(labels) and split["tied"] == {"baseline": 0, "model": 0}
    assert "tied" not in as_text(result) and "several" not in as_text(result)
    whole = np.eye(3)[first.argmax(axis=1)]
    result = compared(write_scored(tmp_path, labels, gold, whole, second))
    (split,) = result["shift_or_learning"]["by_dataset"].values()
    tied = split["tied_shifted"]
    assert tied > 30 and split["tied"]["baseline"] == 0
    assert f"all: {tied} of 300 examples of the shifted baseline are tied" in as_text(result)


def test_labels_that_are_equally_probable_share_the_answer(tmp_path):
    labels = ["NA", "PASS", "FAIL"]
    gold, first, second = scored(labels)
    coarse = np.round(4 * first) / 4
    ties = int(((coarse == coarse.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    paths = write_scored(tmp_path, labels, gold, coarse, second)
    result = compared(paths)
    (split,) = result["shift_or_learning"]["by_dataset"].values()
    assert split["tied"] == {"baseline": ties, "model": 0} and ties > 30
    said = f"all: {ties} of 300 examples of the baseline have several most probable labels"
    assert said in as_text(result) and "the first of them" not in as_text(result)
    without = pd.read_csv(paths[0], keep_default_na=False).drop(columns="predicted")
    without.to_csv(paths[0], index=False)
    said = as_text(compared(paths))
    assert said.count("(in the tables above, the first of them is the answer)") == 1
    # The order of the labels decides nothing.
    turned = [labels[i] for i in (2, 0, 1)]
    other = compared(
        write_scored(tmp_path, turned, gold, coarse[:, [2, 0, 1]], second[:, [2, 0, 1]])
    )
    (again,) = other["shift_or_learning"]["by_dataset"].values()
    for part in ("shift", "learning"):
        assert again[part]["difference"] == pytest.approx(split[part]["difference"], abs=1e-6)
    assert again["baseline"] == pytest.approx(split["baseline"])


def test_the_most_probable_label_is_the_answer_where_a_file_has_none(tmp_path):
    labels = ["NA", "PASS", "FAIL"]
    paths = write_scored(tmp_path, labels, *scored(labels))
    expected = compared(paths)
    for path in paths:
        pd.read_csv(path, keep_default_na=False).drop(columns="predicted").to_csv(path, index=False)
    result = compared(paths)
    assert result["metrics"] == expected["metrics"]
    assert result["shift_or_learning"] == expected["shift_or_learning"]
    assert "columns id, gold, most probable label as predicted" in as_text(result)
    lacking = pd.read_csv(paths[0], keep_default_na=False)
    lacking.loc[lacking.index[0], "p_NA"] = np.nan
    lacking.to_csv(paths[0], index=False)
    assert compared(paths)["read"]["baseline"]["missing"] == 1


def test_probabilities_may_have_the_words_that_mean_the_labels(tmp_path):
    labels, words = ["NA", "PASS", "FAIL"], {"nei": "NA", "yes": "PASS", "no": "FAIL"}
    gold, first, second = scored(labels)
    named = write_scored(tmp_path, labels, gold, first, second)
    expected = compared(named)["shift_or_learning"]
    called = [word for label in labels for word, meant in words.items() if meant == label]
    in_words = write_scored(
        tmp_path, called, [called[labels.index(each)] for each in gold], first, second
    )
    assert compared(in_words, words=words)["shift_or_learning"] == expected


def test_each_dataset_has_constants_of_its_own(tmp_path):
    labels = ["NA", "PASS", "FAIL"]
    gold, first, second = scored(labels)
    second[150:] = first[150:]
    names = ["one"] * 150 + ["two"] * 150
    result = compared(write_scored(tmp_path, labels, gold, first, second, dataset=names))
    found = result["shift_or_learning"]["by_dataset"]
    assert list(found) == ["two", "one"]  # in the order of the first file
    assert found["one"]["shift"]["difference"] != 0 == found["two"]["shift"]["difference"]
    alone = compared(
        write_scored(tmp_path, labels, gold, first, second, dataset=names), dataset="one"
    )["shift_or_learning"]["by_dataset"]
    assert alone["one"]["shift"]["difference"] == found["one"]["shift"]["difference"]


def test_one_of_two_probabilities_is_enough(tmp_path):
    labels = ["yes", "no"]
    both = compared(write_scored(tmp_path, labels, *scored(labels)))
    one = compared(write_scored(tmp_path, labels, *scored(labels), given=["p_yes"]))
    named = compared(
        write_scored(tmp_path, labels, *scored(labels), columns="score of {}"),
        columns=read_columns("p_yes=score of yes"),
    )
    for other in (one, named):
        expected = both["shift_or_learning"]["by_dataset"]["all"]
        found = other["shift_or_learning"]["by_dataset"]["all"]
        for key in ("shift", "learning"):
            assert found[key]["difference"] == expected[key]["difference"]
        assert found["separation"] == pytest.approx(expected["separation"])


def test_nothing_is_said_of_shift_where_a_label_has_no_probability(tmp_path):
    labels = list("ABC")
    paths = write_scored(tmp_path, labels, *scored(labels), given=["p_A", "p_B"])
    result = compared(paths)
    assert result["shift_or_learning"] is None and "log-odds" not in as_text(result)
    with pytest.raises(PredictionsError, match="columns such as p_A, p_B, p_C; name them with"):
        draw_split(result, tmp_path / "split.svg")


def test_pairs_without_probabilities_are_left_out_and_counted(tmp_path):
    labels = ["yes", "no"]
    gold, first, second = scored(labels)
    paths = write_scored(tmp_path, labels, gold, first, second)
    frame = pd.read_csv(paths[1])
    frame.loc[3:7, "p_yes"] = np.nan
    frame.to_csv(paths[1], index=False)
    result = compared(paths)
    assert result["shift_or_learning"]["without"] == 5
    assert result["shift_or_learning"]["by_dataset"]["all"]["n"] == 295
    assert "5 pairs are left out here" in as_text(result)


@pytest.mark.parametrize("value", [-0.2, 1.5, "high"])
def test_what_is_no_probability_is_refused_with_its_line(tmp_path, value):
    labels = ["yes", "no"]
    paths = write_scored(tmp_path, labels, *scored(labels))
    frame = pd.read_csv(paths[1]).astype(object)
    frame.loc[2, "p_no"] = value
    frame.to_csv(paths[1], index=False)
    said = rf"1.csv: line 4: p_no is {value}; expected a prob"
    with pytest.raises(PredictionsError, match=said):
        compared(paths, columns=read_columns("p_no=p_no"))
    # a column that nobody named may hold something else
    frame.drop(columns="p_yes").to_csv(paths[1], index=False)
    result = compared(paths)
    assert result["shift_or_learning"] is None
    assert re.search(f"not read as probabilities: .*{said}", as_text(result))


def test_one_of_two_gold_labels_is_enough_although_the_task_has_more(tmp_path):
    labels = ["PASS", "FAIL"]  # of the study's three
    both = compared(write_scored(tmp_path, labels, *scored(labels)))
    one = compared(write_scored(tmp_path, labels, *scored(labels), given=["p_PASS"]))
    for result in (both, one):
        assert set(result["probabilities"]) == {"PASS", "FAIL"}
        assert "probabilities in both files: PASS, FAIL" in as_text(result)
    splits = [each["shift_or_learning"]["by_dataset"]["all"] for each in (both, one)]
    assert splits[0]["shift"]["difference"] == splits[1]["shift"]["difference"]


def test_a_scale_of_each_row_makes_no_difference(tmp_path):
    labels = ["NA", "PASS", "FAIL"]
    gold, first, second = scored(labels)
    small = first * np.logspace(-40, 0, len(first))[:, None]  # as of long answers
    small[7] = 0  # nothing is known
    result = compared(write_scored(tmp_path, labels, gold, small, second))
    split = result["shift_or_learning"]
    assert split["without"] == 1
    assert split["by_dataset"]["all"]["learning"]["difference"] == 0


def test_probabilities_that_are_named_and_of_no_use_are_refused(tmp_path):
    frame = pd.DataFrame({"id": range(9), "correct": [1, 0, 1] * 3, "score": 0.5})
    for name in ("a", "b"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(PredictionsError, match=r"p_yes=.*expected two files with answers to at mo"):
        compared([tmp_path / "a.csv", tmp_path / "b.csv"], columns=read_columns("p_yes=score"))


def test_an_unknown_label_of_a_named_probability_is_refused(tmp_path):
    labels = ["yes", "no"]
    paths = write_scored(tmp_path, labels, *scored(labels))
    with pytest.raises(PredictionsError, match=r"p_maybe=.*one of the labels: no, yes"):
        compared(paths, columns=read_columns("p_maybe=p_no"))


@pytest.mark.parametrize("name", ["split.svg", "split.png", "split.pdf"])
def test_the_split_is_drawn(tmp_path, name):
    labels = ["yes", "no"]
    result = compared(write_scored(tmp_path, labels, *scored(labels)))
    draw_split(result, tmp_path / name)
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert (tmp_path / name).read_bytes().startswith(starts[name[-3:]])
    check_file(tmp_path / name)
    with pytest.raises(PredictionsError, match=r"\.svg, \.png, \.pdf"):
        check_file(tmp_path / "split.gif")
    with pytest.raises(PredictionsError, match="no folder"):
        check_file(tmp_path / "absent" / name)


def test_one_gold_label_with_probabilities_is_compared_without_a_split(tmp_path):
    sure = np.tile([0.8, 0.2], (300, 1))
    result = compared(write_scored(tmp_path, ["A", "B"], ["A"] * 300, sure, sure))
    assert result["shift_or_learning"] is None and "log-odds" not in as_text(result)
