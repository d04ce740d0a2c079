"""What the sheets show: some labelled rows of a run's table, its encoder, and its nets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import ConfigError, DataError, ModelError
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.estimators.persistence import load
from titanic_nn.runs.find import MODELS_FOLDER, Run
from titanic_nn.runs.folder import read_table
from titanic_nn.spreadsheet.workbook import MOST_COLUMNS
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.sources import Tables

FITTING = ("linear", "relu")  # the nets that a sheet shows
SMALL_INPUTS = 6  # columns that the small net of the sheet `train` reads
# Cells with formulas: more make a program wait for minutes.
MOST_CELLS = 1_000_000
CELLS_OF_A_ROW = 400  # on the sheets `features` and `train`, about
OTHER_SHEETS = ("read me", "features", "fitted", *FITTING, "train", "multiply")


@dataclass(frozen=True)
class Content:
    """The rows and nets of the workbook, all rows in one order.

    Attributes:
        run: the run's name.
        competition: whose table.
        table: the rows, in the schema's columns.
        columns: their row features.
        y: their class codes, (rows,).
        encoder: what was fitted to the features.
        nets: by name, each with its nets' parameters.
        left_out: name of a net's sheet that is not there -> why.
        probabilities: by name, as `titanic_nn predict` has them, of class 1, (rows,).
        held_out: by name, of class 1, (rows,): of nets that had not seen the row, the mean over
            the repeats of the run's cross-validation.
        small_inputs: positions of the encoded columns that the small net reads.
    """

    run: str
    competition: Competition
    table: pd.DataFrame
    columns: Columns
    y: NDArray[np.int64]
    encoder: Encoder
    nets: Mapping[str, NetClassifier]
    left_out: Mapping[str, str]
    probabilities: Mapping[str, NDArray[np.float32]]
    held_out: Mapping[str, NDArray[np.float64]]
    small_inputs: Sequence[int]

    @property
    def rows_sheet(self) -> str:
        """The name of the sheet that has the table's rows."""
        schema = self.competition.schema
        # What Excel allows; and no other sheet has the name.
        name = re.sub(r"[\[\]:*?/\\']|[^ -~\u00a1-\uffef]", "_", schema.row_names)[:28].strip()
        return f"{name} 2" if name.lower() in (*OTHER_SHEETS, "history", "") else name

    @property
    def how_to_change(self) -> str:
        """Where a user changes a row so that the probabilities follow."""
        if self.encoder.features.formulas:
            return f"Change a yellow cell of {self.rows_sheet}, and every other sheet follows."
        return (
            "The features of this table have no formulas: change one on the sheet features, and "
            "the sheets after it follow."
        )


def read_content(run: Run, tables: Tables, rows: int, model: str | None) -> Content:
    """The first labelled rows of a run's tables, and its nets.

    Args:
        run: whose nets.
        tables: the run's.
        rows: how many; all where the table has fewer.
        model: the net to show; both by default.

    Raises:
        ConfigError: no net fits a sheet, or there are more than two classes.
        ModelError: a saved model cannot be read.
    """
    competition = get_competition(run.competition)
    if len(competition.schema.labels) > 2:
        raise ConfigError(
            f"{run.folder}: its nets tell {len(competition.schema.labels)} classes apart; a "
            "spreadsheet shows nets of two classes"
        )
    saved = [name for name in FITTING if name in run.predictors]
    if model is not None and run.choose(model) not in saved:
        choose = f"choose {' or '.join(saved)}" if saved else "train linear or relu"
        raise ConfigError(f"--model {model}: does not fit a sheet; {choose}")
    if not saved:
        raise ConfigError(
            f"{run.folder}: has neither linear nor relu, the nets that fit a sheet; train one"
        )
    names = saved if model is None else [model]
    left_out = {
        name: "not asked for" if name in saved else "the run has no such net"
        for name in FITTING
        if name not in names
    }
    pipelines = {name: _pipeline(run, name) for name in names}
    encoder, nets = _same_encoder(run, pipelines), {n: p[-1] for n, p in pipelines.items()}
    shown = min(rows, len(tables.train))
    columns = len(encoder.feature_names)
    if len(competition.features.features) * 3 + columns > MOST_COLUMNS - 100:
        raise ConfigError(f"{run.folder}: has too many features for {MOST_COLUMNS} columns")
    _check_size(nets, shown, columns)

    # Of the whole table first: a row's features may depend on others of its group.
    every = tables.columns(competition.features)
    x = encoder.transform(every)
    p = {name: net.probabilities(x[:shown].astype(np.float64))[:, 1] for name, net in nets.items()}
    return Content(
        run=run.name,
        competition=competition,
        table=tables.train.iloc[:shown],
        columns=every.take(np.arange(shown)),
        y=tables.y[:shown],
        encoder=encoder,
        nets=nets,
        left_out=left_out,
        probabilities=p,
        held_out=_held_out(run, tables.train[competition.schema.id.name].iloc[:shown], list(nets)),
        small_inputs=_most_correlated(encoder, x, tables.y),
    )


def _pipeline(run: Run, name: str) -> Pipeline:
    """A saved net with its features, of the kind that its sheet shows."""
    folder = run.folder / MODELS_FOLDER / name
    model = load(folder)
    if not isinstance(model, Pipeline) or model[-1].mean_ is not None:
        raise ModelError(f"{folder}: is not the model that a run saves")
    if set(model[-1].params_) != ({"w", "b"} if name == "linear" else {"w1", "b1", "w2", "b2"}):
        raise ModelError(f"{folder}: is not the net {name}")
    return model


def _held_out(run: Run, ids: pd.Series, models: list[str]) -> dict[str, NDArray[np.float64]]:
    """The models' mean out-of-fold probabilities of the rows with these ids."""
    oof = read_table(run.folder, "oof.csv", [str(ids.name)], models)
    means = oof.groupby(str(ids.name))[models].mean().reindex(ids.astype(str))
    if means.isna().any(axis=None):
        raise DataError(f"{run.folder / 'oof.csv'}: lacks rows of the run's table; train again")
    return {model: means[model].to_numpy(np.float64) for model in models}


def _same_encoder(run: Run, pipelines: Mapping[str, Pipeline]) -> Encoder:
    """The encoder of every net. Raises ModelError where they have several."""
    encoders = [pipeline[0].encoder_ for pipeline in pipelines.values()]
    first: Encoder = encoders[0]
    if any(other.state() != first.state() for other in encoders[1:]):
        raise ModelError(f"{run.folder}: its nets read different features; choose one with --model")
    return first


def _check_size(nets: Mapping[str, NetClassifier], rows: int, columns: int) -> None:
    """Raise ConfigError for nets of too many units or seeds for a sheet, or for too many rows."""
    cells = rows * (CELLS_OF_A_ROW + columns)
    for name, net in nets.items():
        units = net.params_["w1"].shape[-1] if name == "relu" else 1
        if net.n_seeds * (units + 3) + columns + 20 > MOST_COLUMNS:
            raise ConfigError(
                f"{name}: {net.n_seeds} nets of {units} units do not fit a sheet of "
                f"{MOST_COLUMNS} columns; choose another net with --model"
            )
        cells += rows * net.n_seeds * (units + 2)
    if cells > MOST_CELLS:
        raise ConfigError(
            f"{rows} rows need about {cells} formulas, more than the {MOST_CELLS} allowed; give "
            "fewer --rows"
        )


def _most_correlated(encoder: Encoder, x: NDArray[np.float32], y: NDArray[np.int64]) -> list[int]:
    """The columns that tell most of the label by themselves, one of a feature, in their order.

    x: encoded rows (rows, columns); y: class codes (rows,). Features that have no formula are left
    out, if any has one, and those that are made from labels.
    """
    of_row = {f.name for f in encoder.features.formulas if f.step is None}
    centered = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    spread = np.sqrt((centered**2).sum(axis=0)) * np.sqrt(((y - y.mean()) ** 2).sum())
    correlation = np.abs(centered.T @ (y - y.mean())) / np.where(spread > 0, spread, np.inf)
    allowed = {
        f.label
        for f in encoder.features.features
        if (f.name in of_row if of_row else not f.reads_labels)
    }
    chosen: dict[str, int] = {}
    for at in np.argsort(-correlation, kind="stable"):
        label = encoder.feature_names[at].partition("=")[0]
        if label in allowed:
            chosen.setdefault(label, int(at))
    return sorted(list(chosen.values())[:SMALL_INPUTS])
