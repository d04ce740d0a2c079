"""The answers to the questions that were asked of a run, from the files in its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from titanic_nn.analysis.diagnosis import diagnose
from titanic_nn.competitions.competition import Competition
from titanic_nn.config import Config
from titanic_nn.errors import DataError
from titanic_nn.evaluation.predictions import models_of
from titanic_nn.report import sentences
from titanic_nn.runs.find import read_json

# Command -> its question, for those whose answers are files of the run.
QUESTIONS = {
    "learning_curve": "Is there enough data?",
    "ablation": "Does each feature improve the nets?",
    "importance": "Which features do the nets use?",
    "explain": "What moves the predictions?",
    "misclassified": "Which rows do all models misclassify?",
}


ROWS_EXPLAINED = 12  # misclassified rows whose reasons are stated: those of the picture


def answers(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    config: Config,
    model: str,
    competition: Competition,
) -> dict[str, list[str]]:
    """Question -> its answer, in paragraphs; a question that was not asked is left out.

    Args:
        folder: the run's.
        tables: its CSV files by name.
        config: its settings.
        model: the recommended one.
        competition: whose tables it was made from.

    Raises:
        DataError: a file is not what its command writes.
    """
    found = {"diagnose": _diagnosis(tables, config)}
    if (folder / "learning_curve.json").is_file():
        found["learning_curve"] = [str(_read(folder, "learning_curve", "answer", str))]
    if (folder / "ablation.json").is_file():
        found["ablation"] = [*map(str, _read(folder, "ablation", "answers", dict).values())]
    if "importance.csv" in tables:
        nets = [str(net) for net in tables["importance.csv"]["model"].unique()]
        net = model if model in nets else nets[0]
        found["importance"] = [sentences.importance(tables["importance.csv"], net)]
    if "explanations.csv" in tables:
        found["explain"] = [sentences.explanations(tables["explanations.csv"], competition)]
    if "explanation.csv" in tables:
        found["explanation"] = [sentences.explanation(tables["explanation.csv"], competition)]
    if "misclassified.csv" in tables:
        oof, wrong = tables["oof.csv"], tables["misclassified.csv"]
        rows = len(oof) // oof["repeat"].nunique()
        found["misclassified"] = [sentences.misclassified(wrong, models_of(oof), rows, competition)]
        if "misclassified_reasons.csv" in tables:
            found["misclassified"] += _reasons(
                wrong, tables["misclassified_reasons.csv"], competition
            )
    return found


def read_variants(folder: Path) -> pd.DataFrame:
    """The variants of a run's ablation.json: model, kind, feature, change, low, high.

    Raises DataError if they are not what the command writes.
    """
    try:
        table = pd.DataFrame(_read(folder, "ablation", "variants", list))
        names = table[["model", "kind", "feature"]].astype(str)
        numbers = table[["change", "low", "high"]].astype(np.float64)
    except (KeyError, TypeError, ValueError):
        raise _not_an_answer(folder, "ablation") from None
    values = numbers.to_numpy()
    if table.empty or not np.isfinite(values[:, 0]).all() or np.isinf(values).any():
        raise _not_an_answer(folder, "ablation")
    return names.join(numbers)


def _diagnosis(tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """A paragraph per verdict and advice, or why there is no diagnosis."""
    try:
        cases = diagnose(tables["history.csv"], tables["metrics.csv"], config)
    except DataError as error:
        return [f"No diagnosis: {error}."]
    question, nets = "Does a net over- or underfit?", dict[str, list[str]]()
    for case in cases:
        net, _, verdict = sentences.diagnosis(case, config.nets[case.model]).partition(": ")
        nets.setdefault(verdict, []).append(net)
    return [question, *(f"{', '.join(of)}: {verdict}" for verdict, of in nets.items())]


def _reasons(wrong: pd.DataFrame, reasons: pd.DataFrame, competition: Competition) -> list[str]:
    """A sentence on the reasons, and one for each row with a large mean error that has some."""
    id = competition.schema.id.name
    name = (competition.display_columns or (id,))[0]
    of_rows = {str(row): lines for row, lines in reasons.groupby(id)}
    ids = wrong[id].astype(str).head(ROWS_EXPLAINED)
    names = dict(zip(ids, wrong[name].astype(str), strict=False))
    found = [
        sentences.reasons(of_rows[row], names[row], competition.schema)
        for row in ids
        if row in of_rows
    ]
    if not found:
        return []
    first = str(reasons["model"].iloc[0])
    return [sentences.reasons_of_final(first, competition.schema), *found]


def _read(folder: Path, question: str, key: str, kind: type) -> Any:
    found = read_json(folder / f"{question}.json")
    if not isinstance(found, dict) or not isinstance(found.get(key), kind):
        raise _not_an_answer(folder, question)
    return found[key]


def _not_an_answer(folder: Path, question: str) -> DataError:
    path = folder / f"{question}.json"
    return DataError(f"{path}: is not what `titanic-nn {question}` writes; ask again")
