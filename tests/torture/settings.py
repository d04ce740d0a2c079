"""Absurd settings, nets that diverge, absurd cells: each is one clear error, at once."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from torture.attack import QUICK, Attack, fault, run

from titanic_nn import (
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    ResNetClassifier,
    cross_validate,
)
from titanic_nn.competitions.registry import load_config
from titanic_nn.competitions.titanic.columns import SCHEMA
from titanic_nn.config import Config
from titanic_nn.errors import DivergenceError, TitanicError
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.nets.registry import NETS
from titanic_nn.tables.schema import check_table

LONGEST_LINE = 1000  # characters of an error that a person reads
WRONG: tuple[Any, ...] = (0, -1, 2**128, float("nan"), float("inf"), "text", [[1]], True)
CLASSIFIERS = (LinearClassifier, ReLUClassifier, DeepClassifier, ResNetClassifier)
DIVERGING: tuple[dict[str, Any], ...] = (
    {"optimizer": "adamw", "learning_rate": 1e20},
    {"optimizer": "sgd", "weight_decay": 0.0, "l2": 1e3, "learning_rate": 1e10},
)
TOML = {
    "nested arrays": f"models = {'[' * 3000}{']' * 3000}",
    "nested tables": f"relu.epochs{'.a' * 3000} = 1",
    "digits": f"seed = {'9' * 5000}",
    "bits": f"seed = 0x{'f' * 100_000}",
    "models": f"models = [{', '.join(100_000 * ['relu'])}]".replace("relu", '"relu"'),
    "names": "\n".join(f"a{i} = 1" for i in range(50_000)),
    "a long name": f"{'a' * 100_000} = 1",
    "a date beyond time": "seed = 2026-99-99",
    "NUL": "seed = 1\0",
    "epochs": "[linear]\nepochs = 1_000_000_000",
    "width": "[relu]\nhidden_size = 10_000_000",
    "blocks": "models = ['resnet']\n[resnet]\nn_blocks = 1000\nwidth = 1_000_000",
    "layers": f"[deep]\nhidden_sizes = {[10**6] * 1000}",
    "batch": f"[relu]\nbatch_size = {2**63}",
    "points": f"history_points = {2**63}",
}
CELLS = {  # column -> what is not in any passenger's
    "PassengerId": ("1e400", "-1", "9" * 4000, "0.5", ""),
    "Pclass": ("4", "1e300", "first", ""),
    "Name": ("", "a" * 100_000),
    "Sex": ("yes", "male" * 1000, ""),
    "Age": ("121", "-0.1", "1e308", "inf", "0x10", "9" * 4000),
    "SibSp": ("101", "-1", "1.5", "1e308", ""),
    "Parch": ("101", "-1", "nan", "9" * 4000),
    "Ticket": ("9" * 4000, "A 1234567890123456", ""),
    "Fare": ("-0.01", "1e300", "10001", "free", "-inf"),
    "Cabin": ("C" * 1001,),
    "Embarked": ("S" * 1001,),
}
PASSENGER = {
    "PassengerId": "1", "Pclass": "3", "Name": '"Smith, Mr. A"', "Sex": "male", "Age": "22",
    "SibSp": "1", "Parch": "0", "Ticket": "A 100", "Fare": "7.25", "Cabin": "", "Embarked": "S",
}  # fmt: skip


def attacks() -> list[Attack]:
    """Settings one by one, TOML, diverging nets, sizes, cells; then what a user types."""
    found = [_setting(net, name) for net in NETS for name in NETS[net].config.search_space]
    names = ("folds", "repeats", "seed", "n_seeds", "models", "inner_folds", "history_points")
    found += [_setting("", name) for name in (*names, "device")]
    found += [_toml(name) for name in TOML if name not in ("epochs", "width", "blocks", "layers")]
    found += [_diverging(cls, more) for cls in CLASSIFIERS for more in DIVERGING]
    found += [_cross_validated(cls) for cls in CLASSIFIERS]
    found += [_enormous(cls, name) for cls in CLASSIFIERS for name in ("n_seeds", "width")]
    found += [_cells(column) for column in CELLS]
    found += [_typed(f"train with absurd {name}", TOML[name]) for name in ("epochs", "layers")]
    found += [_typed("tune with absurd width", TOML["width"], "tune", "--model", "relu")]
    found += [
        _typed(f"{command} with a net that diverges", _diverging_toml("relu"), command)
        for command in ("train", "importance")
    ]
    found += [
        _typed(f"train with {option} {value}", "", "train", option, value)
        for option, value in (
            ("--n-seeds", "1000000000"),
            ("--repeats", "1000000000"),
            ("--folds", str(2**63)),
            ("--seed", "9" * 5000),
        )
    ]
    found += [_tuned(), _file("a pipe", os.mkfifo), _file("a terabyte", _terabyte)]
    return [*found, _device("--config"), _device("--data")]


def _refused(attempt: Callable[[], object], kind: type[Exception] = TitanicError) -> str:
    """What is wrong with how it was refused; "" if nothing is."""
    try:
        result = attempt()
    except kind as error:
        line = str(error)
        return "" if len(line) < LONGEST_LINE and "\n" not in line else f"not a line: {line[:200]}"
    return f"accepted: {str(result)[:200]}"


def _setting(net: str, name: str) -> Attack:
    """All wrong values of one setting of a net, or of the run."""

    def attempt(folder: Path) -> str:
        for value in WRONG:
            if value == 0 and (
                name in ("weight_decay", "seed", "inner_folds") or "dropout" in name
            ):
                continue
            given = {net: {name: value}} if net else {name: value}
            if wrong := _refused(lambda given=given: load_config(**given)):  # type: ignore[misc]
                return f"{value!r}: {wrong}"
        return ""

    return Attack(f"{net or 'run'}: {name}", attempt)


def _toml(name: str) -> Attack:
    def attempt(folder: Path) -> str:
        (folder / "s.toml").write_text(TOML[name], encoding="utf-8")
        return _refused(lambda: Config.from_toml(folder / "s.toml"))

    return Attack(f"TOML: {name}", attempt)


def _diverging(cls: type[NetClassifier], settings: dict[str, Any]) -> Attack:
    def attempt(folder: Path) -> str:
        x, y = load_breast_cancer(return_X_y=True)
        model = cls(n_seeds=2, epochs=20, random_state=0, device="cpu", **settings)
        return _refused(lambda: model.fit(x, y), DivergenceError)

    return Attack(f"{cls.__name__} diverges by {settings['optimizer']}", attempt)


def _cross_validated(cls: type[NetClassifier]) -> Attack:
    def attempt(folder: Path) -> str:
        x, y = load_breast_cancer(return_X_y=True)
        model = cls(n_seeds=1, epochs=10, device="cpu", learning_rate=1e20)
        return _refused(lambda: cross_validate(model, x, y, cv=2), ValueError)

    return Attack(f"{cls.__name__} diverges on each fold", attempt)


def _enormous(cls: type[NetClassifier], name: str) -> Attack:
    sizes: dict[type, dict[str, Any]] = {
        LinearClassifier: {"batch_size": 2**63},
        ReLUClassifier: {"hidden_size": 10**9},
        DeepClassifier: {"hidden_sizes": (10**6, 10**6)},
        ResNetClassifier: {"n_blocks": 1000, "width": 10**6},
    }

    def attempt(folder: Path) -> str:
        x = np.random.default_rng(0).normal(size=(50, 3))
        size = {"n_seeds": 10**9} if name == "n_seeds" else sizes[cls]
        return _refused(lambda: cls(**size).fit(x, x[:, 0] > 0))

    return Attack(f"{cls.__name__} with absurd {name}", attempt)


def _cells(column: str) -> Attack:
    """Each absurd cell of a column, which the error must name with its line."""

    def attempt(folder: Path) -> str:
        for cell in CELLS[column]:
            row = ",".join((PASSENGER | {column: cell}).values())
            content = f"{','.join(PASSENGER)}\n{row}\n".encode()
            try:
                check_table(content, file="t.csv", columns=SCHEMA.test_columns, id=SCHEMA.id)
            except TitanicError as error:
                message = str(error)
                if f"line 2, column {column}: " not in message or len(message) > LONGEST_LINE:
                    return f"{cell[:50]!r}: {message[:200]}"
            else:
                return f"accepted: {cell[:50]!r}"
        return ""

    return Attack(f"cells of {column}", attempt)


def _diverging_toml(net: str) -> str:
    return f"[{net}]\nlearning_rate = 1e20\nweight_decay = 1.0\nepochs = 5\n"


def _typed(name: str, settings: str, command: str = "train", *words: str) -> Attack:
    """A command with these settings, as a user types it."""

    def attempt(folder: Path) -> str:
        (folder / "s.toml").write_text(settings, encoding="utf-8")
        models = () if command == "tune" else ("--models", "linear", "relu", "deep")
        option = "--space" if command == "tune" else "--config"
        few = ("--folds", "2", "--repeats", "1", *models)
        done = run(folder, command, option, "s.toml", *few, *words, "--quiet", timeout=60)
        left = [path.name for path in folder.iterdir() if path.name != "s.toml"]
        return fault(done, codes=(2,)) or (f"left behind: {left}" if left else "")

    return Attack(name, attempt)


def _tuned() -> Attack:
    def attempt(folder: Path) -> str:
        rates = "learning_rate = { low = 0.001, high = 1e30 }"
        (folder / "s.toml").write_text(f"[linear]\nepochs = 5\n{rates}\n", encoding="utf-8")
        words = ("--folds", "2", "--repeats", "1", "--trials", "12", "--quiet")
        done = run(folder, "tune", "--model", "linear", "--space", "s.toml", *words)
        (trials,) = folder.glob("runs/studies/*/trials.csv")
        table = io.StringIO(trials.read_text())
        losses = np.genfromtxt(table, delimiter=",", names=True, dtype=None, encoding="utf-8")
        finite = len(losses) == 12 and np.isfinite(losses["log_loss"]).all()
        return fault(done, codes=(0,)) or ("" if finite else f"losses: {losses['log_loss']}")

    return Attack("tune where some nets diverge", attempt)


def _terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


def _file(name: str, make: Callable[[Path], object]) -> Attack:
    """Settings and a table that are no such file."""

    def attempt(folder: Path) -> str:
        for file in ("s.toml", "train.csv", "test.csv"):
            make(folder / file)
        return _refused(lambda: load_config(folder / "s.toml")) or fault(
            run(folder, "train", "--data", ".", *QUICK, timeout=30), codes=(2,)
        )

    return Attack(f"{name} as settings and tables", attempt)


def _device(option: str) -> Attack:
    return Attack(
        f"train {option} /dev/zero",
        lambda folder: fault(run(folder, "train", option, "/dev/zero", *QUICK, timeout=30), (2,)),
    )
