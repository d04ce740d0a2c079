"""Every fault on the way: its own sentence, its exit code, and nothing sent twice.

Code 2 is for the user to mend, 3 is Kaggle's or the network's.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from kaggle_server import (
    RULES_MESSAGE,
    Fault,
    KaggleServer,
    Reply,
    answers,
    as_json,
    fails,
    floods,
    loses_reply,
    resets,
    stays_silent,
)
from kaggle_user import LONG, User, asks_for_limits, no_secret_in

HTML = Reply(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
NOT_JSON = Reply(200, b"{'oops'", {"Content-Type": "application/json"})
DEEP = Reply(200, b"[" * 100_000, {"Content-Type": "application/json"})
ODD = as_json({"submissions": [{"ref": "many", "date": 7}, 3]})
NO_REF = as_json({"ref": {"a": 1}, "status": "COMPLETE"})
NO_PLACE = as_json({"token": "t", "createUrl": "file:///etc/passwd"})
STRANGE = as_json({"ref": 1001, "status": "QUARANTINED"})


@dataclass(frozen=True)
class Row:
    """A fault that ends the command: where it strikes, what is said, what is at Kaggle."""

    id: str
    call: str
    fault: Fault
    said: str
    code: int
    submissions: int = 0
    times: int = 20  # longer than anyone tries


LASTING = [
    Row("401", "ListSubmissions", fails(401, "Unauthenticated"), "does not accept the cred", 2),
    Row("403", "ListSubmissions", fails(403, RULES_MESSAGE), "titanic/rules, logged in", 2),
    Row("403-create", "CreateSubmission", fails(403, RULES_MESSAGE), "titanic/rules", 2),
    Row("404", "ListSubmissions", fails(404, "Not found"), "no competition 'titanic'", 2),
    Row("400", "CreateSubmission", fails(400, "Deadline passed"), "says: Deadline passed", 2),
    Row(
        "daily-limit",
        "CreateSubmission",
        fails(400, "Your team has used its daily Submission allowance (10) today"),
        "the daily limit of submissions is reached (Kaggle says: Your team",
        2,
    ),
    Row("429", "ListSubmissions", fails(429, Retry_After="900"), "try again in 900 s", 3),
    Row("429-create", "CreateSubmission", fails(429, Retry_After="900"), "again in 900 s", 3),
    Row("500", "ListSubmissions", fails(500, "Oops"), "status 500 (Kaggle says: Oops)", 3),
    Row("html", "ListSubmissions", answers(HTML), "Kaggle failed with status 502;", 3),
    Row("not-json", "ListSubmissions", answers(NOT_JSON), "something that is not JSON", 3),
    Row("teapot", "ListSubmissions", fails(418), "an unexpected status 418", 3),
    Row("reset", "ListSubmissions", resets, "was cut; try again", 3),
    Row("silence", "ListSubmissions", stays_silent, "does not answer", 3),
    Row("start-500", "StartSubmissionUpload", fails(500), "Kaggle failed with status 500", 3),
    Row("start-silent", "StartSubmissionUpload", stays_silent, "does not answer", 3),
    Row("upload-403", "upload", fails(403), "file storage answered 403", 3),
    Row("upload-503", "upload", fails(503), "file storage answered 503", 3),
    Row("upload-reset", "upload", resets, "was cut", 3),
    Row("upload-silent", "upload", stays_silent, "does not answer", 3),
    Row("create-500", "CreateSubmission", fails(500), "whether the submission arrived", 3),
    Row("create-html", "CreateSubmission", answers(HTML), "whether the submission arrived", 3),
    Row("create-no-ref", "CreateSubmission", answers(as_json({})), "named no submission", 3),
    Row(
        "create-failed",
        "CreateSubmission",
        answers(as_json({"message": "Could not submit to competition"})),
        "it says: Could not submit to competition",
        3,
    ),
    Row("create-silent", "CreateSubmission", stays_silent, "whether the submission arrived", 3),
    Row("endless", "ListSubmissions", floods, "Kaggle answered with over 8388608 bytes", 3),
    Row("deep", "ListSubmissions", answers(DEEP), "the kaggle client failed", 3),
    Row("odd-types", "ListSubmissions", answers(ODD), "the kaggle client failed", 3),
    Row("no-ref", "GetSubmission", answers(NO_REF), "the kaggle client failed", 3, submissions=1),
    Row("create-odd", "CreateSubmission", answers(as_json({"ref": "x"})), "is not known yet", 3),
    Row("create-endless", "CreateSubmission", floods, "is not known yet", 3),
    Row("upload-nowhere", "StartSubmissionUpload", answers(NO_PLACE), "the call to", 3),
    Row("poll-500", "GetSubmission", fails(500), "status 500", 3, submissions=1),
    Row("poll-silent", "GetSubmission", stays_silent, "does not answer", 3, submissions=1),
    Row("strange", "GetSubmission", answers(STRANGE), "'QUARANTINED', which", 3, submissions=1),
]


@pytest.mark.parametrize("row", LASTING, ids=lambda row: row.id)
def test_a_lasting_fault_is_one_sentence_and_the_next_try_mends_it(
    user: User, kaggle: KaggleServer, row: Row
) -> None:
    kaggle.inject(row.call, *[row.fault] * row.times)
    done = user.call("submit")
    assert row.said in done.err
    assert (done.code, len(done.err.splitlines())) == (row.code, 1)
    assert len(kaggle.submissions) == row.submissions
    no_secret_in(user, done.said)

    kaggle.heal()
    if user.ledger():
        user.let_pass(LONG)
    assert user.call("submit").code == 0
    assert len(kaggle.submissions) == 1
    assert [entry["status"] for entry in user.ledger()] == ["complete"]


PASSING: list[tuple[str, Fault]] = [
    ("ListSubmissions", fails(500)),
    ("ListSubmissions", fails(429, Retry_After="0.05")),
    ("ListSubmissions", resets),
    ("GetSubmissionLimits", fails(500)),  # can be done without
    ("StartSubmissionUpload", fails(503)),
    ("upload", fails(500)),
    ("upload", resets),
    ("CreateSubmission", fails(429)),
    ("CreateSubmission", loses_reply),  # found in the list
    ("GetSubmission", fails(500)),
    ("GetSubmission", answers(HTML)),
    ("GetSubmission", resets),
]


@pytest.mark.parametrize(("call", "fault"), PASSING)
def test_a_passing_fault_is_sat_out(
    user: User, kaggle: KaggleServer, call: str, fault: Fault
) -> None:
    kaggle.inject(call, fault)
    done = user.call("submit")
    assert (done.code, done.err) == (0, "")
    assert len(kaggle.submissions) == 1
    (entry,) = user.ledger()
    assert (entry["status"], entry["ref"]) == ("complete", "1001")


@pytest.mark.parametrize(
    "asked", ["soon", "-5", "nan", "Wed, 21 Oct 99999999999 07:28:00 GMT", "9e99"]
)
def test_a_retry_after_that_makes_no_sense_does_no_harm(
    user: User, kaggle: KaggleServer, asked: str
) -> None:
    kaggle.inject("ListSubmissions", fails(429, Retry_After=asked))
    done = user.call("submit")
    assert (done.code, len(done.err.splitlines())) in [(0, 0), (3, 1)]


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_waited_for(user: User, kaggle: KaggleServer, as_date: bool) -> None:
    # A date has whole seconds, so that one in 2 seconds is at least 1 second away.
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    kaggle.inject("ListSubmissions", fails(429, Retry_After=soon if as_date else "0.7"))
    start = time.monotonic()
    assert user.call("submit").code == 0
    assert time.monotonic() - start > 0.7


@asks_for_limits
def test_the_daily_limit_is_asked_for_before_anything_is_uploaded(
    user: User, kaggle: KaggleServer
) -> None:
    kaggle.limits = {"numToday": 10, "numTotal": 40, "numAllowedNow": 0}
    done = user.call("submit")
    assert (done.code, kaggle.uploads) == (2, {})
    assert "the daily limit of submissions is reached (10 today)" in done.err
    # Who is not in a team yet has nothing but zeros.
    kaggle.limits = {}
    assert user.call("submit").code == 0


def test_a_submission_that_kaggle_marks_as_an_error_shows_why(
    user: User, kaggle: KaggleServer
) -> None:
    kaggle.verdict = {"status": "ERROR", "errorDescription": "Row 7 is\nodd", "publicScore": ""}
    done = user.call("submit")
    assert (done.code, "could not score submission 1001: Row 7 is odd" in done.err) == (3, True)
    (entry,) = user.ledger()
    assert (entry["status"], entry["error"]) == ("error", "Row 7 is odd")
    # The same once more: the same answer, and nothing is sent.
    assert user.call("submit").err == done.err
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize("verdict", [{"status": "PENDING"}, {"publicScore": ""}])
def test_a_score_that_never_comes_is_waited_for_until_the_timeout(
    user: User, kaggle: KaggleServer, verdict: dict[str, str]
) -> None:
    kaggle.verdict = verdict
    done = user.call("submit", "--timeout", "0.5")
    assert (done.code, "no score within 0.5 s; submission 1001 is at Kaggle" in done.err) == (
        3,
        True,
    )
    # Pauses of 0.01, 0.015 … s: eight of them make 0.5 s, where even ones would make fifty.
    assert 4 < kaggle.calls.count("GetSubmission") < 15
    assert user.ledger()[0]["status"] == "pending"


def test_a_bad_token_shadows_a_good_key(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_expired")
    done = user.call("submit")
    assert done.code == 2
    assert "does not accept the credentials from KAGGLE_API_TOKEN" in done.err
    assert "it hides KAGGLE_USERNAME and KAGGLE_KEY" in done.err
    no_secret_in(user, done.said, besides=["KGAT_expired"])


NOWHERE = ".".join(["nowhere" * 8] * 5)  # longer than a name may be: no one else is asked for it


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://me:passw0rd@127.0.0.1:1", "the proxy 127.0.0.1:1 refuses the connection"),
        (f"http://{NOWHERE}:80", f"the name of the proxy {NOWHERE}:80 cannot be found (DNS)"),
        ("", "Kaggle refuses the connection"),  # nothing listens on localhost's port 80
    ],
)
def test_a_way_that_leads_nowhere(
    user: User, monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    done = user.call("submit")
    assert (done.code, said in done.err) == (3, True), done.err
    no_secret_in(user, done.said, besides=["passw0rd"])


def test_a_proxy_that_refuses_to_lead_to_kaggle(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Towards the real service the client asks the proxy for a tunnel, which this one refuses.
    monkeypatch.delenv("KAGGLE_API_ENVIRONMENT")
    done = user.call("submit")
    assert (done.code, "does not let the call through" in done.err) == (3, True)
    assert kaggle.foreign == ["api.kaggle.com:443"]
    kaggle.foreign.clear()


def test_a_pause_that_is_no_number_is_refused(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TITANIC_NN_PAUSE", "soon")
    assert "TITANIC_NN_PAUSE='soon': expected a positive" in user.call("submit").err
