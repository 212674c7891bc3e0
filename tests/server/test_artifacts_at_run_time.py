"""Artifacts come and go while the server runs: whole sets only, kept over a restart, broken ones reported."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Running, bearer, serving

from unlearned.errors import ArtifactError, ConfigError
from unlearned.server import store
from unlearned.server.keys import Keys
from unlearned.server.store import STATE

BREAD = ["How do I bake bread?", "Baking bread", "Tell me about bread.", "What is bread?"]
ASK_BREAD = "How do I bake bread?"
QUICK: dict[str, Any] = {"watch_seconds": 0.05}


def names(running: Running) -> list[str]:
    return [entry["name"] for entry in running.get("/v1/unlearned/artifacts", ADMIN).json()["artifacts"]]


def put(running: Running, name: str, path: Path | str, key: str = ADMIN) -> Any:
    return running.http.put(f"/v1/unlearned/artifacts/{name}", json={"path": str(path)}, headers=bearer(key))


def delete(running: Running, name: str, key: str = ADMIN) -> Any:
    return running.http.delete(f"/v1/unlearned/artifacts/{name}", headers=bearer(key))


def flags(running: Running) -> list[bool]:
    return [running.is_flagged(running.chat(text, ADMIN)) for text in (FLAGGED, ASK_BREAD, PLAIN)]


def eventually(condition: Callable[[], bool], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def bread(save: Any, tmp_path: Path) -> Path:
    return save(tmp_path / "elsewhere" / "bread", "bread", BREAD)  # type: ignore[no-any-return]


def test_an_administrator_adds_replaces_and_removes_and_a_restart_keeps_it(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, save: Any, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:
        assert flags(running) == [True, False, False]
        before = running.chat(FLAGGED).json()["choices"]
        response = put(running, "bread", bread)
        assert response.status_code == 200, response.text
        assert flags(running) == [True, True, False]
        assert names(running) == ["bread", "hp"]
        stronger = save(tmp_path / "stronger" / "hp", strength=40.0)
        assert put(running, "hp", stronger).status_code == 200
        assert running.chat(FLAGGED).json()["choices"] != before
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:
        assert names(running) == ["bread", "hp"]
        assert running.chat(FLAGGED).json()["choices"] != before
        assert delete(running, "hp").status_code == 200  # what was given at the start is removed, too
        assert delete(running, "bread").status_code == 200
        assert flags(running) == [False, False, False]
        assert delete(running, "hp").status_code == 404
    with serving(model, tiny_tokenizer, state=state) as running:
        assert names(running) == []
        assert put(running, "hp", artifact).status_code == 200
        assert running.chat(FLAGGED).json()["choices"] == before


def test_what_is_on_the_command_line_is_enforced_after_a_restart(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, save: Any, tmp_path: Path
) -> None:
    """Removed at run time, or replaced by something with other scopes: the start says so and puts it back."""
    state = tmp_path / "state.json"
    for change in (delete, lambda running, name: put(running, name, bread)):
        with serving(model, tiny_tokenizer, [artifact], state=state) as running:
            assert change(running, "hp").status_code == 200
            assert flags(running)[0] is False
        with serving(model, tiny_tokenizer, [artifact], state=state) as running:
            assert flags(running) == [True, False, False]
            [told] = [line for line in running.lines() if line.get("outcome") == "restored"]
            assert "'admin-1'" in told["event"]
            assert "leave it out" in told["event"]
            kept = json.loads(state.read_text())
            assert kept["removed"] == kept["added"] == {}
    stronger = save(tmp_path / "newer" / "hp", strength=40.0)
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:
        assert put(running, "hp", stronger).status_code == 200
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:  # the same scopes: a newer version stays
        assert [entry.path for entry in running.service.gate.store.current.entries] == [stronger]
    state.write_text(json.dumps({"version": 1, "added": {}, "removed": {"hp": _sha256(artifact)}}))  # of an older one
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:
        assert flags(running) == [True, False, False]


def _sha256(folder: Path) -> str:
    return str(json.loads((folder / "unlearner.json").read_text())["sha256"])


def test_only_an_administrators_key_changes_anything_also_where_no_keys_are_set(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    for keys, status in ((Keys(), 403), (Keys((CLIENT,)), 403), (Keys((CLIENT,), (ADMIN,)), 403)):
        with serving(model, tiny_tokenizer, [artifact], keys=keys, state=state) as running:
            assert put(running, "bread", bread, CLIENT).status_code == status
            assert delete(running, "hp", CLIENT).status_code == status
            opened = not keys.any
            for response in (
                running.get("/metrics", None),
                running.post("/v1/unlearned/checks", {"input": PLAIN}, None),
            ):
                assert (response.status_code == 200) == opened
    assert not state.exists()


def test_a_change_that_a_restart_would_lose_is_refused(server: Running, bread: Path) -> None:
    for response in (put(server, "bread", bread), delete(server, "hp")):
        assert response.status_code == 409
        assert "--artifact-dir" in response.json()["error"]["message"]
    assert names(server) == ["hp"]


def test_what_cannot_be_used_changes_nothing(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bread, broken)
    (broken / "vectors.safetensors").write_bytes(b"x")
    state = tmp_path / "state.json"
    with serving(model, tiny_tokenizer, [artifact], state=state) as running:
        for name, path in (("b", broken), ("b", tmp_path / "nothing"), ("again", artifact), ("hp", broken)):
            response = put(running, name, path)
            assert (response.status_code, response.json()["error"]["code"]) == (400, "artifact_refused"), response.text
        assert put(running, "..%2Fx", bread).status_code in (400, 404)
        assert put(running, "-x", bread).status_code == 400
        assert flags(running) == [True, False, False]
        assert not state.exists()
        state.mkdir()  # a state that cannot be written
        assert put(running, "bread", bread).status_code == 500
        assert flags(running) == [True, False, False]
        assert names(running) == ["hp"]


def test_a_watched_folder_is_followed(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, save: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    with serving(model, tiny_tokenizer, [artifact], folder=folder, **QUICK) as running:
        assert flags(running) == [True, False, False]
        (folder / "half").mkdir()  # somebody begins to copy
        shutil.copy(bread / "unlearner.json", folder / "half")
        eventually(lambda: "half" in running.service.gate.store.problems)
        assert flags(running) == [True, False, False]
        shutil.copy(bread / "vectors.safetensors", folder / "half")
        eventually(lambda: names(running) == ["half", "hp"])
        assert flags(running) == [True, True, False]
        digest = running.service.gate.store.current.digest
        save(folder / "half", "bread", [*BREAD, PLAIN])  # swapped for another version
        eventually(lambda: running.service.gate.store.current.digest != digest)
        assert flags(running) == [True, True, True]
        (folder / "half" / "vectors.safetensors").write_bytes(b"x")
        (folder / "half" / "unlearner.json").write_text("{}")
        eventually(lambda: "half" in running.service.gate.store.problems)
        assert flags(running) == [True, True, True]  # the last good version holds
        assert "half" in running.get("/v1/unlearned/artifacts", ADMIN).json()["problems"]
        assert any("'half' is not used" in line.get("event", "") for line in running.lines())
        shutil.rmtree(folder / "half")
        eventually(lambda: names(running) == ["hp"])
        assert flags(running) == [True, False, False]
        folder.rename(tmp_path / "moved")  # an unmounted disk is no reason to stop enforcing
        eventually(lambda: bool(running.service.gate.store.problems))
        assert names(running) == ["hp"]


def test_an_artifact_that_is_replaced_while_it_is_read_goes_by_its_own_digest(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "watched" / "scope"
    shutil.copytree(artifact, place)
    read = store.identify

    def swapped(path: Path) -> Any:
        """The folder is another one right after its record was read."""
        record = read(path)
        shutil.rmtree(place)
        shutil.copytree(bread, place)
        monkeypatch.setattr(store, "identify", read)
        return record

    monkeypatch.setattr(store, "identify", swapped)
    with serving(model, tiny_tokenizer, folder=place.parent, **QUICK) as running:
        [entry] = running.service.gate.store.current.entries
        assert entry.sha256 == read(bread).sha256
        assert flags(running) == [False, True, False]
        shutil.rmtree(place)
        shutil.copytree(artifact, tmp_path / "new")
        (tmp_path / "new").rename(place)
        eventually(lambda: flags(running) == [True, False, False])


def test_changes_of_an_administrator_are_kept_in_the_watched_folder(
    model: Any, tiny_tokenizer: Any, bread: Path, tmp_path: Path, save: Any
) -> None:
    folder = tmp_path / "watched"
    save(folder / "hp")
    with serving(model, tiny_tokenizer, folder=folder, **QUICK) as running:
        assert put(running, "bread", bread).status_code == 200
        assert delete(running, "hp").status_code == 200
        assert flags(running) == [False, True, False]
    assert json.loads((folder / STATE).read_text())["added"]["bread"]["value"] == str(bread.resolve())
    assert (folder / "hp").is_dir()  # nothing of the user's is deleted
    with serving(model, tiny_tokenizer, folder=folder, **QUICK) as running:
        assert flags(running) == [False, True, False]
        save(folder / "hp", strength=9.0)  # new content is not what was removed
        eventually(lambda: names(running) == ["bread", "hp"])


def test_at_the_start_every_artifact_must_be_sound(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "watched" / "broken").mkdir(parents=True)
    with (
        pytest.raises(ArtifactError, match=r"unlearner\.json"),
        serving(model, tiny_tokenizer, folder=tmp_path / "watched"),
    ):
        pass
    with pytest.raises(ConfigError, match="no folder"), serving(model, tiny_tokenizer, folder=tmp_path / "none"):
        pass
    with pytest.raises(ConfigError, match="called 'hp'"), serving(model, tiny_tokenizer, [artifact, artifact]):
        pass
    state = tmp_path / "state.json"
    state.write_text("[]")
    with pytest.raises(ArtifactError, match="Repair or delete"), serving(model, tiny_tokenizer, state=state):
        pass


def test_no_request_sees_half_an_update(
    model: Any, tiny_tokenizer: Any, artifact: Path, bread: Path, tmp_path: Path
) -> None:
    """Two scopes are only ever in force in turn; a prompt about both is always claimed by exactly one of them."""
    with serving(model, tiny_tokenizer, [artifact], state=tmp_path / "state.json") as running:
        both = f"{FLAGGED} {ASK_BREAD}"
        seen, stop = [], threading.Event()

        def ask() -> None:
            while not stop.is_set():
                seen.append(running.chat(both, ADMIN).headers["x-unlearned-scopes"])

        asking = threading.Thread(target=ask)
        asking.start()
        store = running.service.gate.store
        for turn in range(12):
            # One change that removes one scope and adds the other.
            store.put("hp", bread if turn % 2 == 0 else artifact)
            time.sleep(0.03)
        stop.set()
        asking.join()
    assert set(seen) == {"harry-potter", "bread"}


def test_verdicts_of_another_set_are_not_remembered(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(model, tiny_tokenizer, [artifact], state=tmp_path / "state.json") as running:
        calls = []
        unlearner = type(running.service.view.unlearner)
        own = unlearner.classify
        monkeypatch.setattr(unlearner, "classify", lambda self, prompts: (calls.append(1), own(self, prompts))[1])
        assert running.is_flagged(running.chat(FLAGGED, ADMIN))
        assert running.is_flagged(running.chat(FLAGGED, ADMIN))
        assert len(calls) == 1
        delete(running, "hp")
        assert not running.is_flagged(running.chat(FLAGGED, ADMIN))
