"""The neutral tables, in the format of summary.json."""

from dataclasses import replace
from typing import Any

import pandas as pd

from titanic_nn.analysis.diagnosis import Diagnosis
from titanic_nn.competitions.registry import get_competition
from titanic_nn.report import tables


def score(mean: float | None) -> dict[str, float | None]:
    return {"mean": mean, "sd": 0.03, "low": 0.31, "high": 0.45}


def compared(worse: float) -> dict[str, float]:
    """One model against the best."""
    equivalent = 0.9 - worse
    odds = {"p_worse": worse, "p_equivalent": equivalent, "p_better": 0.1, "p_best": 0.2}
    return {"difference": 0.0123, "low": -0.001, "high": 0.02, **odds}


SCORES = ("accuracy", "log_loss", "roc_auc", "brier", "f1")
SUMMARY: dict[str, Any] = {
    "recommended": "relu",
    "models": {
        "relu": {**{name: score(0.4) for name in SCORES}, "calibration_error": 0.01},
        "tree": {**{name: score(0.8) for name in SCORES}, "calibration_error": None},
    },
    "comparison": {
        "metric": "log_loss",
        "against": "tree",
        "models": {"tree": compared(0.0), "relu": compared(0.7)},
    },
    "calibration": {
        "relu": {"log_loss_before": 0.41, "log_loss_after": 0.4, "ece_before": 0.03}
        | {"ece_after": 0.01, "slope": 1.0, "intercept": 0.0, "weight": 1.0}
    },
    "seconds": {"read": 0.1, "relu": 3.21},
}


def column(table: tables.Table, name: str) -> list[str]:
    return [row[list(table.columns).index(name)] for row in table.rows]


def test_scores_best_first_with_the_recommended_model_highlighted() -> None:
    table = tables.scores(SUMMARY, wide=True)
    assert column(table, "model") == ["tree", "relu"]
    assert table.highlighted_row == 1
    assert column(table, "log loss") == ["0.800 ± 0.030", "0.400 ± 0.030"]
    assert column(table, "ECE") == ["–", "0.010"]  # noqa: RUF001
    assert column(table, "time") == ["– s", "3.2 s"]  # noqa: RUF001
    assert column(tables.scores({**SUMMARY, "seconds": {"relu": 175.9}}), "time")[1] == "176 s"
    narrow = tables.scores(SUMMARY)
    assert set(table.columns) - set(narrow.columns) == {"Brier", "F1", "ECE"}
    assert column(narrow, "P(best)") == ["20%", "20%"]


def test_the_comparison_reads_from_the_best_model() -> None:
    table = tables.comparison(SUMMARY)
    assert table.title == "Is tree really better?"
    assert table.rows == [["relu", "0.0123", "-0.0010 to 0.0200", "70%", "20%", "10%"]]
    assert [" ".join(name.split()) for name in table.columns[-3:]] == [
        "better",
        "practically equivalent",
        "worse",
    ]


def test_calibration_before_and_after() -> None:
    row = ["relu", "0.4100", "0.4000", "0.0300", "0.0100", "1.00"]
    assert tables.calibration(SUMMARY).rows == [row]


def test_a_row_per_diagnosis() -> None:
    case = Diagnosis("relu", 0.3, 0.45, 0.4, 8, 0.0, None, None)
    table = tables.diagnosis([case])
    assert table.rows == [["relu", "0.300", "0.450", "0.150", "0.400", "8", "overfitting"]]


def test_related_rows_follow_the_misclassified_one() -> None:
    titanic = get_competition("titanic")
    id = titanic.schema.id.name
    found = pd.DataFrame({id: [7], "label": [1], "linear": [0.1], "relu": [0.3]})
    found = found.assign(Name="Roe, Mr. Al", Sex="male", Age=0.9167, Pclass=3)
    related = found.assign(of=7, label=None, Name="Roe, " + "A" * 40, Age=None, **{id: 8})
    table = tables.misclassified(found, ["linear", "relu"], related, titanic)
    assert table.rows == [
        ["Roe, Mr. Al", "7", "survived", "0.20", "male", "0.917", "3"],
        [f"  Roe, {'A' * 28}…", "8", "?", "", "male", "?", "3"],
    ]
    plain = replace(titanic, display_columns=())
    assert tables.misclassified(found, ["relu"], related.head(0), plain).rows == [
        ["7", "survived", "0.30"]
    ]


def test_a_run_of_one_uncalibrated_net_has_one_table() -> None:
    only = {"comparison": {**SUMMARY["comparison"], "against": "relu"}, "calibration": {}}
    only["comparison"]["models"] = {"relu": compared(0.0)}
    assert [t.title for t in tables.run_tables({**SUMMARY, **only})] == ["All models"]
    assert len(tables.run_tables(SUMMARY)) == 3
