"""Sentences end where a reader would end them."""

from __future__ import annotations

from unlearned.benchmarks.copyright.sentences import sentences


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = 'Mr. Quill came. "Late!" he said. J. R. Fox saw 3.5 boats... Then\nnothing? "No." (So it was.) End'
    assert sentences(text) == [
        "Mr. Quill came.",
        '"Late!" he said.',
        "J. R. Fox saw 3.5 boats...",
        "Then\nnothing?",
        '"No."',
        "(So it was.)",
        "End",
    ]
    assert sentences("one\n\nTwo") == ["one", "Two"]
    assert sentences(" ") == []
