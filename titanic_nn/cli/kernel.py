"""Train on Kaggle's own machines: push a notebook that trains, follow it, and bring its run home.

Everything that is pushed is recorded in kernels/ledger.csv.
"""

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from titanic_nn.cli.console import (
    Parser,
    console,
    if_interrupted,
    print_table,
    say,
    spinner,
    warn,
)
from titanic_nn.cli.options import COMPETITION, add_run_options, run_config
from titanic_nn.cli.submit import accuracy_of, confirmed, report_score, rows_of, say_forecast
from titanic_nn.errors import ConfigError, KaggleError, SubmissionError, did_you_mean
from titanic_nn.kaggle.kernel_ledger import KernelEntry, KernelLedger
from titanic_nn.kaggle.retry import RetryPolicy

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.competitions.competition import Competition
    from titanic_nn.kaggle.kernel_folder import Kernel
    from titanic_nn.kaggle.kernel_service import Kernels

T = TypeVar("T")

LONGEST = 3600.0  # seconds that a kernel is followed, by default
OWNER = "YOUR-NAME"  # in a kernel that is not pushed

PARSER = Parser(prog="titanic-nn kernel", description=__doc__)
COMMANDS = PARSER.add_subparsers(dest="what", required=True, metavar="push|status|output|submit")


def _command(name: str, what: str, *parents: Parser) -> Parser:
    described = f"{what[0].upper()}{what[1:]}."
    parser: Parser = COMMANDS.add_parser(name, help=what, description=described, parents=[*parents])
    return parser


def _add_wait(parser: Parser, what: str, seconds: float) -> None:
    parser.add_argument("--no-wait", action="store_true", help=f"don't wait for {what}")
    text = f"wait at most ({seconds:g})"
    parser.add_argument("--timeout", type=float, default=seconds, metavar="S", help=text)


def _add_name(parser: Parser) -> None:
    text = "a kernel's name; by default the one that was pushed last"
    parser.add_argument("name", nargs="?", metavar="NAME", help=text)


TRAINING = Parser(add_help=False)
add_run_options(TRAINING)
PUSH = _command(
    "push", "push a notebook that trains, exactly once, and bring its run home", TRAINING
)
add = PUSH.add_argument
add("--competition", metavar="NAME", help=COMPETITION)
add("--gpu", action="store_true", help="run on a T4; by default on the CPU")
add("--name", metavar="NAME", help="the kernel's, in its address (<competition>-nets)")
add("--notebook", type=Path, metavar="FILE", help="a notebook of your own, instead of `train`")
add("--dataset", action="append", default=[], metavar="OWNER/NAME", help="attach a dataset")
add("--no-internet", action="store_true", help="run without the internet")
add("--public", action="store_true", help="let everybody see it; by default it is private")
add("--again", action="store_true", help="push again what was pushed already")
add("--now", action="store_true", help="don't wait for a push that was cut off: may push it twice")
add("--dry-run", action="store_true", help="write the kernel's folder, without the network")
_add_wait(PUSH, "it to finish", LONGEST)

STATUS = _command("status", "ask Kaggle how kernels fare, and print the ledger")
_add_name(STATUS)

OUTPUT = _command("output", "wait for a kernel, and bring its run home")
_add_name(OUTPUT)
OUTPUT.add_argument("--timeout", type=float, default=LONGEST, metavar="S", help="wait at most")

SUBMIT = _command("submit", "submit what a kernel left, where a competition takes code only")
_add_name(SUBMIT)
add = SUBMIT.add_argument
add("--message", metavar="TEXT", help="the description at Kaggle (kernel, model, CV scores)")
add("--yes", action="store_true", help="don't ask before sending")
add("--resend", action="store_true", help="send a version again that was sent already")
add("--now", action="store_true", help="don't wait for a try that was cut off: may send it twice")
_add_wait(SUBMIT, "the score", RetryPolicy.total)


@PARSER.command
def main(args: Namespace) -> None:
    policy = RetryPolicy.from_environment(total=_seconds(args))
    {"push": _push, "status": _status, "output": _output, "submit": _submit}[args.what](
        args, policy, KernelLedger()
    )


def _seconds(args: Namespace) -> float:
    seconds: float = getattr(args, "timeout", RetryPolicy.total)
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"--timeout {seconds:g}: expected a positive number of seconds")
    return seconds


def _push(args: Namespace, policy: RetryPolicy, ledger: KernelLedger) -> None:
    given = [
        action.option_strings[0]
        for action in TRAINING._actions
        if action.dest != "quiet" and getattr(args, action.dest) != action.default
    ]
    if args.notebook and given:
        raise ConfigError(f"{given[0]}: has no effect on --notebook; leave one of them out")
    config = run_config(args)
    if (config.device == "cuda") > args.gpu:
        raise ConfigError("--device cuda: needs --gpu, or the kernel has none")
    from titanic_nn.competitions.registry import get_competition

    competition = get_competition(config.competition)
    competition.check_at_kaggle()
    shown = console(quiet=args.quiet)
    make = partial(_kernel, args, competition, config.to_toml())
    tried = make(OWNER)
    tried.files("")  # what Kaggle would not take is refused before anything else
    if args.dry_run:
        from titanic_nn.kaggle.kernel_once import write_kernel

        folder = write_kernel(tried, f"{'0' * 12}-0")
        shown.print(f"{folder}: the kernel's folder. Dry run: nothing was pushed.")
        return

    from titanic_nn.kaggle.kernel_once import PushOnce
    from titanic_nn.kaggle.once import seconds_left

    kaggle = _service(competition.slug, policy)
    kernel = make(kaggle.owner())
    once = PushOnce(kernel, kaggle, ledger, again=args.again)
    cut_off = once.cut_off()
    if cut_off and args.now:
        shown.print(
            "The last push was cut off and may still arrive: with --now it may be there twice."
        )
    elif cut_off and (left := seconds_left(cut_off)):
        shown.print(
            "The last push was cut off while Kaggle may have been making a version of it: "
            f"searching for it, for up to {left:.0f} s before anything is pushed (--now: at once)."
        )
    known = ledger.sent(kernel.sha256, kernel.name)
    row = _wait(lambda show: once.send(show, now=args.now))
    if known and known.version == row.version:
        shown.print(f"{_named(row)} is this push already; --again pushes it again")
    else:
        shown.print(f"Pushed:  {_named(row)} ({row.machine}), {row.url}")
    if row.status in ("invalid", "error"):
        _failed(row)
    if args.no_wait:
        shown.print("`titanic-nn kernel output` waits for it, and brings its run home.")
    else:
        _bring_home(row, kaggle, ledger, shown)


def _kernel(args: Namespace, competition: "Competition", settings: str, owner: str) -> "Kernel":
    """What `push` pushes, of this owner."""
    from titanic_nn.kaggle.kernel_folder import (
        Kernel,
        kernel_metadata,
        read_cells,
        training_cells,
    )
    from titanic_nn.kaggle.wheel import package_wheel

    name = args.name or f"{competition.slug}-nets"
    metadata = kernel_metadata(
        owner,
        name,
        competition.slug,
        gpu=args.gpu,
        internet=not args.no_internet,
        private=not args.public,
        datasets=args.dataset,
    )
    if args.notebook:
        cells = read_cells(args.notebook)
    else:
        words = ["--yes"] if args.yes else []
        words += ["--minutes", f"{args.minutes:g}"] if args.minutes is not None else []
        cells = training_cells(str(metadata["title"]), name, settings, words)
    return Kernel(str(metadata["id"]), metadata, cells, package_wheel())


def _status(args: Namespace, policy: RetryPolicy, ledger: KernelLedger) -> None:
    from titanic_nn.report.tables import Table

    rows = ledger.entries()
    if args.name or not rows:
        _find(args.name, ledger)
    try:
        for kernel in dict.fromkeys(row.kernel for row in rows):
            newest = ledger.newest(kernel)
            wanted = not args.name or args.name in (kernel, kernel.partition("/")[2])
            if newest and wanted and newest.version and not newest.run:
                from titanic_nn.kaggle.kernel_once import refresh

                refresh(newest, _service(newest.competition, policy), ledger)
    finally:
        columns = ("time", "kernel", "version", "machine", "status", "run", "error")
        listed = [[getattr(row, name) for name in columns] for row in ledger.entries()]
        print_table(console(), Table("", list(columns), listed))


def _output(args: Namespace, policy: RetryPolicy, ledger: KernelLedger) -> None:
    row = _find(args.name, ledger)
    _bring_home(row, _service(row.competition, policy), ledger, console())


def _submit(args: Namespace, policy: RetryPolicy, ledger: KernelLedger) -> None:
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.kaggle.kernel_output import SUBMISSION
    from titanic_nn.kaggle.ledger import Entry, Ledger
    from titanic_nn.kaggle.once import SubmitOnce, new_entry, wait
    from titanic_nn.runs.find import find_run, read_run
    from titanic_nn.runs.submissions import find_submission

    row = _find(args.name, ledger)
    if not row.run:
        raise SubmissionError(
            f"{_named(row)}: its run is not here yet; `titanic-nn kernel output` brings it home"
        )
    competition = get_competition(read_run(find_run(row.run)).competition)
    file = find_submission(row.run, None)
    rows, accuracy = rows_of(file), accuracy_of(file)
    # Where code is submitted, Kaggle runs it on other rows: a version is sent, not the file.
    sent_as = f"{row.kernel}/v{row.version}/{SUBMISSION}"
    digest = sha256(sent_as.encode()).hexdigest()
    new = replace(new_entry(file, row.competition), file=sent_as, sha256=digest)
    message = args.message or f"{_named(row)}, {file.message()}"
    say(f"Submission:  {SUBMISSION} of {_named(row)}\nMessage:     {message}")
    submissions = Ledger()
    sent = submissions.sent(digest, row.competition)
    if not sent:
        say_forecast(file, rows, competition)
    asked = not (args.yes or (sent and not args.resend)) and sys.stdin.isatty()
    if asked and not confirmed():
        say("Nothing was sent.")
        return
    kaggle = _service(row.competition, policy)
    create = partial(kaggle.submit_version, row.kernel, int(row.version), SUBMISSION)
    once = SubmitOnce(new, create, message, kaggle, submissions, resend=args.resend)

    def work(show: Callable[[str], None]) -> Entry:
        done = once.send(show, now=args.now)
        return done if args.no_wait else wait(done, kaggle, submissions, show)

    report_score(_wait(work), accuracy, rows, competition)


def _bring_home(
    row: KernelEntry, kaggle: "Kernels", ledger: KernelLedger, shown: "Console"
) -> None:
    """Wait until a version has finished, and bring its run home, unless it is there."""
    from titanic_nn.kaggle.kernel_once import fetch_run, follow

    if row.run and Path(row.run).is_dir():
        shown.print(f"{_named(row)}: its run is here already, {row.run}")
        return
    row = _wait(lambda show: follow(row, kaggle, ledger, show))
    if row.status != "complete":
        _failed(row)
    row, run = _wait(lambda _: fetch_run(row, kaggle, ledger))
    shown.print(f"The run: {row.run}, from {_named(row)}; recommended: {run.recommended}")
    quoted = shlex.quote(row.run)
    shown.print(f"Next: titanic-nn report {quoted}, or titanic-nn submit {quoted}")


def _failed(row: KernelEntry) -> NoReturn:
    if row.status == "cancelled":
        raise KaggleError(f"{_named(row)} was cancelled; see {row.url}")
    if row.status == "invalid":
        raise SubmissionError(f"{_named(row)}: {row.error}")
    raise KaggleError(f"{_named(row)} failed: {row.error}; see {row.url}")


def _find(named: str | None, ledger: KernelLedger) -> KernelEntry:
    """The newest row of a kernel that Kaggle has; of the one pushed last by default."""
    rows = [row for row in ledger.entries() if row.version]
    names = [row.kernel.partition("/")[2] for row in rows]
    found = [
        row for row, name in zip(rows, names, strict=True) if named in (None, name, row.kernel)
    ]
    if not found:
        which = f"kernel {named}: was not pushed" if named else "no kernel was pushed"
        raise ConfigError(
            f"{which} from here ({ledger.path}); push one with `titanic-nn kernel push`"
            f"{did_you_mean(named or '', names)}"
        )
    return found[-1]


def _named(row: KernelEntry) -> str:
    return f"{row.kernel} version {row.version}"


def _service(competition: str, policy: RetryPolicy) -> "Kernels":
    # Imported late: it loads the kaggle package.
    from titanic_nn.kaggle.kernel_service import Kernels

    kaggle = Kernels(competition, policy)
    if kaggle.credentials.warning:
        warn(f"warning: {kaggle.credentials.warning}")
    return kaggle


def _wait(work: Callable[[Callable[[str], None]], T]) -> T:
    """Work that waits for Kaggle: what it waits for is shown, and Ctrl-C loses nothing."""
    waiting = spinner(console(stderr=True), "Kaggle: waiting")
    with if_interrupted(lambda: "the same command goes on from here"), waiting as update:
        return work(lambda state: update(f"Kaggle: {state}"))
