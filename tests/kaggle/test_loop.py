"""The whole loop, as a newcomer types it: download, train, submit, score."""

import subprocess
import sys
from pathlib import Path

from kaggle_server import KEY, USERNAME, KaggleServer
from kaggle_user import User, no_secret_in


def typed(user: User, line: str) -> str:
    python, *arguments = line.split()
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=user.folder,
        env={**user.environment, "KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    no_secret_in(user, done.stdout)
    return done.stdout


def test_download_train_submit_score(newcomer: User, kaggle: KaggleServer) -> None:
    assert "Next: python -m titanic_nn.train\n" in typed(newcomer, "python -m titanic_nn download")
    trained = typed(
        newcomer, "python -m titanic_nn.train --folds 2 --repeats 1 --n-seeds 1 --models linear"
    )
    told = typed(newcomer, "python -m titanic_nn.submit")
    assert len(kaggle.submissions) == 1
    score = kaggle.submissions[0]["publicScore"]
    assert float(score) > 0.7  # the bundled passengers' fates can be learned
    assert f"public score {score}" in told

    (row,) = newcomer.ledger()
    assert (row["public_score"], row["status"], row["model"]) == (score, "complete", "linear")
    assert Path(row["file"]).name in trained
    assert float(row["cv_accuracy"]) > 0.7
    assert score in typed(newcomer, "python -m titanic_nn.submit --list")
