from dataclasses import replace

import pytest

from factmix.results import by_kind
from factmix.study.load import find_study
from skilled_systems import GOLD, skilled

KINDS = ["vague"] * 20 + ["conflict"] * 20 + ["plain"] * 40


def test_learning_and_change_are_of_the_claims_of_a_kind() -> None:
    study = find_study("pairs")
    study = study.model_copy(update={"seeds": study.seeds[:2]})
    by_seed = []
    for seed in study.seeds:
        systems = skilled(study, lambda arm, dataset, after: 0.5 if arm == "base" else 0.8, seed)
        for of in systems.values():
            of["debate"] = replace(of["debate"], kinds=KINDS)
        # nothing changes about conflict
        for arm, of in systems.items():
            shown = of["debate"].probabilities.copy()
            shown[20:40] = systems["base"]["debate"].probabilities[20:40]
            systems[arm] = of | {"debate": replace(of["debate"], probabilities=shown)}
        by_seed.append(systems)
    found = by_kind.by_kind(study, by_seed)["accuracy"]
    assert set(found["debate_only"]) == {"debate"}  # other datasets have no kinds
    of_debate = found["debate_only"]["debate"]
    assert set(of_debate["undecided"]) == {"vague", "conflict"}
    assert set(of_debate["decided"]) == {"plain"}
    change = of_debate["undecided"]["vague"]["change"]
    assert change["value"] == pytest.approx(0.3) and change["n"] == 2 and "p" not in change
    assert of_debate["undecided"]["conflict"]["change"]["value"] == 0
    assert of_debate["decided"]["plain"]["change"]["value"] == pytest.approx(0.3)
    assert len(GOLD) == len(KINDS)
