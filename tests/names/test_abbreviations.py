import pytest

from unlearned.classify.windows import clauses


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("What did Thomas A. Edison do in 1900?", ["What did Thomas A. Edison do in 1900?"]),
        ("what did thomas a. edison do. who cares", ["what did thomas a. edison do.", "who cares"]),
        ("J. R. R. Tolkien wrote it. J.R.R. Tolkien.", ["J. R. R. Tolkien wrote it.", "J.R.R. Tolkien."]),
        (
            "Dr. Smith met Mr. Jones Jr. in St. Louis. He left.",
            ["Dr. Smith met Mr. Jones Jr. in St. Louis.", "He left."],
        ),
        ("Martin Luther King Jr. Who was he?", ["Martin Luther King Jr.", "Who was he?"]),
        ("Is U.S. President Biden old? No. He is.", ["Is U.S. President Biden old?", "No.", "He is."]),
        ("I live in the U.S. What about you?", ["I live in the U.S.", "What about you?"]),
        ("He took vitamin C. What else helps?", ["He took vitamin C.", "What else helps?"]),
        (
            "See No. 5, e.g. Anna, with a Ph.D. in law. Thanks.",
            ["See No. 5, e.g. Anna, with a Ph.D. in law.", "Thanks."],
        ),
        ("Answer: No. Anna is right.", ["Answer: No.", "Anna is right."]),
        ("Acme Inc. was sold. Acme Inc. Bob left.", ["Acme Inc. was sold.", "Acme Inc.", "Bob left."]),
        ("Thomas A.\nEdison", ["Thomas A.", "Edison"]),
        ("1. First. 2. Second.", ["1.", "First.", "2.", "Second."]),
    ],
)
def test_a_clause_ends_at_a_full_stop_that_is_no_abbreviations(text: str, cut: list[str]) -> None:
    assert [text[start:end] for start, end in clauses(text, 0, len(text))] == cut
