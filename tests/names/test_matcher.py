import pytest

from unlearned.names import name_forms
from unlearned.names.matcher import Matcher, OpenMiddle

NAMES = (
    "Thomas A. Edison",
    "Gabriel José García Márquez",
    "Nagy Imre",
    "Anna Li",
    "Seán O'Brien",
    "Anna-Lena Müller-Böhm",
)
MATCHER = Matcher([name_forms(name) for name in NAMES])


def found(text: str) -> list[str]:
    return [text[match.start : match.end] for match in MATCHER.find(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Was T.A. Edison's lamp good?", ["T.A. Edison"]),
        ("EDISON, THOMAS A. did it", ["EDISON, THOMAS A."]),
        ("who was thomas edison", ["thomas edison"]),
        ("gabriel garcia marquez and García-Márquez", ["gabriel garcia marquez", "García-Márquez"]),
        ("I. Nagy; imre nagy", ["I. Nagy", "imre nagy"]),
        ("Sean OBrien and Seán O’Brien's", ["Sean OBrien", "Seán O’Brien"]),
        ("Anna Lena Mueller Boehm", ["Anna Lena Mueller Boehm"]),
        ("Dr Edison met Mr. Edison", ["Dr Edison", "Mr. Edison"]),
    ],
)
def test_a_form_is_found_whatever_its_case_accents_and_punctuation(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "I met Thomas. Edison left.",
        "Thomas, Edison, Tesla",
        "Gabriel\nGarcía\nMárquez",
        "J. Edison",
        "Ali",
        "Edison",
        "Thomasedisonia",
    ],
)
def test_words_that_only_stand_side_by_side_are_no_name(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("given", "text", "names"),
    [
        ("Thomas A. Edison", "What did Thomas Alva Edison's wife do?", ["Thomas Alva Edison"]),
        ("Thomas A. Edison", "Who is Thomas Bob Edison? Who is Thomas B. Edison?", []),
        ("Thomas A. Edison", "thomas alva edison", ["thomas alva edison"]),
        ("Thomas Edison", "Thomas and Edison, Thomas met Edison", ["Edison, Thomas"]),
        ("Ludwig Beethoven", "Ludwig X. Y. Beethoven", ["Ludwig X. Y. Beethoven"]),
    ],
)
def test_a_middle_name_that_the_given_name_leaves_open_is_found(given: str, text: str, names: list[str]) -> None:
    matcher = Matcher([name_forms(given)], [OpenMiddle.of(given)])
    assert [text[match.start : match.end] for match in matcher.find(text)] == names
