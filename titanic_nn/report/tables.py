"""Every table of results, as text that a terminal and a page render.

`summary` is a run's summary.json; a `result` is what the analysis of that name returns.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import pandas as pd

from titanic_nn.analysis.contributions import mean_sizes, predicted_class, value_text
from titanic_nn.analysis.diagnosis import Diagnosis
from titanic_nn.competitions.competition import Competition
from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.report.sentences import percent
from titanic_nn.tables.schema import TableSchema

if TYPE_CHECKING:  # they load torch or optuna
    from titanic_nn.analysis.ablation import Ablation
    from titanic_nn.analysis.dependence import Dependence
    from titanic_nn.analysis.exploration import Exploration
    from titanic_nn.analysis.importance import Importance
    from titanic_nn.analysis.learning_curve import LearningCurve
    from titanic_nn.analysis.learning_rate import LearningRates
    from titanic_nn.analysis.net_summary import NetSummary
    from titanic_nn.tuning.results import Rescored

LONGEST_NAME = 36  # characters, so that a line fits 80 columns
LONGEST_VALUE = 18  # characters of a run's setting or fact
WIDE_ONLY = ("Brier", "F1", "ECE")
BEST_TRIALS, LARGEST_WEIGHTS, VALUES = 5, 12, 10  # rows that are shown
PARAMETER_COLUMNS = 6  # of a net's parameter
DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Table:
    """A table of strings; the first column names the rows, the others are aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    highlighted_row: int | None = None


def run_tables(summary: Mapping[str, Any], *, wide: bool = False) -> list[Table]:
    """The tables of a run that have rows; `wide` ones need more than 80 columns."""
    found = (scores(summary, wide=wide), comparison(summary), calibration(summary))
    return [table for table in found if table.rows]


def scores(summary: Mapping[str, Any], *, wide: bool = False) -> Table:
    """Every model's scores, the best log loss first."""
    compared, seconds = summary["comparison"]["models"], summary["seconds"]
    columns = {
        "model": "{model}",
        "accuracy": "{accuracy[mean]:.3f} ± {accuracy[sd]:.3f}",
        "log loss": "{log_loss[mean]:.3f} ± {log_loss[sd]:.3f}",
        "interval": f"{{log_loss[low]:.3f}}{DASH}{{log_loss[high]:.3f}}",
        "AUC": "{roc_auc[mean]:.3f}",
        "Brier": "{brier[mean]:.3f}",
        "F1": "{f1[mean]:.3f}",
        "ECE": "{calibration_error:.3f}",
        "P(best)": "{p_best:.0%}",
        "time": "{time}",
    }
    columns = {name: text for name, text in columns.items() if wide or name not in WIDE_ONLY}
    records = [
        {"model": model, "time": _time(seconds.get(model)), **row, **summary["models"][model]}
        for model, row in compared.items()
    ]
    caption = "On held-out rows: mean ± standard deviation over folds. Interval: 95 %, of the mean "
    caption += "log loss, corrected for overlapping folds. Bold: recommended."
    best = list(compared).index(summary["recommended"])
    return replace(_table("All models", columns, records, caption), highlighted_row=best)


def comparison(summary: Mapping[str, Any]) -> Table:
    """Is the best model better than each of the others?"""
    best, models = summary["comparison"]["against"], summary["comparison"]["models"]
    columns = {
        "than": "{model}",
        "lower by": "{difference:.4f}",
        "95 % interval": "{low:.4f} to {high:.4f}",
        "better": "{p_worse:.0%}",
        "practically\nequivalent": "{p_equivalent:.0%}",
        "worse": "{p_better:.0%}",
    }
    records = [{"model": model, **row} for model, row in models.items() if model != best]
    return _table(
        f"Is {best} really better?",
        columns,
        records,
        "Difference of the mean log loss on the same folds. Practically equivalent: "
        f"{ROPES[summary['comparison']['metric']]:g} at most. Probabilities: Bayesian correlated "
        "t-test; interval: corrected resampled t-test.",
    )


def calibration(summary: Mapping[str, Any]) -> Table:
    """Each net's scores before and after calibration, and its weight in the ensemble."""
    columns = {
        "net": "{net}",
        "log loss before": "{log_loss_before:.4f}",
        "log loss after": "{log_loss_after:.4f}",
        "ECE before": "{ece_before:.4f}",
        "ECE after": "{ece_after:.4f}",
        "weight": "{weight:.2f}",
    }
    records = [{"net": net, **row} for net, row in summary["calibration"].items()]
    caption = "On held-out rows. ECE: expected calibration error. Weight: in the ensemble, mean."
    return _table("Calibration and ensemble", columns, records, caption)


def submissions(
    files: Mapping[str, Path], recommended: str, offline: Mapping[str, float] | None = None
) -> Table:
    """A row per model with its file; `offline`: its offline score, where answers are known."""
    folder = next(iter(files.values())).parent
    columns = {"file": "{path.name}", "model": "{model}", "recommended": "{choice}"}
    if offline is not None:
        columns["offline score"] = "{score:.5f}"
    records = [
        {
            "path": path,
            "model": model,
            "choice": "yes" if model == recommended else "",
            "score": (offline or {}).get(model),
        }
        for model, path in files.items()
    ]
    caption = "Bold: recommended."
    if offline is not None:
        caption += " The offline score is not Kaggle's, and nothing was chosen by it."
    table = _table(f"Submissions, in {folder}{os.sep}", columns, records, caption)
    return replace(table, highlighted_row=list(files).index(recommended))


def diagnosis(cases: Sequence[Diagnosis]) -> Table:
    """A row per net."""
    columns = {
        "model": "{case.model}",
        "training": "{case.training_loss:.3f}",
        "held out": "{case.held_out_loss:.3f}",
        "gap": "{case.gap:.3f}",
        "lowest": "{case.lowest:.3f}",
        "at epoch": "{case.lowest_epoch}",
        "verdict": "{case.verdict}",
    }
    caption = "Losses of single nets after the last epoch; lowest: of the held-out loss."
    return _table("", columns, [{"case": case} for case in cases], caption)


def learning_curve(result: "LearningCurve") -> Table:
    """A row per net and train fraction."""
    columns = {
        "model": "{model}",
        "fraction": "{train_fraction:.0%}",
        "rows": "{rows:.0f}",
        "training": "{training_loss:.3f}",
        "held out": "{held_out_loss:.3f}",
        "interval": f"{{low:.3f}}{DASH}{{high:.3f}}",
        "accuracy": "{held_out_accuracy:.3f}",
    }
    caption = "training and held-out log loss, its 95 % interval; held-out accuracy"
    return _table("", columns, result.summary.to_dict("records"), caption)


def extrapolation(result: "LearningCurve") -> Table:
    """Each net's loss with twice the rows."""
    columns = {
        "model": "{model}",
        "a + b n^-c": "{law.a:.3f} + {law.b:.2f} n^-{law.c:.2f}",
        "misfit": "{law.misfit:.4f}",
        "lower by": "{law.gain:.4f}",
        "95 % interval": "{law.low:.4f} to {law.high:.4f}",
        "P": "{law.p_matters:.0%}",
        "enough?": "{law.enough}",
    }
    records = [{"model": model, "law": law} for model, law in result.extrapolation.items()]
    title = "Held-out log loss with twice the rows, extrapolated"
    caption = f"P: probability that it is lower by more than {ROPES['log_loss']}"
    return _table(title, columns, records, caption)


def importance(result: "Importance") -> Table:
    """A row per feature, a column per net, the most important for the first net on top."""
    increases: dict[str, dict[str, str]] = {}  # feature -> net -> cell
    for row in result.summary.to_dict("records"):
        mean, high = row["log_loss_increase"], row["high"]
        cells = increases.setdefault(str(row["feature"]), {})
        cells[row["model"]] = f"{mean:.3f} ± {high - mean:.3f}"
    models = result.config.models
    return Table(
        "Increase of the held-out log loss with a feature permuted",
        ["feature", *models],
        [[feature, *(of[model] for model in models)] for feature, of in increases.items()],
        "mean over folds ± half the 95 % interval; correlated features share importance",
    )


def coefficients(result: "Importance") -> Table:
    """The linear net's largest weights."""
    columns = {
        "column": "{feature}",
        "weight": "{mean:.2f}",
        "sd": "{sd:.2f}",
        "95 % interval": "{low:.2f} to {high:.2f}",
    }
    records = result.coefficients.head(LARGEST_WEIGHTS).to_dict("records")
    class_names = result.tables.schema.class_names
    of = f"the log-odds of class {class_names[1]}" if len(class_names) == 2 else "classes' logits"
    title = f"The {len(records)} largest weights of linear, on {of}"
    caption = "numbers are in standard deviations; sd: over folds"
    if len(class_names) > 2:
        caption += "; of each weight the mean over classes is subtracted"
    return _table(title, columns, records, caption)


def ablation(result: "Ablation", model: str) -> list[Table]:
    """All features but one; and those outside the group plus one of it, where there is a group."""
    columns = {
        "log loss": "{log_loss:.4f}",
        "change": "{change:+.4f}",
        "95 % interval": "{low:+.4f} to {high:+.4f}",
        "P": "{p_helps:.0%}",
    }
    caption = f"P: probability that it helps by more than {ROPES['log_loss']}"
    every, plain, dropped, added = (
        result.variants(model, kind).to_dict("records") for kind in ("all", "plain", "drop", "add")
    )
    title = f"{model}: all features but one, against {every[0]['log_loss']:.4f}"
    whole_group = [{**row, "feature": f"all of {result.group}"} for row in plain]
    rows = whole_group + dropped
    found = [_table(title, {"without": "{feature}"} | columns, rows, caption)]
    if result.group:
        title = f"{model}: one of {result.group} alone, against {plain[0]['log_loss']:.4f}"
        found.append(_table(title, {"with": "{feature}"} | columns, added, caption))
    return found


def parameter(net: "NetSummary", layer: str, name: str) -> Table:
    """A parameter's values: all rows, the first columns."""
    values = net.layers[layer][name]  # (rows, columns)
    height, width = values.shape
    names = [name] if height == 1 else [f"unit {row + 1}" for row in range(height)]
    if height == len(net.features) and layer == next(iter(net.layers)):
        names = net.features
    is_last = layer == list(net.layers)[-1]
    units = net.outputs if is_last else [f"unit {column + 1}" for column in range(width)]
    units = units[:PARAMETER_COLUMNS]
    return Table(
        f"{net.model}.{name} ({height} x {width})",
        ["", *units],
        [
            [row, *(f"{value:.3f}" for value in numbers[:PARAMETER_COLUMNS])]
            for row, numbers in zip(names, values, strict=True)
        ],
        f"the first {len(units)} of {width} columns" if len(units) < width else "",
    )


def best_trials(trials: pd.DataFrame) -> Table:
    """The best of a study's trials, which are its trials.csv, with their parameters."""
    complete = trials[trials["state"] == "complete"].drop(columns=["state", "splits"])
    return Table(
        "The best trials",
        ["trial", *map(str, complete.columns[1:])],
        [
            [str(number), f"{loss:.4f}", *map(_cell, params)]
            for number, loss, *params in complete.head(BEST_TRIALS).itertuples(index=False)
        ],
        f"of {len(trials)} trials, {len(trials) - len(complete)} of which were pruned",
    )


def rescored(result: "Rescored") -> Table:
    """A study's best settings beside others, on the search's folds and on fresh ones."""
    rows = []
    for name, loss in result.fresh_folds.items():
        d = result.differences.get(name)
        difference = [f"{d.mean:.4f}", f"{d.low:.4f} to {d.high:.4f}"] if d else ["", ""]
        rows.append([name, f"{result.search_folds[name]:.4f}", f"{loss:.4f}", *difference])
    return Table(
        "Log loss on the folds of the search, and on fresh ones",
        ["settings", "search folds", "fresh folds", "higher than best by", "95 % interval"],
        rows,
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
    multiclass = len(schema.class_names) > 2

    def cells(
        row: Mapping[Any, Any], indent: str, probability: str, predicted: str = ""
    ) -> list[str]:
        text = _shortened(f"{indent}{_cell(row[name])}")
        label = "?" if pd.isna(row["label"]) else schema.class_names[int(row["label"])]
        return [
            text,
            *(str(row[c]) for c in ids),
            label,
            *([predicted] if multiclass else []),
            probability,
            *(_cell(row[c]) for c in others),
        ]

    rows = []
    for row in found.to_dict(orient="records"):
        predicted = schema.class_names[row["predicted"]] if multiclass else ""
        mean = sum(row[model] for model in models) / len(models)
        rows.append(cells(row, "", f"{mean:.2f}", predicted))
        of_row = related[related["of"] == row[id]]
        rows += [cells(other, "  ", "") for other in of_row.to_dict(orient="records")]
    return Table(
        "",
        [
            schema.row_name,
            *(["id"] if ids else []),
            "class",
            *(["predicted"] if multiclass else []),
            "P",
            *map(str.lower, others),
        ],
        rows,
        "P: mean predicted probability of "
        + ("the row's own class." if multiclass else f"class {schema.class_names[1]}.")
        + " Indented: rows of the same group; class ?: a row of test.csv." * bool(len(related)),
    )


def explanation(lines: pd.DataFrame, competition: Competition) -> Table:
    """A row per feature, the largest contribution first; a column per explained class.

    lines: of one row in an explanation.csv.
    """
    first = predicted_class(lines)
    meanings, labels = competition.schema.meanings, lines["class"].unique().tolist()
    of_classes = lines.pivot(index="feature", columns="class", values="contribution")
    totals = {label: part["contribution"].sum() for label, part in lines.groupby("class")}
    base = lines.groupby("class")["base"].first()
    rows = [
        [row["feature"], row["value"], *(f"{of_classes[c][row['feature']]:+.3f}" for c in labels)]
        for row in lines[lines["class"] == first].to_dict("records")
    ]
    rows.append(["average", "", *(f"{base[label]:+.3f}" for label in labels)])
    rows.append(["prediction", "", *(f"{base[label] + totals[label]:+.3f}" for label in labels)])
    columns = [meanings[label] for label in labels] if len(labels) > 1 else ["log-odds"]
    return Table(
        f"Contributions to the log-odds of class {meanings[first]}"
        if len(labels) == 1
        else "Contributions to the log-odds of each class",
        ["feature", "value", *columns],
        rows,
        "average + contributions = prediction; Shapley values over background rows",
        len(rows) - 1,
    )


def explanations(found: pd.DataFrame, competition: Competition) -> Table:
    """A row per feature: the mean size of its contributions, the largest first.

    found: an explanations.csv.
    """
    sizes, meanings = mean_sizes(found), competition.schema.meanings
    order = sizes.mean(axis=1).sort_values(ascending=False, kind="stable").index
    several = len(sizes.columns) > 1
    return Table(
        "Mean size of the contributions to the log-odds",
        ["feature", *(meanings[label] if several else "mean" for label in sizes.columns)],
        [[str(feature), *(f"{size:.3f}" for size in sizes.loc[feature])] for feature in order],
        "whatever their sign; of Shapley values over background rows",
    )


def dependence(result: "Dependence", competition: Competition) -> Table:
    """A row per value, ten of a number's: the mean probability, and its range over nets."""
    table, meanings = result.table, competition.schema.meanings
    values = table["value"].drop_duplicates().tolist()
    if result.feature.kind == "number" and len(values) > VALUES:
        values = [values[round(i * (len(values) - 1) / (VALUES - 1))] for i in range(VALUES)]
    labels = table["class"].unique().tolist()
    rows = []
    for value in values:
        cells = [value_text(value)]
        for label in labels:
            at = table[(table["value"] == value) & (table["class"] == label)]
            nets = at.loc[at["net"] != "mean", "probability"]
            mean = at.loc[at["net"] == "mean", "probability"].iloc[0]
            cells += [f"{mean:.3f}", f"{nets.min():.3f}{DASH}{nets.max():.3f}"]
        rows.append(cells)
    heads = [head for label in labels for head in (meanings[label], "nets")]
    return Table(
        f"Partial dependence on {result.feature.name}",
        [result.feature.name, *heads],
        rows,
        f"mean probability of {result.rows} {competition.schema.row_names} with this value; its "
        "range over nets",
    )


def leaderboard(leaderboard: pd.DataFrame) -> Table:
    """A row per run, the best first."""
    rows = [
        [
            row["run"],
            row["model"],
            f"{row['accuracy']:.3f} ± {row['accuracy_sd']:.3f}",
            f"{row['log_loss']:.3f} ± {row['log_loss_sd']:.3f}",
            f"{row['log_loss_low']:.3f}{DASH}{row['log_loss_high']:.3f}",
            f"{row['roc_auc']:.3f}",
        ]
        for row in leaderboard.to_dict(orient="records")
    ]
    caption = "On held-out rows: mean ± standard deviation over folds. Interval: 95 %, of the mean "
    caption += "log loss, corrected for overlapping folds."
    columns = ["run", "model", "accuracy", "log loss", "interval", "AUC"]
    return Table("Leaderboard", columns, rows, caption)


def run_differences(differences: pd.DataFrame) -> Table:
    """Settings and facts that are not the same in all runs, a column per run."""

    def cell(value: Any) -> str:
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        text = DASH if value is None else text
        half = LONGEST_VALUE // 2
        # The end is seen too: of a path, or "-dirty" of a commit.
        return text if len(text) <= LONGEST_VALUE else f"{text[: half - 1]}…{text[-half:]}"

    rows = [
        [str(name), *map(cell, row)]
        for name, row in zip(differences.index, differences.to_numpy().tolist(), strict=True)
    ]
    same = "" if rows else "Nothing: settings, tables and environment are the same."
    return Table("What differs", ["setting", *map(str, differences.columns)], rows, same)


def learning_rates(result: "LearningRates") -> Table:
    """Each net's sweep of learning rates."""

    def cell(rate: float | None) -> str:
        return DASH if rate is None else f"{rate:.2g}"

    columns = ["model", "now", "suggested", "lowest loss", "at", "diverges from"]
    rows = [
        [
            model,
            cell(one.now),
            cell(one.suggested),
            f"{one.lowest:.3f}",
            cell(one.lowest_at),
            cell(one.diverged_from),
        ]
        for model, one in result.suggestions.items()
    ]
    caption = "Training loss after the last epoch, mean over folds. Now: the net's learning_rate."
    return Table("Learning rates", columns, rows, caption)


def exploration(found: "Exploration", schema: TableSchema) -> list[Table]:
    """Rates by each column's values; missing values, if there are any."""
    rows, last = [], ""
    for keys, of_value in found.rates.groupby(["column", "value"], sort=False):
        column, value = map(str, keys)
        name, last = "" if column == last else column, column
        rates = [percent(rate) for rate in of_value["rate"]]
        first = of_value.iloc[0]
        if len(rates) == 1:
            rates.append(f"{percent(first['low'])} to {percent(first['high'])}")
        rows.append([name, _shortened(value), str(first["rows"]), *rates])
    of_all = [f"{name}: {percent(fraction)}" for name, fraction in found.fractions.items()]
    classes, caption = list(found.fractions), "Of labelled rows"
    if len(classes) == 1:
        title = f"Fraction of class {of_all[0]} of {schema.row_names}"
        classes, caption = [*classes, "95 % interval"], f"{caption}; 95 % interval: Wilson's"
    else:
        title = f"Fractions of the classes: {', '.join(of_all)} of {schema.row_names}"
    caption += ". Ranges of numbers have about as many rows."
    columns = ["column", "value", "rows", *classes]
    tables = [Table(title, columns, rows, caption)]
    if len(found.missing):
        missing = found.missing.to_dict(orient="records")
        cells = [[r["column"], percent(r["train"], 1), percent(r["test"], 1)] for r in missing]
        tables.append(Table("Missing values", ["column", "train", "test"], cells))
    return tables


def _time(seconds: float | None) -> str:
    """Seconds in few characters, so that the scores fit 80 columns."""
    if seconds is None:
        return f"{DASH} s"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _shortened(text: str) -> str:
    """A text of at most LONGEST_NAME characters."""
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "?"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class _Cells(Formatter):
    """Fills format strings; a number that is not finite, null in JSON, becomes a dash."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return DASH
        return str(super().format_field(value, format_spec))


def _table(title: str, columns: Mapping[str, str], records: Iterable[Any], caption: str) -> Table:
    """A row per record, which fills the format string of each column."""
    cells = _Cells()
    rows = [[cells.vformat(text, (), row) for text in columns.values()] for row in records]
    return Table(title, list(columns), rows, caption)
