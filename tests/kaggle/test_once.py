"""Exactly once: killed, cut off or doubled, a submission reaches Kaggle one time."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
from kaggle_server import Connection, Fault, KaggleServer, Reply, Stop, fails, loses_reply
from kaggle_user import LONG, User, asks_for_limits

from titanic_nn.kaggle.ledger import Ledger
from titanic_nn.kaggle.once import VISIBLE_AFTER, seconds_left

SCORE = "0.82057"


@pytest.fixture(autouse=True)
def patience(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here stays silent for longer than a busy machine does."""
    monkeypatch.setenv("TITANIC_NN_CALL_TIMEOUT", "20")
    user.environment["TITANIC_NN_CALL_TIMEOUT"] = "20"


def kill_at(user: User, kaggle: KaggleServer, call: str, stop: Stop) -> None:
    """Run `submit` in a process of its own, and SIGKILL it while Kaggle holds its `call`."""
    kaggle.inject(call, stop)
    temporary = user.folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    with user.start("submit", TMPDIR=str(temporary)) as process:
        reached = stop.reached.wait(30)
        process.kill()
        said = process.communicate()
    assert reached, said
    assert process.returncode != 0
    assert list(temporary.iterdir()) == []


def goes_after(stop: Stop) -> Fault:
    """Show a list without it, and only then get around to what was stopped."""

    def fault(connection: Connection, proceed: Callable[[], Reply]) -> None:
        connection.send(proceed())
        stop.go.set()

    return fault


STAGES = [
    ("ListSubmissions", "never"),
    pytest.param("GetSubmissionLimits", "never", marks=asks_for_limits),
    ("StartSubmissionUpload", "never"),
    ("StartSubmissionUpload", "before"),
    ("upload", "never"),
    ("upload", "before"),
    ("CreateSubmission", "never"),
    ("CreateSubmission", "before"),
    ("CreateSubmission", "late"),
    ("GetSubmission", "never"),
]


@pytest.mark.parametrize(("call", "done"), STAGES)
def test_killed_at_any_stage_the_next_submit_finishes_it(
    user: User, kaggle: KaggleServer, call: str, done: Literal["never", "late", "before"]
) -> None:
    stop = Stop(done)
    kill_at(user, kaggle, call, stop)
    # A row is there as soon as Kaggle may have it, and no earlier.
    may_be_there = call in ("CreateSubmission", "GetSubmission")
    assert [row["status"] for row in user.ledger()] == ["pending"] * may_be_there
    if (call, done) == ("CreateSubmission", "never"):
        user.let_pass(LONG)
    if done == "late":
        kaggle.inject("ListSubmissions", goes_after(stop))
    else:
        stop.go.set()
    again = user.call("submit")
    assert stop.over.wait(30)

    assert again.code == 0, again.err
    assert len(kaggle.submissions) == 1
    (row,) = user.ledger()
    assert (row["status"], row["public_score"], row["ref"]) == ("complete", SCORE, "1001")
    assert row["idempotency_key"] in kaggle.submissions[0]["description"]


def test_killed_before_it_reaches_kaggle_nothing_is_there(user: User, kaggle: KaggleServer) -> None:
    # Stopped by its own question, on a terminal that never answers.
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "titanic_nn.submit"],
        env=user.environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        while b"[y/N] " not in os.read(process.stdout.fileno(), 1000):
            pass
        process.kill()
    os.close(keyboard)
    os.close(terminal)
    assert (kaggle.calls, user.ledger()) == ([], [])
    assert user.call("submit").code == 0
    assert len(kaggle.submissions) == 1


def test_two_at_once_send_one(user: User, kaggle: KaggleServer) -> None:
    stop = Stop("never")
    kaggle.inject("StartSubmissionUpload", stop)
    with user.start("submit") as one:
        assert stop.reached.wait(30)
        with user.start("submit", PYTHONUNBUFFERED="1") as other:
            assert other.stdout is not None
            other.stdout.readline()  # it has checked its file, and is about to send it
            calls, end = len(kaggle.calls), time.monotonic() + 1
            while len(kaggle.calls) == calls and time.monotonic() < end:
                time.sleep(0.01)
            stop.go.set()
            ends = [process.communicate(timeout=60) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), ends
    assert len(kaggle.submissions) == 1
    assert [row["status"] for row in user.ledger()] == ["complete"]


@pytest.mark.parametrize("answer", [fails(500), loses_reply], ids=["unseen", "seen"])
def test_a_lost_reply_is_looked_up_before_anything_else(
    user: User, kaggle: KaggleServer, answer: Fault
) -> None:
    kaggle.inject("CreateSubmission", answer)
    first = user.call("submit")
    assert first.code == (0 if answer is loses_reply else 3)
    kaggle.calls.clear()
    user.let_pass(LONG)
    user.call("submit")
    assert kaggle.calls[:1] == ([] if answer is loses_reply else ["ListSubmissions"])
    assert len(kaggle.submissions) == 1


def test_resend_finishes_what_is_open_before_it_sends(user: User, kaggle: KaggleServer) -> None:
    stop = Stop("before")
    kill_at(user, kaggle, "CreateSubmission", stop)
    stop.go.set()
    assert user.call("submit", "--resend").code == 0
    assert len(kaggle.submissions) == 1
    assert user.call("submit", "--resend").code == 0
    assert len(kaggle.submissions) == 2
    assert [row["status"] for row in user.ledger()] == ["complete", "complete"]


def test_the_list_recognises_what_a_killed_process_sent(user: User, kaggle: KaggleServer) -> None:
    stop = Stop("before")
    kill_at(user, kaggle, "CreateSubmission", stop)
    stop.go.set()
    kaggle.polls_to_score = -1
    done = user.call("submit", "--list")
    assert (done.code, SCORE in done.out) == (0, True)
    assert [row["ref"] for row in user.ledger()] == ["1001"]


def test_interrupted_it_says_how_to_go_on(user: User, kaggle: KaggleServer) -> None:
    stop = Stop("never")
    kaggle.inject("GetSubmission", stop)
    with user.start("submit") as process:
        assert stop.reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    stop.go.set()
    assert process.returncode == 130
    assert err == "interrupted: the same command goes on from here\n"
    assert user.call("submit").code == 0
    assert len(kaggle.submissions) == 1


def test_a_message_that_quotes_another_files_key_is_not_taken_for_it(
    user: User, kaggle: KaggleServer
) -> None:
    user.call("submit")
    (row,) = user.ledger()
    quoting = f"better than [titanic_nn {row['idempotency_key']}]"
    assert user.call("submit", "--model", "linear", "--message", quoting).code == 0
    (user.folder / "submissions/ledger.csv").unlink()
    assert user.call("submit").code == 0
    assert [entry["ref"] for entry in user.ledger()] == ["1001"]


CUT_OFF = "The last try was cut off while Kaggle may have been creating the submission"


@pytest.mark.parametrize("command", [[], ["--resend"], ["--no-wait"]])
def test_what_kaggle_still_creates_is_waited_for(
    user: User, kaggle: KaggleServer, command: list[str]
) -> None:
    """Killed while Kaggle creates it, typed again at once, created much later: sent once."""
    stop = Stop("late")
    kill_at(user, kaggle, "CreateSubmission", stop)
    late = threading.Timer(1.0, stop.go.set)  # a dozen searches later
    late.start()
    done = user.call("submit", *command)
    late.join()
    assert (done.code, done.err) == (0, "")
    assert CUT_OFF in done.out
    assert stop.over.wait(30)
    assert [one["ref"] for one in kaggle.submissions] == [1001]
    assert [row["ref"] for row in user.ledger()] == ["1001"]


def test_what_never_arrived_is_sent_when_it_can_no_longer_arrive(
    user: User, kaggle: KaggleServer
) -> None:
    kill_at(user, kaggle, "CreateSubmission", stop := Stop("never"))
    stop.go.set()
    user.let_pass(VISIBLE_AFTER - 2)
    start = time.monotonic()
    done = user.call("submit")
    assert 0.3 < time.monotonic() - start < 20
    assert (done.code, CUT_OFF in done.out) == (0, True)
    assert "before it is sent again (--now: at once)" in done.out
    assert len(kaggle.submissions) == 1
    assert [row["status"] for row in user.ledger()] == ["complete"]


def test_the_wait_is_shown_and_can_be_interrupted(user: User, kaggle: KaggleServer) -> None:
    kill_at(user, kaggle, "CreateSubmission", stop := Stop("never"))
    before = user.ledger()
    searched = Stop("before")
    kaggle.inject("ListSubmissions", searched)
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "titanic_nn.submit"],
        env={**user.environment, "TITANIC_NN_PAUSE": "0.3", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
    ) as process:
        shown = b""
        while b"searching for what the last try may have sent" not in shown:
            searched.go.set()
            shown += os.read(screen, 1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        while b"the same command goes on from here" not in shown:
            shown += os.read(screen, 1000)
    stop.go.set()
    os.close(screen)
    os.close(terminal)
    assert (process.returncode, CUT_OFF.encode() in out) == (130, True)
    assert user.ledger() == before
    assert kaggle.submissions == []


def test_now_sends_at_once_and_says_what_that_may_do(user: User, kaggle: KaggleServer) -> None:
    kill_at(user, kaggle, "CreateSubmission", stop := Stop("late"))
    (before,) = user.ledger()
    # As long as nothing was sent since, the first try is remembered.
    kaggle.inject("upload", fails(403))
    assert user.call("submit", "--now").code == 3
    assert user.ledger() == [before]
    done = user.call("submit", "--now")
    assert (done.code, "with --now it may be there twice" in done.out) == (0, True)
    assert [row["ref"] for row in user.ledger()] == ["1001"]
    stop.go.set()
    assert stop.over.wait(30)
    assert len(kaggle.submissions) == 2  # as it said
    # What is there is found, with --now too.
    user.submission.parent.joinpath("ledger.csv").unlink()
    assert user.call("submit", "--now").code == 0
    assert len(kaggle.submissions) == 2


def test_two_that_wait_for_the_same_send_one(user: User, kaggle: KaggleServer) -> None:
    kill_at(user, kaggle, "CreateSubmission", stop := Stop("never"))
    stop.go.set()
    user.let_pass(VISIBLE_AFTER - 4)
    with user.start("submit") as one, user.start("submit") as other:
        ends = [process.communicate(timeout=60) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), ends
    assert len(kaggle.submissions) == 1
    assert [row["status"] for row in user.ledger()] == ["complete"]


def test_another_file_can_be_sent_while_one_waits(user: User, kaggle: KaggleServer) -> None:
    kill_at(user, kaggle, "CreateSubmission", Stop("never"))
    with user.start("submit", PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        while CUT_OFF not in process.stdout.readline():
            pass
        assert user.call("submit", "--model", "linear").code == 0
        assert process.poll() is None
        process.kill()
    assert [row["status"] for row in user.ledger()] == ["pending", "complete"]


def test_a_clock_that_was_set_back_or_a_time_edited_by_hand_is_a_whole_wait(
    user: User, kaggle: KaggleServer
) -> None:
    kill_at(user, kaggle, "CreateSubmission", Stop("never"))
    (entry,) = Ledger().entries()
    assert VISIBLE_AFTER - 30 < seconds_left(entry) <= VISIBLE_AFTER
    user.let_pass(-86_400)
    (future,) = Ledger().entries()
    for other in (future, replace(entry, time="yesterday"), replace(entry, time="")):
        assert seconds_left(other) == VISIBLE_AFTER
    user.let_pass(2 * 86_400)
    (past,) = Ledger().entries()
    assert seconds_left(past) == 0
