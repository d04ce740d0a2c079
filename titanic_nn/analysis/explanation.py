"""Why this prediction? How far each feature moves a row's log-odds from those of an average row.

The contributions are Shapley values (Shapley 1953) of a game whose players are the features. A
coalition S of features is worth the model's log-odds of a row in which the features of S have the
values of the row x that is explained, and the others those of a background row b; a feature is
switched with all of its encoded columns at once. A feature's contribution is the change of the
log-odds when it is switched from b to x, averaged over the orders in which features can be switched
and over background rows.

That average is sampled (Strumbelj and Kononenko 2014, "Explaining prediction models and individual
predictions with feature contributions"): one random order per background row and, as an antithetic
pair, its reverse (Mitchell et al. 2022, "Sampling Permutations for Shapley Value Estimation").
Along an order the changes add up to the log-odds of x less those of b, so whatever is sampled,

    base + sum of the contributions = log-odds of x,     base = mean log-odds of the background rows

Of a linear net a feature's changes are the same in every order, w (x - b), and the contribution is
exactly w (x - mean of b). A feature that no net reads has exactly 0.

The method assumes that the features of different rows may be mixed, also where no such row exists
(interventional Shapley values): it explains what the model computes, not what causes what. Two
features that carry the same information share what it contributes as the nets happen to use them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.pipeline import Pipeline
from torch import Tensor

from titanic_nn.competitions.registry import get_competition
from titanic_nn.engine.cost import activations
from titanic_nn.engine.device import torch_threads
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import SMALLEST, Calibration, Ensemble, weighted_average
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.evaluation.experiment import Progress, no_progress
from titanic_nn.nets.batch import Net, Params
from titanic_nn.nets.losses import probabilities
from titanic_nn.tables.sources import Tables

TableModel: TypeAlias = Pipeline | Ensemble  # from a competition's table to probabilities

# Background rows that stand for the average.
BACKGROUND = 100
# Walks from background rows to a row that are computed at a time, and the numbers that the nets
# hold for a part of their steps (16 MB): memory is bounded for tables and nets of any size.
WALKS_AT_ONCE = 256
NUMBERS_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each feature contributes to the log-odds of some rows.

    `outputs` is 1 for two classes: the log-odds of class 1. Of more classes there is an output for
    each: log(p / (1 - p)) with the class's probability p.

    Attributes:
        features: names of the competition's features, in its order.
        base: mean log-odds of the background rows, (outputs,).
        contributions: in log-odds, (rows, features, outputs). A row's sum and `base` make its
            `log_odds`.
        log_odds: of the model's probabilities, (rows, outputs): averaged over seeds, calibrated,
            weighted over an ensemble's models.
    """

    features: tuple[str, ...]
    base: NDArray[np.float64]
    contributions: NDArray[np.float64]
    log_odds: NDArray[np.float64]


def explain(
    model: TableModel,
    X: pd.DataFrame,  # noqa: N803
    background: pd.DataFrame | None = None,
    *,
    rows: NDArray[np.integer] | None = None,
    n_background: int = BACKGROUND,
    seed: int = 0,
    on_progress: Progress = no_progress,
) -> Explanation:
    """Explain a model's probabilities: what each feature contributes to the log-odds of rows.

    A row's result is bitwise the same, whatever other rows are explained with it.

    Args:
        model: a Pipeline of CompetitionFeatures and a classifier, or an Ensemble of such.
        X: a table in the competition's columns.
        background: a table whose rows stand for the average, such as the training table; by
            default X itself. A loaded model counts a training row's own label among those of its
            group: see `with_training_labels` of this module.
        rows: positions of the rows of X that are explained, (rows,); by default all of them.
        n_background: how many background rows are drawn, without replacement; all, if there are
            fewer.
        seed: of the background rows and the orders of features.
        on_progress: is called with "rows" and the fraction of them that was done since.

    Raises:
        ConfigError: the model does not read a competition's table, or n_background is below 1.
        DataError: X or the background breaks the competition's schema.
        ValueError: a row holds numbers so large that the nets overflow.

    Examples:
        >>> from sklearn.pipeline import make_pipeline
        >>> from titanic_nn import CompetitionFeatures, ReLUClassifier, explain, load_tables
        >>> tables = load_tables()
        >>> net = ReLUClassifier(random_state=0, device="cpu")
        >>> model = make_pipeline(CompetitionFeatures(), net).fit(tables.train, tables.y)
        >>> found = explain(model, tables.test.head(3), tables.train)
        >>> found.contributions.shape == (3, len(found.features), 1)
        True
        >>> total = found.base + found.contributions.sum(axis=1)
        >>> bool(abs(total - found.log_odds).max() < 1e-5)
        True
    """
    if n_background < 1:
        raise ConfigError(f"n_background = {n_background}: choose 1 or more")
    models, weights = pipelines(model)
    competition = get_competition(next(iter(models.values()))[0].competition_)
    names = tuple(feature.name for feature in competition.features.features)
    background = X if background is None else background
    sample, orders = background_sample(
        len(background), len(names), n_background=n_background, seed=seed
    )
    rows = np.arange(len(X)) if rows is None else np.asarray(rows)
    members = {
        name: _Member.of(
            pipeline, encoded(pipeline, X, rows), encoded(pipeline, background, sample)
        )
        for name, pipeline in models.items()
    }
    # Each background row's order of features, and its reverse; as positions: the feature that is
    # switched first has 0.
    positions = np.argsort(np.stack([orders, orders[:, ::-1]]), axis=-1)  # (2, n, features)
    from_row = np.tile(np.arange(len(sample)), 2)  # (walks,): the background row that each leaves
    positions = positions.reshape(len(from_row), len(names))  # (walks, features)

    # Products this small gain nothing from further threads.
    with torch_threads(1):
        base, contributions, log_odds = _shapley_values(
            members, weights, from_row, positions, on_progress
        )
    return Explanation(names, base, contributions, log_odds)


def background_sample(
    n_rows: int, n_features: int, *, n_background: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and orders that `explain` averages over.

    Returns the positions of the background rows, (n,), all of `n_rows` if they are fewer than
    `n_background`; and for each a permutation of the features, (n, n_features), which is walked
    forwards and backwards.
    """
    rng = np.random.default_rng(seed)
    rows = rng.choice(n_rows, min(n_background, n_rows), replace=False)
    in_order = np.tile(np.arange(n_features), (len(rows), 1))
    return rows, rng.permuted(in_order, axis=1)


def with_training_labels(model: TableModel, tables: Tables) -> TableModel:
    """A run's saved model, which knows the labels of the table that it was trained on.

    A saved model holds no labels, so it counts a training row's own label among those of the row's
    group. This one does not: it encodes training rows as in training, and other rows as before.
    """
    if isinstance(model, Ensemble):
        return Ensemble(pipelines_with_labels(model.models, tables), model.weights)
    return pipelines_with_labels({"model": model}, tables)["model"]


def pipelines_with_labels(models: Mapping[str, Pipeline], tables: Tables) -> dict[str, Pipeline]:
    """`with_training_labels` for several nets of one competition."""
    competition = get_competition(next(iter(models.values()))[0].competition_)
    known = tables.columns(competition.features, test_rows=True)
    rows = known.take(np.arange(len(tables.train)))
    labelled: dict[int, CompetitionFeatures] = {}  # by their encoder, which nets of a run share
    for pipeline in models.values():
        features: CompetitionFeatures = pipeline[0]
        if id(features.encoder_) not in labelled:
            labelled[id(features.encoder_)] = CompetitionFeatures.from_encoder(
                competition,
                features.encoder_.with_labels(rows, tables.y, known),
                features.feature_names_in_.tolist(),
            )
    return {
        name: Pipeline([("features", labelled[id(model[0].encoder_)]), ("net", model[-1])])
        for name, model in models.items()
    }


def feature_values(model: TableModel, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
    """The features of rows as the models read them, before they are encoded: a column for each."""
    pipeline = next(iter(model.models.values())) if isinstance(model, Ensemble) else model
    features: CompetitionFeatures = pipeline[0]
    return features.feature_table(X)


@dataclass(frozen=True, eq=False)
class _Member:
    """One model of an ensemble, and the rows as it encodes them."""

    net: Net
    params: Params  # each (nets, ...)
    calibration: Calibration
    x: Tensor  # the rows that are explained, (rows, columns)
    background: Tensor  # the background rows, (n, columns)
    feature_of: NDArray[np.int64]  # the feature of each column, (columns,)
    outputs: int
    numbers: int  # that the nets hold for a row

    @classmethod
    def of(
        cls, pipeline: Pipeline, x: NDArray[np.float32], background: NDArray[np.float32]
    ) -> "_Member":
        classifier: NetClassifier = pipeline[-1]
        encoder = pipeline[0].encoder_
        features = list(encoder.features.features)
        feature_of = [features.index(encoder.features.of_column(n)) for n in encoder.feature_names]
        classes = len(classifier.classes_)
        outputs = 1 if classes == 2 else classes
        return cls(
            net=classifier.net(),
            params={name: torch.from_numpy(p) for name, p in classifier.params_.items()},
            calibration=classifier.calibration_,
            x=torch.from_numpy(classifier.scaled(x)),
            background=torch.from_numpy(classifier.scaled(background)),
            feature_of=np.array(feature_of, np.int64),
            outputs=outputs,
            numbers=classifier.checked_n_seeds()
            * activations(classifier.config(), x.shape[1], outputs),
        )

    @torch.no_grad()
    def probabilities(
        self, row: int, from_row: NDArray[np.int64], positions: NDArray[np.int64], steps: range
    ) -> NDArray[np.float64]:
        """Calibrated probabilities at some steps of some walks, (steps, walks, outputs)."""
        position = torch.from_numpy(positions[:, self.feature_of])  # (walks, columns)
        switched = position < torch.tensor(steps)[:, None, None]  # (steps, walks, columns)
        x = torch.where(switched, self.x[row], self.background[from_row])
        # A step's rows are a matrix of their own: all steps are then computed by the same
        # operations, and a column whose weights are 0 changes no bit.
        logits = self.net.logits(self.params, x[:, None])  # (steps, nets, walks, outputs)
        p = probabilities(logits.double()).mean(1).numpy()  # (steps, walks, outputs)
        return calibrated(self.calibration, p)


def _shapley_values(
    members: dict[str, _Member],
    weights: dict[str, float],
    from_row: NDArray[np.int64],
    positions: NDArray[np.int64],
    on_progress: Progress,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The base, contributions and log-odds of an Explanation.

    from_row: the background row that each walk leaves, (walks,).
    positions: of each feature in a walk, (walks, features): the one that is switched first has 0.
    """
    first = next(iter(members.values()))
    rows, outputs = len(first.x), first.outputs
    base = np.zeros(outputs)
    contributions = np.zeros((rows, positions.shape[1], outputs))
    log_odds = np.zeros((rows, outputs))
    for i in range(rows):
        total = np.zeros(outputs)
        for start in range(0, len(from_row), WALKS_AT_ONCE):
            walks = slice(start, start + WALKS_AT_ONCE)
            of_steps = _walk(members, weights, i, from_row[walks], positions[walks])
            if not np.isfinite(of_steps).all():
                raise ValueError(
                    f"Row {i} of those explained, or a background row, holds numbers so large "
                    "that the nets overflow."
                )
            # The change at the step that switches a feature, (walks, features, outputs).
            at = positions[walks][..., None]
            change = np.take_along_axis(np.diff(of_steps, axis=1), at, axis=1)
            contributions[i] += change.sum(0) / len(from_row)
            total += of_steps[:, 0].sum(0)
            log_odds[i] = of_steps[0, -1]
        base = total / len(from_row)
        on_progress("rows", 1 / rows)
    return base, contributions, log_odds


def _walk(
    members: dict[str, _Member],
    weights: dict[str, float],
    row: int,
    from_row: NDArray[np.int64],
    positions: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Log-odds along walks from background rows to a row, (walks, features + 1, outputs).

    from_row: (walks,); positions: of each feature in a walk, (walks, features).
    """
    found = []
    for steps in _parts(members, *positions.shape):
        each = {n: m.probabilities(row, from_row, positions, steps) for n, m in members.items()}
        p = np.clip(weighted_average(each, weights), SMALLEST, 1 - SMALLEST)
        found.append(logit(p))  # (steps, walks, outputs)
    return np.concatenate(found).swapaxes(0, 1)


def _parts(members: dict[str, _Member], walks: int, features: int) -> Iterator[range]:
    """The steps 0, ..., features of a walk in parts that fit into memory."""
    of_step = walks * max(member.numbers for member in members.values())
    at_once = max(1, NUMBERS_AT_ONCE // of_step)
    for start in range(0, features + 1, at_once):
        yield range(start, min(start + at_once, features + 1))


def pipelines(model: TableModel) -> tuple[dict[str, Pipeline], dict[str, float]]:
    """The pipelines that a model averages, and their weights, by name; a single one has none.

    Raises ConfigError where the model does not read a competition's table.
    """
    ensemble = isinstance(model, Ensemble)
    models = dict(model.models) if ensemble else {"": model}
    for one in models.values():
        if (
            not isinstance(one, Pipeline)
            or not isinstance(one[0], CompetitionFeatures)
            or not isinstance(one[-1], NetClassifier)
        ):
            raise ConfigError(
                f"a {type(one).__name__} does not read a competition's table; give a Pipeline of "
                "CompetitionFeatures and one of the package's classifiers"
            )
    return models, dict(model.weights) if ensemble else {"": 1.0}


def calibrated(calibration: Calibration, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibrated probabilities (..., outputs), in the same shape."""
    if calibration == Calibration():
        return p
    rows = p.reshape(-1) if p.shape[-1] == 1 else p.reshape(-1, p.shape[-1])
    return calibration(rows).reshape(p.shape)


def encoded(
    pipeline: Pipeline, table: pd.DataFrame, rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Rows of a table, encoded, (rows, columns)."""
    features: CompetitionFeatures = pipeline[0]
    if not get_competition(features.competition_).features.whole_groups:
        return features.transform(table.iloc[rows])
    x: NDArray[np.float32] = features.transform(table)[rows]
    return x
