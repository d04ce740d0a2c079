"""Send a run's submission to Kaggle, exactly once, and wait for its score.

Everything that is sent is recorded in submissions/ledger.csv.
"""

import sys
from argparse import Namespace
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, console, if_interrupted, print_table, say, spinner, warn
from titanic_nn.cli.options import add_run_argument
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, KaggleError, SubmissionError
from titanic_nn.kaggle.credentials import find_credentials, how_to_get_credentials
from titanic_nn.kaggle.ledger import COLUMNS, Entry, Ledger
from titanic_nn.kaggle.retry import RetryPolicy
from titanic_nn.runs.submissions import SubmissionFile, find_submission, read_submission

if TYPE_CHECKING:
    from titanic_nn.competitions.competition import Competition


PARSER = Parser(prog="titanic-nn submit", description=__doc__)
add = PARSER.add_argument
add_run_argument(PARSER)
add("--model", metavar="NAME", help="which of the run's models (the recommended one)")
add("--file", type=Path, metavar="FILE", help="a submission file, instead of a run's")
add("--competition", metavar="NAME", help=f"of a FILE that no run wrote ({Config.competition})")
add("--message", metavar="TEXT", help="the description at Kaggle (model, CV scores, commit)")
add("--dry-run", action="store_true", help="check and show, without the network")
add("--no-wait", action="store_true", help="don't wait for the score")
add("--timeout", type=float, default=RetryPolicy.total, metavar="S", help="wait at most (300)")
add("--yes", action="store_true", help="don't ask before sending")
add("--resend", action="store_true", help="send a file again that was sent already")
add("--now", action="store_true", help="don't wait for a try that was cut off: may send it twice")
add("--list", action="store_true", help="bring the ledger up to date and print it")


@PARSER.command
def main(args: Namespace) -> None:
    if args.file and (args.run or args.model):
        PARSER.error("name a RUN and --model, or a --file, not both")
    if args.run and Path(args.run).is_file():
        PARSER.error(f"{args.run} is a file, not a run: use --file {args.run}")
    if not 0 < args.timeout < float("inf"):
        raise ConfigError(f"--timeout {args.timeout:g}: expected a positive number of seconds")
    retry_policy = RetryPolicy.from_environment(total=args.timeout)
    ledger = Ledger()
    if args.list:
        _list(ledger, retry_policy)
        return

    from titanic_nn.competitions.competition import name_of
    from titanic_nn.competitions.registry import find_competition, get_competition

    file = read_submission(args.file) if args.file else find_submission(args.run, args.model)
    if file.changed:
        say(f"{file.path}: was changed after it was written; nothing is known of its contents")
    known = file.manifest.competition if file.manifest else None
    if args.competition or not known:
        competition = find_competition(args.competition or Config.competition)
    else:
        competition = get_competition(known)
    if known and competition.reference != known:
        other = competition.identity
        raise ConfigError(f"--competition {other}: {file.path} was made for {name_of(known)}")
    if not args.dry_run:
        competition.check_at_kaggle()
    sent = None if args.resend else ledger.sent(file.sha256, competition.slug)
    if sent and sent.status != "pending":
        say(f"{file.path} was sent already; --resend sends it again")
        report_score(sent, accuracy_of(file), rows_of(file), competition)
        return

    message = args.message or file.message()
    if not sent or args.dry_run:
        rows = _check(file, competition)
        say(f"Competition: {competition.slug}\nMessage:     {message}")
        say_forecast(file, rows, competition)
    if args.dry_run:
        say("Dry run: nothing was sent.")
        return

    # Imported late: it loads the kaggle package.
    from titanic_nn.kaggle.once import SubmitOnce, new_entry, seconds_left, wait
    from titanic_nn.kaggle.service import Kaggle

    kaggle = Kaggle(competition.slug, retry_policy)
    if kaggle.credentials.warning:
        warn(f"warning: {kaggle.credentials.warning}")
    if not (sent or args.yes) and sys.stdin.isatty() and not confirmed():
        say("Nothing was sent.")
        return
    cut_off = ledger.cut_off(file.sha256, competition.slug)
    if cut_off and args.now:
        say("The last try was cut off and may still arrive: with --now it may be there twice.")
    elif cut_off and (left := seconds_left(cut_off)):
        say(
            "The last try was cut off while Kaggle may have been creating the submission: "
            f"searching for it, for up to {left:.0f} s before it is sent again (--now: at once)."
        )
    waiting = spinner(console(stderr=True), "Kaggle: sending")
    with if_interrupted(lambda: "the same command goes on from here"), waiting as update:

        def show(state: str) -> None:
            update(f"Kaggle: {state}")

        new = new_entry(file, competition.slug)
        create = partial(kaggle.submit, file.content, file.path.name)
        once = SubmitOnce(new, create, message, kaggle, ledger, resend=args.resend)
        entry = once.send(show, now=args.now)
        if not args.no_wait:
            entry = wait(entry, kaggle, ledger, show)
    report_score(entry, accuracy_of(file), rows_of(file), competition)


def _check(file: SubmissionFile, competition: "Competition") -> int:
    """Check the file as far as that is possible offline; refuse what must not be sent.

    Returns how many rows it has.
    """
    from titanic_nn.kaggle.offline import offline_score
    from titanic_nn.kaggle.submission import (
        check_submission,
        competition_tables,
        predicted_counts,
    )

    if file.manifest and file.manifest.source == "bundled":
        score = offline_score(file.path, competition.load(bundled=True))
        say(f"Offline score {score:.5f} on the bundled table: not Kaggle's")
        if find_credentials() is None:
            say(f"To enter the competition:\n{how_to_get_credentials(competition.slug)}")
        raise SubmissionError(
            f"{file.path}: was made from the bundled table, whose {competition.schema.row_names} "
            "have other ids at Kaggle; run `python -m titanic_nn download` and train again"
        )
    if competition.at_kaggle:
        tables = competition_tables(competition)
    elif file.manifest:
        from titanic_nn.runs.folder import read_tables

        tables = read_tables(Path(file.manifest.run))
    else:
        raise ConfigError(f"{file.path}: no run wrote it, so its table is not known")
    codes = check_submission(file.content, tables, file=str(file.path))
    if file.manifest and file.manifest.test_sha256 != tables.test_sha256:
        raise SubmissionError(
            f"{file.path}: was made from another test.csv than the one in {tables.location}; "
            "train again with that"
        )
    say(
        f"Submission:  {file.path}, SHA-256 {file.sha256[:12]}: {len(tables.test)} "
        f"{tables.schema.row_names}, {predicted_counts(codes, tables.schema)}"
    )
    return len(tables.test)


def say_forecast(file: SubmissionFile, rows: int, competition: "Competition") -> None:
    """Say what to expect on the public board, where the model's accuracy is known."""
    from titanic_nn.report.sentences import board_forecast

    accuracy = accuracy_of(file)
    if accuracy is not None and (forecast := board_forecast(accuracy, rows, competition)):
        say(f"Forecast:    {forecast}")


def accuracy_of(file: SubmissionFile) -> float | None:
    """The cross-validated accuracy of the model that made the file, where it is known."""
    return file.manifest.scores.get("accuracy") if file.manifest else None


def rows_of(file: SubmissionFile) -> int:
    """How many rows a submission has."""
    return len(file.content.splitlines()) - 1


def confirmed() -> bool:
    """Ask, on the terminal, whether to send."""
    with suppress(EOFError):  # Ctrl-D
        return input("Send it? [y/N] ").strip().lower() in ("y", "yes")
    return False


def report_score(
    entry: Entry, accuracy: float | None, rows: int, competition: "Competition"
) -> None:
    """Print the result of a submission of so many rows; `accuracy` is the cross-validated one.

    Raises KaggleError where Kaggle could not score it.
    """
    from titanic_nn.kaggle.submission import describe_score
    from titanic_nn.report.sentences import board_outcome

    if entry.status == "error":
        raise KaggleError(
            f"Kaggle could not score submission {entry.ref}: {entry.error or 'no reason is given'}"
        )
    if entry.status == "pending":
        say(f"Sent as submission {entry.ref}; `--list` shows its score when there is one.")
        return
    say(f"Submission {entry.ref}: {describe_score(entry.public_score, rows, competition)}")
    if accuracy is not None and (
        outcome := board_outcome(entry.public_score, accuracy, rows, competition)
    ):
        say(outcome)


def _list(ledger: Ledger, retry_policy: RetryPolicy) -> None:
    """Print the ledger; ask Kaggle about pending rows, where there are credentials."""
    from titanic_nn.report.tables import Table

    entries = ledger.entries()
    if not entries:
        say(f"{ledger.path}: nothing was sent yet")
        return
    pending = [entry for entry in entries if entry.status == "pending"]
    try:
        if pending and find_credentials():
            from titanic_nn.kaggle.once import refresh
            from titanic_nn.kaggle.service import Kaggle

            for entry in pending:
                refresh(entry, Kaggle(entry.competition, retry_policy), ledger)
    finally:
        listed = [c for c in COLUMNS if c not in ("sha256", "run", "model", "idempotency_key")]
        names = [name.replace("cv_", "CV ").replace("_", " ") for name in listed]
        rows = [[getattr(entry, name) for name in listed] for entry in ledger.entries()]
        print_table(console(), Table("", names, rows))
