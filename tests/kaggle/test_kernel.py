"""`kernel`: pushed exactly once by the real client, followed, and its run brought home."""

import json
import threading
import zipfile
from base64 import b64decode
from pathlib import Path
from typing import Any, Literal

import kaggle_server as server
import pytest
from kaggle_kernels import RUN, KaggleWithKernels, described, key_in, log_of
from kaggle_server import KEY, SIGNATURE, TOKEN, USERNAME, Fault, Stop, fails
from kaggle_user import (
    KaggleTables,
    User,
    give_key,
    let_pass,
    no_secret_in,
    read_ledger,
    write_run_only,
)

from titanic_nn.kaggle.once import VISIBLE_AFTER

NAME, HOME = "ada/titanic-nets", "runs/titanic-nets-v1"
LEDGER = "kernels/ledger.csv"


@pytest.fixture
def kaggle(tables: KaggleTables, tmp_path: Path) -> KaggleWithKernels:
    kaggle = KaggleWithKernels(tables.archive, tables.answers)
    run = write_run_only(tmp_path, "a-run", "kaggle-notebook", tables.test, tables.sex_rule)
    (run / "models/relu").mkdir(parents=True)
    (run / "models/relu/model.json").write_text("{}")
    for path in run.rglob("*"):
        if path.is_file():
            kaggle.run_files[f"{RUN}/{path.relative_to(run).as_posix()}"] = path.read_bytes()
    kaggle.run_files["submission.csv"] = tables.sex_rule
    return kaggle


@pytest.fixture
def user(newcomer: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a key, and nothing else."""
    give_key(newcomer, monkeypatch)
    return newcomer


def ledger(user: User) -> list[dict[str, str]]:
    return read_ledger(user.folder, LEDGER)


def test_pushed_followed_and_brought_home(user: User, kaggle: KaggleWithKernels) -> None:
    kaggle.page = 2
    done = user.call("kernel", "push")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "Pushed:  ada/titanic-nets version 1 (cpu), https://www.kaggle.com/code/ada/titanic-nets\n"
        f"The run: {HOME}, from ada/titanic-nets version 1; recommended: relu\n"
        f"Next: titanic-nn report {HOME}, or titanic-nn submit {HOME}\n"
    )
    left = {name: c for name, c in kaggle.run_files.items() if name.startswith(RUN)}
    brought = {
        f"{RUN}/{path.relative_to(HOME).as_posix()}": path.read_bytes()
        for path in Path(HOME).rglob("*")
        if path.is_file()
    }
    assert brought == left
    (row,) = ledger(user)
    assert (row["version"], row["status"], row["run"]) == ("1", "complete", HOME)
    assert not list(user.folder.rglob(".titanic_nn-*"))
    no_secret_in(user, done.said, json.dumps(kaggle.pushed))

    calls = len(kaggle.calls)
    again = user.call("kernel", "push")
    assert (again.code, len(kaggle.pushed)) == (0, 1)
    assert "is this push already; --again pushes it again" in again.out
    assert f"its run is here already, {HOME}" in again.out
    assert len(kaggle.calls) == calls  # a key names its owner, so Kaggle need not be asked


def test_what_is_pushed(user: User, kaggle: KaggleWithKernels, tmp_path: Path) -> None:
    words = ["--models", "linear", "--minutes", "3", "--yes", "--dataset", "bob/wheels"]
    done = user.call("kernel", "push", "--gpu", "--no-internet", "--no-wait", *words)
    assert done.code == 0, done.err
    (asked,) = kaggle.pushed
    text = asked.pop("text")
    assert asked == {
        "slug": NAME,
        "newTitle": "Titanic nets",
        "language": "python",
        "kernelType": "notebook",
        "isPrivate": True,
        "enableGpu": True,
        "enableTpu": False,
        "enableInternet": False,
        "machineShape": "NvidiaTeslaT4",
        "competitionDataSources": ["titanic"],
        "datasetDataSources": ["bob/wheels"],
        "dockerImagePinningType": "original",
    }
    sources = [cell["source"] for cell in json.loads(text)["cells"]]
    for source, cell in zip(sources, json.loads(text)["cells"], strict=True):
        if cell["cell_type"] == "code":
            compile(source.replace("%matplotlib inline", ""), "a cell", "exec")
    (training,) = [source for source in sources if source.startswith("train(")]
    assert '*["--yes", "--minutes", "3"]'.replace('"', "'") in training
    (install,) = [source for source in sources if "b64decode" in source]
    wheel = tmp_path / "titanic_nn.whl"
    wheel.write_bytes(b64decode(install.split('"""')[1]))
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "titanic_nn/report/page.html" in names
    assert "titanic_nn/competitions/titanic/params/relu.toml" in names
    assert not [name for name in names if name.endswith((".csv", ".pyc"))]
    assert len(text) < 700_000
    # Without a GPU, none is asked for.
    assert user.call("kernel", "push", "--no-wait", "--name", "other-one").code == 0
    assert kaggle.pushed[1]["enableGpu"] is False
    assert "machineShape" not in kaggle.pushed[1]
    assert kaggle.pushed[1]["enableInternet"] is True


def test_a_token_does_for_a_key(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert user.call("kernel", "push", "--no-wait").code == 0
    assert [row["kernel"] for row in ledger(user)] == [NAME]
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_another")
    done = user.call("kernel", "push", "--no-wait")
    assert (done.code, "Kaggle does not" in done.err) == (2, True)


def test_a_notebook_of_ones_own_is_pushed_without_its_outputs(
    user: User, kaggle: KaggleWithKernels
) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Mine\n", "and yours"]},
        {"cell_type": "code", "metadata": {}, "source": ["1 +\\\n", " 1"], "outputs": [{"a": KEY}]},
    ]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    Path("mine.ipynb").write_text(json.dumps(document))
    done = user.call("kernel", "push", "--notebook", "mine.ipynb")
    assert done.code == 0, done.err
    (asked,) = kaggle.pushed
    first, install, mine, leave = (cell["source"] for cell in json.loads(asked["text"])["cells"])
    assert (first, mine) == ("# Mine\nand yours", "1 +\\\n 1")
    assert ("b64decode" in install, "leave(" in leave) == (True, True)
    assert KEY not in asked["text"]


def test_the_published_notebook_is_pushed_as_it_is(user: User, kaggle: KaggleWithKernels) -> None:
    published = Path(__file__).parents[2] / "notebooks/kaggle_titanic.ipynb"
    done = user.call("kernel", "push", "--notebook", str(published), "--name", "titanic-honestly")
    assert done.code == 0, done.err
    pushed = [cell["source"] for cell in json.loads(kaggle.pushed[0]["text"])["cells"]]
    cells = json.loads(published.read_text(encoding="utf-8"))["cells"]
    assert [pushed[0], *pushed[2:-1]] == ["".join(cell["source"]) for cell in cells]
    assert Path("runs/titanic-honestly-v1").is_dir()


def test_a_dry_run_writes_the_folder_and_calls_nobody(
    user: User, kaggle: KaggleWithKernels
) -> None:
    done = user.call("kernel", "push", "--dry-run", "--gpu", "--quiet")
    assert (done.code, done.said, kaggle.calls, ledger(user)) == (0, "", [], [])
    metadata = json.loads(Path("kernels/titanic-nets/kernel-metadata.json").read_text())
    assert metadata["machine_shape"] == "NvidiaTeslaT4"
    assert Path("kernels/titanic-nets/notebook.ipynb").is_file()


STAGES: list[tuple[str, Literal["never", "late", "before"]]] = [
    ("SaveKernel", "never"),
    ("SaveKernel", "before"),
    ("storage", "never"),
]


@pytest.mark.parametrize(("call", "done"), STAGES)
def test_killed_at_any_stage_the_next_push_finishes_it(
    user: User, kaggle: KaggleWithKernels, call: str, done: Literal["never", "late", "before"]
) -> None:
    stop = Stop(done)
    kaggle.inject(call, stop)
    with user.start("kernel", "push", TITANIC_NN_CALL_TIMEOUT="20") as process:
        reached = stop.reached.wait(30)
        process.kill()
        said = process.communicate()
    assert reached, said
    assert len(ledger(user)) == 1
    if (call, done) == ("SaveKernel", "never"):
        let_pass(user.folder, 2 * VISIBLE_AFTER, LEDGER)
    stop.go.set()
    assert stop.over.wait(30)
    again = user.call("kernel", "push")
    assert again.code == 0, again.err
    assert len(kaggle.pushed) == 1
    (row,) = ledger(user)
    assert (row["status"], row["version"], row["run"]) == ("complete", "1", HOME)
    assert key_in(kaggle.pushed[0]["text"]) == row["idempotency_key"]
    assert not list(user.folder.rglob(".titanic_nn-*"))


def test_what_kaggle_still_makes_is_waited_for(user: User, kaggle: KaggleWithKernels) -> None:
    stop = Stop("late")
    kaggle.inject("SaveKernel", stop)
    with user.start("kernel", "push", TITANIC_NN_CALL_TIMEOUT="20") as process:
        assert stop.reached.wait(30)
        process.kill()
        process.communicate()
    late = threading.Timer(0.5, stop.go.set)
    late.start()
    # Neither this push nor another one of the kernel may overtake it.
    done = user.call("kernel", "push", "--models", "linear", "--no-wait")
    late.join()
    assert (done.code, done.err) == (0, "")
    assert "The last push was cut off" in done.out
    assert [row["version"] for row in ledger(user)] == ["1", "2"]
    assert len(kaggle.pushed) == 2


@pytest.mark.parametrize(
    "fault",
    [server.loses_reply, server.fails_late, server.garbles],
    ids=["lost", "said to fail", "garbage"],
)
def test_a_lost_reply_is_looked_up(user: User, kaggle: KaggleWithKernels, fault: Fault) -> None:
    kaggle.inject("SaveKernel", fault)
    assert user.call("kernel", "push").code == 0
    assert len(kaggle.pushed) == 1


def test_the_ledger_lost_the_newest_version_tells(user: User, kaggle: KaggleWithKernels) -> None:
    assert user.call("kernel", "push", "--no-wait").code == 0
    Path(LEDGER).unlink()
    assert user.call("kernel", "push", "--no-wait").code == 0
    assert [row["version"] for row in ledger(user)] == ["1"]
    assert user.call("kernel", "push", "--no-wait", "--again").code == 0
    assert [row["version"] for row in ledger(user)] == ["1", "2"]
    assert len(kaggle.pushed) == 2


def test_a_kernel_that_was_not_pushed_from_here_is_left_alone(
    user: User, kaggle: KaggleWithKernels
) -> None:
    kaggle.kernels["titanic-nets"] = [{"text": '{"cells": []}'}]
    done = user.call("kernel", "push")
    assert (done.code, len(kaggle.pushed)) == (2, 1)
    assert "ada/titanic-nets is at Kaggle, and this command did not push it" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Maximum batch GPU session count of 2 reached.", "runs no more kernels of yours"),
        ("Maximum weekly GPU quota of 30.00 hours reached", "or push it without --gpu"),
        ("The requested title is already in use by a notebook", "choose another with --name"),
        ("Notebook not found", "choose another with --name"),
        (
            f"Broken {KEY} http://x.test/?{SIGNATURE}\n\x1b[31m",
            "Kaggle refuses the kernel ada/titanic-nets",
        ),
    ],
)
def test_what_kaggle_refuses_is_one_line_and_can_be_pushed_later(
    user: User, kaggle: KaggleWithKernels, said: str, message: str
) -> None:
    kaggle.save_reply = {"error": said}
    done = user.call("kernel", "push", "--gpu")
    assert (done.code, done.err.count("\n"), message in done.err) == (2, 1, True), done.err
    assert [row["status"] for row in ledger(user)] == ["failed"]
    no_secret_in(user, done.said)
    kaggle.save_reply = {}
    kaggle.inject("SaveKernel", fails(409, said))
    assert message in user.call("kernel", "push", "--gpu").err
    assert user.call("kernel", "push", "--gpu").code == 0
    assert len(kaggle.pushed) == 1


def test_rules_that_were_not_accepted_leave_it_without_input(
    user: User, kaggle: KaggleWithKernels
) -> None:
    kaggle.save_reply = {"invalidCompetitionSources": ["titanic"]}
    done = user.call("kernel", "push")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "did not attach the tables of titanic: accept its rules on https://" in done.err
    assert [row["status"] for row in ledger(user)] == ["invalid"]
    assert user.call("kernel", "push").err == done.err
    kaggle.save_reply = {}
    assert user.call("kernel", "push", "--again").code == 0
    assert [row["version"] for row in ledger(user)] == ["1", "2"]


FAILED = [
    "Traceback (most recent call last):",
    f"\x1b[31mRuntimeError\x1b[0m: no {KEY} at https://x.test/?{SIGNATURE}",
    "[NbConvertApp] Writing 12345 bytes to __notebook__.ipynb",
]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (log_of(*FAILED), "failed: RuntimeError: no *** at https://x.test/?***; see https://"),
        ("\n".join(FAILED), "failed: RuntimeError: no *** at https://x.test/?***; see https://"),
        (log_of("error: found no tables", "SystemExit: 2", "bye"), "failed: error: found no tab"),
        (log_of("what a pity"), "failed: what a pity; see"),
        ("", "failed: Out of memory; see"),
    ],
)
def test_a_kernel_that_fails_half_way_shows_why(
    user: User, kaggle: KaggleWithKernels, log: str, said: str
) -> None:
    kaggle.states, kaggle.log, kaggle.failure = ["RUNNING", "ERROR"], log, "Out of memory"
    done = user.call("kernel", "push")
    assert (done.code, done.err.count("\n"), said in done.err) == (3, 1, True), done.err
    assert not Path("runs").exists()
    no_secret_in(user, done.said)
    # What is fixed at Kaggle can be fetched later.
    assert user.call("kernel", "status").code == 0
    kaggle.states = ["COMPLETE"]
    assert user.call("kernel", "output").code == 0
    assert Path(HOME).is_dir()


def test_other_ends_are_one_line(user: User, kaggle: KaggleWithKernels) -> None:
    kaggle.states = ["CANCEL_ACKNOWLEDGED"]
    assert "was cancelled; see https://" in user.call("kernel", "push").err
    kaggle.states = ["RUNNING"]
    done = user.call("kernel", "output", "--timeout", "0.05")
    assert (done.code, "is still running after 0.05 s: `titanic-nn kernel" in done.err) == (3, True)
    kaggle.states = ["PONDERING"]
    done = user.call("kernel", "output")
    assert (done.code, "answered 'PONDERING', which this version" in done.err) == (3, True)
    kaggle.states = ["COMPLETE"]
    del kaggle.kernels["titanic-nets"]
    done = user.call("kernel", "output")
    assert (done.code, "Kaggle has no kernel ada/titanic-nets" in done.err) == (2, True)


def left_with(name: str) -> Any:
    def change(kaggle: KaggleWithKernels) -> None:
        files = {**kaggle.run_files, name: b"x"}
        key = key_in(kaggle.pushed[0]["text"])
        kaggle.left = {**files, "output.json": described(key, files)}

    return change


def without(name: str) -> Any:
    return lambda kaggle: kaggle.left.pop(name)


def of_another_version(kaggle: KaggleWithKernels) -> None:
    kaggle.left["output.json"] = described("0" * 12 + "-1", kaggle.run_files)


def too_large(kaggle: KaggleWithKernels) -> None:
    left = json.loads(kaggle.left["output.json"])
    left["files"][f"{RUN}/oof.csv"] = {"bytes": 2**40, "sha256": "0" * 64}
    kaggle.left["output.json"] = json.dumps(left).encode()


def too_many(kaggle: KaggleWithKernels) -> None:
    kaggle.left |= {f"files/{i}": b"" for i in range(6000)}
    kaggle.page = 100


def tampered(kaggle: KaggleWithKernels) -> None:
    kaggle.left[f"{RUN}/test_predictions.csv"] = b"x"


def longer(kaggle: KaggleWithKernels) -> None:
    kaggle.left[f"{RUN}/test_predictions.csv"] += b"x" * 2**20


def of_another_competition(kaggle: KaggleWithKernels) -> None:
    name = f"{RUN}/environment.json"
    other = kaggle.run_files[name].replace(b'"titanic"', b'"spaceship-titanic"')
    files = {**kaggle.run_files, name: other}
    kaggle.left = {**files, "output.json": described(key_in(kaggle.pushed[0]["text"]), files)}


def damaged(kaggle: KaggleWithKernels) -> None:
    kaggle.left["output.json"] = b'{"files": [1]}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (left_with(f"{RUN}/../../x"), "left a file named '../../x'"),
        (left_with(f"{RUN}/a//b"), "Kaggle does not list it"),
        (left_with(f"{RUN}/..\\x"), "left a file named"),
        (left_with(f"{RUN}/.hidden"), "left a file named"),
        (left_with(f"{RUN}/C:x"), "left a file named"),
        (left_with("runs/other/summary.json"), "the kernel left 2 runs in runs/"),
        (without("output.json"), "left no output.json"),
        (without(f"{RUN}/summary.json"), "Kaggle does not list it"),
        (of_another_version, "is another version's than 1"),
        (too_large, "more than the 1000 of 268435456 that are fetched"),
        (too_many, "too many to list"),
        (tampered, "is not what the kernel left"),
        (longer, "over"),
        (of_another_competition, "is of spaceship-titanic, not titanic"),
        (damaged, "output.json is damaged"),
    ],
)
def test_output_that_is_not_a_whole_run_is_not_brought_home(
    user: User, kaggle: KaggleWithKernels, change: Any, message: str
) -> None:
    assert user.call("kernel", "push", "--no-wait").code == 0
    before, good = {*user.folder.rglob("*")}, dict(kaggle.left)
    change(kaggle)
    done = user.call("kernel", "output")
    assert (done.code, done.err.count("\n"), message in done.err) == (3, 1, True), done.err
    assert {*user.folder.rglob("*")} == before
    assert not (user.folder.parent / "x").exists()
    kaggle.left = good
    assert user.call("kernel", "output").code == 0
    assert Path(HOME).is_dir()


@pytest.mark.parametrize(
    "fault", [fails(500), server.cuts_body, server.resets, server.stays_silent]
)
def test_a_download_that_fails_is_repeated_or_one_line(
    user: User, kaggle: KaggleWithKernels, fault: Fault
) -> None:
    assert user.call("kernel", "push", "--no-wait").code == 0
    kaggle.inject("storage", fault)
    done = user.call("kernel", "output")
    assert done.code == (3 if fault is server.stays_silent else 0), done.err
    no_secret_in(user, done.said)
    kaggle.heal()
    assert user.call("kernel", "output").code == 0
    assert Path(HOME).is_dir()


@pytest.mark.parametrize(
    ("call", "fault", "code"),
    [
        ("GetKernel", fails(401), 2),
        ("GetKernel", fails(429, Retry_After="1e9"), 3),
        ("GetKernel", server.echoes(500), 3),
        ("SaveKernel", server.echoes(403), 2),
        ("SaveKernel", server.stays_silent, 0),
        ("GetKernelSessionStatus", server.floods, 3),
        ("GetKernelSessionStatus", server.garbles, 3),
        ("ListKernelSessionOutput", server.echoes(400), 2),
        ("storage", server.redirects, 3),
    ],
)
def test_each_fault_is_one_line_and_nothing_is_lost(
    user: User, kaggle: KaggleWithKernels, call: str, fault: Fault, code: int
) -> None:
    kaggle.inject(call, *[fault] * 4)
    done = user.call("kernel", "push")
    if fault is server.redirects:
        assert kaggle.foreign == ["elsewhere.test"]
        kaggle.foreign.clear()
    no_secret_in(user, done.said, *kaggle.told)
    if code:
        assert (done.code, done.err.count("\n")) == (code, 1), done.err
    kaggle.heal()
    if [row for row in ledger(user) if row["status"] == "pending"]:
        let_pass(user.folder, 2 * VISIBLE_AFTER, LEDGER)
    done = user.call("kernel", "push")
    assert done.code == 0, done.err
    assert len(kaggle.pushed) == 1
    assert Path(HOME).is_dir()


def test_the_status_of_all_is_brought_up_to_date(user: User, kaggle: KaggleWithKernels) -> None:
    assert user.call("kernel", "push", "--no-wait").code == 0
    assert user.call("kernel", "push", "--no-wait", "--name", "other-one").code == 0
    kaggle.states = ["RUNNING"]
    done = user.call("kernel", "status")
    assert (done.code, done.out.count("running")) == (0, 2)
    done = user.call("kernel", "status", "other-on")
    assert (done.code, "did you mean other-one?" in done.err) == (2, True)
    # Of an older version Kaggle says nothing.
    assert user.call("kernel", "push", "--no-wait", "--name", "other-one", "--gpu").code == 0
    done = user.call("kernel", "push", "--name", "other-one")
    assert (done.code, "version 1 is not its newest" in done.err) == (2, True)


def test_a_version_is_submitted_exactly_once(user: User, kaggle: KaggleWithKernels) -> None:
    assert user.call("kernel", "push", "--no-wait").code == 0
    done = user.call("kernel", "submit")
    assert (done.code, "`titanic-nn kernel output` brings it home" in done.err) == (2, True)
    assert user.call("kernel", "output").code == 0
    kaggle.inject("CreateCodeSubmission", server.loses_reply)
    done = user.call("kernel", "submit")
    assert (done.code, done.err) == (0, "")
    assert "Forecast:    Expect a public score of about" in done.out
    assert "Submission 1001: public score 0.82057" in done.out
    (asked,) = kaggle.submitted
    description = asked.pop("submissionDescription")
    assert asked == {
        "competitionName": "titanic",
        "kernelOwner": USERNAME,
        "kernelSlug": "titanic-nets",
        "kernelVersion": 1,
        "fileName": "submission.csv",
    }
    (row,) = user.ledger()
    assert row["idempotency_key"] in description
    assert (row["file"], row["run"], row["model"]) == (
        "ada/titanic-nets/v1/submission.csv",
        "titanic-nets-v1",
        "relu",
    )
    assert user.call("kernel", "submit").code == 0
    assert len(kaggle.submitted) == 1
    assert user.call("kernel", "submit", "--resend", "--no-wait").code == 0
    assert len(kaggle.submitted) == 2
    kaggle.inject("CreateCodeSubmission", fails(400, "This competition takes no notebooks"))
    done = user.call("kernel", "submit", "--resend")
    assert (done.code, "takes no notebooks" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: push|status|output|submit"),
        ("pull", "invalid choice: 'pull'"),
        ("output", "no kernel was pushed from here"),
        ("status", "no kernel was pushed from here"),
        ("submit x", "kernel x: was not pushed from here"),
        ("push --name Big", "--name Big: expected 5 to 50 small letters"),
        ("push --name a--bcd", "--name a--bcd: expected"),
        ("push --dataset x", "--dataset x: expected OWNER/NAME"),
        ("push --folds x", "argument --folds: invalid int value"),
        ("push --folds 1", "--folds"),
        ("push --timeout -1", "--timeout -1: expected a positive number"),
        ("push --device cuda", "--device cuda: needs --gpu"),
        ("push --competition nowhere", "competition 'nowhere' is not known"),
        ("push --config none.toml", "none.toml"),
        ("push --notebook none.ipynb", "none.ipynb"),
        ("push --notebook bad.ipynb --folds 3", "--folds: has no effect on --notebook"),
        ("push --notebook bad.ipynb", "bad.ipynb: cannot be read as a notebook"),
        ("push --notebook empty.ipynb", "empty.ipynb: has no cell with code"),
        ("push --notebook large.ipynb", "more than the 1000000 that Kaggle takes"),
        ("push --competition own.toml", "own.toml has no slug"),
    ],
)
def test_a_mistake_is_one_line(
    user: User, kaggle: KaggleWithKernels, line: str, message: str
) -> None:
    Path("bad.ipynb").write_text('{"nbformat": 4, "cells": [3]}')
    Path("empty.ipynb").write_text('{"nbformat": 4, "cells": []}')
    cell = {"cell_type": "code", "metadata": {}, "source": "x" * 900_000}
    Path("large.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [cell]}))
    described = 'name = "own"\nid = "id"\ntarget = "t"\nlabels = ["a", "b"]\nnumbers = ["x"]\n'
    Path("own.toml").write_text(described)
    done = user.call("kernel", *line.split())
    assert (done.code, done.err.count("\n"), message in done.err) == (2, 1, True), done.err
    assert kaggle.calls == []


def test_without_credentials_it_says_how_to_get_some(newcomer: User) -> None:
    done = newcomer.call("kernel", "push")
    assert (done.code, "no credentials for Kaggle were found" in done.err) == (2, True)
