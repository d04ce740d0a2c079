"""The page holds the run's numbers, and no markup from the files."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.errors import DataError, TitanicError
from titanic_nn.report.page import write_report

SMUGGLED = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run of one's own to change."""
    return Path(shutil.copytree(finished, tmp_path / "mine"))


def misclassified_table(run: Path, name: str) -> pd.DataFrame:
    """Two rows, as the command `misclassified` writes them."""
    oof = pd.read_csv(run / "oof.csv").head(2).drop(columns=["repeat", "fold"])
    return oof.assign(
        Name=[name, "Doe, Miss. Ann"], Sex="female", Age=[20.0, float("nan")], Pclass=3
    )


class Elements(HTMLParser):
    """Every element of a page, with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(run: Path) -> str:
    """The page that is there already."""
    return (run / "report.html").read_text(encoding="utf-8")


def test_numbers_of_the_summary_are_on_the_page(finished: Path) -> None:
    run, page = finished, Elements(page_of(finished))
    models = json.loads((run / "summary.json").read_text())["models"]
    for scores in models.values():
        assert f"{scores['log_loss']['mean']:.3f}" in page.text
        assert f"{scores['accuracy']['mean']:.3f}" in page.text
    assert "gradient boosting" in page.text
    for scores in json.loads((run / "summary.json").read_text())["calibration"].values():
        assert f"{scores['log_loss_after']:.4f}" in page.text
    environment = json.loads((run / "environment.json").read_text())
    assert environment["data"]["train_sha256"] in page.text
    assert (run / "settings.toml").read_text().strip() in page.text


def test_it_loads_nothing(finished: Path) -> None:
    page = Elements(page_of(finished))
    loading = {"src", "srcset", "data", "action", "background", "poster"}
    for tag, attributes in page.found:
        assert tag not in ("script", "iframe", "object", "embed", "link", "base"), tag
        assert not loading & set(attributes), (tag, attributes)
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.findall(r"url\((?!#)|@import", page_of(finished))


def test_every_figure_has_a_picture_in_the_page_s_colours(finished: Path) -> None:
    text = page_of(finished)
    assert text.count("<svg") == text.count("<figure") >= 9
    assert "#222222" not in text
    assert "var(--ink)" in text


def test_files_of_other_commands_add_their_pictures(run: Path) -> None:
    before = page_of(run).count("<svg")
    misclassified_table(run, "Roe, Mr. Al").to_csv(run / "misclassified.csv", index=False)
    after = write_report(run).read_text(encoding="utf-8")
    assert after.count("<svg") == before + 1
    assert "Roe, Mr. Al" in after
    assert "Age 20, " in after


def test_an_answer_is_on_the_page_as_a_sentence_and_a_picture(asked: Path) -> None:
    """The commands have written the page anew."""
    text = Elements(page_of(asked)).text
    answer = json.loads((asked / "learning_curve.json").read_text())["answer"]
    of_relu = json.loads((asked / "ablation.json").read_text())["answers"]["relu"]
    for sentence in (answer, of_relu):
        assert sentence.replace("_", " ").replace(" %", "\N{NO-BREAK SPACE}%") in text
    assert "Does a net over- or underfit?" in text
    assert "Permuting one of 24 features raises the held-out log loss most for " in text
    assert "All 6 models misclassify " in text
    assert "The largest contributions to the log-odds of class survived, by linear, which" in text
    assert "Over 418 passengers, the log-odds are moved most by " in text
    assert "linear gives passenger 892 a probability of " in text
    titles = ("Loss by epoch", "Learning curve", "Ablation of relu", "Permutation importance")
    for title in (*titles, "Contributions to the log-odds", "linear: passenger 892"):
        assert title in text
    assert "Not asked yet" not in text


def test_what_was_not_asked_is_named_with_its_command(finished: Path) -> None:
    page = page_of(finished)
    for question, command in (
        ("Is there enough data?", "learning_curve"),
        ("Which rows do all models misclassify?", "misclassified"),
    ):
        said = f"<dt>{question}</dt><dd><code>titanic-nn {command} small</code></dd>"
        assert said in page


def test_the_heading_is_a_sentence_about_the_run(finished: Path) -> None:
    page = page_of(finished)
    summary = json.loads((finished / "summary.json").read_text())
    best = summary["recommended"]
    accuracy = 100 * summary["models"][best]["accuracy"]["mean"]
    start = (
        f"<h1>{best} predicts {accuracy:.1f}\N{NO-BREAK SPACE}% of held-out passengers correctly"
    )
    assert start in page
    assert "Run small. Titanic: 891 labelled" in page


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("downloaded", "<p>Expect a public score of about "),
        ("kaggle-notebook", "<p>Expect a public score of about "),
        ("given", "<p>If the given tables are Kaggle&#39;s own: expect a public score of about "),
        ("bundled", None),
    ],
)
def test_what_kaggle_will_show_is_forecast_where_the_rows_may_be_kaggles(
    run: Path, source: str, start: str | None
) -> None:
    environment = (run / "environment.json").read_text()
    assert '"source": "given"' in environment
    (run / "environment.json").write_text(environment.replace('"given"', f'"{source}"'))
    page = write_report(run).read_text(encoding="utf-8")
    assert ("public score" in page) == (start is not None)
    if start:
        assert start in page
        assert "passengers alone adds ±\N{NO-BREAK SPACE}0.0" in page


def test_the_glossary_explains_every_word_of_a_feature(finished: Path) -> None:
    page = page_of(finished)
    for term in ("deck=rare", "party", "survival surplus", "men survival surplus", "men lost"):
        assert f"<dt>{term}</dt>" in page
    assert "the values of deck that fewer than 5 training rows have" in page


def test_commands_in_a_sentence_keep_their_names(run: Path) -> None:
    sentence = {
        "law": "",
        "models": {},
        "answer": "Ask `titanic-nn learning_curve` <b>again_now</b>.",
    }
    (run / "learning_curve.json").write_text(json.dumps(sentence))
    curve = {"model": "relu", "train_fraction": [0.5, 1.0], "rows": [50, 100], "repeat": 0}
    losses = pd.DataFrame({**curve, "fold": 0, "training_loss": 0.3, "held_out_loss": 0.4})
    losses.to_csv(run / "learning_curve.csv", index=False)
    page = write_report(run).read_text(encoding="utf-8")
    assert "Ask <code>titanic-nn learning_curve</code> &lt;b&gt;again now&lt;/b&gt;." in page


def test_too_few_epochs_for_a_diagnosis_are_named(run: Path) -> None:
    history = pd.read_csv(run / "history.csv")
    history[history["epoch"] == history.groupby("model")["epoch"].transform("max")].to_csv(
        run / "history.csv", index=False
    )
    page = Elements(write_report(run).read_text(encoding="utf-8"))
    assert "No diagnosis: history.csv: has 1 epochs of linear, too few" in page.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_curve.json", {"answer": 1}),
        ("learning_curve.json", []),
        ("ablation.json", {"answers": {"relu": "Yes."}, "variants": {}}),
        ("ablation.json", {"answers": {"relu": "Yes."}, "variants": []}),
        ("ablation.json", {"answers": {"relu": "Yes."}, "variants": [1]}),
        ("ablation.json", {"answers": {"relu": "Yes."}, "variants": [{"change": "much"}]}),
        ("ablation.json", {"answers": ["Yes."], "variants": []}),
    ],
)
def test_a_broken_answer_gets_one_line_and_keeps_the_report(
    run: Path, name: str, value: object
) -> None:
    before = page_of(run)
    (run / name).write_text(json.dumps(value))
    with pytest.raises(DataError) as refused:
        write_report(run)
    command = name.removesuffix(".json")
    said = f"{run / name}: is not what `titanic-nn {command}` writes; ask again"
    assert str(refused.value) == said
    assert page_of(run) == before


def test_an_infinite_change_is_refused(asked: Path, run: Path) -> None:
    found = (asked / "ablation.json").read_text()
    value = json.loads(found)["variants"][2]["change"]
    (run / "ablation.json").write_text(found.replace(str(value), "Infinity"))
    with pytest.raises(DataError, match="ask again"):
        write_report(run)


def test_what_files_hold_is_escaped(run: Path) -> None:
    misclassified_table(run, SMUGGLED[:30]).to_csv(run / "misclassified.csv", index=False)
    environment = json.loads((run / "environment.json").read_text())
    environment["data"]["location"] = environment["commit"] = SMUGGLED
    (run / "environment.json").write_text(json.dumps(environment))
    config = run / "settings.toml"
    config.write_text(f"# {SMUGGLED}\n{config.read_text()}")
    page = Elements(write_report(run).read_text(encoding="utf-8"))
    assert page.text.count(SMUGGLED) == 3
    assert not {"script", "img"} & {tag for tag, _ in page.found}


def test_names_are_text_on_the_page_and_in_its_pictures(run: Path) -> None:
    hostile = "<b>$\\frac$ \x1b[31m\u202e\x07&amp;"
    environment = (run / "environment.json").read_text()
    (run / "environment.json").write_text(
        environment.replace('"given"', json.dumps(hostile + "\udcff"))
    )
    for name in ("metrics.csv", "history.csv"):
        (run / name).write_text((run / name).read_text().replace("relu", hostile))
    hostile_run = run.rename(run.with_name("x\x1b\u202e\udcff"))
    page = write_report(hostile_run).read_text(encoding="utf-8")
    assert {c for c in page if not c.isprintable()} <= {"\n", "\N{NO-BREAK SPACE}"}
    shown = r"&lt;b&gt;$\frac$ \x1b[31m\u202e\x07&amp;amp;"
    assert page.count(f">{shown}<") >= 3  # its panels and rows
    assert rf"({shown}\udcff)" in page
    assert r">Run x\x1b\u202e\udcff. Titanic" in page


def test_the_words_are_the_competition_s(finished: Path) -> None:
    text = Elements(page_of(finished)).text
    assert "Titanic: 891 labelled" in text
    for words in ("women survive, men die", 'of class "survived"', "891 passengers are too few"):
        assert words in text
    assert "python -m titanic_nn train --config settings.toml" in text


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    before = page_of(run)
    write_report(run)
    assert page_of(run).replace("mine", "small") == before


def test_a_label_that_is_no_class_is_refused(run: Path) -> None:
    oof = pd.read_csv(run / "oof.csv")
    oof.loc[3, "label"] = 7
    oof.to_csv(run / "oof.csv", index=False)
    with pytest.raises(DataError, match=r"oof\.csv, line 5, column label: 7 is the number of no"):
        write_report(run)


def test_a_run_with_one_model_has_no_comparison(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    only = {"relu": summary["comparison"]["models"]["relu"]}
    summary["comparison"] |= {"models": only, "against": "relu"}
    summary["recommended"] = "relu"
    (run / "summary.json").write_text(json.dumps(summary))
    assert "really better" not in write_report(run).read_text(encoding="utf-8")


def test_a_forged_number_of_rows_gets_one_line(run: Path) -> None:
    environment = json.loads((run / "environment.json").read_text())
    environment["data"]["test_rows"] = 0
    (run / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(DataError, match="older version"):
        write_report(run)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("summary.json", None, "summary.json: cannot be read"),
        ("summary.json", "{", "summary.json: is not JSON"),
        ("summary.json", '{"recommended": "relu", "models": {}}', "older version"),
        ("oof.csv", None, "oof.csv: cannot be read"),
        ("metrics.csv", "model,repeat\nrelu,0\n", "metrics.csv: has no column fold"),
        ("history.csv", "", "history.csv: is not the CSV file that a run writes"),
        ("oof.csv", "PassengerId,label,repeat,fold\n1,0,0,0\n", "oof.csv: has no column"),
        ("settings.toml", None, "settings.toml"),
    ],
)
def test_a_broken_run_gets_one_line_and_keeps_its_report(
    run: Path, name: str, text: str | None, said: str
) -> None:
    before = page_of(run)
    (run / name).unlink() if text is None else (run / name).write_text(text)
    with pytest.raises(TitanicError) as refused:
        write_report(run)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert page_of(run) == before
