import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from factmix import figures
from factmix.labels import ANSWERS, LABELS
from factmix.look import ANSWER_COLOURS, ARM_COLOURS, SPARE_COLOURS, arm_colours, arm_markers

LIGHT, DARK = "#ffffff", "#14181e"


@pytest.fixture(autouse=True)
def drawn_without_a_screen():
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    with figures.style(dark=False):
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


@pytest.mark.parametrize(("dark", "page"), [(False, LIGHT), (True, DARK)])
def test_text_is_readable_on_its_page(dark, page):
    with figures.style(dark=dark):
        for text in ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"):
            assert contrast(plt.rcParams[text], page) >= 7
        assert plt.rcParams["savefig.facecolor"] == "none"


def test_an_arm_keeps_its_colour_and_marker_in_any_company():
    alone, among = ["balanced"], ["new", "hard_only", "balanced", "other"]
    assert arm_colours(alone)["balanced"] == arm_colours(among)["balanced"]
    assert arm_markers(alone)["balanced"] == arm_markers(among)["balanced"]


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


def test_training_curves_draw_where_they_are_told(metrics):
    _, ax = plt.subplots()
    assert figures.plot_training_curves(metrics, component="kl", ax=ax) is ax
    assert ax.get_ylabel() == "KL (nats per token)"


def test_seeds_are_curves_of_their_own_and_one_entry_of_the_legend(metrics):
    seeds = pd.concat([metrics.assign(seed=0), metrics.assign(seed=1)])
    ax = figures.plot_training_curves(seeds)
    assert len(ax.get_lines()) == 8
    assert len(ax.get_legend().get_texts()) == 2


def test_answer_shares_have_a_panel_per_arm_and_a_colour_per_answer(metrics):
    figure = figures.plot_answer_shares(metrics)
    panels = [ax for ax in figure.axes if ax.get_lines()]
    assert [ax.get_title(loc="left") for ax in panels] == ["hard_only", "balanced"]
    assert len(panels[0].get_lines()) == 2 * len(ANSWERS)
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
    assert fills == [ARM_COLOURS["balanced"], LIGHT]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["accuracy", "recall NA"]


def test_mixtures_show_each_count_and_say_where_there_is_none():
    rows = [("hard_only", "revision", label, n) for label, n in zip(LABELS, (3, 2, 1), strict=True)]
    rows += [("all", name, label, 5) for name in ("encyclopedia", "revision") for label in LABELS]
    frame = pd.DataFrame(rows, columns=["mixture", "dataset", "label", "value"])
    axes = figures.plot_mixtures(frame).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["encyclopedia", "revision"]
    texts = [sorted(text.get_text() for text in ax.texts if text.get_text()) for ax in axes]
    assert texts == [["5", "5", "5", "none"], ["1", "2", "3", "5", "5", "5"]]
