"""`submit`, as its user sees it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from kaggle_server import KEY, TOKEN, USERNAME, KaggleServer, fails
from kaggle_user import KaggleTables, User, write_run, write_tables

SCORE = "0.82057"  # of the sex rule: 343 of 418 are right, 0.820574…, cut to five digits


def test_the_newest_run_is_sent_and_its_score_recorded(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    done = user.call("submit")
    assert done.code == 0, done.err
    # 1.96 * sqrt(0.82057 * 0.17943 / 418) = 0.0368
    assert f"Submission 1001: public score {SCORE} ± 0.037 (95 %, 418 passengers)" in done.out
    assert "above the top 5 % (0.797)" in done.out
    (sent,) = kaggle.submissions
    message = "relu: cross-validated log loss 0.41234, accuracy 0.83000, commit c0ffeec0ffee"
    assert sent["description"].endswith(message)
    assert [*kaggle.uploads.values()] == [tables.sex_rule]

    (row,) = user.ledger()
    assert row["status"] == "complete"
    assert row["public_score"] == SCORE
    assert row["ref"] == "1001"
    assert row["idempotency_key"] in sent["description"]
    assert (row["run"], row["model"]) == ("a-run", "relu")
    assert (row["cv_log_loss"], row["cv_accuracy"]) == ("0.41234", "0.83000")
    assert (row["competition"], row["error"]) == ("titanic", "")


# Of an accuracy of 0.83: between 0.787, which lost 0.021, and 0.854, which lost 0.057.
FORECAST = 0.83 - (0.021 + (0.83 - 0.787) / (0.854 - 0.787) * (0.057 - 0.021))


def test_a_forecast_is_shown_before_it_is_sent_and_compared_after(
    user: User, kaggle: KaggleServer
) -> None:
    expected = f"Expect a public score of about {FORECAST:.3f}, not the cross-validated 0.830"
    assert expected in user.call("submit", "--dry-run").out
    done = user.call("submit")
    assert done.out.index(expected) < done.out.index("Submission 1001")
    assert "from 2 results known by cross-validation and on the board" in done.out
    assert done.out.endswith(
        f"The forecast from the cross-validated 0.830 was {FORECAST:.3f} ± 0.039: the score is "
        "within it.\n"
    )
    assert "the score is within it." in user.call("submit").out  # it was sent already


def test_nothing_is_forecast_for_a_file_of_no_run_or_of_a_bundled_one(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    Path("mine.csv").write_bytes(tables.sex_rule.replace(b",1\n", b",0\n", 1))
    done = user.call("submit", "--file", "mine.csv")
    assert done.code == 0
    assert "orecast" not in done.said
    bundled = tables.sex_rule.decode().replace("\n1", "\n").replace("\n0", "\n")
    write_run(user.folder / "runs", "a-bundled", "bundled", b"", bundled.encode())
    assert "orecast" not in user.call("submit", "a-bundled", "--dry-run").said


def test_a_file_already_sent_says_so_with_its_score_and_without_the_network(
    user: User, kaggle: KaggleServer
) -> None:
    user.call("submit")
    kaggle.calls.clear()
    done = user.call("submit")
    assert done.code == 0
    assert "was sent already; --resend sends it again" in done.out
    assert SCORE in done.out
    assert kaggle.calls == []


def test_resend_sends_a_second_one_under_its_own_key(user: User, kaggle: KaggleServer) -> None:
    user.call("submit")
    assert user.call("submit", "--resend").code == 0
    first, second = (row["idempotency_key"] for row in user.ledger())
    assert first.removesuffix("1") == second.removesuffix("2")
    assert len(kaggle.submissions) == 2


def test_a_lost_ledger_does_not_send_twice(user: User, kaggle: KaggleServer) -> None:
    user.call("submit")
    (user.folder / "submissions/ledger.csv").unlink()
    # 25 others since then: it stands on the second page of Kaggle's list.
    for ref in range(1002, 1027):
        kaggle.submissions.append(kaggle.submissions[0] | {"ref": ref, "description": "another"})
    kaggle.calls.clear()
    assert user.call("submit").code == 0
    assert kaggle.calls == ["ListSubmissions", "ListSubmissions", "GetSubmission"]
    assert [row["ref"] for row in user.ledger()] == ["1001"]


def test_the_message_the_model_and_the_run_can_be_chosen(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    write_run(user.folder / "runs", "newer", "downloaded", tables.test, tables.sex_rule)
    done = user.call("submit", "a-run", "--model", "linear", "--message", "two\nlines")
    assert done.code == 0
    assert kaggle.submissions[0]["description"].endswith("] two lines")
    assert user.ledger()[0]["file"] == "submissions/a-run-linear.csv"
    assert [*kaggle.uploads.values()] == [Path("submissions/a-run-linear.csv").read_bytes()]


def test_a_file_of_no_run_can_be_sent(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    Path("mine.csv").write_bytes(tables.sex_rule.replace(b",1\n", b",0\n", 1))
    assert user.call("submit", "--file", "mine.csv").code == 0
    assert kaggle.submissions[0]["description"].endswith("] mine.csv")
    assert user.ledger()[0]["run"] == ""


def test_no_wait_leaves_it_to_the_list(user: User, kaggle: KaggleServer) -> None:
    done = user.call("submit", "--no-wait")
    assert (done.code, "Sent as submission 1001" in done.out) == (0, True)
    assert "GetSubmission" not in kaggle.calls
    assert user.ledger()[0]["status"] == "pending"

    kaggle.polls_to_score = 0
    done = user.call("submit", "--list")
    assert (done.code, SCORE in done.out, "complete" in done.out) == (0, True, True)
    assert user.ledger()[0]["public_score"] == SCORE


def test_the_list_is_printed_without_credentials_and_without_kaggle(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing was sent yet" in user.call("submit", "--list").out
    user.call("submit", "--no-wait")
    kaggle.inject("GetSubmission", fails(403))
    done = user.call("submit", "--list")
    assert (done.code, "pending" in done.out) == (2, True)
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    done = user.call("submit", "--list")
    assert (done.code, done.err, "pending" in done.out) == (0, "", True)


def test_a_dry_run_checks_and_shows_and_stays_off_the_network(
    newcomer: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    write_tables(newcomer.folder / "data/kaggle/titanic", tables)
    write_run(newcomer.folder / "runs", "a-run", "downloaded", tables.test, tables.sex_rule)
    done = newcomer.call("submit", "--dry-run")
    assert done.code == 0
    assert "418 passengers" in done.out
    assert "nothing was sent" in done.out
    assert (kaggle.calls, newcomer.ledger()) == ([], [])


@pytest.mark.parametrize("bad", [b"", b"PassengerId,Survived\n10892,1.0\n"])
def test_a_bad_file_is_refused_before_anyone_is_asked(
    user: User, kaggle: KaggleServer, bad: bytes
) -> None:
    Path("bad.csv").write_bytes(bad)
    done = user.call("submit", "--file", "bad.csv")
    assert (done.code, "bad.csv" in done.err) == (2, True)
    assert (kaggle.calls, user.ledger()) == ([], [])


def test_a_bundled_run_gets_its_offline_score_and_is_refused(
    newcomer: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    bundled = tables.sex_rule.decode().replace("\n1", "\n").replace("\n0", "\n")
    write_run(newcomer.folder / "runs", "a-bundled", "bundled", b"", bundled.encode())
    done = newcomer.call("submit")
    assert done.code == 2
    assert "Offline score 0.82057 on the bundled table: not Kaggle's" in done.out
    assert "was made from the bundled table" in done.err
    assert "python -m titanic_nn download" in done.err
    # How to get a token: three lines.
    assert [line[:5] for line in done.out.splitlines()[-3:]] == ["  1. ", "  2. ", "  3. "]
    # A copy under another name is known by its contents, even if the run is gone.
    Path("copy.csv").write_bytes(bundled.encode())
    Path("runs/a-bundled/summary.json").unlink()
    done = newcomer.call("submit", "--file", "copy.csv")
    assert "copy.csv: was made from the bundled table" in done.err
    assert kaggle.calls == []


def test_a_run_on_other_tables_is_refused(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    write_run(user.folder / "runs", "other", "given", b"another test.csv", tables.sex_rule)
    done = user.call("submit", "other")
    assert (done.code, kaggle.calls) == (2, [])
    assert "was made from another test.csv than the one in data/kaggle/titanic" in done.err


def test_without_tables_it_says_how_to_get_them(user: User, kaggle: KaggleServer) -> None:
    Path("data/kaggle/titanic/train.csv").unlink()
    Path("data/kaggle/titanic/test.csv").unlink()
    done = user.call("submit")
    assert (done.code, kaggle.calls) == (2, [])
    assert done.err == (
        "error: data/kaggle/titanic: has no tables of titanic to check against; "
        "get them with `python -m titanic_nn download --competition titanic`\n"
    )


def test_without_credentials_the_file_is_checked_and_three_lines_help(
    user: User, kaggle: KaggleServer, tables: KaggleTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    done = user.call("submit")
    assert (done.code, kaggle.calls, user.ledger()) == (2, [], [])
    predicted = tables.sex_rule.count(b",1\n")
    assert f"418 passengers, {predicted} predicted as survived" in done.out
    first, *steps = done.err.splitlines()
    assert first.startswith("error: no credentials for Kaggle were found")
    assert len(steps) == 3
    for way in (
        "https://www.kaggle.com/settings/api",
        "KAGGLE_API_TOKEN",
        "~/.kaggle/access_token",
        "KAGGLE_USERNAME and KAGGLE_KEY",
        "kaggle.json",
        "kaggle auth login",
        "https://www.kaggle.com/competitions/titanic/rules",
    ):
        assert way in done.err
    assert user.call("submit", "--yes").code == 2


@pytest.mark.parametrize(("answer", "sent"), [("n", 0), ("", 0), ("y", 1)])
def test_it_asks_on_a_terminal(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch, answer: str, sent: int
) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        done = user.call("submit")
    os.close(keyboard)
    assert (done.code, len(kaggle.submissions)) == (0, sent)
    assert ("Nothing was sent" in done.out) == (not sent)


def test_a_spinner_shows_the_state_on_a_terminal(user: User, kaggle: KaggleServer) -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "titanic_nn.submit"]
    slower = {**user.environment, "TITANIC_NN_PAUSE": "0.2", "TERM": "xterm"}
    with subprocess.Popen(
        command, env=slower, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert b"Kaggle: submission 1001 is pending" in os.read(screen, 100_000)
    os.close(screen)
    assert SCORE in out.decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--competition", "../etc"], "'../etc' is not known here; choose from titanic"),
        (["nowhere"], "run nowhere: no such folder"),
        (["submissions/a-run-relu.csv"], "is a file, not a run: use --file submissions/a-run-"),
        (["--model", "oracle"], "a-run has no such model; choose from relu, linear"),
        (["--file", "nowhere.csv"], "nowhere.csv: cannot be read as a file"),
        (["a-run", "--file", "x.csv"], "not both"),
        (["--model", "relu", "--file", "x.csv"], "not both"),
        (["--timeout", "0"], "expected a positive number of seconds"),
        (["--timeout", "nan"], "expected a positive number of seconds"),
    ],
)
def test_a_slip_at_the_keyboard_is_one_line(
    user: User, kaggle: KaggleServer, arguments: list[str], message: str
) -> None:
    done = user.call("submit", *arguments)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err
    assert kaggle.calls == []


def test_without_a_run_it_says_how_to_make_one(newcomer: User) -> None:
    assert "make one with `python -m titanic_nn.train`" in newcomer.call("submit").err


def test_two_runs_with_one_name_each_send_their_own(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    other = tables.sex_rule.replace(b",1\n", b",0\n", 1)
    write_run(user.folder / "elsewhere", "a-run", "downloaded", tables.test, other)
    assert user.call("submit", "elsewhere/a-run").code == 0
    assert user.call("submit", "runs/a-run").code == 0
    assert [*kaggle.uploads.values()] == [other, tables.sex_rule]
    files = [row["file"] for row in user.ledger()]
    assert files == ["submissions/a-run-2-relu.csv", "submissions/a-run-relu.csv"]


def test_a_copy_is_known_by_its_contents(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    Path("copy.csv").write_bytes(tables.sex_rule)
    assert user.call("submit", "--file", "copy.csv").code == 0
    assert "relu: cross-validated log loss" in kaggle.submissions[0]["description"]
    assert (user.ledger()[0]["run"], user.ledger()[0]["file"]) == ("a-run", "copy.csv")


def test_a_file_that_was_changed_is_an_unknown_one(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    changed = tables.sex_rule.replace(b",1\n", b",0\n", 1)
    user.submission.write_bytes(changed)
    done = user.call("submit", "--file", str(user.submission))
    assert "a-run-relu.csv: was changed after it was written; nothing is known" in done.out
    assert (done.code, user.ledger()[0]["run"]) == (0, "")
    assert kaggle.submissions[0]["description"].endswith("] a-run-relu.csv")
    # The run's own submission is written anew, under another name.
    assert user.call("submit", "a-run").code == 0
    assert [*kaggle.uploads.values()] == [changed, tables.sex_rule]
    assert user.ledger()[1]["file"] == "submissions/a-run-2-relu.csv"


def test_a_run_that_was_not_finished_is_not_sent(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    other = tables.sex_rule.replace(b",1\n", b",0\n", 1)
    run = write_run(user.folder / "runs", "half", "downloaded", tables.test, other)
    run.rename(run.with_name(".half.x1y2"))
    done = user.call("submit", ".half.x1y2")
    assert (done.code, "is hidden, so it was not finished" in done.err) == (2, True)
    assert user.call("submit").code == 0
    assert [*kaggle.uploads.values()] == [tables.sex_rule]


def test_it_answers_without_torch(user: User) -> None:
    user.call("submit")
    code = (
        "import sys; from titanic_nn.submit import main\n"
        "main([])\n"
        "print({'torch', 'kaggle', 'sklearn'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=user.environment, capture_output=True, text=True
    ).stdout.splitlines()[-1]
    assert told == "set()"


def test_an_open_kaggle_json_is_named_with_the_command_that_corrects_it(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    path = Path(os.environ["KAGGLE_CONFIG_DIR"]) / "kaggle.json"
    path.parent.mkdir()
    path.write_text(f'{{"username": "{USERNAME}", "key": "{KEY}"}}')
    path.chmod(0o644)
    done = user.call("submit")
    assert done.code == 0, done.err
    assert f"chmod 600 {path}" in done.err
    path.chmod(0o600)
    assert user.call("submit", "--resend").err == ""


def test_a_token_and_an_oauth_login_are_used(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    login = Path.home() / ".kaggle/credentials.json"
    login.parent.mkdir()
    login.write_text('{"refresh_token": "refresh-me"}')
    login.chmod(0o600)
    assert user.call("submit").code == 0
    assert "GenerateAccessToken" in kaggle.calls
    login.write_text('{"refresh_token": "stale"}')
    done = user.call("submit", "--resend")
    assert (done.code, "is no longer valid: run `kaggle auth login`" in done.err) == (2, True)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert user.call("submit", "--resend").code == 0


def test_the_ledger_reads_in_a_notebook(user: User) -> None:
    user.call("submit")
    table = pd.read_csv("submissions/ledger.csv")
    assert table["public_score"].tolist() == [0.82057]
    assert table["cv_log_loss"].dtype == float
