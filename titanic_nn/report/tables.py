"""The tables of a run, as text that a terminal and a page render."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from titanic_nn.competitions.competition import Competition
from titanic_nn.evaluation.comparison import ROPES

if TYPE_CHECKING:
    from titanic_nn.analysis.diagnosis import Diagnosis

LONGEST_NAME = 36  # characters, so that a line fits 80 columns
PAGE_ONLY = ("Brier", "F1", "ECE")  # for which a terminal has no room


@dataclass(frozen=True)
class Table:
    """A table of strings; the first column names the rows, the others are aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    highlighted_row: int | None = None


def scores(summary: Mapping[str, Any], *, brief: bool = False) -> Table:
    """Every model's scores, the best log loss first.

    Args:
        summary: a run's summary.json.
        brief: leave out what 80 columns have no room for.
    """
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
        lines.append(
            {name: text for name, text in line.items() if not brief or name not in PAGE_ONLY}
        )
    return Table(
        title="All models",
        columns=list(lines[0]),
        rows=[list(line.values()) for line in lines],
        caption="On held-out rows: mean ± standard deviation over folds. Interval: 95 %, of the "
        "mean log loss, corrected for overlapping folds. Bold: recommended.",
        highlighted_row=list(models).index(summary["recommended"]),
    )


def comparison(summary: Mapping[str, Any]) -> Table:
    """Is the best model better than each of the others?"""
    best, models = summary["comparison"]["against"], summary["comparison"]["models"]
    return Table(
        title=f"Is {best} really better?",
        columns=["than", "lower by", "95 % interval", "better", "practically\nequivalent", "worse"],
        rows=[
            [
                model,
                _number(row["difference"], 4),
                f"{_number(row['low'], 4)} to {_number(row['high'], 4)}",
                *(f"{row[p]:.0%}" for p in ("p_worse", "p_equivalent", "p_better")),
            ]
            for model, row in models.items()
            if model != best
        ],
        caption="Difference of the mean log loss on the same folds. Practically equivalent: "
        f"{ROPES[summary['comparison']['metric']]:g} at most. Probabilities: Bayesian correlated "
        "t-test; interval: corrected resampled t-test.",
    )


def calibration(summary: Mapping[str, Any]) -> Table:
    """Each net's scores before and after calibration, and its weight in the ensemble."""
    return Table(
        title="Calibration and ensemble",
        columns=["net", "log loss before", "log loss after", "ECE before", "ECE after", "weight"],
        rows=[
            [
                net,
                *(
                    _number(row[f"{score}_{when}"], 4)
                    for score in ("log_loss", "ece")
                    for when in ("before", "after")
                ),
                _number(row["weight"], 2),
            ]
            for net, row in summary["calibration"].items()
        ],
        caption="Before and after calibration, on held-out rows. ECE: expected calibration error. "
        "Weight: in the ensemble, mean over folds.",
    )


def diagnosis(cases: "Sequence[Diagnosis]") -> Table:
    """A row per net."""
    return Table(
        title="",
        columns=["model", "training", "held out", "gap", "lowest", "at epoch", "verdict"],
        rows=[
            [
                case.model,
                *map(_number, (case.training_loss, case.held_out_loss, case.gap, case.lowest)),
                str(case.lowest_epoch),
                case.verdict,
            ]
            for case in cases
        ],
        caption="Losses of single nets after the last epoch; lowest: of the held-out loss.",
    )


def misclassified(
    found: pd.DataFrame, models: Sequence[str], related: pd.DataFrame, competition: Competition
) -> Table:
    """A row per misclassified row, and below it one per related row.

    Args:
        found, related: as analysis.misclassified returns them.
        models: those that misclassify the rows.
        competition: whose rows they are.
    """
    schema = competition.schema
    id = schema.id.name
    name, *others = competition.display_columns or (id,)

    def cells(row: Mapping[Any, Any], indent: str, probability: str) -> list[str]:
        text = f"{indent}{row[name]}"
        return [
            text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…",
            str(row[id]),
            "?" if pd.isna(row["label"]) else schema.class_names[int(row["label"])],
            probability,
            *map(cell, (row[column] for column in others)),
        ]

    rows = []
    for row in found.to_dict(orient="records"):
        rows.append(cells(row, "", f"{sum(row[model] for model in models) / len(models):.2f}"))
        of_row = related[related["of"] == row[id]]
        rows += [cells(other, "  ", "") for other in of_row.to_dict(orient="records")]
    return Table(
        title="",
        columns=[schema.row_name, "id", "class", "P", *(column.lower() for column in others)],
        rows=rows,
        caption=f"P: mean predicted probability of {schema.class_names[1]}. Indented: rows of the "
        "same group; class ?: a row of test.csv.",
    )


def cell(value: Any) -> str:
    """A value of a table's own column; a missing one is a question mark."""
    if pd.isna(value):
        return "?"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _number(value: float | None, digits: int = 3) -> str:
    """A score; a dash for one that is not finite, which JSON has as null."""
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001


def _mean_and_sd(score: Mapping[str, float | None]) -> str:
    return f"{_number(score['mean'])} ± {_number(score['sd'])}"
