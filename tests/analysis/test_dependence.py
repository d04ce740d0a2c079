"""Partial dependence: scikit-learn's is the referee."""

from collections.abc import Iterator
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
import pytest
import toads
from numpy.testing import assert_allclose
from sklearn.inspection import partial_dependence as referee
from sklearn.pipeline import Pipeline, make_pipeline
from titanic_tables import bundled

from titanic_nn import CompetitionFeatures, LinearClassifier, ReLUClassifier
from titanic_nn.analysis import dependence
from titanic_nn.analysis.dependence import partial_dependence
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import Calibration, Ensemble

QUICK: dict[str, Any] = {"epochs": 20, "n_seeds": 3, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def pond() -> Iterator[tuple[dict[str, Pipeline], pd.DataFrame]]:
    """Two calibrated nets of three classes, the table that they were fitted on."""
    table = toads.toads(120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMPETITIONS, toads.TOADS.slug, toads.TOADS)
        codes = table["Kind"].map(toads.LABELS.index).to_numpy()
        models = {}
        for name, net in (
            ("relu", ReLUClassifier(hidden_size=6, **QUICK)),
            ("linear", LinearClassifier(**QUICK)),
        ):
            models[name] = make_pipeline(CompetitionFeatures(toads.TOADS.slug), net)
            models[name].fit(table, codes)[-1].calibration_ = Calibration(slope=1.2)
        yield models, table


@pytest.mark.parametrize(("feature", "column"), [("warts", "Warts"), ("back", "Back")])
def test_it_is_the_mean_prediction_with_the_feature_set(
    pond: tuple[dict[str, Pipeline], pd.DataFrame], feature: str, column: str
) -> None:
    models, table = pond
    ensemble = Ensemble(models, {"relu": 0.7, "linear": 0.3})
    for model in (models["relu"], ensemble):
        found = partial_dependence(model, table, feature).table
        mean = found[found["net"] == "mean"]
        values = mean["value"].unique()
        for i, label in enumerate(toads.LABELS):
            ours = mean.loc[mean["class"] == label, "probability"]
            for value, p in [*zip(values, ours, strict=True)][::9]:
                assert p == pytest.approx(
                    model.predict_proba(table.assign(**{column: value}))[:, i].mean(), abs=1e-6
                )


@pytest.mark.skipif(
    "custom_values" not in signature(referee).parameters, reason="scikit-learn before 1.7"
)
@pytest.mark.parametrize(("feature", "column"), [("warts", "Warts"), ("back", "Back")])
def test_it_is_scikit_learns(
    pond: tuple[dict[str, Pipeline], pd.DataFrame], feature: str, column: str
) -> None:
    models, table = pond
    rows = table.assign(Warts=table["Warts"].astype(float)).drop(columns=["Kind", "Code"])
    found = partial_dependence(models["relu"], table, feature).table
    grid = found["value"].unique()
    theirs = referee(
        models["relu"],
        rows,
        [column],
        custom_values={column: grid},
        categorical_features=["Back"],
        response_method="predict_proba",
        method="brute",
        kind="average",
    )
    mean = found[found["net"] == "mean"]
    averages = np.stack([mean.loc[mean["class"] == k, "probability"] for k in toads.LABELS])
    assert_allclose(averages, theirs["average"], atol=1e-6)


def test_each_net_has_a_line_and_of_an_uncalibrated_model_their_mean_is_its_own() -> None:
    tables = bundled()
    model = make_pipeline(CompetitionFeatures(), LinearClassifier(**QUICK))
    model.fit(tables.train, tables.y)
    found = partial_dependence(model, tables.train, "age", name="linear")
    table = found.table
    assert set(table["net"]) == {"1", "2", "3", "mean"}
    assert set(table["class"]) == {"1"}
    nets = table[table["net"] != "mean"].groupby("value")["probability"].mean()
    mean = table[table["net"] == "mean"].set_index("value")["probability"]
    assert_allclose(nets, mean, atol=1e-7)
    assert mean.index.is_monotonic_increasing
    ages = tables.train["Age"]
    assert_allclose(found.deciles, ages.quantile(np.arange(1, 10) / 10))
    assert (mean.index.min(), mean.index.max()) == (ages.min(), ages.max())
    assert len(mean) <= dependence.POINTS


def test_rare_values_of_a_category_are_one() -> None:
    tables = bundled()
    net = LinearClassifier(**QUICK)
    model = make_pipeline(CompetitionFeatures(min_category_rows=20), net)
    model.fit(tables.train, tables.y)
    values = partial_dependence(model, tables.train, "deck").table["value"].unique().tolist()
    assert values[-1] == "rare"
    assert len(values) < tables.train["Cabin"].str[0].nunique()


def test_of_a_long_table_some_rows_are_drawn(
    pond: tuple[dict[str, Pipeline], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    models, table = pond
    monkeypatch.setattr(dependence, "ROWS", 50)
    found = partial_dependence(models["relu"], table, "back")
    assert found.rows == 50
    again = partial_dependence(models["relu"], table, "back")
    pd.testing.assert_frame_equal(found.table, again.table)


def test_what_has_no_dependence_is_refused(
    pond: tuple[dict[str, Pipeline], pd.DataFrame],
) -> None:
    models, table = pond
    with pytest.raises(ConfigError, match=r"wart: no such feature.*did you mean warts\?"):
        partial_dependence(models["relu"], table, "wart")
    with pytest.raises(ConfigError, match="does not read a competition's table"):
        partial_dependence(models["relu"][-1], table, "warts")
    codes = table["Kind"].map(toads.LABELS.index).to_numpy()
    constant = make_pipeline(CompetitionFeatures(toads.TOADS.slug), LinearClassifier(**QUICK))
    constant.fit(table.assign(Back="plain"), codes)
    with pytest.raises(ConfigError, match="back: all training rows agree in it"):
        partial_dependence(constant, table, "back")
