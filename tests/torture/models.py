"""Saved models whose files were forged or damaged: refused in one line, or valid probabilities.

A worker process, which may take only a gigabyte more than it has after its imports, loads each
folder, predicts with it, and exports it: an attempt to make it allocate more fails there.
"""

import atexit
import json
import os
import re
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
from forged_models import (
    DESCRIPTION,
    TENSORS,
    Forgery,
    dropped,
    filled,
    is_valid,
    put,
    rewritten,
    with_header,
    with_number,
    with_tensor_bytes,
    with_tensors,
)
from torture.attack import REPOSITORY, Attack, environment, fault, run

TEST_TABLE = REPOSITORY / "data" / "bundled" / "test.csv"
ROWS = 50  # of it, which are predicted
MORE_MEMORY = 2**30  # bytes
SECONDS = 60  # more is a hang, also on a busy machine

CLASSIFIER, ENCODER = ("classifier",), ("features", "encoder")
CLASSES, CONFIG = (*CLASSIFIER, "classes"), (*CLASSIFIER, "config")
FITTED, SCALING = (*ENCODER, "fitted"), (*ENCODER, "scaling")
COMPANIONS = (*FITTED, "companions")
COUNTS, TICKETS = (*COMPANIONS, "party_counts"), (*COMPANIONS, "ticket_counts", "3")


# --- Good models, which are trained once ---


@cache
def _home() -> Path:
    """A folder with good models: `relu`, `linear`, `deep` and their ensemble; `numbers`."""
    from sklearn.pipeline import make_pipeline

    import titanic_nn
    from titanic_nn.estimators.calibration import Ensemble

    home = Path(tempfile.mkdtemp(prefix="torture-models-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    tables = titanic_nn.load_tables()
    quick: dict[str, Any] = {"epochs": 2, "n_seeds": 2, "device": "cpu", "random_state": 0}
    nets = {
        "linear": titanic_nn.LinearClassifier(**quick),
        "relu": titanic_nn.ReLUClassifier(hidden_size=8, **quick),
        "deep": titanic_nn.DeepClassifier(hidden_sizes=(8, 4), normalization="batch", **quick),
    }
    models = {
        name: make_pipeline(titanic_nn.CompetitionFeatures(), net).fit(tables.train, tables.y)
        for name, net in nets.items()
    }
    shares = {"linear": 0.25, "relu": 0.5, "deep": 0.25}
    x = np.random.default_rng(0).normal(size=(60, 3))
    numbers = titanic_nn.ReLUClassifier(**quick).fit(x, np.arange(60) % 3)
    for name, model in {**models, "ensemble": Ensemble(models, shares), "numbers": numbers}.items():
        titanic_nn.save(model, home / name)
    return home


# --- The worker ---


def _work() -> None:
    """Answer each line of stdin, a folder as JSON, with a line: what came of loading it."""
    import pandas as pd

    from titanic_nn import load
    from titanic_nn.errors import ModelError
    from titanic_nn.estimators.onnx import to_onnx

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    table = pd.read_csv(TEST_TABLE, dtype={"Ticket": str}).head(ROWS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        answer: dict[str, Any] = {}
        try:
            model: Any = load(json.loads(line))
            of_numbers = not hasattr(model, "steps") and not hasattr(model, "models")
            x = np.zeros((ROWS, model.n_features_in_)) if of_numbers else table
            answer["valid"] = is_valid(p := model.predict_proba(x))
            answer["p"] = p[:, -1].astype(float).tolist()
            if not hasattr(model, "models"):
                to_onnx(model if of_numbers else model[-1])
        except ModelError as error:
            answer["refused"] = str(error)
        except ValueError as error:  # of a prediction, where numbers overflow
            answer["refused" if "large" in str(error) else "raised"] = str(error)
        except BaseException as error:
            answer["raised"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


class _Worker:
    """The process that loads folders, one after the other; started when it is first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None

    def ask(self, folder: Path) -> dict[str, Any]:
        """What came of loading a folder."""
        with self.lock:
            if self.process is None:
                path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))
                self.process = subprocess.Popen(
                    [sys.executable, "-W", "error::RuntimeWarning", "-m", "torture.models"],
                    env={**environment(), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                atexit.register(self.process.kill)
            assert self.process.stdin
            assert self.process.stdout
            self.process.stdin.write(json.dumps(str(folder)) + "\n")
            self.process.stdin.flush()
            if select.select([self.process.stdout], [], [], SECONDS)[0]:
                if answer := self.process.stdout.readline():
                    found: dict[str, Any] = json.loads(answer)
                    return found
                reason = f"the process died, exit code {self.process.wait()}"
            else:
                reason = f"no answer within {SECONDS} s"
            self.process.kill()
            self.process = None
            return {"raised": reason}


_WORKER = _Worker()


# --- Attempts ---


def _forged(model: str, forge: Forgery, check: Callable[[dict[str, Any]], str]) -> Any:
    """The attempt to load a good model that was forged."""

    def attempt(folder: Path) -> str:
        shutil.copytree(_home() / model, folder / "model")
        forge(folder / "model")
        answer = _WORKER.ask(folder / "model")
        refused = answer.get("refused")
        if "raised" in answer:
            return str(answer["raised"])
        if refused and ("\n" in refused or len(refused) > len(str(folder)) + 500):
            return f"more than a line: {refused[:300]!r}"
        if refused and not re.search(r"/model\b", refused) and "large" not in refused:
            return f"names no file: {refused}"
        if refused and re.search("MemoryError|allocate", refused):
            return f"allocated first: {refused}"
        return check(answer)

    return attempt


def _is_refused(answer: dict[str, Any]) -> str:
    return "" if "refused" in answer else "was accepted"


def _is_refused_or_valid(answer: dict[str, Any]) -> str:
    return "" if "refused" in answer or answer["valid"] else "impossible probabilities"


def _is_unchanged(answer: dict[str, Any]) -> str:
    good = _WORKER.ask(_home() / "relu")
    return "" if answer.get("p") == good["p"] else f"predicts otherwise: {answer}"


def _command(model: str, forge: Forgery, *words: str) -> Any:
    """The attempt to use a forged model of a run by a command; only exit code 2 withstands."""

    def attempt(folder: Path) -> str:
        shutil.copytree(_home() / model, folder / "runs/forged/models" / model)
        forge(folder / "runs/forged/models" / model)
        finished = run(folder, *words)
        left = [path.name for path in folder.iterdir() if path.name != "runs"]
        return fault(finished, (2,)) or (f"left {left}" if left else "")

    return attempt


# --- Forgeries of whole files ---


def _replaced(name: str, make: Callable[[Path], object]) -> Forgery:
    """Something else in a file's place."""

    def forge(folder: Path) -> None:
        (folder / name).rename(folder.parent / f"was-{name}")
        make(folder / name)

    return forge


def _edited(old: str, new: str) -> Forgery:
    """The description's text, whose checksum is left as it was."""

    def forge(folder: Path) -> None:
        text = (folder / DESCRIPTION).read_text()
        assert old in text
        (folder / DESCRIPTION).write_text(text.replace(old, new, 1))

    return forge


def _grown(name: str, size: int) -> Forgery:
    """A file with so many bytes, which take no room on the disk."""
    return lambda folder: os.truncate(folder / name, size)


def _written(content: bytes) -> Forgery:
    return lambda folder: (folder / DESCRIPTION).write_bytes(content)


def _sorted_keys(folder: Path) -> None:
    document = json.loads((folder / DESCRIPTION).read_bytes())
    (folder / DESCRIPTION).write_text(json.dumps(document, sort_keys=True))


def _member_is(name: str, make: Callable[[Path], object]) -> Forgery:
    """An ensemble with one member, of this name, made in this way."""

    def forge(folder: Path) -> None:
        make(folder / name)
        put("weights", to={name: 1.0})(folder)

    return forge


def _chain(member: Path) -> None:
    """An ensemble in an ensemble, 300 deep."""
    description = (member.parent / DESCRIPTION).read_bytes()
    for _ in range(300):
        member.mkdir()
        (member / DESCRIPTION).write_bytes(description)
        put("weights", to={"m": 1.0})(member)
        member = member / "m"


def _header(length: int, content: bytes = b"{}") -> Forgery:
    return with_tensor_bytes(lambda _: struct.pack("<Q", length) + content)


def _other_type(dtype: str) -> Forgery:
    return with_header(lambda header: header["w2"].update(dtype=dtype))


def _resnet(n_blocks: int) -> Forgery:
    """The settings of another net, with so many blocks."""
    from titanic_nn.nets.registry import NETS

    def change(document: dict[str, Any]) -> None:
        from dataclasses import asdict

        config = asdict(NETS["resnet"].default()) | {"n_blocks": n_blocks, "width": 1}
        document["classifier"] |= {"net": "resnet", "config": config}

    return rewritten(change)


def attacks() -> list[Attack]:
    """All of them."""
    made = [
        Attack(f"{model}: {name}", _forged(model, forge, _is_refused))
        for model, forgeries in _refused_forgeries().items()
        for name, forge in forgeries.items()
    ]
    made += [
        Attack(f"{model}: {name}", _forged(model, forge, _is_refused_or_valid))
        for model, name, forge in (
            ("relu", "every weight is 3e38", filled(3e38)),
            ("deep", "every weight is 1e30", filled(1e30)),
            ("relu", "every weight is 0", filled(0)),
            ("relu", "a slope of 1e308", put(*CLASSIFIER, "calibration", "slope", to=1e308)),
            ("relu", "a median of 1e17", put(*ENCODER, "medians", "age", "everyone", to=1e17)),
            ("relu", "a scale of 1e-17", put(*SCALING, "age", to=[0, 1e-17])),
            ("relu", "no ticket is held", put(*FITTED, "ticket_holders", to={})),
            ("deep", "a negative variance", with_number("running_variance1", -1)),
            ("numbers", "scales of 1e-308", put(*CLASSIFIER, "scale", to=[1e-308] * 3)),
        )
    ]
    made.append(Attack("relu: keys were sorted", _forged("relu", _sorted_keys, _is_unchanged)))
    relu, table = "runs/forged/models/relu", str(TEST_TABLE)
    predict = ("predict", relu, "--input", table, "--output", "out.csv")
    made += [
        Attack(f"{words[0]}: {name}", _command("relu", forge, *words))
        for words, name, forge in (
            (predict, "a weight is no number", with_number("w1", nan)),
            (predict, "a pipe", _replaced(DESCRIPTION, os.mkfifo)),
            (predict, "counts of gigabytes", put(*COUNTS, "shape", to=[10**9, 12, 2])),
            (predict, "weights that overflow", filled(3e38)),
            (("inspect", "forged"), "classes are swapped", put(*CLASSES, "values", to=[1, 0])),
            (("inspect", "forged"), "a device", _replaced(TENSORS, _link("/dev/zero"))),
            (("export", relu, "--onnx", "x.onnx"), "a bias is infinite", with_number("b1", inf)),
            (("export", relu, "--onnx", "x.onnx"), "nested JSON", _written(b"[" * 100_000)),
        )
    ]
    return made


def _link(to: str | Path) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        path.symlink_to(to)

    return make


def _refused_forgeries() -> dict[str, dict[str, Forgery]]:
    """Model -> what is forged in it, each to be refused."""
    weights = {"linear": 0.25, "relu": 0.5, "deep": 0.25}
    parameters = (*CLASSIFIER, "parameters")
    files: dict[str, Forgery] = {}
    for name in (DESCRIPTION, TENSORS):
        files |= {
            f"{name} is gone": _replaced(name, lambda _: None),
            f"{name} is a folder": _replaced(name, Path.mkdir),
            f"{name} is a pipe": _replaced(name, os.mkfifo),
            f"{name} is /dev/zero": _replaced(name, _link("/dev/zero")),
            f"{name} is a link elsewhere": _replaced(name, _link(f"../was-{name}")),
            f"{name} is a link to itself": _replaced(name, _link(name)),
            f"{name} is empty": _grown(name, 0),
            f"{name} is cut in half": _grown(name, 1000),
            f"{name} has 3 GB": _grown(name, 3 * 10**9),
        }
    relu: dict[str, Forgery] = {
        **files,
        "a number was edited": _edited("0.01", "0.02"),
        "JSON nested 100,000 deep": _written(b'{"kind":' + b"[" * 100_000),
        "JSON with a number of 10**6 digits": _written(b'{"kind": %s}' % (b"9" * 10**6)),
        "a key twice": _edited('"format": 3', '"format": 9, "format": 3'),
        "UTF-16": lambda f: (f / DESCRIPTION).write_text(
            (f / DESCRIPTION).read_text(), encoding="utf-16"
        ),
        "not UTF-8": _written(b'{"kind": "\xe9"}'),
        "a list": _written(b"[]"),
        "format 2": put("format", to=2),
        "format 4": put("format", to=4),
        "a format of 4,000 digits": put("format", to=10**4000),
        "a format of text": put("format", to="3\n3"),
        "another kind": put("kind", to="model"),
        "no checksums": dropped("sha256"),
        "a checksum more": put("sha256", "other", to="0"),
        "an unknown field": put("more", to=1),
        "an unknown field of the classifier": put(*CLASSIFIER, "more", to=1),
        "an unknown field of the encoder": put(*ENCODER, "more", to=1),
        "no classifier": dropped("classifier"),
        "an unknown net": put(*CLASSIFIER, "net", to="os"),
        "another net": put(*CLASSIFIER, "net", to="linear"),
        "an unknown competition": put("features", "competition", to="x\n" * 1000),
        "10**12 nets": put(*parameters, "n_seeds", to=10**12),
        "10**9 nets": put(*parameters, "n_seeds", to=10**9),
        "no nets": put(*parameters, "n_seeds", to=0),
        "3 nets of 2": put(*parameters, "n_seeds", to=3),
        "a device of text": put(*parameters, "device", to="cpu\n"),
        "a seed below 0": put(*parameters, "random_state", to=-1),
        "10**12 units": put(*CONFIG, "hidden_size", to=10**12),
        "10**8 units": put(*CONFIG, "hidden_size", to=10**8),
        "10**9 blocks": _resnet(10**9),
        "10**5 blocks": _resnet(10**5),
        "a setting less": dropped(*CONFIG, "hidden_size"),
        "an unknown setting": put(*CONFIG, "more", to=1),
        "a rate of NaN": put(*CONFIG, "learning_rate", to=nan),
        "classes swapped": put(*CLASSES, "values", to=[1, 0]),
        "classes equal": put(*CLASSES, "values", to=[1, 1]),
        "one class": put(*CLASSES, "values", to=[1]),
        "no classes": put(*CLASSES, "values", to=[]),
        "three classes": put(*CLASSES, "values", to=[0, 1, 2]),
        "classes 0 and 2": put(*CLASSES, "values", to=[0, 2]),
        "another competition's classes": put(
            *CLASSES, to={"dtype": "<U6", "values": ["croaks", "silent"]}
        ),
        "classes of gigabytes": put(*CLASSES, to={"dtype": "<U500000000", "values": ["0", "1"]}),
        "classes of dates": put(*CLASSES, "dtype", to="<M8[s]"),
        "classes of records": put(*CLASSES, "dtype", to="i4,f8"),
        "10**9 features": put(*CLASSIFIER, "n_features", to=10**9),
        "a feature less": rewritten(
            lambda d: d["classifier"].update(n_features=d["classifier"]["n_features"] - 1)
        ),
        "a slope of NaN": put(*CLASSIFIER, "calibration", "slope", to=nan),
        "an intercept of text": put(*CLASSIFIER, "calibration", "intercept", to="0"),
        "no calibration": put(*CLASSIFIER, "calibration", to=None),
        "no medians": dropped(*ENCODER, "medians"),
        "medians of one number less": dropped(*ENCODER, "medians", "age"),
        "no median of everyone": dropped(*ENCODER, "medians", "age", "everyone"),
        "a median of Infinity": put(*ENCODER, "medians", "age", "Mr, 3", to=inf),
        "a median of nothing": put(*ENCODER, "medians", "age", "Mr, 3", to=None),
        "scale 0": put(*SCALING, "age", to=[30, 0]),
        "a negative scale": put(*SCALING, "age", to=[30, -1]),
        "a scale of text": put(*SCALING, "age", to=[30, "1"]),
        "a scale of 1e-300": put(*SCALING, "age", to=[30, 1e-300]),
        "a scale of NaN": put(*SCALING, "age", to=[30, nan]),
        "three numbers for two": put(*SCALING, "age", to=[30, 1, 1]),
        "a column of nothing": put(*SCALING, "beard", to=[0, 1]),
        "a column less": dropped(*SCALING, "age"),
        "a category twice": put(*ENCODER, "categories", "sex", to=["male", "male"]),
        "categories in another order": put(*ENCODER, "categories", "sex", to=["male", "female"]),
        "categories of numbers": put(*ENCODER, "categories", "sex", to=[0, 1]),
        "10**9 parties": put(*COUNTS, "shape", to=[10**9, 12, 2]),
        "10**9 ticket numbers": put(*TICKETS, "shape", to=[10**9, 12, 2]),
        "10**9 peers": put(*COUNTS, "shape", 1, to=10**9),
        "four dimensions": put(*COUNTS, "shape", to=[1, 12, 2, 1]),
        "a position out of range": put(*COUNTS, "at", -1, to=10**9),
        "a negative position": put(*COUNTS, "at", 0, to=-1),
        "a position of text": put(*COUNTS, "at", 0, to="0"),
        "one position twice": rewritten(
            lambda d: d["features"]["encoder"]["fitted"]["companions"]["party_counts"]["at"].insert(
                0, 0
            )
        ),
        "a count of 2**31": put(*COUNTS, "count", 0, to=2**31),
        "counts whose sum overflows": put(*COUNTS, "count", 0, to=2**31 - 1),
        "a count below 0": put(*COUNTS, "count", 0, to=-1),
        "a party out of range": put(*COMPANIONS, "party_of", "same_ticket", "x", to=10**7),
        "keys of one party less": dropped(*COMPANIONS, "party_of", "same_family"),
        "an unknown class": put(*COMPANIONS, "ticket_numbers", "4", to=[1]),
        "ticket numbers that fall": put(*COMPANIONS, "ticket_numbers", "3", 0, to=1e9),
        "a rate of 2": put(*COMPANIONS, "expected", 0, 0, to=2.0),
        "rates of one half": put(*COMPANIONS, "expected", to=[[0.5] * 12]),
        "0 holders of a ticket": put(*FITTED, "ticket_holders", "x", to=0),
        "an id of 30 digits": put(*FITTED, "counted", 0, to=10**30),
        "no fitted features": put(*ENCODER, "fitted", to=None),
        "a column of the table less": dropped("features", "columns", 5),
        "a weight of NaN": with_number("w1", nan),
        "a bias of -Infinity": with_number("b2", -inf),
        "a tensor less": with_tensors(lambda t: t.pop("b1")),
        "a tensor more": with_tensors(lambda t: t.update(w3=t["w2"])),
        "a tensor transposed": with_tensors(
            lambda t: t.update(w1=np.ascontiguousarray(t["w1"].swapaxes(1, 2)))
        ),
        "a tensor of doubles": with_tensors(lambda t: t.update(w2=t["w2"].astype(np.float64))),
        "a tensor of integers": _other_type("I32"),
        "a tensor of an unknown type": _other_type("X32"),
        "a tensor of bfloat16": with_tensors(lambda t: t.update(w2=t["w2"].astype(np.float16))),
        "a tensor of a shape of nothing": with_tensors(
            lambda t: t.update(w2=np.zeros((10**9, 0, 8), np.float32))
        ),
        "a shape of 10**18": with_header(lambda h: h["w1"].update(shape=[10**9, 10**9, 1])),
        "places beyond the file": with_header(
            lambda h: h["w1"].update(data_offsets=[0, 10**12], shape=[2, 5 * 10**11 // 4, 1])
        ),
        "a header of 10**9 bytes": _header(10**9),
        "a header of 2**63 bytes": _header(2**63),
        "a header that is no JSON": _header(5, b"hello"),
        "a header nested 100,000 deep": _header(100_000, b"[" * 100_000),
    }
    ensemble: dict[str, Forgery] = {
        "weights are a list": put("weights", to=[0.25, 0.5, 0.25]),
        "weights are dicts": put("weights", to={name: {"w": w} for name, w in weights.items()}),
        "weights are text": put("weights", to=dict.fromkeys(weights, "1")),
        "no weights": put("weights", to={}),
        "weights of nothing": put("weights", to=None),
        "a weight below 0": put("weights", to=weights | {"linear": -0.25, "relu": 1.0}),
        "weights that sum to 2": put("weights", to={name: 2 * w for name, w in weights.items()}),
        "a weight of NaN": put("weights", "relu", to=nan),
        "a weight of 1e999": _edited('"relu": 0.5', '"relu": 1e999'),
        "weights of a net": put("classifier", to={}),
        "a member is gone": lambda f: shutil.rmtree(f / "relu"),
        "a member is a link": _member_is("m", lambda p: _link(_home() / "relu")(p)),
        "a member's classes are swapped": lambda f: put(*CLASSES, "values", to=[1, 0])(f / "relu"),
        "a member's weight is no number": lambda f: with_number("w1", nan)(f / "relu"),
        "a member is of numbers": _member_is(
            "numbers", lambda p: shutil.copytree(_home() / "numbers", p)
        ),
        "itself, by a link": _member_is("self", _link(".")),
        "ensembles 300 deep": _member_is("m", _chain),
        **{
            f"a member named {name[:20]!r}": put("weights", to={name: 1.0})
            for name in (
                *("", ".", "..", "../ensemble", "/", "/etc", "relu/", "linear/../relu", "a\\b"),
                *("nul\0", "line\nfeed", "x" * 5000, DESCRIPTION, "C:"),
            )
        },
    }
    deep: dict[str, Forgery] = {
        "layers of 10**9 units": put(*CONFIG, "hidden_sizes", to=[10**9, 10**9]),
        "10**5 layers": put(*CONFIG, "hidden_sizes", to=[1] * 10**5),
        "no layers": put(*CONFIG, "hidden_sizes", to=[]),
        "an unknown activation": put(*CONFIG, "activation", to="softplus"),
        "another normalization": put(*CONFIG, "normalization", to="none"),
        "an infinite mean": with_number("running_mean1", inf),
    }
    numbers: dict[str, Forgery] = {
        "two classes of three": put(*CLASSES, "values", to=[0, 1]),
        "a calibration of three classes": put(*CLASSIFIER, "calibration", "slope", to=0.5),
        "a scale of 0": put(*CLASSIFIER, "scale", 0, to=0.0),
        "a mean of NaN": put(*CLASSIFIER, "mean", 0, to=nan),
        "means without scales": put(*CLASSIFIER, "scale", to=None),
        "means of fewer columns": dropped(*CLASSIFIER, "mean", 0),
        "names of fewer columns": put(*CLASSIFIER, "feature_names", to=["a"]),
        "class weights of text": put(*parameters, "class_weight", to=[[0, "x"]]),
    }
    return {"relu": relu, "ensemble": ensemble, "deep": deep, "numbers": numbers}


if __name__ == "__main__":
    _work()
