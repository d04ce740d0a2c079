"""What is searched, and what a TOML file makes of it."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from titanic_nn.errors import ConfigError
from titanic_nn.config import MODELS, NETS, DeepConfig, LinearConfig, Model, ReLUConfig
from titanic_nn.tuning.spaces import load_space


def write(path: Path, text: str) -> Path:
    (path / "space.toml").write_text(text, encoding="utf-8")
    return path / "space.toml"


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_a_setting_and_no_bound_is_refused(model: Model) -> None:
    space = load_space(model)  # builds the settings of every bound and choice
    assert set(space.searched) | set(space.fixed) <= {f.name for f in fields(NETS[model])}
    assert not set(space.searched) & set(space.fixed)


def test_a_trial_sets_what_is_searched_and_the_rest_is_the_class_own() -> None:
    params = {"epochs": 30, "learning_rate": 0.02, "weight_decay": 0.5, "hidden": 48}
    config = load_space("relu").config({**params, "schedule": "cosine"})
    assert config == ReLUConfig(**params, schedule="cosine", optimizer="adamw")  # type: ignore[arg-type]


def test_layers_are_one_word_to_optuna() -> None:
    space = load_space("deep")
    layers = space.searched["hidden"]
    assert isinstance(layers, CategoricalDistribution)
    assert "64-32" in layers.choices
    config = space.config({"hidden": "64-32-16"})
    assert isinstance(config, DeepConfig)
    assert config.hidden == (64, 32, 16)


def test_a_file_fixes_narrows_and_adds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [deep]
        epochs = 20
        hidden = { choices = [[8, 4], [16]] }
        learning_rate = { low = 0.003, high = 0.03 }
        dropout = { low = 0, high = 1e-1 }
        l1 = { low = 1e-6, high = 1e-3, log = true }
        [relu]
        hidden = { low = 16, high = 32, step = 16 }
        """,
    )
    deep = load_space("deep", path)
    assert deep.fixed["epochs"] == 20
    assert "epochs" not in deep.searched
    assert deep.searched["hidden"] == CategoricalDistribution(["8-4", "16"])
    assert deep.searched["learning_rate"] == FloatDistribution(0.003, 0.03, log=True)  # as before
    assert deep.searched["dropout"] == FloatDistribution(0, 0.1)
    assert deep.searched["l1"] == FloatDistribution(1e-6, 1e-3, log=True)
    assert deep.config({"hidden": "16", "dropout": 0.1}) == DeepConfig(
        epochs=20, hidden=(16,), dropout=0.1, optimizer="adamw"
    )
    assert load_space("relu", path).searched["hidden"] == IntDistribution(16, 32, step=16)
    assert load_space("linear", path) == load_space("linear")


def test_another_optimizer_can_be_fixed(tmp_path: Path) -> None:
    text = '[linear]\noptimizer = "sgd"\nmomentum = { low = 0.0, high = 0.9 }\nweight_decay = 0.0\n'
    config = load_space("linear", write(tmp_path, text)).config({"momentum": 0.5})
    assert config == LinearConfig(optimizer="sgd", momentum=0.5)


def test_two_spaces_are_told_apart(tmp_path: Path) -> None:
    narrow = load_space("relu", write(tmp_path, "[relu]\nepochs = 20\n"))
    before, after = load_space("relu").describe(), narrow.describe()
    assert {name for name in before if before[name] != after[name]} == {"epochs"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[relu]\nepoch = 20\n", "there is no setting relu.epoch; did you mean epochs?"),
        ("[relu]\nepochs = 0\n", "relu.epochs = 0: input should be greater than or equal to 1"),
        ("[relu]\nlearning_rate = { low = -1.0, high = 1.0, log = false }\n", "learning_rate = -1"),
        ("[relu]\nlearning_rate = { low = 1.0, high = 0.1 }\n", "relu.learning_rate: "),
        ("[relu]\nlearning_rate = { low = 0.1 }\n", "relu.learning_rate: give a value"),
        ('[relu]\nlearning_rate = { low = "a", high = "b" }\n', "relu.learning_rate: "),
        ('[relu]\nschedule = { choices = ["cosine", "linear"] }\n', "schedule = 'linear'"),
        ("[relu]\nschedule = { choices = [] }\n", "relu.schedule: "),
        ('[relu]\noptimizer = "sgd"\n', "weight_decay does nothing"),
        ("[rlu]\nepochs = 20\n", "rlu: give a table for one of linear, relu, deep"),
        ("relu = 3\n", "relu: give a table"),
        ("[relu\n", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_space("relu", path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_something_must_be_left_to_search(tmp_path: Path) -> None:
    config = asdict(LinearConfig())
    fixed = "".join(f"{n} = {config[n]!r}\n" for n in load_space("linear").searched)
    with pytest.raises(ConfigError, match="fixes every setting of linear"):
        load_space("linear", write(tmp_path, f"[linear]\n{fixed}"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load_space("relu", tmp_path / "nowhere.toml")
