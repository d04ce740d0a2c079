"""Why this prediction? What each feature contributes to a row's log-odds: Shapley values."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser, console, print_table, progress, warn
from titanic_nn.cli.saved import AskedModel, add_asked_model, asked_model
from titanic_nn.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import pandas as pd

    from titanic_nn.analysis.explanation import Explanation

# How many misclassified rows, those with the largest mean error, and contributions to each.
MISCLASSIFIED_ROWS, REASONS = 100, 3

PARSER = Parser(prog="titanic-nn explain", description=__doc__)
add = PARSER.add_argument
add_asked_model(PARSER)
add("--id", metavar="ID", help="one row, by its id; by default all rows of test.csv")
add("--input", metavar="FILE", help="rows of a CSV file instead, or - for standard input")
add("--json", action="store_true", help="the answer on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.files import check_place
    from titanic_nn.report.page import write_report
    from titanic_nn.runs.folder import to_json, write_answer

    shown = console(stderr=args.json)
    asked = asked_model(args)
    where, table = _table(args, asked)
    check_place(asked.folder)
    if args.id is not None or len(table) == 1:
        files, found = _one(args, asked, where, table)
    else:
        files, found = _all(args, asked, where, table)
    write_answer(asked.folder, files)
    shown.print(f"\nWritten: {asked.folder}  ({', '.join(files)})")
    if args.json:
        print(to_json({"folder": str(asked.folder), "model": asked.name, **found}), end="")
    shown.print(f"Report: {write_report(asked.folder)}", soft_wrap=True)


def _table(args: Namespace, asked: AskedModel) -> "tuple[str, pd.DataFrame]":
    """The table of the rows that are asked for, and what messages call it."""
    from titanic_nn.cli.predict import opened
    from titanic_nn.tables.schema import read_in_parts

    id = asked.schema.id.name
    if args.input is not None:
        with opened(args.input) as (stream, where):
            (part,) = read_in_parts(stream, file=where, rows=None, schema=asked.schema)
        for note in part.notes:
            warn(f"note: {note}")
        tables = {where: part.table}
    else:
        tables = {"test.csv": asked.tables.test}
        if args.id is not None:
            tables["train.csv"] = asked.tables.train
    if args.id is None:
        return next(iter(tables.items()))
    for where, table in tables.items():
        if id not in table:
            raise ConfigError(f"--id {args.id}: {where} has no column {id}; leave --id out")
        if (table[id].astype(str) == args.id).any():
            return where, table
    raise ConfigError(
        f"--id {args.id}: no {asked.schema.row_name} of {' or '.join(tables)} has this {id}"
    )


def _explain(
    args: Namespace, asked: AskedModel, table: "pd.DataFrame", rows: Any = None
) -> "Explanation":
    from titanic_nn.analysis.explanation import explain

    try:
        with progress(console(stderr=args.json), ["rows"], "explaining") as on_progress:
            return explain(
                asked.model, table, asked.tables.train, rows=rows, on_progress=on_progress
            )
    except ValueError as error:  # the table is checked: it is the model's numbers that overflow
        raise ModelError(f"{asked.name} does not predict these rows: {error}") from None


def _one(
    args: Namespace, asked: AskedModel, where: str, table: "pd.DataFrame"
) -> tuple[dict[str, str | bytes], dict[str, Any]]:
    """Explain a row, and print it; returns the files and what `--json` prints."""
    import numpy as np

    from titanic_nn.analysis.contributions import contributions_of_row, predicted_class
    from titanic_nn.analysis.explanation import feature_values
    from titanic_nn.plots.explanation import waterfall
    from titanic_nn.plots.style import as_png
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv

    schema, row = asked.schema, 0
    name = schema.id.name
    if args.id is not None:
        row = int((table[name].astype(str) == args.id).to_numpy().argmax())
    id = str(table[name].iloc[row]) if name in table else "of the input"
    found = _explain(args, asked, table, np.array([row]))
    values = feature_values(asked.model, table).iloc[[row]]
    lines = contributions_of_row(found, 0, values, schema.labels)
    lines.insert(0, "model", asked.name)
    lines.insert(0, name, id)

    shown = console(stderr=args.json)
    shown.print(sentences.explanation(lines, asked.competition))
    print_table(shown, tables.explanation(lines, asked.competition))
    if where == "train.csv" and args.input is None:
        shown.print(f"\n{sentences.trained_on(asked.name, schema.row_name)}")
    label = predicted_class(lines)
    figure = waterfall(
        lines[lines["class"] == label],
        f"{asked.name}: {schema.row_name} {id}",
        schema.meanings[label],
    )
    files: dict[str, str | bytes] = {
        "explanation.csv": to_csv(lines),
        "explanation.png": as_png(figure),
    }
    rows = lines[["class", "feature", "value", "contribution"]].to_dict("records")
    base = lines.groupby("class", sort=False)["base"].first().to_dict()
    return files, {"id": id, "table": where, "base": base, "contributions": rows}


def _all(
    args: Namespace, asked: AskedModel, where: str, table: "pd.DataFrame"
) -> tuple[dict[str, str | bytes], dict[str, Any]]:
    """Explain a table's rows, and the misclassified ones with the largest mean error; as `_one`."""
    from titanic_nn.analysis.contributions import contributions_of_rows, mean_sizes
    from titanic_nn.plots.explanation import contributions
    from titanic_nn.plots.style import as_png
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv

    schema = asked.schema
    found = contributions_of_rows(_explain(args, asked, table), table, schema)
    shown = console(stderr=args.json)
    shown.print(f"{asked.name}: {len(table)} {schema.row_names} of {where}")
    print_table(shown, tables.explanations(found, asked.competition))
    shown.print(f"\n{sentences.explanations(found, asked.competition)}")
    figure = contributions(found, schema.meanings, schema.row_names)
    files: dict[str, str | bytes] = {
        "explanations.csv": to_csv(found),
        "explanations.png": as_png(figure),
    }
    if args.input is None and (asked.folder / "misclassified.csv").is_file():
        files["misclassified_reasons.csv"] = to_csv(_reasons(args, asked))
    return files, {"table": where, "rows": len(table), "mean_size": mean_sizes(found).to_dict()}


def _reasons(args: Namespace, asked: AskedModel) -> "pd.DataFrame":
    """The largest contributions to the misclassified rows with the largest mean error."""
    import numpy as np
    import pandas as pd

    from titanic_nn.analysis.contributions import contributions_of_row, predicted_class
    from titanic_nn.analysis.explanation import feature_values
    from titanic_nn.runs.folder import read_table

    schema, train = asked.schema, asked.tables.train
    id = schema.id.name
    wrong = read_table(asked.folder, "misclassified.csv", [id], ["label"]).head(MISCLASSIFIED_ROWS)
    rows = np.flatnonzero(train[id].astype(str).isin(wrong[id]))
    columns = [id, "model", "class", "feature", "value", "contribution", "base"]
    parts = [pd.DataFrame(columns=columns)]
    if len(rows):
        found = _explain(args, asked, train, rows)
        values = feature_values(asked.model, train).iloc[rows]
        for i, row in enumerate(rows):
            lines = contributions_of_row(found, i, values, schema.labels)
            of_class = lines[lines["class"] == predicted_class(lines)].head(REASONS)
            parts.append(of_class.assign(**{id: str(train[id].iloc[row]), "model": asked.name}))
    return pd.concat([part for part in parts if len(part)] or parts)[columns]
