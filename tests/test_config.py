"""Settings travel through TOML unchanged, and a mistake in them is one line that says where."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from titanic_nn.errors import ConfigError
from titanic_nn.config import (
    MODELS,
    DeepConfig,
    FeatureConfig,
    LinearConfig,
    ReLUConfig,
    Config,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def read(file: Path, text: str) -> Config:
    file.write_text(text, encoding="utf-8")
    return Config.from_toml(file)


OTHER = Config(
    models=("deep", "linear"),
    folds=5,
    repeats=2,
    seed=7,
    n_seeds=3,
    device="cpu",
    history_points=4,
    features=FeatureConfig(count_tickets_among="known"),
    linear=LinearConfig(batch_size="all", optimizer="sgd", momentum=0.9, l1=1e-3),
    relu=ReLUConfig(hidden=12, optimizer="adamw", weight_decay=0.1, learning_rate=3e-4),
    deep=DeepConfig(hidden=(9, 8, 7), activation="gelu", normalization="batch", dropout=0.25),
)


@pytest.mark.parametrize("settings", [Config(), OTHER], ids=["default", "other"])
def test_written_and_read_again_they_are_equal(config: Config, file: Path) -> None:
    assert read(file, config.to_toml()) == config


def test_without_a_file_they_are_the_shipped_ones() -> None:
    assert Config.from_toml() == Config()


def test_a_file_may_leave_anything_out(file: Path) -> None:
    config = read(file, "folds = 4\n[deep]\nhidden = [16]\n[features]\nmin_category_rows = 9\n")
    shipped = Config()
    assert config == replace(
        shipped,
        folds=4,
        deep=replace(shipped.deep, hidden=(16,)),
        features=replace(shipped.features, min_category_rows=9),
    )


def test_an_empty_file_changes_nothing(file: Path) -> None:
    assert read(file, "") == Config()


def test_overrides_win_over_the_file_and_none_is_no_override(file: Path) -> None:
    file.write_text("folds = 4\nseed = 1\n", encoding="utf-8")
    config = Config.from_toml(file, folds=3, seed=None, models=["relu"])
    assert (config.folds, config.seed, config.models) == (3, 1, ("relu",))


def test_an_override_of_a_net_keeps_the_rest_of_it_as_shipped() -> None:
    shipped = Config().relu
    assert Config.from_toml(relu={"hidden": 5}).relu == replace(shipped, hidden=5)


def test_they_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().relu.hidden = 3  # type: ignore[misc]


@pytest.mark.parametrize("model", MODELS)
def test_each_net_is_found_by_its_name(model: str) -> None:
    config = Config()
    assert config.net(model) is getattr(config, model)  # type: ignore[arg-type]


# What is wrong in a file, and what the line says after the file's name.
MISTAKES = {
    "unknown": ("fold = 4", r"there is no setting fold; did you mean folds\?"),
    "unknown in a table": (
        "[relu]\nlearning_rat = 0.1",
        r"there is no setting relu\.learning_rat; did you mean relu\.learning_rate\?",
    ),
    "unknown table": ("[rellu]\nhidden = 4", r"there is no setting rellu; did you mean relu\?"),
    "not of this net": ("[linear]\ndropout = 0.1", r"there is no setting linear\.dropout"),
    "without its table": ("epochs = 9", r"there is no setting epochs; did you mean \w+\.epochs\?"),
    "like nothing": ("xyzzy = 1", "there is no setting xyzzy$"),
    "one fold": ("folds = 1", "folds = 1: .*greater than or equal to 2"),
    "no repeat": ("repeats = 0", "repeats = 0: .*greater than or equal to 1"),
    "negative seed": ("seed = -1", "seed = -1: .*greater than or equal to 0"),
    "huge seed": ("seed = 4294967296", "seed = 4294967296: .*less than 4294967296"),
    "no seeds": ("seeds = 0", "seeds = 0: .*greater than or equal to 1"),
    "unknown device": ("device = 'tpu'", "device = 'tpu': .*'auto', 'cpu' or 'cuda'"),
    "no models": ("models = []", "models = .*at least 1"),
    "unknown model": ("models = ['cnn']", r"models\.0 = 'cnn': .*'linear', 'relu' or 'deep'"),
    "model twice": ("models = ['relu', 'relu']", "models names one twice: relu, relu"),
    "no epochs": ("[deep]\nepochs = 0", r"deep\.epochs = 0: .*greater than or equal to 1"),
    "half an epoch": ("[deep]\nepochs = 2.5", r"deep\.epochs = 2\.5: .*integer"),
    "no rows a step": ("[deep]\nbatch_size = 0", r"deep\.batch_size = 0: "),
    "batch of some": ("[relu]\nbatch_size = 'some'", r"relu\.batch_size = 'some': "),
    "no learning rate": ("[relu]\nlearning_rate = 0", r"relu\.learning_rate = 0: .*greater than 0"),
    "infinite": ("[relu]\nlearning_rate = inf", r"relu\.learning_rate = inf: .*finite"),
    "not a number": ("[relu]\nl2 = nan", r"relu\.l2 = nan: "),
    "negative penalty": ("[linear]\nl1 = -0.1", r"linear\.l1 = -0\.1: .*greater than or equal"),
    "all dropped": ("[deep]\ndropout = 1.0", r"deep\.dropout = 1\.0: .*less than 1"),
    "dropout nan": ("[deep]\ndropout = nan", r"deep\.dropout = nan: "),
    "no layers": ("[deep]\nhidden = []", r"deep\.hidden = .*at least 1"),
    "empty layer": (
        "[deep]\nhidden = [8, 0]",
        r"deep\.hidden\.1 = 0: .*greater than or equal to 1",
    ),
    "a word": ("[deep]\nactivation = 'swish'", r"deep\.activation = 'swish': .*'relu'"),
    "momentum under adam": (
        "[relu]\noptimizer = 'adam'\nmomentum = 0.9",
        r'relu: momentum does nothing under "adam": use "sgd", or 0',
    ),
    "momentum under adamw": (
        "[deep]\noptimizer = 'adamw'\nmomentum = 0.9",
        r'deep: momentum does nothing under "adamw": use "sgd", or 0',
    ),
    "decay under adam": (
        "[linear]\noptimizer = 'adam'\nweight_decay = 0.1",
        r'linear: weight_decay does nothing under "adam": use "adamw", or l2',
    ),
    "decay under sgd": (
        "[linear]\noptimizer = 'sgd'\nweight_decay = 0.1",
        r'linear: weight_decay does nothing under "sgd": use "adamw", or l2',
    ),
    "a number for a table": ("relu = 3", "relu = 3: "),
    "not TOML": ("folds = ", "is not TOML: Invalid value"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_file_setting_and_value(mistake: str, file: Path) -> None:
    text, complaint = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=complaint) as raised:
        read(file, text)
    message = str(raised.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot be read \(No such file"):
        Config.from_toml(file)


def test_a_file_that_is_not_utf_8_is_named(file: Path) -> None:
    file.write_bytes(b"device = '\xff'")
    with pytest.raises(ConfigError, match=r"mine\.toml: is not TOML"):
        Config.from_toml(file)


def test_a_mistake_in_an_override_names_the_setting_alone() -> None:
    with pytest.raises(ConfigError, match=r"^folds = 1: "):
        Config.from_toml(folds=1)
    with pytest.raises(ConfigError, match=r"^there is no setting modells; did you mean models\?"):
        Config.from_toml(modells=["relu"])


def test_naming_another_optimizer_drops_what_acts_under_the_shipped_one_only(file: Path) -> None:
    # Whatever optimizer ships, a file that names another is not refused for values it never set.
    for optimizer in ("sgd", "adam", "adamw"):
        for model in MODELS:
            config = read(file, f"[{model}]\noptimizer = '{optimizer}'\n")
            assert config.net(model).optimizer == optimizer
