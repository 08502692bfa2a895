# The steps of a study, each from its inputs to its outputs. `make study` runs them; by hand:
#   snakemake --profile profiles/local --cores 4 --config study=smoke
#
# A step runs again when a file that it reads is newer than what it wrote, or when the settings that
# it takes from the study or its code have changed, which factmix.study.freshness says. So prose
# rebuilds the book, figures/ draws the pages of the arms again, grpo.py trains again, and a new arm trains that
# arm only; comments and docstrings do nothing. (A file with a new time and the same content counts
# as old: the profiles compare checksums.)

import atexit
import os
from contextlib import ExitStack
from pathlib import Path

from snakemake.exceptions import WorkflowError

from factmix.study import freshness
from factmix.study.load import find_study
from factmix.study.lock import LockedError, alone
from factmix.study.paths import FolderError, Paths
from factmix.study.spec import StudyError
from factmix.training.columns import TRAINED

try:
    STUDY = find_study(str(config.get("study", "quick")))  # Snakemake reads 2024 as a number
    PATHS = Paths(Path(os.path.relpath(Paths.of(STUDY).root)))
except (StudyError, FolderError) as error:
    raise WorkflowError(str(error)) from None
if {"{", "}"} & set(str(PATHS.root)):
    raise WorkflowError(
        f"FACTMIX_RUNS: got {PATHS.root.parent}; Snakemake takes braces for wildcards: expected a"
        " folder without them"
    )

ARM = str(PATHS.root / "{arm}-s{seed}")
PAGES = str(PATHS.root / "notebooks")
MODEL = [os.path.relpath(file) for file in freshness.model_files(STUDY.model)]
ALL_CORES = 1024  # Snakemake takes what there is; it also sets the threads of the libraries to it

UNTIL_THE_END = ExitStack()
atexit.register(UNTIL_THE_END.close)


# Instead of Snakemake's own lock, which a killed run leaves behind (the profiles set nolock).
onstart:
    try:
        UNTIL_THE_END.enter_context(alone(Path(".snakemake/running"), "a study in this folder"))
    except LockedError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    arm="|".join(STUDY.arms),
    seed=r"\d+",


def run_of(wildcards):
    return STUDY.run(wildcards.arm, int(wildcards.seed))


def record(settings, step):
    """What a step depends on beside its files, as text that Snakemake compares; see freshness.py."""
    return freshness.as_text({"settings": settings, "code_sha256": freshness.code_sha256(step)})


def drawn(*samples):
    """The files of samples; known, and compared with those of a rule's last run, once drawn."""
    checkpoints.data.get()
    return [PATHS.sample(sample) for sample in samples]


def every_arm(pattern):
    return expand(pattern, arm=STUDY.arms, seed=STUDY.seeds)


STYLE = "lib/factmix/report/factmix.mplstyle"
EVALUATED = "predictions.parquet"
WARM_START = STUDY.warm_start_run()
ADAPTER = "adapter/adapter_model.safetensors"
STARTED = [PATHS.run(WARM_START) / ADAPTER] if WARM_START else []  # what the base model starts with
BASE = [PATHS.run(run) / EVALUATED for run in STUDY.base_runs()]
BOOK = [
    path
    for path in Path("book").rglob("*")
    if path.is_file() and not {"_generated", "__pycache__"} & set(path.parts)
]


# Priorities: the base model comes first, and an arm is finished before the next begins, so that
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
        "lib/factmix/published/claims.yaml",
        STYLE,
        sorted(Path("studies").glob("*.yaml")),  # pages include some
    params:
        depends_on=record({}, "book"),
    output:
        "_build/html/index.html",
    shell:
        "jupyter-book build book/ -W --keep-going -n"


# A checkpoint: what follows is planned when the data are there, and a sample that came out the same
# as before, because only prose or another mixture has changed, trains nothing again.
checkpoint data:
    message: "Data: drawing the evaluation set and the training samples"
    input:
        "notebooks/data.md",
    params:
        depends_on=freshness.as_text(freshness.drawing(STUDY)),
    output:
        # Pools and samples are written too, but not listed: with a list that changes, Snakemake
        # could not compare the settings with those of the last run.
        # update: when the drawing fails, the data that the trained arms are from stay.
        update(PATHS.data_report),
        update(PATHS.shortcuts),
        update(PATHS.evaluation),
        page=f"{PAGES}/data.ipynb",
    shell:
        "factmix notebook notebooks/data.md {output.page:q} -p study={STUDY.name}"


if WARM_START:

    rule warm_start:
        message: "Warm start: training the base model on labelled examples"
        input:
            lambda _: drawn(WARM_START.sample),
            MODEL,
        params:
            depends_on=record(freshness.warm_start_settings(WARM_START), "warm_start"),
        output:
            # update: see the rule train.
            update(PATHS.run(WARM_START) / "run.json"),
            update(PATHS.run(WARM_START) / ADAPTER),
        threads: ALL_CORES
        resources:
            training=1,
        priority: 3
        shell:
            "factmix warm-start {STUDY.name}"


rule base:
    message: "Base: evaluating the base model"
    input:
        lambda _: drawn(*(run.evaluation_sample for run in STUDY.base_runs())),
        MODEL,
        STARTED,
    params:
        depends_on=record(
            [freshness.answering_settings(run) for run in STUDY.base_runs()], "evaluate"
        ),
    output:
        BASE,
    threads: ALL_CORES
    resources:
        training=1,
    priority: 2
    shell:
        "factmix evaluate {STUDY.name} base"


# Training, evaluation and page of an arm are one notebook, arm.md, when it is run by hand. Here they
# are three jobs, because Snakemake deletes what a failed job wrote: a mistake in a figure, or an
# evaluation without memory, costs no trained model. The page executes arm.md, which finds the work
# done, without torch.
rule train:
    message: "Arm {wildcards.arm}, seed {wildcards.seed}: training"
    input:
        lambda wildcards: drawn(run_of(wildcards).training_sample),
        MODEL,
        STARTED,
    params:
        depends_on=lambda wildcards: record(
            freshness.training_settings(run_of(wildcards)), "train"
        ),
    output:
        # update: what was trained before is moved aside by the training itself, and never deleted.
        [update(f"{ARM}/{name}") for name in TRAINED],
    threads: ALL_CORES
    resources:
        training=1,
    shell:
        "factmix train {STUDY.name} {wildcards.arm} --seed {wildcards.seed}"


rule evaluate:
    message: "Arm {wildcards.arm}, seed {wildcards.seed}: evaluating"
    input:
        f"{ARM}/run.json",
        lambda wildcards: drawn(
            *(each.evaluation_sample for each in run_of(wildcards).answers().values())
        ),
        MODEL,
        STARTED,
    params:
        depends_on=lambda wildcards: record(
            freshness.answering_settings(run_of(wildcards)), "evaluate"
        ),
    output:
        # Of some arms clean.parquet, too, which is not listed: outputs are those of all arms.
        # update: a run that was taken over has its answers, and no adapter to make them again.
        update(f"{ARM}/{EVALUATED}"),
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
        STYLE,
        "notebooks/arm.md",
    params:
        depends_on=record({}, "arm"),
    output:
        f"{PAGES}/{{arm}}-s{{seed}}.ipynb",
    priority: 1
    shell:
        "factmix notebook notebooks/arm.md {output:q}"
        " -p study={STUDY.name} -p arm={wildcards.arm} -p seed={wildcards.seed}"


rule compare:
    message: "Compare: every arm with the baseline"
    input:
        PATHS.data_report,
        BASE,
        every_arm(f"{ARM}/{EVALUATED}"),
        [every_arm(f"{ARM}/{name}") for name in TRAINED],
        STYLE,
        "notebooks/compare.md",
    params:
        depends_on=record(STUDY.model_dump(mode="json"), "compare"),  # whole: kept with the results
    output:
        PATHS.results,
        PATHS.study,
        page=f"{PAGES}/compare.ipynb",
    shell:
        "factmix notebook notebooks/compare.md {output.page:q} -p study={STUDY.name}"
