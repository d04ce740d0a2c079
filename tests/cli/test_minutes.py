"""`train --minutes` as a user types it: repeats and seeds that fit into a time."""

import time
from pathlib import Path

import pytest
from frogs import FROGS, register, write_frogs
from refusals import refused

from titanic_nn.analysis.time_budget import fit_to_budget
from titanic_nn.cli.train import main
from titanic_nn.config import Config

WORDS = ["--competition", FROGS.slug, "--data", "frogs", "--models", "linear"]
SMALL = ["--folds", "3", "--inner-folds", "0"]


@pytest.fixture(autouse=True)
def _with_frogs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    register(monkeypatch)
    write_frogs(Path("frogs"))


def settings(run: str) -> Config:
    return Config.from_toml(Path(run) / "settings.toml")


def test_it_chooses_repeats_and_seeds_says_so_and_the_settings_repeat_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = time.monotonic()
    main([*WORDS, *SMALL, "--minutes", "0.15", "--out", "timed"])
    assert time.monotonic() - start < 60  # of 9 seconds, on a machine that does much else
    chosen = settings("timed")
    assert (chosen.repeats, chosen.n_seeds) > (1, 1)
    shown = capsys.readouterr().out
    assert f"repeats = {chosen.repeats} and n_seeds = {chosen.n_seeds}, an estimated" in shown
    repeats = "repeat" if chosen.repeats == 1 else "repeats"  # one on a slow machine
    assert f"3 folds x {chosen.repeats} {repeats}, {chosen.n_seeds} nets" in shown
    main(["--data", "frogs", "--config", "timed/settings.toml", "--quiet", "--out", "again"])
    for name in ("settings.toml", "metrics.csv", "oof.csv", "test_predictions.csv"):
        assert Path("again", name).read_bytes() == Path("timed", name).read_bytes()


def test_what_is_given_is_kept_and_the_rest_grows_in_proportion() -> None:
    tables = FROGS.load(Path("frogs"))
    config = FROGS.config(models=["linear"], folds=3, inner_folds=0, repeats=2, n_seeds=4)
    both, seconds = fit_to_budget(tables, config, 60)
    assert 10 < seconds < 60
    assert both.n_seeds / both.repeats == pytest.approx(2, rel=0.2)
    repeats, _ = fit_to_budget(tables, config, 60, free=["repeats"])
    assert (repeats.n_seeds, repeats.folds) == (4, 3)
    assert repeats.repeats > both.repeats
    seeds, _ = fit_to_budget(tables, config, 60, free=["n_seeds"])
    assert seeds.repeats == 2
    assert seeds.n_seeds > both.n_seeds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minutes", "0"], "--minutes 0: choose more than 0, at most 1440"),
        (["--minutes", "nan"], "--minutes nan: choose more than 0"),
        (["--minutes", "2000"], "--minutes 2000: choose more than 0"),
        (["--minutes", "1", "--repeats", "1", "--n-seeds", "1"], "leave out --repeats, --n-seeds"),
        (["--minutes", "0.0001"], "the time is over before a small run could be timed"),
        (["--minutes", "0.5", "--n-seeds", "100000"], "the smallest run, repeats = 1 and n_seeds"),
        (["--minutes", "9", "--n-seeds", "1000000000"], "would take at least"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main, [*WORDS, *words], said, capsys)
    assert [path.name for path in Path().iterdir()] == ["frogs"]
