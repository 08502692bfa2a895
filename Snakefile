# The steps of a study, each from its inputs to its outputs. `make study` runs them; by hand:
#   snakemake --profile profiles/local --cores 4 --config study=smoke
#
# A step runs again when a file that it reads is newer than what it wrote, or when the settings that
# it takes from the study's YAML have changed. So prose rebuilds the book, figures/ draws the pages
# again, grpo.py trains again, and a new arm trains that arm only. (A file with a new time and the
# same content counts as old: the profiles compare checksums.)

import json
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from factmix.study.source_deps import sources
from factmix.study.paths import ROOT, Paths
from factmix.study.load import find_study
from factmix.study.spec import StudyError

try:
    STUDY = find_study(config.get("study", "embedded"))
except StudyError as error:
    raise WorkflowError(str(error)) from None

SETTINGS = STUDY.model_dump(mode="json")
SETTINGS["training"].pop("prompts_per_pass", None)  # memory, and nothing that is learned
SETTINGS["dataset_names"] = list(STUDY.datasets)  # all that training and answering take
SETTINGS["samples"] = {  # what is drawn beside the mixtures, for arms of another protocol
    arm: [STUDY.training_sample(arm), STUDY.evaluation_sample(arm)]
    for arm in STUDY.arms
    if STUDY.training_sample(arm)[1] or STUDY.evaluation_sample(arm)
}
SETTINGS["counts"] = {
    name: STUDY.evaluation_counts(name, "group_disjoint") for name in STUDY.datasets
}
PATHS = Paths(Path(os.path.relpath(Paths.of(STUDY).root)))
ARM = str(PATHS.root / "{arm}-s{seed}")
PAGES = str(PATHS.root / "notebooks")
MODEL = sorted(Path(STUDY.model.path).glob("*"))  # none when the model comes from the hub
ALL_CORES = 1024  # Snakemake takes what there is; it also sets the threads of the libraries to it

wildcard_constraints:
    arm="|".join(STUDY.arms),
    seed=r"\d+",


def code(*modules):
    """Sources that decide what a step computes; the shared vocabulary below is not followed.

    What a step takes from the study is in its `settings`, so study.py need not count.
    """
    vocabulary = ("labels", "examples", "spec", "load", "paths", "files")
    shared = [f"study.{name}" for name in vocabulary] + ["results.numbers"]
    return [os.path.relpath(path) for path in sources(*modules, without=shared)]


def settings(*keys):
    """Parts of the study, as text that Snakemake compares with that of the last run."""
    return json.dumps({key: SETTINGS[key] for key in keys}, sort_keys=True)


def training_settings(wildcards):
    """All that an arm's training takes from the study, and nothing of the other arms."""
    arm = {
        key: value
        for key, value in SETTINGS["arms"][wildcards.arm].items()
        if key != "baseline"  # which decides what it is compared with, and nothing else here
    }
    reward = STUDY.reward_of(wildcards.arm).model_dump(mode="json")
    own = [arm, SETTINGS["mixtures"][arm["mixture"]], reward]
    refresh = STUDY.protocol_of(wildcards.arm).sampler_refresh
    own += [refresh] if refresh > 1 else []
    shared = ("dataset_names", "evaluation", "model", "sample_seed", "training")
    return json.dumps(own, sort_keys=True) + prompted(wildcards) + settings(*shared)


def prompted(wildcards):
    """The prompt of training, and that of evaluation where it is another one."""
    told = STUDY.evaluation_prompt(wildcards.arm)
    other = told.model_dump_json() if told != STUDY.prompt else ""
    return settings("prompt") + other


def answering_settings(wildcards):
    """All that an arm's evaluation takes from the study."""
    return prompted(wildcards) + settings("dataset_names", "evaluation", "model")


def drawn(wildcards):
    """The data that a step reads; known, and compared with that of its last run, once drawn."""
    checkpoints.data.get()
    arm = wildcards.get("arm")
    if not arm:
        return [PATHS.evaluation_of(variant) for variant in STUDY.evaluation_samples()]
    return [
        PATHS.evaluation_of(STUDY.evaluation_sample(arm)),
        PATHS.train(*STUDY.training_sample(arm)),
    ]


def every_arm(pattern):
    return expand(pattern, arm=STUDY.arms, seed=STUDY.seeds)


STYLE = "lib/factmix/report/factmix.mplstyle"
EVALUATED = "predictions.parquet"
BASE = [PATHS.base_of(variant) / EVALUATED for variant in STUDY.evaluation_samples()]
TRAINED = ("run.json", "metrics.parquet", "trajectory.parquet", "rewards.parquet")
BOOK = [
    path
    for path in Path("book").rglob("*")
    if path.is_file() and not {"_generated", "__pycache__"} & set(path.parts)
]


# Priorities: the untrained model comes first, and an arm is finished before the next begins, so that
# a mistake shows early.


# Named one by one: the book of another study is newer than all of this study's inputs, and alone
# would make Snakemake believe that there is nothing to do.
rule all:
    input:
        PATHS.results,
        PATHS.study,
        f"{PAGES}/data.ipynb",
        f"{PAGES}/compare.ipynb",
        every_arm(f"{PAGES}/{{arm}}-s{{seed}}.ipynb"),
        "_build/html/index.html",


rule book:
    message: "Book: building _build/html"
    input:
        PATHS.results,
        PATHS.study,
        f"{PAGES}/data.ipynb",
        f"{PAGES}/compare.ipynb",
        every_arm(f"{PAGES}/{{arm}}-s{{seed}}.ipynb"),
        "_config.yml",
        BOOK,
        [path for path in Path("results").rglob("*") if path.is_file()],
        code("report.pages"),
        "lib/factmix/published/claims.yaml",
        STYLE,
        sorted(Path("studies").glob("*.yaml")),  # pages include some
    output:
        "_build/html/index.html",
    shell:
        "jupyter-book build book/ -W --keep-going -n"


# A checkpoint: what follows is planned when the data are there, and a sample that came out the same
# as before, because only prose or another mixture has changed, trains nothing again.
checkpoint data:
    message: "Data: drawing the evaluation set and the training samples"
    input:
        code("data.mixtures", "data.shortcuts"),
        "lib/factmix/report/data_summary.py",  # of the prompts it only needs the lengths
        "notebooks/data.md",
    params:
        settings=settings(
            "counts", "dataset_names", "evaluation", "mixtures", "protocol", "sample_seed", "samples"
        ),
    output:
        # Pools and samples are written too, but not listed: with a list that changes, Snakemake
        # could not compare the settings with those of the last run.
        # update: when the drawing fails, the data that the trained arms are from stay.
        update(PATHS.data_report),
        update(PATHS.shortcuts),
        update(PATHS.evaluation),
        page=f"{PAGES}/data.ipynb",
    shell:
        "factmix notebook notebooks/data.md {output.page} -p study={STUDY.name}"


rule base:
    message: "Base: evaluating the untrained model"
    input:
        drawn,
        MODEL,
        code("training.evaluate"),
    params:
        settings=settings("dataset_names", "evaluation", "model", "prompt"),
    output:
        BASE,
    threads: ALL_CORES
    resources:
        training=1,
    priority: 2
    shell:
        "factmix evaluate {STUDY.name} base"


# Training, evaluation and page of an arm are one notebook, arm.md, when it is run by hand. Here they
# are three jobs, so that a mistake in a figure costs no trained model and a page needs no GPU; the
# page executes arm.md, which finds the work done.
rule train:
    message: "Arm {wildcards.arm}, seed {wildcards.seed}: training"
    input:
        drawn,
        MODEL,
        code("training.grpo"),
    params:
        settings=training_settings,
    output:
        directory(f"{ARM}/adapter"),
        [f"{ARM}/{name}" for name in TRAINED],
    threads: ALL_CORES
    resources:
        training=1,
    shell:
        "factmix train {STUDY.name} {wildcards.arm} --seed {wildcards.seed}"


rule evaluate:
    message: "Arm {wildcards.arm}, seed {wildcards.seed}: evaluating"
    input:
        f"{ARM}/run.json",
        f"{ARM}/adapter",
        drawn,
        MODEL,
        code("training.evaluate"),
    params:
        settings=answering_settings,
    output:
        f"{ARM}/{EVALUATED}",
    threads: ALL_CORES
    resources:
        training=1,
    priority: 1
    shell:
        "factmix evaluate {STUDY.name} {wildcards.arm} --seed {wildcards.seed}"


rule arm:
    message: "Arm {wildcards.arm}, seed {wildcards.seed}: its notebook"
    input:
        [f"{ARM}/{name}" for name in (*TRAINED, EVALUATED)],
        code("report.figures", "stats.bootstrap"),
        STYLE,
        "notebooks/arm.md",
    output:
        f"{PAGES}/{{arm}}-s{{seed}}.ipynb",
    priority: 1
    shell:
        "factmix notebook notebooks/arm.md {output}"
        " -p study={STUDY.name} -p arm={wildcards.arm} -p seed={wildcards.seed}"


rule compare:
    message: "Compare: every arm with the baseline"
    input:
        PATHS.data_report,
        BASE,
        every_arm(f"{ARM}/{EVALUATED}"),
        [every_arm(f"{ARM}/{name}") for name in TRAINED],
        code("results.compare", "report.drawings"),
        STYLE,
        "notebooks/compare.md",
    params:
        settings=STUDY.model_dump_json(),  # whole: it is kept beside the results
    output:
        PATHS.results,
        PATHS.study,
        page=f"{PAGES}/compare.ipynb",
    shell:
        "factmix notebook notebooks/compare.md {output.page} -p study={STUDY.name}"
