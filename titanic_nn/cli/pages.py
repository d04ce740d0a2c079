"""What `train` and `report` write of a run for a browser: its report, and its page to play with."""

from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.cli.console import warn
from titanic_nn.errors import TitanicError, WriteError
from titanic_nn.runs.find import PLAY_PAGE

if TYPE_CHECKING:
    from titanic_nn.evaluation.compare_models import ModelComparison


def write_pages(run: Path, result: "ModelComparison | None" = None) -> Path:
    """Write both into a run's folder; returns the path of the report, which links the other.

    result: the run, where it has just been made; otherwise its files are read.

    The page to play with is written once, since a run's models do not change, and making it takes
    longer than the report. The report is written anew: what was asked of the run is in it.

    A page to play with needs the run's saved models and tables: where they are gone, or an older
    version wrote them, a line on stderr says so, and the report is written all the same.
    """
    from titanic_nn.report.page import write_report

    problem = None
    if not (run / PLAY_PAGE).is_file():
        from titanic_nn.play.page import write_play  # imports torch

        try:
            if result:
                write_play(run, result.models, result.tables)
            else:
                write_play(run)
        except WriteError:
            raise
        except TitanicError as error:
            problem = error
    report = write_report(run)  # where it is the run that is wrong, this says so
    if problem:
        warn(f"note: no page to play with: {problem}")
    return report
