"""The command `factmix`: each step of a study by hand. `make study` runs them all in order."""

# The modules behind a command are imported inside it: torch takes seconds, and --help should not.

import io
import json
import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from factmix.study.paths import Paths
    from factmix.study.run import Run
    from factmix.study.spec import Study

app = typer.Typer(
    help="Train, evaluate and compare the arms of a study, step by step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A name from studies/.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**32 - 1, help="Of training; by default the study's first."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


class InvalidAnswers(Enum):
    """What is done with answers in which no label could be read."""

    WRONG = "wrong"
    DROP_PAIRWISE = "drop_pairwise"


def _open(name: str) -> "tuple[Study, Paths]":
    from factmix.study.load import find_study
    from factmix.study.paths import Paths

    study = find_study(name)
    return study, Paths.of(study)


def _run(study: "Study", arm: str, seed: int | None) -> "Run":
    """The run of an arm and a seed, which the study's results will count."""
    from factmix.study.spec import StudyError

    if seed is not None and seed not in study.seeds:
        raise StudyError(
            f"study {study.name} has no seed {seed}; expected one of:"
            f" {', '.join(map(str, study.seeds))}. Add it to `seeds` of the study to train with it"
        )
    return study.run(arm, seed)


def _check_trained(run: "Run", paths: "Paths") -> None:
    from factmix.study.spec import StudyError

    record = paths.run(run) / "run.json"  # what training writes last
    if not record.is_file():
        raise StudyError(
            f"{record} does not exist; train the arm with:"
            f" factmix train {run.study} {run.arm} --seed {run.seed}"
        )


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="By default every dataset. Also smollm2, a language model."
        ),
    ] = None,
) -> None:
    """Download public data files, or check those that are there; or download a public model."""
    from factmix.data import fetch as fetching
    from factmix.data.sources import SOURCES
    from factmix.training.cached_models import MODELS, weights_of
    from factmix.training.cached_models import fetch as fetch_model

    failures = []
    if unknown := [name for name in names or () if name not in {*SOURCES, *MODELS}]:
        raise fetching.SourceError(
            f"there is no data file or model '{unknown[0]}'; expected one of:"
            f" {', '.join([*MODELS, *sorted(SOURCES)])}"
        )
    datasets = [name for name in SOURCES if not name.startswith("published/")]
    for name in names or datasets:
        try:
            if name in MODELS:
                folder = fetch_model(name)
                print(f"{name}: {folder} ({weights_of(name)}; {MODELS[name].licence})")
                continue
            path = fetching.fetch(name)
        except fetching.SourceError as error:  # of this file: the others may be had
            failures.append(str(error))
            continue
        print(f"{name}: {path} ({path.stat().st_size:,} bytes; {SOURCES[name].licence})")
    if failures:
        raise fetching.SourceError("\n".join(failures))


@app.command()
def data(study_name: StudyName, as_json: AsJson = False) -> None:
    """Draw the evaluation set and every mixture's training sample, and show what was drawn."""
    study, paths = _open(study_name)
    from factmix.data import mixtures
    from factmix.report import data_summary
    from factmix.training.policy import local_tokenizer

    tokenizer = local_tokenizer(study.model, study.prompt)
    if tokenizer is None:
        print(
            f"no lengths of prompts: {study.model.path} has not been downloaded;"
            f" `factmix plan {study.name}` says how",
            file=sys.stderr,
        )
    report = mixtures.prepare(study, paths)
    summary = data_summary.summarise(study, paths, report, tokenizer)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        print(f"{data_summary.tables(summary)}\nwrote {paths.data}")


@app.command()
def plan(study_name: StudyName, as_json: AsJson = False) -> None:
    """Show what a study would train, what that takes, and what is missing; load no weights."""
    study, paths = _open(study_name)
    from factmix.training import plan as planning

    planned = planning.plan(study, paths)
    print(json.dumps(planned, indent=2) if as_json else planning.text(planned))


@app.command()
def warm_start(study_name: StudyName) -> None:
    """Train the base model of a study on labelled examples, where the study has a warm_start."""
    study, paths = _open(study_name)
    run = study.warm_start_run()
    if run is None:
        from factmix.study.spec import StudyError

        raise StudyError(
            f"study {study.name} has no key warm_start; expected its settings: add them, or go on"
            f" with: factmix evaluate {study.name} base"
        )
    from factmix.data import mixtures
    from factmix.training import warm_start as starting

    mixtures.check_drawn(run, paths)
    starting.train(run, paths)
    print(f"{paths.run(run)} has the adapter of the warm start")


@app.command()
def train(
    study_name: StudyName,
    arm: Annotated[str, typer.Argument(help="An arm of the study.")],
    seed: Seed = None,
) -> None:
    """Train one arm with GRPO."""
    study, paths = _open(study_name)
    run = _run(study, arm, seed)
    from factmix.data import mixtures

    if study.reuse:
        from factmix.study.paths import ROOT
        from factmix.training.arm import take_over

        mixtures.check_drawn(run, paths)
        if taken := take_over(run, paths, ROOT / "results"):
            print(f"{paths.run(run)} is a copy of {taken}")
            return
    from factmix.training import grpo

    mixtures.check_drawn(run, paths)
    grpo.train(run, paths)
    print(f"{paths.run(run)} is trained", flush=True)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        os._exit(0)  # once in a while, leaving a group of processes in order waits for ever


@app.command()
def evaluate(
    study_name: StudyName,
    arm: Annotated[str, typer.Argument(help="A trained arm, or 'base': the base model.")],
    seed: Seed = None,
) -> None:
    """Answer the evaluation set with one arm's model, or with the base model."""
    study, paths = _open(study_name)
    if arm == "base" and seed is not None:
        from factmix.study.spec import StudyError

        raise StudyError("the base model has no seed; evaluate it without --seed")
    runs = study.base_runs() if arm == "base" else [_run(study, arm, seed)]
    from factmix.data import mixtures
    from factmix.training import arm as arms

    for run in runs:
        mixtures.check_drawn(run, paths)
    if arm == "base":
        from factmix.training import evaluate as evaluation

        evaluation.evaluate_base(study.base_runs(), paths)
    else:
        run = _run(study, arm, seed)
        _check_trained(run, paths)
        arms.answer(run, paths)
    for run in runs:
        print(f"{paths.run(run) / 'predictions.parquet'} has the answers")


SoFar = Annotated[
    bool, typer.Option("--so-far", help="What is finished of a study that is not complete.")
]


@app.command()
def results(study_name: StudyName, so_far: SoFar = False) -> None:
    """Compare all arms of a study with its baseline: every number that the book cites."""
    from factmix.results import compare as comparison

    study, paths = _open(study_name)
    comparison.compare(study, paths, incomplete=so_far)
    print(f"wrote {paths.results} and {paths.study}")


@app.command()
def compare(
    baseline: Annotated[Path, typer.Argument(help="The predictions of one system.")],
    model: Annotated[Path, typer.Argument(help="Those of the system to compare with it.")],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT=NAME,...",
            help="Names of columns, where they are not found: of id, gold, predicted, correct "
            "(1 or 0), dataset, format_valid. Such as: id=key,gold=truth,predicted=answer",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="WORD=LABEL,...",
            help="Words for labels. Such as: 'SUPPORTS=PASS,REFUTES=FAIL,NOT ENOUGH INFO=NA'",
        ),
    ] = None,
    invalid: Annotated[
        InvalidAnswers, typer.Option(help="Count invalid answers as wrong, or leave pairs out.")
    ] = InvalidAnswers.WRONG,
    dataset: Annotated[
        str | None, typer.Option(help="Of files with several datasets, only this one.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 7,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw shift and learning, as .svg, .png or .pdf; needs probabilities of labels.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the answers of two systems to the same examples, from two prediction files.

    A file is Parquet, CSV, JSON or JSON lines, also as .gz, with one row per
    example. It has an id and the gold label and the answer, for any labels,
    or only whether the answer is right, as in the sample logs
    (samples_*.jsonl) of lm-evaluation-harness. Where both have probabilities
    of the labels, such as columns p_yes and p_no, the command also says
    whether the model learned more than moved thresholds give.
    """
    from factmix.results.compare_files import as_text, compare_pairs
    from factmix.results.prediction_files import pair, read_columns, read_words

    if plot:
        from factmix.report import split  # needs matplotlib

        split.check_file(plot)
    pairs = pair(
        baseline,
        model,
        invalid=invalid.value,
        dataset=dataset,
        columns=read_columns(columns),
        words=read_words(labels),
    )
    result = compare_pairs(pairs, resamples=resamples, seed=seed)
    print(json.dumps(result, indent=2, allow_nan=False) if as_json else as_text(result))
    if plot:
        split.draw_split(result, plot)


@app.command()
def freeze(
    study_name: StudyName,
    so_far: SoFar = False,
    without_pages: Annotated[
        bool,
        typer.Option("--without-pages", help="Leave out notebooks and pictures, for a side study."),
    ] = False,
) -> None:
    """Copy the small results of a finished study to results/, and recompute them from there."""
    from factmix import notebooks
    from factmix.report.summary import draw_summary
    from factmix.results import freeze as freezing
    from factmix.study.paths import ROOT, Paths

    study, paths = _open(study_name)
    into = ROOT / "results" / study.name
    freezing.freeze(study, paths, into, incomplete=so_far, pages=not without_pages)
    if not without_pages:
        draw_summary(Paths(into))
        notebooks.execute_kept("reevaluate", into / "notebooks", {"study": study.name})
    print(f"wrote {into}")


@app.command("drift", hidden=True)  # its former name
@app.command()
def rerun_diff(
    study_name: StudyName,
    as_json: AsJson = False,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Keep the comparison in results/, for the book.")
    ] = False,
    answers: Annotated[
        bool, typer.Option("--answers", help="Compare answers, of the runs that were made again.")
    ] = False,
) -> None:
    """Compare a fresh run of a study with its committed results: the largest differences."""
    from factmix.results import rerun_diff as rerun
    from factmix.study.paths import ROOT, Paths

    study, fresh = _open(study_name)
    committed = Paths(ROOT / "results" / study.name)
    if answers:
        compare, text, keep = rerun.answers_diff, rerun.answers_as_text, rerun.freeze_answers
    else:
        compare, text, keep = rerun.rerun_diff, rerun.as_text, rerun.freeze
    compared = compare(committed, fresh)
    print(json.dumps(compared, indent=2) if as_json else text(compared))
    if freeze:
        print(f"wrote {keep(compared, committed)}", file=sys.stderr)


@app.command()
def published(
    as_json: AsJson = False,
    freeze: Annotated[
        bool,
        typer.Option("--freeze", help="Derive results/published/ from the released files first."),
    ] = False,
) -> None:
    """Show the published study's gains beside those recomputed from its released answers."""
    from factmix import notebooks
    from factmix.published import recomputed as study

    if freeze:
        print(f"wrote {study.freeze()}", file=sys.stderr)
        print(f"wrote {notebooks.execute_kept('published', study.FROZEN, {})}", file=sys.stderr)
    derived = study.load()
    if as_json:
        print(json.dumps(study.report(derived), indent=2, allow_nan=False))
    else:
        print(study.as_text(study.gains_table(derived)))


@app.command()
def claims(as_json: AsJson = False) -> None:
    """Judge every claim of the blog on the published answers and on our committed results."""
    from factmix.published import claims as ledger
    from factmix.published.claim_evidence import committed_evidence

    entries = ledger.load_ledger()
    judged = {
        evidence.name: ledger.judge_all(entries, evidence) for evidence in committed_evidence()
    }
    if as_json:
        print(json.dumps(ledger.as_json(entries, judged), indent=2, allow_nan=False))
    else:
        print(ledger.as_text(entries, judged))


@app.command()
def learning_rate(study_name: StudyName) -> None:
    """Find the learning rate by the study's rule, on data that evaluation never sees."""
    study, paths = _open(study_name)
    from factmix.training import learning_rate as search

    search.choose(study, paths)


@app.command()
def notebook(
    source: Annotated[Path, typer.Argument(help="Such as notebooks/arm.md.")],
    output: Annotated[Path, typer.Argument(help="The executed notebook, .ipynb.")],
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="May be repeated."),
    ] = None,
) -> None:
    """Execute a notebook with parameters; write it only if no cell failed."""
    import yaml

    from factmix import notebooks

    values = {}
    for parameter in parameters or []:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{parameter}': expected NAME=VALUE", param_hint="-p")
        try:
            read = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):  # also a date that does not exist
            read = ...
        if not (read is None or isinstance(read, str | int | float)):
            raise typer.BadParameter(
                f"'{parameter}': expected a number, a text, true, false or null after the =; quote"
                " a text that YAML takes for something else",
                param_hint="-p",
            )
        values[name] = read
    notebooks.execute(source, output, values)
    print(f"wrote {output}")


def main() -> None:
    """Runs the command line; a user's mistake is one line on stderr and exit status 2.

    The errors that factmix defines say what is wrong and what to do about it; a folder that cannot
    be written to is the machine's; and packages of an extra may not be installed. Any other is a
    mistake in the code, and keeps its traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # of a terminal that lacks some letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except ModuleNotFoundError as error:
        from factmix.study.extras import explain_missing

        remedy = explain_missing(error.name or "")
        if remedy is None:
            raise
        print(f"factmix: {remedy}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        from factmix.study.files import FREE, is_unwritable

        ours = type(error).__module__.startswith("factmix.")
        unwritable = not ours and is_unwritable(error)  # ours say themselves what to do
        if not (ours or unwritable):
            raise
        print(f"factmix: {error}{FREE if unwritable else ''}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
