"""Send a submission to Kaggle, exactly once, and bring its score home.

Without a file: the newest run's submission of the recommended model. Everything sent stands in
submissions/ledger.csv.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.errors import KaggleError, ConfigError, SubmissionError, TitanicError
from titanic_nn.runs.find import Candidate, find_candidate
from titanic_nn.kaggle.competition import check_name
from titanic_nn.kaggle.credentials import find_credentials, how_to_get_credentials
from titanic_nn.kaggle.ledger import Entry, Ledger
from titanic_nn.kaggle.retry import Patience
from titanic_nn.cli.console import INTERRUPTED, Parser, console, run

if TYPE_CHECKING:
    from rich.table import Table

    from titanic_nn.kaggle.service import Kaggle


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _submit(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.submit", description=__doc__)
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="a submission; else one of a run's")
    add("--run", metavar="RUN", help="a run's folder, or its name in runs/ (the newest run)")
    add("--model", metavar="NAME", help="which of the run's models (the recommended one)")
    add("--message", metavar="TEXT", help="what Kaggle's list shows (model, CV metrics, commit)")
    add("--competition", default="titanic", metavar="NAME", help="as in its address (titanic)")
    add("--dry-run", action="store_true", help="check, show, and stay off the network")
    add("--no-wait", action="store_true", help="don't wait for the score")
    add("--timeout", type=float, default=Patience.total, metavar="S", help="wait at most (300)")
    add("--yes", action="store_true", help="don't ask before sending")
    add("--again", action="store_true", help="send a file once more that was sent already")
    add("--list", action="store_true", help="print the ledger, brought up to date, and no more")
    return parser


def _submit(arguments: list[str] | None) -> None:
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.file and (args.run or args.model):
        parser.error("name a FILE, or a --run and --model, not both")
    if not 0 < args.timeout < float("inf"):
        raise ConfigError(f"--timeout {args.timeout:g}: expected a positive number of seconds")
    competition = check_name(args.competition)
    patience = Patience.from_environment(total=args.timeout)
    ledger = Ledger()
    if args.list:
        _list(ledger, patience)
        return

    candidate = find_candidate(args.file, args.run, args.model)
    sent = None if args.again else ledger.sent(candidate.sha256, competition)
    if sent and sent.status != "pending":
        print(f"{candidate.path} was sent already; --again sends it once more")
        _report(sent, candidate)
        return

    message = args.message or candidate.message()
    if not sent or args.dry_run:
        _check(candidate, competition)
        print(f"Competition: {competition}\nMessage:     {message}")
    if args.dry_run:
        print("Dry run: nothing was sent.")
        return

    # Imported only now, since it takes a while and needs the kaggle package.
    from titanic_nn.kaggle.service import Kaggle

    kaggle = Kaggle(competition, patience)
    if kaggle.credentials.warning:
        print(f"warning: {kaggle.credentials.warning}", file=sys.stderr)
    if not (sent or args.yes) and sys.stdin.isatty() and not _agreed():
        print("Nothing was sent.")
        return
    try:
        with _spinner() as show:
            entry = _send(candidate, message, kaggle, ledger, args.again, args.no_wait, show)
    except KeyboardInterrupt:
        print("interrupted: the same command takes up where this one was", file=sys.stderr)
        sys.exit(INTERRUPTED)
    _report(entry, candidate)


def _check(candidate: Candidate, competition: str) -> None:
    """Check the file as far as that is possible here; refuse what must not be sent."""
    from titanic_nn.kaggle.competition import competition_passengers
    from titanic_nn.kaggle.submission import check_submission

    file, run = str(candidate.path), candidate.run
    if candidate.is_bundled:
        _score_offline(candidate)
        if find_credentials() is None:
            print(f"To enter the competition:\n{how_to_get_credentials(competition)}")
        raise SubmissionError(
            f"{file}: was made from the bundled table, whose passengers have other ids at Kaggle; "
            "run `python -m titanic_nn.cli.download`, train again, and submit that"
        )
    passengers = competition_passengers(competition)
    survivors = check_submission(candidate.content, passengers.test["PassengerId"], file=file)
    if run and run.test_sha256 and run.test_sha256 != passengers.test_sha256:
        raise SubmissionError(
            f"{file}: was made from another test.csv than the one in {passengers.location}; "
            "train again with that, and submit the new file"
        )
    rows = len(passengers.test)
    print(
        f"Submission:  {file}, SHA-256 {candidate.sha256[:12]}: "
        f"{rows} passengers, {survivors} survive; it is as {competition} asks"
    )


def _score_offline(candidate: Candidate) -> None:
    """Check and score a file that was made from the bundled table."""
    from titanic_nn.kaggle.offline import offline_score
    from titanic_nn.kaggle.submission import check_submission
    from titanic_nn.tables.sources import SEARCH, load_passengers

    bundled = load_passengers(search=[item for item in SEARCH if item[0] == "bundled"])
    ids = bundled.test["PassengerId"]
    check_submission(candidate.content, ids, file=str(candidate.path))
    assert bundled.answers is not None, "the bundled table comes with its answers"
    score = offline_score(candidate.path, bundled.answers)
    print(f"Offline score {score:.5f} on the bundled table: not Kaggle's")


def _agreed() -> bool:
    try:
        return input("Send it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        return False


def _send(
    candidate: Candidate,
    message: str,
    kaggle: "Kaggle",
    ledger: Ledger,
    again: bool,
    no_wait: bool,
    show: Callable[[str], None],
) -> Entry:
    """Send the file, or find what was sent; wait for its score unless `no_wait`."""
    from titanic_nn.kaggle.once import send, wait

    show("sending")
    entry = send(candidate, message, kaggle, ledger, again=again)
    return entry if no_wait else wait(entry, kaggle, ledger, show)


@contextmanager
def _spinner() -> Iterator[Callable[[str], None]]:
    """Something that turns and says how far it is, on a terminal only."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield lambda state: None
        return
    with shown.status("") as status:
        yield lambda state: status.update(f"Kaggle: {state}")


def _report(entry: Entry, candidate: Candidate) -> None:
    """Say what became of a submission."""
    from titanic_nn.kaggle.competition import standing

    if entry.status == "error":
        raise KaggleError(
            f"Kaggle could not score submission {entry.ref}: {entry.error or 'it does not say why'}"
        )
    if entry.status == "pending":
        print(f"Sent as submission {entry.ref}; `--list` shows its score when there is one.")
        return
    rows = len(candidate.content.splitlines()) - 1
    print(f"Submission {entry.ref}: {standing(entry.public_score, rows, entry.competition)}")


def _list(ledger: Ledger, patience: Patience) -> None:
    """Print the ledger; ask Kaggle about what was still pending, where there are credentials."""
    entries = ledger.entries()
    if not entries:
        print(f"{ledger.path}: nothing was sent yet")
        return
    fault = None
    try:
        if any(entry.status == "pending" for entry in entries) and find_credentials():
            _refresh(entries, ledger, patience)
    except TitanicError as error:
        fault = error
    console().print(_table(ledger.entries()))
    if fault:
        raise fault


def _refresh(entries: list[Entry], ledger: Ledger, patience: Patience) -> None:
    from titanic_nn.kaggle.once import refresh
    from titanic_nn.kaggle.service import Kaggle

    for entry in entries:
        if entry.status == "pending":
            refresh(entry, Kaggle(entry.competition, patience), ledger)


def _table(entries: list[Entry]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    columns = {
        "time": "time",
        "competition": "competition",
        "file": "file",
        "cv_log_loss": "CV log loss",
        "cv_accuracy": "CV accuracy",
        "ref": "ref",
        "status": "status",
        "public_score": "public score",
        "error": "error",
    }
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for entry in entries:
        # Text, not markup: a message of Kaggle's may hold square brackets.
        table.add_row(*(Text(getattr(entry, name)) for name in columns))
    return table


if __name__ == "__main__":
    main()
