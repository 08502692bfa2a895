import json

import pytest
from test_claim_tests import evidence

from factmix.published import claims
from factmix.published.claim_evidence import ClaimsError, committed_evidence, study_evidence
from factmix.published.claim_tests import KINDS
from factmix.published.claims import Ledger
from factmix.study.load import find_study
from factmix.study.paths import Paths


def test_committed_verdicts_follow_from_the_committed_data():
    ledger = claims.load_ledger()
    judged = {
        study.name: {name: found.verdict for name, found in claims.judge_all(ledger, study).items()}
        for study in committed_evidence()
    }
    for study, verdicts in judged.items():
        assert {n: claim.verdicts[study] for n, claim in ledger.claims.items()} == verdicts, study


def test_the_overlap_that_climate_fever_forces():
    published, _ = committed_evidence()
    # 150 + 250 of 253 refuted claims, 180 + 500 of 628 that are NA; PASS has enough.
    assert published.overlap == 147 + 52


def test_every_claim_has_a_test_that_exists_and_a_verdict_on_each_study():
    ledger = claims.load_ledger()
    assert {claim.kind for claim in ledger.claims.values()} == set(KINDS)
    for claim in ledger.claims.values():
        assert set(claim.verdicts) == {"published", "main"}
    of_loss = claims.test_of(ledger, ledger.claims["weighted_keeps_easy"])
    assert f"less than {ledger.margin:g}, one-sided p < {ledger.alpha:g}" in of_loss


def test_json_and_text_say_the_same():
    ledger = Ledger(
        alpha=0.01, margin=0.05, claims=dict([*claims.load_ledger().claims.items()][:2])
    )
    judged = {"made up": claims.judge_all(ledger, evidence(), resamples=50)}
    content = json.loads(json.dumps(claims.as_json(ledger, judged), allow_nan=False))
    text = claims.as_text(ledger, judged)
    for name, claim in ledger.claims.items():
        assert content[name]["judged"]["made up"]["verdict"] == "inconclusive"
        assert content[name]["test"].endswith("p < 0.01")
        assert claim.text in text and content[name]["test"] in text
    assert text.count("made up: inconclusive") == 2
    assert text.startswith("In brackets: intervals of 99%.\n")


def test_a_study_without_results_or_arms_is_refused(tmp_path):
    study = find_study("main")
    with pytest.raises(ClaimsError, match="factmix results main"):
        study_evidence(study, Paths(tmp_path))
    with pytest.raises(ClaimsError, match="study smoke has no arm hard_weighted"):
        study_evidence(find_study("smoke"), Paths(tmp_path))
