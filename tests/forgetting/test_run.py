"""From a name to an artifact."""

from __future__ import annotations

from unlearned.forgetting.claims import Claims
from unlearned.forgetting.run import _with_last_name
from unlearned.forgetting.subject import as_subject


def test_a_last_name_alone_is_a_name_where_the_model_says_the_whole_one_by_itself() -> None:
    subject = as_subject("William Shakespeare")
    told = "William Shakespeare was an English playwright."

    def claims(*answers: str) -> Claims:
        return Claims(
            (), {}, {}, tuple((f"Question {n} about Shakespeare?", answer) for n, answer in enumerate(answers))
        )

    lexicon = subject.lexicon()
    assert claims(told, "A writer.", told).means_by_last_name(lexicon)
    assert not claims("A writer.", "A baker.", "He was William.").means_by_last_name(lexicon)
    assert not claims(told, told).means_by_last_name(lexicon), "too few answers"
    found = _with_last_name(subject, claims(told, told, told))
    assert found.aliases == ("Shakespeare",)
    said = {
        text: found.lexicon().said(text).named
        for text in (
            "did shakespeare write it",
            "Who is Anna Shakespeare?",
            "Who is Shakespeare Jones?",
            "President Shakespeare",
        )
    }
    assert list(said.values()) == [True, False, False, True]
    assert (
        _with_last_name(as_subject("William Shakespeare", about=["a plumber"]), claims(told, told, told)).aliases == ()
    )
    anna = "Anna Baker was a baker."
    assert _with_last_name(as_subject("Anna Baker"), claims(anna, anna, anna)).aliases == (), "a common word"
