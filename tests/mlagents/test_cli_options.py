from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from mlagents.cli.options import GROUPS, create_parser, parse_options
from mlagents.settings import RunOptions, TrainerConfigError, TrainerConfigWarning


def quiet(argv: list[str]) -> RunOptions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainerConfigWarning)
        return parse_options(argv)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        "behaviors: {A: {max_steps: 20000}}\n"
        "env_settings: {seed: 5, num_areas: 3}\n"
        "checkpoint_settings: {run_id: from-file}\n"
    )
    return path


def usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        quiet(argv)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_typed_beats_file_beats_default(file: Path) -> None:
    options = parse_options([str(file), "--seed", "9"])
    assert options.env_settings.seed == 9
    assert options.env_settings.num_areas == 3
    assert options.checkpoint_settings.run_id == "from-file"
    assert options.env_settings.base_port == 5005


def test_a_typed_default_beats_the_file_too(file: Path) -> None:
    assert parse_options([str(file), "--seed=-1"]).env_settings.seed == -1


def test_every_option_reaches_its_setting() -> None:
    samples = {
        "--time-scale": "3.5",
        "--env": "x",
        "--run-id": "x",
        "--results-dir": "x",
        "--torch-device": "cpu",
    }
    unset = RunOptions().model_dump()
    for option in (option for options in GROUPS.values() for option in options):
        if option.flag in {"--num-envs", "--initialize-from"}:
            continue
        argv = [option.flag] if option.kind is None else [option.flag, samples.get(option.flag, "7")]
        changed = quiet(argv).model_dump()
        changed["default_settings"] = None
        assert changed[option.section].pop(option.key) != unset[option.section][option.key], option.flag
        expected = {
            name: dict(section) if isinstance(section, dict) else section for name, section in unset.items()
        }
        expected[option.section].pop(option.key)
        assert changed == expected, option.flag


def test_initialize_from(file: Path) -> None:
    assert parse_options([str(file), "--initialize-from=old"]).checkpoint_settings.initialize_from == "old"


def test_env_args_take_the_rest_of_the_line(file: Path) -> None:
    argv = [str(file), "--env=x", "--env-args", "--seed", "3", "--run-id", "y", "-f", "--", "z"]
    options = parse_options(argv)
    assert options.env_settings.env_args == ("--seed", "3", "--run-id", "y", "-f", "--", "z")
    assert options.env_settings.seed == 5


def test_unambiguous_prefixes(file: Path) -> None:
    options = parse_options([str(file), "--see", "4", "--time-s=2", "--resum", "--env-a", "--see"])
    assert options.env_settings.seed == 4
    assert options.engine_settings.time_scale == 2
    assert options.env_settings.env_args == ("--see",)


def test_hidden_old_options_do_not_make_prefixes_ambiguous(file: Path) -> None:
    assert parse_options([str(file), "--se", "4"]).env_settings.seed == 4


def test_ambiguous_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    message = usage_error(["--num", "3"], capsys)
    assert "--num-areas" in message
    assert "--num-envs" in message


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--numareas=3"], "did you mean --num-areas?"),
        (["--seed", "x"], "'x' is not a whole number"),
        (["--seed", "1.5"], "'1.5' is not a whole number"),
        (["--time-scale", "fast"], "'fast' is not a number"),
        (["--run-id"], "expected one argument"),
        (["a.yaml", "b.yaml"], "unrecognized arguments: b.yaml"),
    ],
)
def test_usage_errors_exit_with_2(argv: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert text in usage_error(argv, capsys)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--num-areas=0"], "--num-areas is 0; it must be at least 1"),
        (["--time-scale=0"], "--time-scale is 0.0; it must be greater than 0"),
        (["--base-port=70000"], "--base-port is 70000; it must be between 1 and 65535"),
        (["--run-id=../up"], '--run-id is "../up"; it must name a folder inside'),
        (["--seed=-2"], "--seed is -2; it must be between -1 and"),
    ],
)
def test_bad_typed_values_name_the_option(argv: list[str], text: str) -> None:
    with pytest.raises(TrainerConfigError) as caught:
        quiet(argv)
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_number_notation() -> None:
    assert quiet(["--seed", "1e3"]).env_settings.seed == 1000


def test_no_file_means_default_ppo_with_a_warning() -> None:
    with pytest.warns(TrainerConfigWarning, match="no configuration file"):
        options = parse_options(["--env=3DBall"])
    assert options.behavior("Anything").trainer_type == "ppo"
    assert options.behaviors == {}


def test_deterministic_reaches_listed_behaviors_and_defaults(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(
        "default_settings: {max_steps: 50000}\n"
        "behaviors: {A: {network_settings: {deterministic: false}}, B: {}}\n"
    )
    options = parse_options([str(path), "--deterministic"])
    for name in ("A", "B", "unlisted"):
        assert options.behavior(name).network_settings.deterministic is True
    assert parse_options([str(path)]).behavior("B").network_settings.deterministic is False


def test_deterministic_does_not_invent_default_settings(file: Path) -> None:
    assert parse_options([str(file), "--deterministic"]).default_settings is None


# Resume or initialize


@pytest.mark.parametrize(
    ("typed", "section", "resume", "source"),
    [
        (["--resume"], "initialize_from: old", True, None),
        (["--initialize-from=new"], "resume: true", False, "new"),
        (["--initialize-from=new"], "resume: 'yes'", False, "new"),
        (["--resume", "--initialize-from=new"], "run_id: x", True, None),
        ([], "initialize_from: old, resume: true", True, None),
        ([], "initialize_from: old, load_model: true", True, None),
        (["--resume", "--initialize-from=new"], "initialize_from: old, resume: true", True, None),
    ],
)
def test_conflicts_are_resolved_with_a_warning(
    tmp_path: Path, typed: list[str], section: str, resume: bool, source: str | None
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"checkpoint_settings: {{{section}}}\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        checkpoint = parse_options([str(path), *typed]).checkpoint_settings
    assert any("are set" in str(warning.message) for warning in caught)
    assert checkpoint.resume is resume
    assert checkpoint.initialize_from == source


def test_no_conflict_no_warning(file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_options([str(file), "--resume"]).checkpoint_settings.resume is True
        assert parse_options([str(file), "--initialize-from=x"]).checkpoint_settings.initialize_from == "x"


def test_load_model_in_the_file_means_resume(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("checkpoint_settings: {load_model: true}\n")
    with pytest.warns(TrainerConfigWarning, match="load_model is deprecated"):
        assert parse_options([str(path)]).checkpoint_settings.resume is True


# Old options


@pytest.mark.parametrize(
    ("argv", "flag"),
    [
        (["--load"], "--load"),
        (["--train"], "--train"),
        (["--torch"], "--torch"),
        (["--tensorflow"], "--tensorflow"),
        (["--cpu"], "--cpu"),
        (["--slow"], "--slow"),
        (["--multi-gpu"], "--multi-gpu"),
        (["--num-runs=2"], "--num-runs"),
        (["--docker-target-name=x"], "--docker-target-name"),
        (["--save-freq=7"], "--save-freq"),
        (["--keep-checkpoints=7"], "--keep-checkpoints"),
    ],
)
def test_old_options_warn(file: Path, argv: list[str], flag: str) -> None:
    with pytest.warns(TrainerConfigWarning, match=flag):
        parse_options([str(file), *argv])


def test_old_options_keep_their_meaning(file: Path) -> None:
    options = quiet([str(file), "--load", "--cpu", "--save-freq=7", "--keep-checkpoints=8"])
    assert options.checkpoint_settings.resume is True
    assert options.torch_settings.device == "cpu"
    assert options.behavior("A").checkpoint_interval == 7
    assert options.behavior("A").keep_checkpoints == 8


# Help


def test_help_shows_every_option_and_no_old_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in (option for options in GROUPS.values() for option in options):
        assert f"{option.flag} " in text or f"{option.flag}\n" in text
    assert "examples:" in text
    for old in ("--slow", "--lesson", "--cpu", "--load"):
        assert old not in text


def test_examples_in_the_help_parse(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    epilog = (create_parser().epilog or "").replace("\\\n", "")
    examples = [line.split()[1:] for line in epilog.splitlines() if line.strip().startswith("mlagents-learn")]
    assert len(examples) == 5
    for argv in examples:
        assert parse_options(argv).env_settings.env_path == "3DBall"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(["--version"])
    assert caught.value.code == 0
    assert "Open ML-Agents" in capsys.readouterr().out
