"""The page to play with, opened from disk in a real browser."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import errors, needs_browser, resize
from numpy.testing import assert_allclose
from own_tables import MESSY, messy, write_table
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from selenium.webdriver.support.wait import WebDriverWait
from sklearn.pipeline import Pipeline
from spaceship_tables import write_spaceship
from titanic_tables import bundled
from toads import TOADS, write_toads

from titanic_nn.analysis.explanation import explain, pipelines_with_labels, with_training_labels
from titanic_nn.competitions.form import raw_values
from titanic_nn.competitions.registry import COMPETITIONS, get_competition, load_config
from titanic_nn.competitions.spaceship.columns import BILLS
from titanic_nn.competitions.spaceship.competition import SPACESHIP
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.estimators.classifiers import (
    DeepClassifier,
    NetClassifier,
    ReLUClassifier,
    ResNetClassifier,
)
from titanic_nn.estimators.persistence import load
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.files import write_text
from titanic_nn.nets.deep import ACTIVATIONS
from titanic_nn.play.contents import as_json, contents
from titanic_nn.play.page import LARGEST, render, write_play
from titanic_nn.runs.find import read_run
from titanic_nn.runs.folder import write_run

pytestmark = needs_browser

QUICK: dict[str, Any] = {"epochs": 2, "n_seeds": 2, "device": "cpu", "random_state": 0}
ASKED = "return window.titanic_nn.%s(...arguments)"
MODELS = ("linear", "relu", "deep", "ensemble")


def everyone() -> pd.DataFrame:
    """All 1,309 bundled passengers."""
    tables = bundled()
    return pd.concat([tables.train, tables.test]).drop(columns="Survived")


def open_page(browser: Chrome, page: Path, width: int = 1280) -> None:
    """Open a page, which must not complain."""
    errors(browser)  # of earlier pages
    resize(browser, width)
    browser.get(page.resolve().as_uri())
    assert errors(browser) == []
    assert browser.find_element(By.TAG_NAME, "main").is_displayed()


def text(browser: Chrome, id: str) -> str:
    return str(browser.find_element(By.ID, id).text)


def left_out(browser: Chrome) -> list[str]:
    """What the page says it left out."""
    return [line for line in text(browser, "footer").splitlines() if line.startswith("Left out")]


def chance(browser: Chrome, model: str) -> float:
    """A model's chance as it is shown, in percent."""
    row = browser.find_element(By.XPATH, f"//*[@id='chances']/tr[th[text()='{model}']]")
    return _percent(row.find_elements(By.TAG_NAME, "td")[-1].text)


def _percent(shown: str) -> float:
    return float(shown.removesuffix("%").strip("<> \N{NO-BREAK SPACE}"))


def control(browser: Chrome, label: str) -> Any:
    """The slider or the list with this label."""
    name = browser.find_element(By.XPATH, f"//label[text()={json.dumps(label)}]")
    return browser.find_element(By.ID, name.get_attribute("for") or "")


def test_every_passenger_has_pythons_probabilities(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    passengers = everyone()
    model = load(run / "models/relu")
    assert isinstance(model, Pipeline)
    rows = raw_values(model[0].encoder_, TITANIC.features.columns(passengers))
    found = browser.execute_script(ASKED % "probabilities", rows)
    assert set(found) == {*MODELS}
    for name in MODELS:
        expected = load(run / "models" / name).predict_proba(passengers)
        assert expected.shape == (1309, 2)
        assert_allclose(np.array(found[name], float), expected, rtol=0, atol=1e-6)
    assert left_out(browser) == []


def test_the_forms_features_are_pythons(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    passengers = everyone()
    model = load(run / "models/relu")
    assert isinstance(model, Pipeline)
    rows = raw_values(model[0].encoder_, TITANIC.features.columns(passengers))
    none = float("nan")
    script = "return arguments[0].map((values) => window.titanic_nn.features(values))"
    controls = [
        {
            **{name: row[name] for name in ("title", "sex", "class", "age", "deck", "embarked")},
            "siblings_spouses": row["siblings_spouses"],
            "parents_children": row["parents_children"],
            "ticket_shared_by": row["ticket_shared_by"],
            "fare": None if np.isnan(fare) else fare,
            "companions": "unknown",
        }
        for row, fare in zip(rows, passengers["Fare"], strict=True)
    ]
    found = browser.execute_script(script, controls)
    made = {"age_missing", "family_size", "alone", "log_fare", "fare_per_head", "fare_missing"}
    made |= {"embarked_missing", "title", "sex", "class", "age", "embarked", "deck"}
    for name in made:
        own, expected = ([row[name] for row in of] for of in (found, rows))
        if isinstance(expected[0], float):
            here, there = ([none if v is None else v for v in of] for of in (own, expected))
            assert_allclose(np.array(here, float), np.array(there, float), rtol=1e-12)
        else:
            assert own == expected, name
    # What the form does not know: a cabin of no deck ("T" is one).
    assert [row["cabin_known"] for row in found] == [row["deck"] is not None for row in rows]


@pytest.mark.parametrize("name", ["linear", "ensemble"])
def test_reasons_are_pythons(browser: Chrome, run: Path, name: str) -> None:
    open_page(browser, run / "play.html")
    tables = bundled()
    model = with_training_labels(load(run / "models" / name), tables)
    two = tables.test.iloc[[3, 200]]
    expected = explain(model, two, tables.train)
    pipeline = load(run / "models/linear")
    assert isinstance(pipeline, Pipeline)
    rows = raw_values(pipeline[0].encoder_, TITANIC.features.columns(two))
    for i, row in enumerate(rows):
        found = browser.execute_script(ASKED % "explain", row, name)
        assert_allclose(found["base"], expected.base, atol=1e-6)
        assert_allclose(found["logOdds"], expected.log_odds[i], atol=1e-6)
        assert_allclose(found["contributions"], expected.contributions[i], atol=1e-6)


@pytest.fixture(scope="session")
def of_many_nets(
    run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A page of every activation and normalization, standardized too; and its models."""
    tables, config = bundled(), Config.from_toml(run / "settings.toml")
    fitted = load(run / "models/relu")
    assert isinstance(fitted, Pipeline)
    x = fitted[0].transform(tables.train)
    kinds: list[NetClassifier] = [
        DeepClassifier(activation=activation, normalization="batch", hidden_sizes=(6,), **QUICK)
        for activation in ACTIVATIONS
    ]
    kinds.append(DeepClassifier(n_frequencies=3, standardize=False, hidden_sizes=(6,), **QUICK))
    kinds.append(ResNetClassifier(width=8, hidden_size=8, normalization="layer", **QUICK))
    kinds.append(ResNetClassifier(width=8, hidden_size=8, n_frequencies=2, **QUICK))
    kinds.append(ReLUClassifier(**QUICK))
    models: dict[str, Any] = {
        f"net{i}": Pipeline([("features", fitted[0]), ("net", kind.fit(x, tables.y))])
        for i, kind in enumerate(kinds)
    }
    bins = CompetitionFeatures(n_bins=4, min_category_rows=50).fit(tables.train, tables.y)
    net = ReLUClassifier(standardize=False, **QUICK).fit(bins.transform(tables.train), tables.y)
    models["bins"] = Pipeline([("features", bins), ("net", net)])
    known = replace(read_run(run), models={name: {"log_loss": {"mean": 0.5}} for name in models})
    labelled = pipelines_with_labels(models, tables)  # one encoder was loaded
    made = contents(known, labelled, tables, config, TITANIC, room=10**6)
    page = tmp_path_factory.mktemp("many") / "play.html"
    write_text(page, render("many", made))
    return page, models


def test_no_net_has_javascript_of_its_own(
    browser: Chrome, of_many_nets: tuple[Path, dict[str, Any]]
) -> None:
    page, models = of_many_nets
    open_page(browser, page)
    passengers = bundled().test  # a model that was not loaded knows the training rows' labels
    rows = raw_values(models["net0"][0].encoder_, TITANIC.features.columns(passengers))
    found = browser.execute_script(ASKED % "probabilities", rows)
    for name, model in models.items():
        expected = model.predict_proba(passengers)
        assert_allclose(np.array(found[name], float), expected, rtol=0, atol=1e-6)
    assert left_out(browser) == []


def page_with(run: Path, folder: Path, change: Any) -> Path:
    """A copy of a run's page, whose data are changed."""
    found = re.search(r'id="data">(.*?)</script>', (run / "play.html").read_text(), re.DOTALL)
    assert found
    data = json.loads(found[1])
    change(data)
    page = folder / "play.html"
    page.write_text(render("changed", data))
    return page


def test_a_net_that_is_computed_otherwise_is_hidden(
    browser: Chrome, run: Path, tmp_path: Path
) -> None:
    def change(data: Any) -> None:
        for net in data["nets"]:
            if net["name"] == "relu":
                net["check"][5][0] += 2e-6
            if net["name"] == "deep":
                net["graph"]["nodes"][3][0] = "Cumsum"

    open_page(browser, page_with(run, tmp_path, change))
    assert (
        left_out(browser)
        == [
            "Left out: deep, since this browser cannot compute it (operator Cumsum is not known).",
            "Left out: relu, since it is not computed as in Python here.",
            "Left out: ensemble, since it averages relu, deep too.",
        ]
        or len(left_out(browser)) == 3
    )
    assert "linear" in text(browser, "chances")
    assert "relu" not in text(browser, "chances")
    assert "ensemble" not in text(browser, "chances")


def test_without_a_drawn_net_the_rest_is_there(browser: Chrome, run: Path, tmp_path: Path) -> None:
    open_page(browser, page_with(run, tmp_path, lambda data: data.update(drawn=[])))
    assert "linear" in text(browser, "chances")
    assert not browser.find_element(By.ID, "drawing").is_displayed()
    browser.find_element(By.XPATH, "//summary[text()='What the nets read']").click()
    assert "family size" in text(browser, "features")


def test_rows_that_agree_are_counted(browser: Chrome, run: Path, tmp_path: Path) -> None:
    open_page(browser, run / "play.html")
    table = bundled().train
    women = table[(table["Sex"] == "female") & (table["Pclass"] == 3) & ~(table["Age"] < 15)]
    saved = int(women["Survived"].sum())
    said = f"{len(women)} passengers agree in sex (female), class (3), age (adult)"
    said += f"; {len(women) - saved} died, {saved} survived."
    assert text(browser, "alike") == f"In the training table {said}"
    assert chance(browser, "in the table") == round(100 * saved / len(women))

    def change(data: Any) -> None:  # no feature tells the classes apart
        data["alike"].update(labels=[], counts=data["alike"]["counts"][:1])
        data["form"]["alike"] = []

    open_page(browser, page_with(run, tmp_path, change))
    survived = int(table["Survived"].sum())
    said = f"891 passengers in all; {891 - survived} died, {survived} survived."
    assert text(browser, "alike") == f"In the training table {said}"


def test_a_slider_is_moved_by_the_keyboard_and_a_class_by_the_mouse(
    browser: Chrome, run: Path
) -> None:
    open_page(browser, run / "play.html")
    before = [chance(browser, model) for model in MODELS]
    age = control(browser, "Age")
    age.send_keys(Keys.HOME)
    assert age.get_attribute("value") == "0"
    after = [chance(browser, model) for model in MODELS]
    assert after != before
    assert "class (3), age (child)" in text(browser, "alike")
    browser.find_element(By.XPATH, "//label[text()='first']").click()
    assert [chance(browser, model) for model in MODELS] != after
    first = browser.find_element(By.CSS_SELECTOR, "input[type=number]")
    first.clear()
    assert age.get_attribute("aria-valuetext") == "unknown"
    assert "age (adult)" in text(browser, "alike")
    WebDriverWait(browser, 5).until(lambda _: "relu: " in _live(browser))
    browser.find_element(By.XPATH, "//button[text()='Start again']").click()
    assert [chance(browser, model) for model in MODELS] == before


def _live(browser: Chrome) -> str:
    script = "return document.getElementById('live').textContent"
    return str(browser.execute_script(script))


def test_a_scenario_sets_the_family_and_its_fate(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    companions = Select(control(browser, "Companions"))
    companions.select_by_visible_text("a family of four: all others saved")
    saved = chance(browser, "linear")
    assert control(browser, "Parents and children on board").get_attribute("value") == "2"
    companions.select_by_visible_text("a family of four: all others lost")
    assert chance(browser, "linear") < saved - 10


def test_reasons_follow_the_row_and_add_up(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    wait = WebDriverWait(browser, 10)
    wait.until(lambda _: "sex = female" in text(browser, "why"))
    browser.find_element(By.XPATH, "//label[text()='male']").click()
    wait.until(lambda _: "sex = male" in text(browser, "why"))
    shown = chance(
        browser,
        Select(
            browser.find_element(By.CSS_SELECTOR, "#why-choices select")
        ).first_selected_option.text,
    )
    assert f"to {shown:.0f} %" in text(browser, "why-sentence")


def test_a_unit_is_explained_where_it_has_the_focus(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    for name, units in (("8 units", 8), ("1 unit", 1), ("linear", 0)):
        browser.find_element(By.XPATH, f"//label[normalize-space(.)='{name}']/input").click()
        found = browser.find_elements(By.CSS_SELECTOR, "#drawing .unit")
        assert len(found) == units
    browser.find_element(By.XPATH, "//label[normalize-space(.)='4 units']/input").click()
    units_of_net = browser.find_elements(By.CSS_SELECTOR, "#drawing .unit")
    browser.execute_script("arguments[0].focus()", units_of_net[3])
    assert "Unit 4 of 4" in text(browser, "unit")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert "Unit 1 of 4" in text(browser, "unit")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert "Unit 2 of 4" in text(browser, "unit")
    browser.find_elements(By.CSS_SELECTOR, "#drawing .unit")[2].click()
    assert "Unit 3 of 4" in text(browser, "unit")
    for part in ("Its ReLU", "Its line", "weighted sum", "bias"):
        assert part in text(browser, "unit")


def test_the_drawn_net_is_the_runs(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    name = "8 units: relu\N{RIGHT SINGLE QUOTATION MARK}s first net"
    browser.find_element(By.XPATH, f"//label[normalize-space(.)='{name}']/input").click()
    # Calibrated with its model it would be the first dot of relu.
    dot = browser.find_elements(By.CSS_SELECTOR, "#chances tr:nth-child(2) .seed")[0]
    left = float(browser.execute_script("return arguments[0].style.left", dot).removesuffix("%"))
    row = browser.find_elements(By.CSS_SELECTOR, "#switch tbody tr")[-1]
    shown = _percent(row.find_elements(By.TAG_NAME, "td")[-1].text)
    model = load(run / "models/relu")
    assert isinstance(model, Pipeline)
    calibration = model[-1].calibration_
    assert calibration(np.array([shown / 100]))[0] == pytest.approx(left / 100, abs=0.01)


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_it_never_scrolls_sideways(browser: Chrome, run: Path, width: int) -> None:
    open_page(browser, run / "play.html", width)
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_every_control_has_a_name(browser: Chrome, run: Path) -> None:
    open_page(browser, run / "play.html")
    for field in browser.find_elements(By.CSS_SELECTOR, "input, select, button, [tabindex]"):
        if field.is_displayed() or field.get_attribute("type") == "radio":
            assert field.accessible_name, field.get_attribute("outerHTML")


def test_it_is_small_and_lets_nothing_in(run: Path) -> None:
    page = (run / "play.html").read_text(encoding="utf-8")
    assert len(page.encode()) < LARGEST
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.findall(r"\bsrc=|url\(|@import|<link|https?://(?!www\.w3\.org/2000/svg)", page)


def test_a_net_without_room_is_left_out(browser: Chrome, run: Path, tmp_path: Path) -> None:
    tables, config = bundled(), Config.from_toml(run / "settings.toml")
    models: dict[str, Any] = {
        name: load(run / "models" / name) for name in ("linear", "relu", "ensemble")
    }
    whole = contents(read_run(run), models, tables, config, TITANIC, room=10**6)
    sizes = {net["name"]: len(as_json(net)) for net in whole["nets"]}
    room = len(as_json({**whole, "nets": [], "ensembles": [], "left_out": {}})) + sizes["linear"]
    made = contents(read_run(run), models, tables, config, TITANIC, room=room + 200)
    page = tmp_path / "play.html"
    write_text(page, render("tight", made))
    open_page(browser, page)
    assert left_out(browser) == [
        "Left out: relu, since its numbers do not fit into a page of this size.",
        "Left out: ensemble, since it averages relu, deep too.",
    ]
    assert "linear" in text(browser, "chances")
    with pytest.raises(ConfigError, match="24 features and their background rows do not fit"):
        contents(read_run(run), models, tables, config, TITANIC, room=1000)


def made_page(competition: str, data: Path | None = None, **settings: Any) -> Path:
    """The page of a small run, `runs/a`, with the settings of quick.toml."""
    small = {"folds": 2, "repeats": 1, "n_seeds": 1, "inner_folds": 2, "device": "cpu"}
    config = load_config(Path("quick.toml"), competition=competition, **small, **settings)
    tables = get_competition(config.competition).load(data)
    write_run(compare_models(tables, config=config), Path("runs/a"))
    return write_play(Path("runs/a"))


HOSTILE = (
    "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
)


def test_text_of_an_own_table_is_text(
    browser: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = messy()
    hostile = table["kind"] == "common"
    table = table.assign(kind=table["kind"].mask(hostile, HOSTILE + "\u202e\"'${1}"))
    write_table(Path("data"), table, "ill")
    description = MESSY.replace("patient", "<b>'patient'").replace('["healthy"', '["<i>well"')
    Path("clinic.toml").write_text(description)
    Path("quick.toml").write_text("[linear]\nepochs = 10\n[relu]\nepochs = 5\nhidden_size = 4\n")
    open_page(browser, made_page("clinic.toml", Path("data"), models=["linear", "relu"]))
    assert browser.title == "Play with a: titanic_nn"
    assert not browser.find_elements(By.CSS_SELECTOR, "img, b, i")
    kind = Select(control(browser, "kind"))
    assert [option.text for option in kind.options][1].startswith("</script><script>document")
    kind.select_by_index(1)
    assert "\\u202e" in kind.first_selected_option.text
    assert f"kind ({HOSTILE}" in text(browser, "alike")
    assert "The <b>'patient'" in text(browser, "form-title")
    # A skewed number is asked for as it is.
    income, before = control(browser, "income=net"), chance(browser, "linear")
    income.send_keys(Keys.END)
    field = income.find_element(By.XPATH, "following-sibling::input")
    assert float(field.get_attribute("value") or 0) > 10_000
    assert chance(browser, "linear") != before
    assert left_out(browser) == []


def test_three_classes(browser: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(COMPETITIONS, TOADS.slug, TOADS)
    write_toads(TOADS.folder)
    Path("quick.toml").write_text("[linear]\nepochs = 20\n[relu]\nepochs = 10\nhidden_size = 4\n")
    open_page(browser, made_page("toads", models=["linear", "relu"]))
    tables = TOADS.load()
    model = load("runs/a/models/ensemble")
    pipeline = load("runs/a/models/relu")
    assert isinstance(pipeline, Pipeline)
    rows = raw_values(pipeline[0].encoder_, TOADS.features.columns(tables.test))
    found = browser.execute_script(ASKED % "probabilities", rows)
    assert_allclose(np.array(found["ensemble"], float), model.predict_proba(tables.test), atol=1e-6)
    expected = explain(model, tables.test.head(1), tables.train)
    reasons = browser.execute_script(ASKED % "explain", rows[0], "ensemble")
    assert_allclose(reasons["contributions"], expected.contributions[0], atol=1e-6)
    for name in ("common", "green", "natterjack"):
        assert text(browser, "chances").count(name) == 4  # three models and the table
    control(browser, "length").send_keys(Keys.END)
    assert left_out(browser) == []


def test_spaceship(browser: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_spaceship(SPACESHIP.folder)
    Path("quick.toml").write_text("[relu]\nepochs = 5\nhidden_size = 8\n")
    open_page(browser, made_page("spaceship-titanic", models=["relu"]))
    tables = SPACESHIP.load()
    model = load("runs/a/models/relu")
    assert isinstance(model, Pipeline)
    rows = raw_values(model[0].encoder_, SPACESHIP.features.columns(tables.test))
    found = browser.execute_script(ASKED % "probabilities", rows)
    assert_allclose(np.array(found["relu"], float), model.predict_proba(tables.test), atol=1e-6)
    assert left_out(browser) == []

    # The form's features are those of a row whose bills are known.
    controls = []
    known: list[dict[str, Any]] = [*rows]
    for row, passenger in zip(known, tables.test.to_dict("records"), strict=True):
        bills = {bill: passenger[bill] for bill in BILLS}
        asleep, total = row["cryosleep"] == "True", sum(bills.values())
        values = {
            "others_asleep": row["group_asleep"] * row["group_size"] - asleep,
            "others_total": np.expm1(row["log_group_total"]) - total,
        }
        if not np.isnan(total):
            controls.append((row, {**row, **bills, **values}))
    script = "return arguments[0].map((values) => window.titanic_nn.features(values))"
    made = browser.execute_script(script, [values for _, values in controls])
    assert len(made) > 20
    for own, (row, _) in zip(made, controls, strict=True):
        for name, value in row.items():
            expected = pytest.approx(value, abs=1e-9) if isinstance(value, float) else value
            assert own[name] == expected, name


@pytest.mark.parametrize("value", ["null", '"high"', "NaN", "{}"])
def test_a_summary_without_a_score_is_refused(run: Path, tmp_path: Path, value: str) -> None:
    forged = Path(shutil.copytree(run, tmp_path / "forged"))
    summary = json.loads((forged / "summary.json").read_text())
    summary["models"]["relu"]["log_loss"]["mean"] = json.loads(value)
    (forged / "summary.json").write_text(json.dumps(summary))
    before = (forged / "play.html").read_bytes()
    with pytest.raises(DataError, match=r"summary.json: has no log loss of relu; train again"):
        write_play(forged)
    assert (forged / "play.html").read_bytes() == before


def test_without_its_tables_a_run_has_its_report_all_the_same(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from titanic_nn.cli.report import main

    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "runs/moved")
    Path("runs/moved/play.html").unlink()
    environment = Path("runs/moved/environment.json")
    environment.write_text(environment.read_text().replace("bundled", "elsewhere"))
    main(["moved"])
    shown = capsys.readouterr()
    assert shown.out == f"{Path('runs/moved/report.html')}\n"
    assert shown.err.startswith("note: no page to play with: ")
    assert "the tables of runs/moved are gone" in shown.err.replace("\n", " ")
    assert "play.html" not in Path("runs/moved/report.html").read_text(encoding="utf-8")
    assert not Path("runs/moved/play.html").exists()
