"""Which artifacts are in force: whole sets, written down before they are, and never fewer by mistake."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from unlearned.errors import ArtifactError, ConfigError
from unlearned.server.refusals import RefusalError
from unlearned.server.state import State
from unlearned.server.store import STATE, ArtifactStore, Sources, digest_of

Save = Callable[..., Path]


class Put:
    """What was put in force."""

    def __init__(self) -> None:
        self.sets: list[list[str]] = []
        self.told: list[str] = []

    def activate(self, artifacts: Sequence[Any]) -> Any:
        names = [scope.name for one in artifacts for scope in one.scopes]
        if len(set(names)) < len(names):
            raise ConfigError("two scopes of one name")
        self.sets.append(names)
        return self

    def report(self, line: str, **said: Any) -> None:
        self.told.append(line)

    def store(self, **sources: Any) -> ArtifactStore[Any]:
        return ArtifactStore(self.activate, Sources(**sources), self.report)


@pytest.fixture
def put() -> Put:
    return Put()


def in_force(store: ArtifactStore[Any]) -> list[str]:
    return [entry.name for entry in store.current.entries]


def test_a_folder_is_read_in_order_and_what_is_not_ready_is_left_out(save: Save, put: Put, tmp_path: Path) -> None:
    save(tmp_path / "b", "bread")
    save(tmp_path / "a", "potter")
    save(tmp_path / "c.previous", "old")
    save(tmp_path / "d.unfinished", "new")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").write_text("x")
    store = put.store(folder=tmp_path)
    assert in_force(store) == ["a", "b"]
    assert put.sets == [["potter", "bread"]]


def test_a_broken_replacement_keeps_the_last_good_version_and_is_reported_once(
    save: Save, put: Put, tmp_path: Path
) -> None:
    folder = save(tmp_path / "a", "potter")
    store = put.store(folder=tmp_path)
    good = store.current
    next(folder.glob("*.json")).write_text("{")
    for _ in range(2):
        store.rescan()
    assert store.current is good
    assert set(store.problems) == {"a"}
    assert len([line for line in put.told if "'a' is not used" in line]) == 1
    save(tmp_path / "a", "bread")
    store.rescan()
    assert store.problems == {}
    assert put.sets[-1] == ["bread"]


def test_a_folder_that_is_gone_for_a_moment_stays_in_force_and_goes_at_the_second_look(
    save: Save, put: Put, tmp_path: Path
) -> None:
    save(tmp_path / "a", "potter")
    store = put.store(folder=tmp_path)
    shutil.rmtree(tmp_path / "a")
    store.rescan()
    assert in_force(store) == ["a"]
    store.rescan()
    assert in_force(store) == []


def test_a_set_that_contradicts_itself_is_not_put_in_force(save: Save, put: Put, tmp_path: Path) -> None:
    save(tmp_path / "a", "potter")
    store = put.store(folder=tmp_path)
    other = save(tmp_path.parent / f"{tmp_path.name}-other", "potter")
    with pytest.raises(RefusalError) as refused:
        store.put("b", other)
    assert (refused.value.status, refused.value.code) == (400, "artifact_refused")
    save(tmp_path / "c", "potter")
    store.rescan()
    assert in_force(store) == ["a"]
    assert set(store.problems) == {"*"}
    assert not State.read(tmp_path / STATE).added


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".a", "ä", "a" * 65, "a b"])
def test_a_name_is_no_path(save: Save, put: Put, tmp_path: Path, name: str) -> None:
    store = put.store(folder=tmp_path)
    with pytest.raises(RefusalError) as refused:
        store.put(name, tmp_path)
    assert (refused.value.status, refused.value.param) == (400, "name")


def test_what_is_added_and_removed_is_found_again(save: Save, put: Put, tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    save(folder / "a", "potter")
    other = save(tmp_path / "elsewhere", "bread")
    store = put.store(folder=folder)
    assert store.put("b", other).source == "admin"
    store.remove("a")
    assert in_force(store) == in_force(put.store(folder=folder)) == ["b"]
    assert set(store.removed()) == {"a"}
    save(folder / "a", "potter", strength=9.0)  # changed: it is another one now
    store.rescan()
    assert in_force(store) == ["a", "b"]
    with pytest.raises(RefusalError) as refused:
        store.remove("none")
    assert refused.value.status == 404


def test_without_a_place_for_it_no_change_is_taken(save: Save, put: Put, tmp_path: Path) -> None:
    given = save(tmp_path / "a", "potter")
    store = put.store(given=(given,))
    with pytest.raises(RefusalError) as refused:
        store.remove("a")
    assert refused.value.status == 409
    assert in_force(store) == ["a"]


def test_sources_that_make_no_sense_are_refused(save: Save, put: Put, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Sources(folder=tmp_path / "none")
    one, other = save(tmp_path / "x" / "a", "potter"), save(tmp_path / "y" / "a", "bread")
    with pytest.raises(ConfigError, match="'a'"):
        put.store(given=(one, other))
    with pytest.raises(ArtifactError):
        put.store(given=(tmp_path,))
    assert Sources(state=tmp_path / "s.json").audit_file == tmp_path / "s.audit.jsonl"
    assert Sources().state_file is Sources().audit_file is None


def test_a_set_is_named_by_what_is_in_it_in_any_order() -> None:
    assert digest_of(["a"]) == "a"
    assert digest_of(["a", "b"]) == digest_of(["b", "a"]) != digest_of(["ab"])
    assert digest_of([]) == digest_of([])
    assert len(digest_of(["a", "b"])) == 64
