"""Exactly once: killed, cut off or doubled, a submission reaches Kaggle one time."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Literal

import pytest
from kaggle_server import Connection, Fault, KaggleServer, Reply, Stop, fails, loses_reply
from kaggle_user import User

SCORE = "0.82057"


def kill_at(user: User, kaggle: KaggleServer, call: str, stop: Stop) -> None:
    """Run `submit` in a process of its own, and SIGKILL it while Kaggle holds its `call`."""
    kaggle.inject(call, stop)
    with user.start("submit") as process:
        reached = stop.reached.wait(30)
        process.kill()
        said = process.communicate()
    assert reached, said
    assert process.returncode != 0


def goes_after(stop: Stop) -> Fault:
    """Show a list without it, and only then get around to what was stopped."""

    def fault(connection: Connection, proceed: Callable[[], Reply]) -> None:
        connection.send(proceed())
        stop.go.set()

    return fault


STAGES: list[tuple[str, Literal["never", "late", "before"]]] = [
    ("ListSubmissions", "never"),
    ("GetSubmissionLimits", "never"),
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
    # Whatever the ledger says, it can be read; before the creation it says "pending".
    if call == "CreateSubmission":
        assert [row["status"] for row in user.ledger()] == ["pending"]
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
    with user.start("submit", TITANIC_NN_CALL_TIMEOUT="20") as one:
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
    with user.start("submit", TITANIC_NN_CALL_TIMEOUT="20") as process:
        assert stop.reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    stop.go.set()
    assert process.returncode == 130
    assert err == "interrupted: the same command goes on from here\n"
    assert user.call("submit").code == 0
    assert len(kaggle.submissions) == 1
