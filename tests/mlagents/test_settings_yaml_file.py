from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.settings.errors import TrainerConfigError
from mlagents.settings.yaml_file import parse_yaml, read_yaml_file


def error_of(text: str) -> str:
    with pytest.raises(TrainerConfigError) as caught:
        parse_yaml(text, "run.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("behaviors:\n\tA: 1\n", 2, 1),
        ("behaviors:\n  A:\n  \tmax_steps: 1\n", 3, 3),
        ("behaviors:\n  A:\t{}\n", 2, 5),
        ("a: 1\nb: x\n\tc: 2\n", 3, 1),
    ],
)
def test_tab_is_located(text: str, line: int, column: int) -> None:
    assert error_of(text) == f"run.yaml, line {line}, column {column}: YAML does not allow tabs; use spaces"


def test_tab_elsewhere_does_not_hide_another_error() -> None:
    message = error_of("a: 'x\ty'\nb: [1, 2\nc: 3\n")
    assert "tabs" not in message
    assert "not valid YAML" in message


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n", "\ufeff"])
def test_empty_file_is_an_empty_map(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml_file(str(path)).data == {}


def test_keys_are_text_as_written() -> None:
    assert parse_yaml("1: a\non: b\n1.50: c\n2020-01-01: d\n", "f").data == {
        "1": "a",
        "on": "b",
        "1.50": "c",
        "2020-01-01": "d",
    }


def test_dates_stay_text() -> None:
    assert parse_yaml("run_id: 2020-01-01\n", "f").data == {"run_id": "2020-01-01"}


def test_duplicate_key_names_both_lines() -> None:
    message = error_of("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert message == "run.yaml, line 4: the key 'b' is there twice, first in line 2"


def test_lines_of_values() -> None:
    lines = parse_yaml("a:\n  b: 1\nc:\n- 5\n- d: 6\n", "f").lines
    assert lines["a", "b"] == 2
    assert lines["c", 0] == 4
    assert lines["c", 1, "d"] == 5


def test_merge_keys_as_in_pyyaml() -> None:
    text = (
        "one: &one {x: 1, y: 1}\ntwo: &two {y: 2, z: 2}\n"
        "all: {<<: [*one, *two], z: 3}\nmore: {y: 9, <<: *one}\n"
    )
    assert parse_yaml(text, "f").data == yaml.safe_load(text)


def test_alias_bomb_is_refused() -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "aliases" in error_of("\n".join(levels))


def test_merge_bomb_is_refused() -> None:
    levels = ["a0: &a0 {k: 1}"]
    levels += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10)]
    assert "aliases" in error_of("\n".join(levels))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &a [*a]\n", "contains itself"),
        ("a: &a\n  <<: *a\n", "contains itself"),
        ("[" * 5000, "nested too deeply"),
        ("a: !!python/object/apply:os.system ['true']\n", "tag"),
        ("!!python/object:os.system {x: 1}\n", "tag"),
        ("a: !thing {}\n", "tag"),
        ("- 1\n- 2\n", "at the top"),
        ("just words\n", "at the top"),
        ("? [1, 2]\n: 3\n", "key must be a word"),
        ("'': 3\n", "key must be a word"),
        ("a: 1\n---\nb: 2\n", "single document"),
        ("a: 1\nb: \x00\n", "line 2: a character that YAML does not allow"),
        ("a: {b: 1\n", "not valid YAML"),
        ("a: *nowhere\n", "undefined alias"),
        ("<<: 3\n", "merges maps only"),
    ],
)
def test_refused_with_one_line(text: str, part: str) -> None:
    assert part in error_of(text)


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: ä\n".encode("latin-1"))
    with pytest.raises(TrainerConfigError, match=r"latin\.yaml, line 2: not UTF-8"):
        read_yaml_file(str(path))


def test_folder_and_huge_file(tmp_path: Path) -> None:
    with pytest.raises(TrainerConfigError, match="is a folder"):
        read_yaml_file(str(tmp_path))
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(TrainerConfigError, match="larger than 1 MiB"):
        read_yaml_file(str(path))


def test_missing_file_suggests_similar_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config" / "ppo").mkdir(parents=True)
    (tmp_path / "config" / "ppo" / "3DBall.yaml").touch()
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainerConfigError) as caught:
        read_yaml_file("3dball.yaml")
    assert str(caught.value) == "3dball.yaml: there is no such file; did you mean config/ppo/3DBall.yaml?"
    with pytest.raises(TrainerConfigError, match=r"did you mean mine\.yaml\?"):
        read_yaml_file("mime.yaml")
    with pytest.raises(TrainerConfigError, match=r"there are config/ppo/3DBall\.yaml"):
        read_yaml_file("zzzz.qqq")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!<>#|%@,\"'? \t\n\\1.e\x07ä\ud7ff", max_size=40))
def test_any_text_gives_a_map_or_one_line(text: str) -> None:
    message = ""
    try:
        assert isinstance(parse_yaml(text, "f").data, dict)
    except TrainerConfigError as error:
        message = str(error)
    assert "\n" not in message
