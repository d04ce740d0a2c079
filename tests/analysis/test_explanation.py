"""Shapley values of features: they add up, and shap's explainers are the referee."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import toads
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from sklearn.pipeline import Pipeline, make_pipeline
from titanic_tables import bundled
from torch import Tensor

import titanic_nn
from titanic_nn import (
    CompetitionFeatures,
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    ResNetClassifier,
    explain,
)
from titanic_nn.analysis import explanation
from titanic_nn.analysis.explanation import background_sample, with_training_labels
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.nets.batch import Params
from titanic_nn.nets.relu import ReLUNet

TABLES = bundled()
FEW: dict[str, Any] = {"n_background": 20, "seed": 3}
QUICK: dict[str, Any] = {"epochs": 5, "n_seeds": 2, "device": "cpu", "random_state": 0}
NETS = {
    "linear": LinearClassifier(**QUICK),
    "relu": ReLUClassifier(hidden_size=8, **QUICK),
    "deep": DeepClassifier(
        hidden_sizes=(8, 4), normalization="batch", n_frequencies=2, embedding_size=2, **QUICK
    ),
    "resnet": ResNetClassifier(width=8, hidden_size=8, n_blocks=1, **QUICK),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Pipeline]:
    """Every net on Titanic's table; two of them calibrated."""
    found = {}
    for name, net in NETS.items():
        found[name] = make_pipeline(CompetitionFeatures(), net).fit(TABLES.train, TABLES.y)
    found["relu"][-1].calibration_ = Calibration(slope=1.3, intercept=-0.2)
    found["resnet"][-1].calibration_ = Calibration(slope=0.7)
    return found


@pytest.fixture(scope="module")
def pond() -> Iterator[tuple[Pipeline, pd.DataFrame]]:
    """A calibrated net of three classes, and rows for it."""
    table = toads.toads(160)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMPETITIONS, toads.TOADS.slug, toads.TOADS)
        codes = table["Kind"].map(toads.LABELS.index).to_numpy()
        net = ReLUClassifier(hidden_size=6, **{**QUICK, "epochs": 40})
        model = make_pipeline(CompetitionFeatures(toads.TOADS.slug), net).fit(table, codes)
        model[-1].calibration_ = Calibration(slope=1.2)
        yield model, table


@pytest.mark.parametrize("name", [*NETS, "ensemble"])
def test_contributions_and_base_add_up_to_the_model_s_log_odds(
    fitted: dict[str, Pipeline], name: str
) -> None:
    weights = dict(zip(NETS, (0.1, 0.2, 0.3, 0.4), strict=True))
    model: Any = Ensemble(fitted, weights) if name == "ensemble" else fitted[name]
    rows = TABLES.test.head(7)
    found = explain(model, rows, TABLES.train, **FEW)
    assert found.features[:2] == ("title", "sex")
    assert found.contributions.shape == (7, len(found.features), 1)
    assert_allclose(found.base + found.contributions.sum(1), found.log_odds, atol=1e-5)
    p = model.predict_proba(rows)[:, [1]]
    assert_allclose(expit(found.log_odds), p, atol=1e-6)
    drawn, _ = background_sample(len(TABLES.train), len(found.features), n_background=20, seed=3)
    average = logit(model.predict_proba(TABLES.train.iloc[drawn])[:, 1].astype(np.float64)).mean()
    assert found.base[0] == pytest.approx(average, abs=1e-5)
    assert np.abs(found.contributions).max() > 0.1


def test_each_of_three_classes_has_its_own_log_odds(pond: tuple[Pipeline, pd.DataFrame]) -> None:
    model, table = pond
    found = explain(model, table.head(9), table, **FEW)
    assert found.features == ("length", "warts", "back")
    assert found.contributions.shape == (9, 3, 3)
    assert_allclose(found.base + found.contributions.sum(1), found.log_odds, atol=1e-5)
    assert_allclose(expit(found.log_odds), model.predict_proba(table.head(9)), atol=1e-6)


def test_of_one_linear_net_they_are_weight_times_distance_from_the_mean() -> None:
    net = LinearClassifier(**{**QUICK, "n_seeds": 1, "epochs": 20})
    model = make_pipeline(CompetitionFeatures(), net).fit(TABLES.train, TABLES.y)
    rows = TABLES.test.head(5)
    found = explain(model, rows, TABLES.train, **FEW)
    drawn, _ = background_sample(len(TABLES.train), len(found.features), n_background=20, seed=3)
    x, background = (
        net.scaled(model[0].transform(table)) for table in (rows, TABLES.train.iloc[drawn])
    )
    by_column = (x - background.mean(0)) * net.params_["w"][0, :, 0]  # (rows, columns)
    names = model[0].encoder_.feature_names
    for i, feature in enumerate(found.features):
        own = [n for n, c in enumerate(names) if c.partition("=")[0] == feature.replace("_", " ")]
        assert_allclose(found.contributions[:, i, 0], by_column[:, own].sum(1), atol=2e-6)


@pytest.mark.parametrize("name", [*NETS])
def test_a_feature_that_no_net_reads_contributes_exactly_nothing(
    fitted: dict[str, Pipeline], name: str
) -> None:
    """Its weights are 0 in every net; another has no column, as all training rows agree in it."""
    model = _copy(fitted[name])
    columns = [i for i, c in enumerate(model[0].encoder_.feature_names) if c.startswith("title=")]
    first = "w" if name == "linear" else "w0" if name == "deep" else "w1"
    model[-1].params_[first][:, columns] = 0
    same_port = TABLES.train.assign(Embarked="S")
    found = explain(model, TABLES.test.head(12), TABLES.train, **FEW)
    contributions = dict(zip(found.features, found.contributions[:, :, 0].T, strict=True))
    assert (contributions["title"] == 0).all()
    assert (contributions["sex"] != 0).any()
    net = LinearClassifier(**QUICK)
    model = make_pipeline(CompetitionFeatures(), net).fit(same_port, TABLES.y)
    found = explain(model, TABLES.test.head(12), TABLES.train, **FEW)
    contributions = dict(zip(found.features, found.contributions[:, :, 0].T, strict=True))
    assert (contributions["embarked"] == 0).all()


def _copy(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose tensors can be changed."""
    net = pipeline[-1]
    copied = NetClassifier.from_trained(
        net.config(),
        {name: value.copy() for name, value in net.params_.items()},
        classes=net.classes_,
        n_features=net.n_features_in_,
        seed=0,
        mean=net.mean_,
        scale=net.scale_,
    )
    return Pipeline([("features", pipeline[0]), ("net", copied)])


def test_shap_finds_the_same_values(pond: tuple[Pipeline, pd.DataFrame]) -> None:
    """Of three features shap's kernel explainer takes all coalitions, `explain` 320 orders."""
    shap = pytest.importorskip("shap")
    model, table = pond
    background, rows = table.iloc[:40], table.iloc[80:83]
    found = explain(model, rows, pd.concat([background] * 4), n_background=160)

    names = ["Length", "Warts", "Back"]
    back = table["Back"].astype("category").cat
    numbers = table[names].assign(Back=back.codes).to_numpy(float)

    def log_odds(x: Any) -> Any:
        frame = pd.DataFrame(x, columns=names)
        frame["Back"] = back.categories.to_numpy()[frame["Back"].astype(int)]
        return logit(model.predict_proba(frame).astype(np.float64))

    exact = shap.KernelExplainer(log_odds, numbers[:40])
    theirs = exact.shap_values(numbers[80:83], silent=True, l1_reg=False)
    assert_allclose(found.base, exact.expected_value, atol=1e-5)
    # The largest difference is 0.007, and the largest value 1.5: sampling error.
    assert np.abs(theirs).max() > 1
    assert_allclose(found.contributions, theirs, atol=0.03)


def test_shap_finds_exactly_the_same_values_of_an_additive_net(
    pond: tuple[Pipeline, pd.DataFrame],
) -> None:
    shap = pytest.importorskip("shap")
    _, table = pond
    codes = (table["Kind"] == toads.LABELS[0]).astype(int).to_numpy()
    net = LinearClassifier(**{**QUICK, "n_seeds": 1, "epochs": 40})
    model = make_pipeline(CompetitionFeatures(toads.TOADS.slug), net).fit(table, codes)
    found = explain(model, table.tail(6), table, n_background=len(table))
    x = net.scaled(model[0].transform(table)).astype(float)

    def log_odds(rows: Any) -> Any:
        return rows @ net.params_["w"][0, :, 0] + net.params_["b"][0, 0, 0]

    kernel = shap.KernelExplainer(log_odds, x)
    theirs = kernel.shap_values(x[-6:], silent=True, l1_reg=False)
    columns = [c.partition("=")[0] for c in model[0].encoder_.feature_names]
    by_feature = pd.DataFrame(theirs.T).groupby(columns).sum()
    assert_allclose(
        found.contributions[:, :, 0].T, by_feature.reindex(list(found.features)), atol=1e-5
    )
    assert_allclose(found.base, kernel.expected_value, atol=1e-5)


def test_a_row_s_values_do_not_depend_on_the_rows_beside_it(fitted: dict[str, Pipeline]) -> None:
    for name in ("relu", "deep"):
        rows = TABLES.test.head(40)
        all_rows = explain(fitted[name], rows, TABLES.train, n_background=5)
        one = explain(fitted[name], rows.iloc[[30]], TABLES.train, n_background=5)
        some = explain(fitted[name], rows, TABLES.train, rows=np.array([39, 30]), n_background=5)
        for at, found in ((0, one), (1, some)):
            assert_array_equal(found.contributions[at], all_rows.contributions[30])
            assert_array_equal(found.log_odds[at], all_rows.log_odds[30])
            assert_array_equal(found.base, all_rows.base)


def test_parts_of_bounded_memory_give_the_same_values(
    fitted: dict[str, Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, models = TABLES.test.head(2), Ensemble(fitted, dict.fromkeys(fitted, 0.25))
    expected = explain(models, rows, TABLES.train, n_background=10)
    monkeypatch.setattr(explanation, "NUMBERS_AT_ONCE", 5000)
    monkeypatch.setattr(explanation, "WALKS_AT_ONCE", 7)
    found = explain(models, rows, TABLES.train, n_background=10)
    assert_allclose(found.contributions, expected.contributions, atol=1e-6)
    assert_allclose(found.base, expected.base, atol=1e-6)


def test_the_nets_hold_a_bounded_number_of_numbers_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes: list[tuple[int, ...]] = []
    logits = ReLUNet.logits

    def recorded(self: ReLUNet, params: Params, x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return logits(self, params, x)

    monkeypatch.setattr(ReLUNet, "logits", recorded)
    net = ReLUClassifier(hidden_size=2000, n_seeds=2, epochs=1, device="cpu", random_state=0)
    model = make_pipeline(CompetitionFeatures(), net).fit(TABLES.train, TABLES.y)
    shapes.clear()
    explain(model, TABLES.test.head(1), TABLES.train, n_background=200)
    assert sum(steps * walks for steps, _, walks, _ in shapes) == 25 * 400
    assert max(steps * walks * 2 * (columns + 2001) for steps, _, walks, columns in shapes) <= 2**22


def test_the_background_is_drawn_without_replacement_and_each_order_is_a_permutation() -> None:
    rows, orders = background_sample(1000, 6, n_background=50, seed=1)
    assert len(set(rows)) == 50
    assert_array_equal(np.sort(orders), np.tile(np.arange(6), (50, 1)))
    assert len({tuple(order) for order in orders}) > 40
    again = background_sample(1000, 6, n_background=50, seed=1)
    assert_array_equal(again[0], rows)
    assert_array_equal(again[1], orders)
    few, _ = background_sample(4, 6, n_background=50, seed=1)
    assert sorted(few) == [0, 1, 2, 3]


def test_x_is_its_own_background_by_default(fitted: dict[str, Pipeline]) -> None:
    rows = TABLES.test.head(15)
    found = explain(fitted["linear"], rows)
    expected = explain(fitted["linear"], rows, rows)
    assert_array_equal(found.contributions, expected.contributions)
    # Every row is explained by the difference from all, so over the rows nothing is left.
    assert_allclose(found.contributions.sum(1).mean(0), 0, atol=1e-5)


def test_what_cannot_be_explained_is_refused(fitted: dict[str, Pipeline]) -> None:
    rows = TABLES.test.head(3)
    with pytest.raises(ConfigError, match="n_background = 0: choose 1 or more"):
        explain(fitted["linear"], rows, n_background=0)
    for other in (fitted["linear"][-1], make_pipeline(NETS["linear"])):
        with pytest.raises(ConfigError, match=r"does not read a competition's table"):
            explain(other, rows)
    with pytest.raises(DataError, match="column Pclass"):
        explain(fitted["linear"], rows.assign(Pclass=9), TABLES.train)
    with pytest.raises(DataError, match="Sex"):
        explain(fitted["linear"], rows, TABLES.train.drop(columns="Sex"))


def test_numbers_that_overflow_are_an_error(fitted: dict[str, Pipeline]) -> None:
    model = _copy(fitted["linear"])
    model[-1].params_["w"][:] = 3e38
    with pytest.raises(
        ValueError, match=r"Row 0 of those explained.* so large that the nets overflow"
    ):
        explain(model, TABLES.test.head(3), TABLES.train, **FEW)


def test_a_loaded_model_does_not_read_a_training_row_s_own_label(
    fitted: dict[str, Pipeline], tmp_path: Path
) -> None:
    """A saved model holds no labels: it would count a row's own among those of its group."""
    trained = Ensemble(
        {"linear": fitted["linear"], "relu": fitted["relu"]}, {"linear": 0.5, "relu": 0.5}
    )
    titanic_nn.save(trained, tmp_path / "model")
    loaded: Any = titanic_nn.load(tmp_path / "model")
    knowing: Any = with_training_labels(loaded, TABLES)
    p = [model.predict_proba(TABLES.train)[:, 1] for model in (trained, loaded, knowing)]
    assert np.abs(p[1] - p[0]).max() > 0.1  # its own label, which it should not know
    assert_array_equal(p[2], p[0])
    assert_array_equal(knowing.predict_proba(TABLES.test), loaded.predict_proba(TABLES.test))
