"""Who switched what off, and when: labels of keys, events, a chained file, gauges."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, bearer, serving

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.schema import CalibrationRecord
from unlearned.errors import DataError
from unlearned.server import audit
from unlearned.server.audit import Audit, verify
from unlearned.server.keys import Keys
from unlearned.server.store import STATE

HISTORY = ".unlearned-serve.audit.jsonl"
CALIBRATED: dict[str, Any] = {
    "method": "m",
    "threshold": 0.5,
    "negative_count": 9,
    "flagged": 0,
    "fnr_interval": (0.0, 1.0),
    "fpr_interval": (0.0, 1.0),
    "data_sha256": "0",
}


def test_a_takedown_that_is_switched_off_leaves_who_when_and_what(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path
) -> None:
    keys = Keys((f"shop:{CLIENT}",), (f"anna:{ADMIN}",))
    folder = tmp_path / "watched"
    folder.mkdir()
    sha256 = json.loads((artifact / "unlearner.json").read_text())["sha256"]
    with serving(model, tiny_tokenizer, [artifact], folder=folder, keys=keys) as running:
        running.chat(PLAIN, CLIENT)
        gone = running.http.delete("/v1/unlearned/artifacts/hp", headers=bearer(ADMIN))
        assert gone.status_code == 200
        refused = running.http.put("/v1/unlearned/artifacts/hp", json={"path": str(tmp_path)}, headers=bearer(ADMIN))
        assert refused.status_code == 400
        lines = running.lines()
    [asked] = [line for line in lines if line.get("route") == "/v1/chat/completions"]
    assert (asked["key"], asked["method"]) == ("shop", "POST")
    [event] = [line for line in lines if line.get("outcome") == "done"]
    assert event["event"] == "artifacts: removed 'hp'"
    [request] = [line for line in lines if line.get("method") == "DELETE"]
    assert (request["key"], request["id"]) == ("anna", event["request"])
    assert CLIENT not in json.dumps(lines)
    assert ADMIN not in json.dumps(lines)
    with serving(model, tiny_tokenizer, [artifact], folder=folder, keys=keys):
        pass
    found = verify(folder / HISTORY).lines
    assert [line["event"] for line in found] == ["start", "removed", "refused", "restored", "start"]
    removed = found[1]
    assert (removed["artifact"], removed["old_sha256"], removed["new_sha256"]) == ("hp", sha256, None)
    assert (removed["key"], removed["scopes"], removed["sha256"]) == ("anna", ["harry-potter"], event["audit"])
    assert "no unlearner.json" in found[2]["outcome"]
    assert found[4]["artifacts"] == {"hp": sha256}
    assert found[4]["digest"] == sha256
    assert (folder / STATE).is_file()


def test_a_change_that_cannot_be_written_down_is_not_made(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path
) -> None:
    history = tmp_path / "history"
    with serving(model, tiny_tokenizer, [artifact], state=tmp_path / "state.json", audit=history) as running:
        history.unlink()
        history.mkdir()
        response = running.http.delete("/v1/unlearned/artifacts/hp", headers=bearer(ADMIN))
        assert response.status_code == 500
        assert running.is_flagged(running.chat(FLAGGED, ADMIN))


def test_gauges_and_log_tell_broken_artifacts_and_languages_that_no_scope_reads(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearned.classify.detect.languages_read", lambda encoder: frozenset({"en"}))
    (tmp_path / "watched").mkdir()
    with serving(model, tiny_tokenizer, [artifact], folder=tmp_path / "watched", watch_seconds=0.05) as running:
        (tmp_path / "watched" / "broken").mkdir()
        running.chat("Wo wohnt der freundliche Zauberer mit der runden Brille und der Narbe auf der Stirn?", ADMIN)
        running.service.gate.store.rescan()
        numbers = running.get("/metrics", ADMIN).text
        assert "unlearned_artifacts 1.0" in numbers
        assert "unlearned_artifact_problems 1.0" in numbers
        assert 'unlearned_unread_prompts_total{language="de"} 1.0' in numbers
        [line] = [line for line in running.lines() if line.get("route") == "/v1/chat/completions"]
        assert line["languages"] == ["de"]
        assert "reason" not in line
        running.chat(FLAGGED)
        assert running.lines()[-1]["reason"] == "content"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "history.jsonl"
    for number in range(5):
        Audit(file).write("added", artifact=f"a{number}", key="anna")
    return file


@pytest.mark.parametrize(
    ("tamper", "match"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"anna", b"otto"), *lines[3:]], "line 3: this line was changed"),
        (lambda lines: lines[:2] + lines[3:], "line 3: does not follow line 2"),
        (lambda lines: lines[:1] + lines[2:1:-1] + lines[1:2] + lines[3:], "line 2: does not follow line 1"),
        (lambda lines: lines[:-1], "ends with line 4, but 5 were written"),
        (lambda lines: lines[1:], "line 1: the history goes on here from line 1 of an earlier file"),
        (lambda lines: [*lines, b'{"x": 1}\n'], "line 6: is no entry"),
    ],
)
def test_whatever_is_done_to_a_history_is_told(history: Path, tamper: Any, match: str) -> None:
    assert len(verify(history).lines) == 5
    history.write_bytes(b"".join(tamper(history.read_bytes().splitlines(keepends=True))))
    with pytest.raises(DataError, match=match):
        verify(history)


def test_a_history_goes_on_after_rotation_by_others_by_itself_and_after_a_torn_write(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = history.with_name("moved.jsonl")
    history.rename(moved)  # as logrotate does
    Audit(history).write("removed", artifact="a1")
    assert [line["number"] for line in verify(moved, history).lines] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(DataError, match="Give that file as well"):
        verify(history)
    moved.rename(history.with_name("history.jsonl.1"))
    monkeypatch.setattr(audit, "LONGEST", 100)
    for _ in range(3):
        Audit(history).write("added", artifact="a9")
    assert history.with_name("history.jsonl.4").exists()
    found = verify(history)
    assert [line["number"] for line in found.lines] == list(range(1, 10))
    assert verify(history, expect=found.lines[3]["sha256"][:16]).head == found.head
    with pytest.raises(DataError, match="not the history"):
        verify(history, expect="0123")
    with history.open("ab") as file:
        file.write(b'{"number": 10, "ti')
    Audit(history).write("added", artifact="b")
    with pytest.raises(DataError, match="is no entry"):
        verify(history)


def test_threads_and_processes_write_one_chain(history: Path) -> None:
    write = f"from unlearned.server.audit import Audit; from pathlib import Path; a = Audit(Path({str(history)!r}))\n"
    write += "for n in range(20): a.write('added', artifact=str(n))"
    other = subprocess.Popen([sys.executable, "-c", write])
    threads = [threading.Thread(target=lambda: [Audit(history).write("removed") for _ in range(10)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait() == 0
    assert len(verify(history).lines) == 55


def test_the_start_says_what_protects_each_scope_and_what_speaks_against_it(
    model: Any, tiny_tokenizer: Any, artifact: Path, save: Any, tmp_path: Path
) -> None:
    weak = replace(
        Artifact.from_pretrained(save(tmp_path / "weak", "bread")),
        calibrations={"bread": CalibrationRecord(**CALIBRATED, forget_count=12, missed=6, close_count=0)},
    ).save_pretrained(tmp_path / "watched" / "weak")
    Audit(tmp_path / "watched" / HISTORY).write("start")
    with serving(model, tiny_tokenizer, [artifact], folder=weak.parent) as running:
        running.http.delete("/v1/unlearned/artifacts/weak", headers=bearer(ADMIN))
        assert running.http.put(
            "/v1/unlearned/artifacts/again", json={"path": str(weak)}, headers=bearer(ADMIN)
        ).is_success
        running.service.gate.tell_protection()
        told = [line for line in running.lines() if "rotected" in line.get("event", "")]
    assert [line["event"].partition(" Warnings")[0] for line in told] == [
        "Protected: 'bread', by the artifact 'again' (admin).",
        "Protected: 'harry-potter', by the artifact 'hp' (option).",
        f"Not protected: the artifact 'weak' was removed {running.service.gate.store.removed()['weak']}.",
    ]
    assert "with the key 'admin-1'" in told[2]["event"]
    assert told[0]["warnings"] == [
        "Fitted on 12 forget prompts: forty or more detect better.",
        "Missed 6 of its own 12 forget prompts (50%): such prompts pass.",
        "Fitted without close prompts that must stay: what is near the scope may be flagged.",
    ]
    assert "warnings" not in told[1]
