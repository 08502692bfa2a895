import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import is_color_like, to_hex, to_rgb

from factmix.report import figures
from factmix.report.figures import layout
from factmix.report.plot_style import (
    ANSWER_COLOURS,
    ARM_COLOURS,
    PAGE,
    SPARE_COLOURS,
    STYLE,
    arm_colours,
    arm_markers,
    svg,
)
from factmix.report.plot_style import darkened as darken
from factmix.study.labels import ANSWERS, LABELS

LIGHT, DARK = "#ffffff", "#14181e"


@pytest.fixture(autouse=True)
def drawn_without_a_screen():
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    with figures.style():
        yield
    plt.close("all")
    plt.switch_backend(backend)


def contrast(one, other):
    """The contrast ratio of WCAG 2.1, from 1 to 21."""

    def luminance(colour):
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "colour", [*ARM_COLOURS.values(), *SPARE_COLOURS, *ANSWER_COLOURS.values()]
)
def test_colours_stand_out_on_light_and_on_dark_pages(colour):
    assert contrast(colour, LIGHT) >= 3  # what WCAG asks of graphics
    assert contrast(colour, DARK) >= 3


def darkened(colour):
    return darken(to_hex(colour).encode()).decode()


def test_text_is_readable_on_its_page():
    for text in ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"):
        assert contrast(plt.rcParams[text], LIGHT) >= 7
        assert contrast(darkened(plt.rcParams[text]), DARK) >= 7
    assert plt.rcParams["savefig.facecolor"] == "none"


def test_every_colour_of_the_style_has_one_for_dark_pages():
    style = matplotlib.rc_params_from_file(STYLE, use_default_template=False)
    colours = {value for value in style.values() if is_color_like(value) and value != "none"}
    assert colours
    assert all(darkened(colour) != to_hex(colour) for colour in colours)


def test_a_figure_for_dark_pages_differs_in_text_lines_and_page_alone():
    light = svg(lambda: figures.plot_transfer(GAINS.assign(trained_on=True)))
    dark = darken(light)
    for old, new in (("#24292f", "#e6edf3"), ("#fefefe", "#14181e")):
        assert old.encode() in light and old.encode() not in dark
        assert light.count(old.encode()) == dark.count(new.encode())
    assert re.sub(rb"#[0-9a-f]{6}", b"", light) == re.sub(rb"#[0-9a-f]{6}", b"", dark)


def test_an_arm_keeps_its_colour_and_marker_in_any_company():
    alone, among = ["balanced"], ["new", "hard_only", "balanced", "other"]
    assert arm_colours(alone)["balanced"] == arm_colours(among)["balanced"]
    assert arm_markers(alone)["balanced"] == arm_markers(among)["balanced"]


def test_arms_of_the_released_protocol_look_like_their_namesakes():
    arms = ["format_only_released", "hard_only_released", "new_released"]
    fewer = arms[1:]
    for look in (arm_colours, arm_markers):
        assert look(arms)["hard_only_released"] == look(["hard_only"])["hard_only"]
        assert look(fewer)["hard_only_released"] == look(arms)["hard_only_released"]
    assert arm_colours(arms)["new_released"] in SPARE_COLOURS


def test_arms_do_not_share_a_colour_or_marker():
    arms = [*ARM_COLOURS, "new", "other", "third"]
    assert len(set(arm_colours(arms).values())) == len(arms)
    assert len(set(arm_markers(arms).values())) == len(arms)


@pytest.fixture
def metrics():
    step = np.arange(1, 31)
    of_arm = {"step": step, "reward/total": (step % 2).astype(float), "kl": step / 100}
    shares = {f"share/{answer}": np.full(30, 0.25) for answer in ANSWERS}
    frames = [pd.DataFrame({"arm": arm, **of_arm, **shares}) for arm in ("hard_only", "balanced")]
    frames[1]["reward/explore"] = 8.0
    return pd.concat(frames, ignore_index=True)


def test_training_curves_show_every_step_and_the_running_mean(metrics):
    ax = figures.plot_training_curves(metrics, window=10)
    raw, smooth = ax.get_lines()[:2]
    assert raw.get_ydata().tolist() == [1.0, 0.0] * 15
    assert smooth.get_ydata()[15] == 0.5
    assert raw.get_alpha() < 0.5 < smooth.get_linewidth()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["hard_only", "balanced"]
    assert to_hex(smooth.get_color()) == ARM_COLOURS["hard_only"]


def test_training_curves_leave_out_arms_without_the_component(metrics):
    ax = figures.plot_training_curves(metrics, component="explore")
    assert len(ax.get_lines()) == 2
    assert ax.get_ylabel() == "explore reward"


def test_a_column_goes_before_a_component_of_the_same_name(metrics):
    metrics = metrics.assign(**{"accuracy": 0.5, "reward/accuracy": 2.0})
    for component, value in (("accuracy", 0.5), ("reward/accuracy", 2.0)):
        ax = figures.plot_training_curves(metrics, component=component)
        assert set(ax.get_lines()[1].get_ydata()) == {value}
        assert ax.get_ylabel() == component.removeprefix("reward/") + (
            " reward" if "/" in component else ""
        )


def test_curves_have_a_panel_each_and_one_legend(metrics):
    shown = {"drift": "kl", "explored": "explore", "all": "total"}
    figure = figures.plot_curves(metrics, shown, columns=2, ylabel="mean")
    drawn = [ax for ax in figure.axes if ax.get_lines()]
    assert [ax.get_title(loc="left") for ax in drawn] == list(shown)
    assert [len(ax.get_lines()) for ax in drawn] == [4, 2, 4]  # explore: one arm only
    assert not any(ax.get_legend() for ax in drawn)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["hard_only", "balanced"]


def test_rewards_of_another_kind_have_axes_of_their_own(metrics):
    kind = metrics["arm"].map({"hard_only": "published", "balanced": "accuracy"})
    figure = figures.plot_rewards(metrics.assign(reward=kind))
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "reward published",
        "reward accuracy",
    ]
    assert [len(ax.get_lines()) for ax in figure.axes] == [2, 2]


def test_training_curves_draw_where_they_are_told(metrics):
    _, ax = plt.subplots()
    assert figures.plot_training_curves(metrics, component="kl", ax=ax) is ax
    assert ax.get_ylabel() == "KL (nats per token)"


def test_seeds_are_curves_of_their_own_and_one_entry_of_the_legend(metrics):
    seeds = pd.concat([metrics.assign(seed=0), metrics.assign(seed=1)])
    ax = figures.plot_training_curves(seeds)
    assert len(ax.get_lines()) == 4
    assert len(ax.get_legend().get_texts()) == 2


def test_answer_shares_have_a_panel_per_arm_and_a_colour_per_answer(metrics):
    figure = figures.plot_answer_shares(metrics)
    panels = [ax for ax in figure.axes if ax.get_lines()]
    assert [ax.get_title(loc="left") for ax in panels] == ["hard_only", "balanced"]
    areas = panels[0].collections
    assert [to_hex(area.get_facecolor()[0]) for area in areas] == list(ANSWER_COLOURS.values())
    assert [area.get_paths()[0].vertices[:, 1].max() for area in areas] == [0.25, 0.5, 0.75, 1]
    edges = [line.get_ydata()[0] for line in panels[0].get_lines()]  # of single steps
    assert edges == [0.25, 0.5, 0.75]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(ANSWERS)


def test_trajectory_draws_values_with_their_intervals():
    rows = [
        ("balanced", "debate", step, metric, value, value - 0.1, value + 0.2)
        for step, value in ((0, 0.4), (25, 0.5))
        for metric in ("balanced_accuracy", "accuracy")
    ]
    columns = ["arm", "dataset", "step", "metric", "value", "low", "high"]
    (ax,) = figures.plot_trajectory(pd.DataFrame(rows, columns=columns)).axes
    line, constant = ax.get_lines()
    assert line.get_ydata().tolist() == [0.4, 0.5]
    assert constant.get_ydata()[0] == pytest.approx(1 / 3)
    segments = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert segments == [pytest.approx([0.3, 0.6]), pytest.approx([0.4, 0.7])]


def test_confusion_rows_add_up_and_right_answers_are_framed():
    answers = [("NA", "NA")] * 3 + [("NA", "INVALID")] + [("PASS", "FAIL")] + [("FAIL", "FAIL")]
    frame = pd.DataFrame(answers, columns=["gold", "predicted"]).assign(
        arm="base", dataset="debate"
    )
    (ax,) = figures.plot_confusion(frame).axes
    cells = [text.get_text() for text in ax.texts]
    assert cells == ["75%", "0%", "0%", "25%", "0%", "0%", "100%", "0%", "0%", "0%", "100%", "0%"]
    assert [frame.get_xy() for frame in ax.patches] == [(i - 0.5, i - 0.5) for i in range(3)]


def test_confusion_is_arms_by_datasets():
    frame = pd.DataFrame(
        [
            (arm, dataset, label, "NA")
            for arm in ("base", "balanced_accuracy")
            for dataset in ("encyclopedia", "revision", "debate")
            for label in LABELS
        ],
        columns=["arm", "dataset", "gold", "predicted"],
    )
    axes = figures.plot_confusion(frame).axes
    assert [ax.get_title(loc="left") for ax in axes[:3]] == ["encyclopedia", "revision", "debate"]
    assert [ax.get_ylabel() for ax in axes if ax.get_ylabel()] == ["base", "balanced_\naccuracy"]


def test_a_simplex_has_each_value_at_its_shares():
    corners = [(1.0, 0.0, 0.0, 0.021), (0.0, 1.0, 0.0, -0.01), (0.0, 0.0, 1.0, 0.05)]
    rows = [("one", str(i), *corner) for i, corner in enumerate([*corners, (0.5, 0, 0.5, 0.03)])]
    frame = pd.DataFrame(rows, columns=["panel", "mixture", "a", "b", "c", "value"])
    ends = {"low": frame["value"] - 0.01, "high": frame["value"] + [0.02, 0.04, 0.01, 0.03]}
    (ax,) = figures.plot_simplex(frame.assign(**ends)).axes
    said = {text.get_text(): text.get_position() for text in ax.texts}
    assert said["5.0"] == (1, 0) and said["\u22121.0"] == (0, 0)
    assert said["2.1"] == pytest.approx((0.5, 0.75**0.5))
    assert said["3.0"] == pytest.approx((0.75, 0.75**0.5 / 2))
    assert {"a", "b", "c"} < set(said)
    assert said["\u00b12.5"] == said["\u22121.0"]  # of the second


def test_learning_by_kind_is_blank_without_claims_and_framed_where_trained():
    rows = [
        ("a", "a", "undecided", "vague", True, 0.1),
        ("a", "b", "undecided", "conflict", False, -0.02),
        ("a", "b", "decided", "plain", False, 0.03),
        ("b", "a", "undecided", "vague", False, 0.0),
        ("b", "b", "decided", "plain", True, 0.04),
    ]
    columns = ["mixture", "dataset", "side", "kind", "trained_on", "value"]
    figure = figures.plot_by_kind(pd.DataFrame(rows, columns=columns))
    axes = {(i // 2, "ab"[i % 2]): ax for i, ax in enumerate(figure.axes[:4])}
    said = {at: [text.get_text() for text in ax.texts] for at, ax in axes.items()}
    # seaborn writes nothing where there is no value
    assert said[0, "a"] == ["10.0", "\u22122.0"] and said[1, "b"] == ["4.0"]
    assert [len(ax.patches) for ax in axes.values()] == [1, 0, 0, 1]
    assert axes[0, "a"].get_title(loc="left") == "a alone"


def test_gains_are_points_and_filled_only_where_significant():
    gains = pd.DataFrame(
        [
            ("balanced", "debate", "accuracy", 0.1, 0.05, 0.12, 0.001),
            ("balanced", "debate", "recall_na", -0.02, -0.05, 0.01, 0.2),
        ],
        columns=["arm", "dataset", "metric", "value", "low", "high", "p"],
    )
    (ax,) = figures.plot_gains(gains, metrics=("accuracy", "recall_na"), alpha=0.01).axes
    intervals, markers = ax.collections
    assert [s[:, 0].tolist() for s in intervals.get_segments()] == [
        pytest.approx([5, 12]),
        pytest.approx([-5, 1]),
    ]
    assert markers.get_offsets()[:, 0].tolist() == pytest.approx([10, -2])
    fills = [to_hex(fill) for fill in markers.get_facecolors()]
    assert fills == [ARM_COLOURS["balanced"], PAGE]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["accuracy", "recall NA"]


def test_mixtures_show_each_count_and_say_where_there_is_none():
    rows = [("hard_only", "revision", label, n) for label, n in zip(LABELS, (3, 2, 1), strict=True)]
    rows += [("all", name, label, 5) for name in ("encyclopedia", "revision") for label in LABELS]
    frame = pd.DataFrame(rows, columns=["mixture", "dataset", "label", "value"])
    axes = figures.plot_mixtures(frame).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["encyclopedia", "revision"]
    texts = [sorted(text.get_text() for text in ax.texts if text.get_text()) for ax in axes]
    assert texts == [["5", "5", "5", "none"], ["1", "2", "3", "5", "5", "5"]]


GAINS = pd.DataFrame(
    [
        (arm, dataset, metric, value, value - 0.05, value + 0.05, p)
        for arm, value, p in (("hard_only", -0.1, 0.001), ("balanced", 0.02, 0.4))
        for dataset in ("encyclopedia", "revision", "debate")
        for metric in ("balanced_accuracy", "recall_na")
    ],
    columns=["arm", "dataset", "metric", "value", "low", "high", "p"],
)


@pytest.mark.parametrize("datasets", [1, 2, 3])
def test_no_name_is_cut_off_however_few_panels_there_are(datasets):
    chosen = ["encyclopedia", "revision", "debate"][:datasets]
    gains = GAINS[GAINS["dataset"].isin(chosen)]
    pairs = gains.assign(fixed=3, broken=250)
    drawn = [
        figures.plot_gains(gains, metrics=("balanced_accuracy", "recall_na")),
        figures.plot_gains(gains, metrics=("recall_na",), alpha=0.001),
        figures.plot_pairs(pairs[pairs["metric"] == "recall_na"]),
        figures.plot_transfer(gains.assign(trained_on=True)),
        figures.plot_seeds(gains.assign(seed="mean"), metrics=("recall_na",)),
    ]
    for figure in drawn:
        figure.canvas.draw()
        page = figure.bbox
        for text in [figure._supxlabel, *figure.axes[0].get_yticklabels()]:
            box = text.get_window_extent()
            assert page.x0 <= box.x0 and box.x1 <= page.x1, text
            assert page.y0 <= box.y0 and box.y1 <= page.y1, text


def test_transfer_frames_what_an_arm_was_trained_on_and_names_every_gain():
    gains = GAINS[GAINS["metric"] == "recall_na"]
    gains = gains.assign(trained_on=(gains["arm"] == "balanced") | (gains["dataset"] == "debate"))
    (ax,) = figures.plot_transfer(gains).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "encyclopedia",
        "revision",
        "debate",
    ]
    framed = sorted((round(f.get_y()), round(f.get_x())) for f in ax.patches)
    assert framed == [(0, 2), (1, 0), (1, 1), (1, 2)]  # row of the arm, column of the dataset
    texts = [text.get_text() for text in ax.texts]
    assert texts[0] == "\N{MINUS SIGN}10.0\n\N{MINUS SIGN}15.0 to \N{MINUS SIGN}5.0"
    assert texts[-1] == "+2.0\n\N{MINUS SIGN}3.0 to +7.0"


@pytest.mark.parametrize(("ink", "page"), [(to_hex, LIGHT), (darkened, DARK)])
def test_text_on_the_strongest_shades_is_readable(ink, page):
    gains = GAINS[GAINS["metric"] == "recall_na"]
    for value in (-0.4, 0.4):
        (ax,) = figures.plot_transfer(gains.assign(value=value, trained_on=False)).axes
        *shade, alpha = ax.collections[0].get_facecolors()[0]
        seen = alpha * np.array(shade) + (1 - alpha) * np.array(to_rgb(page))
        text = ink(ax.texts[0].get_color())
        assert contrast(text, seen) >= 4.5  # what WCAG asks of text


def test_pairs_point_to_both_sides_and_are_faint_where_chance_would_do():
    rows = [("hard_only", "debate", 2, 30, 0.001), ("balanced", "debate", 5, 4, 1.0)]
    frame = pd.DataFrame(rows, columns=["arm", "dataset", "fixed", "broken", "p"])
    (ax,) = figures.plot_pairs(frame, alpha=0.01).axes
    assert [bar.get_width() for bar in ax.patches] == [2, 5, -30, -4]
    strong, faint = (
        {bar.get_alpha() for bar in ax.patches[::2]},
        {bar.get_alpha() for bar in ax.patches[1::2]},
    )
    assert min(strong) > max(faint)
    assert sorted(text.get_text() for text in ax.texts) == ["2", "30", "4", "5"]
    assert to_hex(ax.patches[0].get_facecolor()) == ARM_COLOURS["hard_only"]


def test_seeds_are_points_beside_the_interval_of_their_mean():
    rows = [("balanced", "debate", "recall_na", "mean", 0.1, 0.05, 0.15)]
    rows += [
        ("balanced", "debate", "recall_na", str(i), v, np.nan, np.nan)
        for i, v in ((0, 0.08), (1, 0.12))
    ]
    columns = ["arm", "dataset", "metric", "seed", "value", "low", "high"]
    (ax,) = figures.plot_seeds(pd.DataFrame(rows, columns=columns), metrics=("recall_na",)).axes
    interval, mean, each = ax.collections
    assert interval.get_segments()[0][:, 0].tolist() == pytest.approx([5, 15])
    assert mean.get_offsets()[:, 0].tolist() == pytest.approx([10])
    assert each.get_offsets()[:, 0].tolist() == pytest.approx([8, 12])


def test_reliability_shows_what_is_more_confident_than_right():
    rows = [("balanced", "debate", c, v, v - 0.1, v + 0.1) for c, v in ((0.9, 0.6), (0.5, 0.4))]
    columns = ["arm", "dataset", "confidence", "value", "low", "high"]
    figure = figures.plot_reliability(pd.DataFrame(rows, columns=columns))
    diagonal, line = figure.axes[0].get_lines()
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert line.get_xdata().tolist() == [0.5, 0.9] and line.get_ydata().tolist() == [0.4, 0.6]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["balanced", "as sure as right"]


def test_risk_has_intervals_where_there_are_any():
    rows = [("base", "debate", 0.5, 0.3, 0.2, 0.4), ("base", "debate", 1.0, 0.6, np.nan, np.nan)]
    columns = ["arm", "dataset", "coverage", "value", "low", "high"]
    (ax,) = figures.plot_risk_coverage(pd.DataFrame(rows, columns=columns)).axes
    assert ax.get_lines()[0].get_ydata().tolist() == [0.3, 0.6]
    (segment,) = ax.collections[0].get_segments()
    assert segment[:, 1].tolist() == [0.2, 0.4]


def test_confusion_of_counts_is_that_of_the_answers():
    answers = [("NA", "NA")] * 3 + [("NA", "PASS")] + [("FAIL", "FAIL")] * 2
    frame = pd.DataFrame(answers, columns=["gold", "predicted"]).assign(arm="base", dataset="d")
    counted = frame.groupby(list(frame.columns), as_index=False).size()
    counted = counted.rename(columns={"size": "n"})
    texts = [
        [text.get_text() for text in figures.plot_confusion(each).axes[0].texts]
        for each in (frame, counted)
    ]
    assert texts[0] == texts[1] and texts[0][0] == "75%"


def test_speed_is_drawn_with_what_it_is_compared_with():
    times = pd.DataFrame({"completions": [8, 2], "seconds": [1.0, 0.5]})
    line, proportional = figures.plot_step_times(times).axes[0].get_lines()
    assert line.get_ydata().tolist() == [0.5, 1.0]
    assert proportional.get_ydata().tolist() == [0.25, 1.0]
    ratios = pd.DataFrame({"tokens": [60, 500], "ratio": [5.0, 15.0]})
    ax = figures.plot_ratios(ratios).axes[0]
    assert [line.get_ydata()[0] for line in ax.get_lines()] == [5.0, 1]
    phases = pd.DataFrame({"phase": ["data", "train balanced-s0"], "seconds": [14.0, 131.6]})
    ax = figures.plot_phases(phases).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [14.0, 131.6]
    assert [text.get_text() for text in ax.texts] == ["14 s", "132 s"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(phases["phase"])


def test_a_legend_of_many_long_names_stays_within_the_figure():
    names = [f"{mixture}_accuracy" for mixture in ("easy_only", "hard_only", "hard_weighted")] * 3
    columns = layout.legend_columns(names)
    assert columns * (len("hard_weighted_accuracy") + 5) <= layout.LETTERS
    assert layout.legend_columns(["a", "b", "c"]) == 3
