"""The tables of a run, as text that a terminal and a page render; `summary` is its summary.json."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from titanic_nn.analysis.diagnosis import Diagnosis
from titanic_nn.competitions.competition import Competition
from titanic_nn.evaluation.comparison import ROPES

LONGEST_NAME = 36  # characters, so that a line fits 80 columns
WIDE_ONLY = ("Brier", "F1", "ECE")


@dataclass(frozen=True)
class Table:
    """A table of strings; the first column names the rows, the others are aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    highlighted_row: int | None = None


def run_tables(summary: Mapping[str, Any], *, wide: bool = False) -> list[Table]:
    """The tables of a run that have rows; `wide` ones need more than 80 columns."""
    found = (scores(summary, wide=wide), comparison(summary), calibration(summary))
    return [table for table in found if table.rows]


def scores(summary: Mapping[str, Any], *, wide: bool = False) -> Table:
    """Every model's scores, the best log loss first."""
    models = summary["comparison"]["models"]
    lines = []
    for model, compared in models.items():
        of_model = summary["models"][model]
        loss = of_model["log_loss"]
        line = {
            "model": model,
            "accuracy": _mean_and_sd(of_model["accuracy"]),
            "log loss": _mean_and_sd(loss),
            "interval": f"{_number(loss['low'])}–{_number(loss['high'])}",  # noqa: RUF001
            "AUC": _number(of_model["roc_auc"]["mean"]),
            "Brier": _number(of_model["brier"]["mean"]),
            "F1": _number(of_model["f1"]["mean"]),
            "ECE": _number(of_model["calibration_error"]),
            "P(best)": f"{compared['p_best']:.0%}",
            "time": f"{_number(summary['seconds'].get(model), 1)} s",
        }
        lines.append({k: text for k, text in line.items() if wide or k not in WIDE_ONLY})
    caption = "On held-out rows: mean ± standard deviation over folds. Interval: 95 %, of the mean "
    caption += "log loss, corrected for overlapping folds. Bold: recommended."
    best = list(models).index(summary["recommended"])
    return Table("All models", list(lines[0]), [[*line.values()] for line in lines], caption, best)


def comparison(summary: Mapping[str, Any]) -> Table:
    """Is the best model better than each of the others?"""
    best, models = summary["comparison"]["against"], summary["comparison"]["models"]
    rows = []
    for model, row in models.items():
        interval = f"{_number(row['low'], 4)} to {_number(row['high'], 4)}"
        odds = [f"{row[p]:.0%}" for p in ("p_worse", "p_equivalent", "p_better")]
        rows.append([model, _number(row["difference"], 4), interval, *odds])
    return Table(
        f"Is {best} really better?",
        ["than", "lower by", "95 % interval", "better", "practically\nequivalent", "worse"],
        [row for row in rows if row[0] != best],
        "Difference of the mean log loss on the same folds. Practically equivalent: "
        f"{ROPES[summary['comparison']['metric']]:g} at most. Probabilities: Bayesian correlated "
        "t-test; interval: corrected resampled t-test.",
    )


def calibration(summary: Mapping[str, Any]) -> Table:
    """Each net's scores before and after calibration, and its weight in the ensemble."""
    keys = ("log_loss_before", "log_loss_after", "ece_before", "ece_after")
    return Table(
        "Calibration and ensemble",
        ["net", "log loss before", "log loss after", "ECE before", "ECE after", "weight"],
        [
            [net, *(_number(row[key], 4) for key in keys), _number(row["weight"], 2)]
            for net, row in summary["calibration"].items()
        ],
        "On held-out rows. ECE: expected calibration error. Weight: in the ensemble, mean.",
    )


def diagnosis(cases: Sequence[Diagnosis]) -> Table:
    """A row per net."""
    rows = []
    for case in cases:
        losses = (case.training_loss, case.held_out_loss, case.gap, case.lowest)
        rows.append([case.model, *map(_number, losses), str(case.lowest_epoch), case.verdict])
    return Table(
        "",
        ["model", "training", "held out", "gap", "lowest", "at epoch", "verdict"],
        rows,
        "Losses of single nets after the last epoch; lowest: of the held-out loss.",
    )


def misclassified(
    found: pd.DataFrame, models: Sequence[str], related: pd.DataFrame, competition: Competition
) -> Table:
    """A row per misclassified row, and below it one per row of the same group.

    `found` and `related` are what analysis.misclassified returns.
    """
    schema, id = competition.schema, competition.schema.id.name
    name, *others = competition.display_columns or (id,)
    ids = [] if name == id else [id]

    def cells(row: Mapping[Any, Any], indent: str, probability: str) -> list[str]:
        text = f"{indent}{row[name]}"
        text = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
        label = "?" if pd.isna(row["label"]) else schema.class_names[int(row["label"])]
        return [
            text,
            *(str(row[c]) for c in ids),
            label,
            probability,
            *(_cell(row[c]) for c in others),
        ]

    rows = []
    for row in found.to_dict(orient="records"):
        rows.append(cells(row, "", f"{sum(row[model] for model in models) / len(models):.2f}"))
        of_row = related[related["of"] == row[id]]
        rows += [cells(other, "  ", "") for other in of_row.to_dict(orient="records")]
    return Table(
        "",
        [schema.row_name, *(["id"] if ids else []), "class", "P", *map(str.lower, others)],
        rows,
        f"P: mean predicted probability of {schema.class_names[1]}."
        + " Indented: rows of the same group; class ?: a row of test.csv." * bool(len(related)),
    )


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "?"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _number(value: float | None, digits: int = 3) -> str:
    """A score; a dash for one that is not finite, which is null in JSON."""
    finite = value is not None and math.isfinite(value)
    return f"{value:.{digits}f}" if finite else "–"  # noqa: RUF001


def _mean_and_sd(score: Mapping[str, float | None]) -> str:
    return f"{_number(score['mean'])} ± {_number(score['sd'])}"
