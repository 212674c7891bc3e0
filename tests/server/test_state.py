"""What an administrator changed is found again after a restart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearned.errors import ArtifactError
from unlearned.server.state import Change, State, Who

WHO = Who(key="anna", request="r1")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state = State().with_added("bröd", tmp_path / "ö", WHO).without("hp", "f" * 64, Who())
    state.write(tmp_path / "state.json")
    assert State.read(tmp_path / "state.json") == state
    assert state.paths() == {"bröd": (tmp_path / "ö").resolve()}


def test_without_a_file_nothing_was_changed(tmp_path: Path) -> None:
    assert State.read(None) == State.read(tmp_path / "none.json") == State()


def test_an_artifact_that_is_added_again_is_no_longer_removed() -> None:
    removed = State().without("hp", "f" * 64, WHO)
    assert set(removed.removed) == {"hp"}
    again = removed.with_added("hp", Path("/hp"), WHO)
    assert (set(again.added), set(again.removed)) == ({"hp"}, set())
    assert set(removed.removed) == {"hp"}  # the older state is as it was


def test_removing_what_hides_nothing_leaves_no_trace() -> None:
    state = State().with_added("hp", Path("/hp"), WHO).without("hp", None, WHO)
    assert state == State()
    both = State().with_added("a", Path("/a"), WHO).without("b", "f" * 64, WHO)
    assert (set(both.forgetting("a").added), set(both.forgetting("a").removed)) == (set(), {"b"})
    assert (set(both.forgetting("b").added), set(both.forgetting("b").removed)) == ({"a"}, set())


def test_a_change_tells_who_and_when_as_far_as_that_is_known() -> None:
    assert Change("x").told() == "at run time"
    assert Change("x", "anna", "2030-01-01").told() == "at run time on 2030-01-01 with the key 'anna'"
    assert Change.now("x", Who()).by == ""


def test_a_file_of_version_1_had_values_alone(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"added": {"a": "/a"}, "removed": {"b": "ff"}}')
    assert State.read(tmp_path / "state.json") == State({"a": Change("/a")}, {"b": Change("ff")})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"added": {}}', '{"added": [], "removed": {}}', '{"added": {"a": 1}, "removed": {}}', "\xff",
     json.dumps({"added": {"a": {"value": "/a"}}, "removed": {}}), json.dumps({"added": {"a": {}}, "removed": {}})],
)  # fmt: skip
def test_what_is_no_state_is_one_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"state\.json"):
        State.read(file)
