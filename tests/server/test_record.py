"""A line of the log says what was decided, and no word of a prompt."""

from __future__ import annotations

import io
import json
import threading

import pytest

from unlearned.server.record import Log, RequestRecord
from unlearned.types import Exempted, Span, Verdict


def test_a_request_without_a_verdict_says_only_what_is_known() -> None:
    line = RequestRecord("/health", status=200).shown()
    assert set(line) == {"time", "id", "route", "status", "total_ms"}
    assert RequestRecord("a").id != RequestRecord("a").id


def test_of_several_verdicts_the_line_tells_the_strongest_that_is_in_scope() -> None:
    flagged = Verdict(spans=(Span(0, 1, "potter", 0.6, "name"), Span(2, 3, "potter", 0.6)), score=0.6)
    clean = Verdict(score=0.9, languages=("ja", "de"), exempted_by=(Exempted("bread", 0),), unmatched_words=2)
    line = RequestRecord("/v1/completions", verdicts=[clean, flagged, Verdict()], artifacts="d").shown()
    assert (line["verdict"], line["scope"], line["score"]) == ("flagged", "potter", 0.6)
    assert (line["prompts_flagged"], line["artifacts"]) == (1, "d")
    assert (line["languages"], line["reason"], line["exempted_by"]) == (["de", "ja"], "content,name", ["bread"])
    assert line["unmatched_words"] == 2


def test_a_request_without_prompts_is_clean() -> None:
    line = RequestRecord("/v1/unlearned/checks", verdicts=[]).shown()
    assert (line["verdict"], line["scope"], line["prompts_flagged"]) == ("clean", None, 0)


def test_times_are_in_milliseconds_and_prompts_only_there_where_they_are_wanted() -> None:
    record = RequestRecord("/v1/completions", timings={"detection": 0.01234}, prompt_tokens=0, stream=True)
    record.held["names"] += 2
    line = record.shown()
    assert line["detection_ms"] == 12.34
    assert (line["prompt_tokens"], line["stream"], line["held_back_names"]) == (0, True, 2)
    assert "prompts" not in line
    record.prompts = ["Häuser\n"]
    assert record.shown()["prompts"] == ["Häuser\n"]


def test_lines_of_many_threads_do_not_mix() -> None:
    file = io.StringIO()
    log = Log(file)
    threads = [
        threading.Thread(target=lambda n=n: [log.write({"n": n, "text": "ä\n" * 50}) for _ in range(50)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert sorted(line["n"] for line in lines) == sorted(list(range(8)) * 50)


def test_without_a_file_a_line_goes_to_the_error_stream_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    Log().event("It began.", artifact="hp")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["artifact"]) == ("It began.", "hp")
