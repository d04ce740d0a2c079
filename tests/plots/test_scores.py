"""Box plots and the forest of differences, by what is on their axes."""

import pandas as pd
import pytest
from pictures import rows, xs

from titanic_nn.evaluation.comparison import comparison_table
from titanic_nn.plots import differences, fold_scores


def test_the_best_mean_is_on_top(metrics: pd.DataFrame) -> None:
    assert rows(fold_scores(metrics).axes[0]) == ["relu", "linear"]


def test_for_accuracy_the_highest_is_on_top(metrics: pd.DataFrame) -> None:
    higher = metrics.assign(accuracy=metrics["model"].map({"linear": 0.9, "relu": 0.8}))
    assert rows(fold_scores(higher, "accuracy").axes[0]) == ["linear", "relu"]


def test_the_diamond_is_the_mean(metrics: pd.DataFrame) -> None:
    # linear: folds of 0.40, 0.41, 0.42, 0.43, twice: 0.415; relu is 0.02 lower.
    diamonds = [x for x in fold_scores(metrics).axes[0].lines if x.get_marker() == "D"]
    means = [xs(diamond)[0] for diamond in diamonds]
    assert sorted(means) == pytest.approx([0.395, 0.415])


def test_differences_show_the_interval_of_the_comparison(metrics: pd.DataFrame) -> None:
    noisy = metrics.copy()
    noisy.loc[noisy["model"] == "linear", "log_loss"] += [0, 0.01, 0.02, 0.03] * 2
    table = comparison_table(noisy)
    figure = differences(table)
    assert "Is relu really better" in figure.get_suptitle()
    assert rows(figure.axes[0]) == ["linear"]
    line, dot = figure.axes[0].lines[-2:]
    linear = table.to_dict(orient="index")["linear"]
    assert list(xs(line)) == pytest.approx([linear["low"], linear["high"]])
    assert xs(dot)[0] == pytest.approx(linear["difference"])


def test_a_single_model(metrics: pd.DataFrame) -> None:
    alone = metrics[metrics["model"] == "relu"]
    assert rows(fold_scores(alone).axes[0]) == ["relu"]
