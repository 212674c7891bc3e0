import pytest

from unlearned.names import form_classes, name_forms


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        (
            "Thomas A. Edison",
            ["Thomas Edison", "T. A. Edison", "T.A. Edison", "TA Edison", "Edison, Thomas A.", "Mr. Edison"],
        ),
        ("Gabriel José García Márquez", ["Gabriel García Márquez", "Gabriel Garcia", "García Márquez", "G. Marquez"]),
        ("Ludwig van Beethoven", ["Ludwig Beethoven", "L. van Beethoven", "van Beethoven, Ludwig", "Beethoven, L."]),
        ("Nagy Imre", ["Imre Nagy", "I. Nagy", "Nagy, Imre", "Mr. Nagy"]),
        ("Abu Bakr al-Baghdadi", ["al-Baghdadi, Abu Bakr", "Abu Bakr al Baghdadi"]),
        ("Mao Zedong", ["Zedong Mao", "Zedong, Mao"]),
        ("Anna-Lena Müller", ["Anna Lena Müller", "Anna-Lena Mueller", "Anna-Lena Muller", "A.-L. Müller"]),
        ("King, Martin Luther, Jr.", ["Martin Luther King", "Martin King", "M. L. King", "King, Martin Luther"]),
        ("Dr. Jane Goodall", ["Jane Goodall", "Dr. Goodall"]),
        ("J.R.R. Tolkien", ["J. R. R. Tolkien", "JRR Tolkien", "Tolkien, J. R. R.", "Professor Tolkien"]),
    ],
)
def test_a_persons_forms_are_those_in_which_people_write_it(name: str, forms: list[str]) -> None:
    found = name_forms(name)
    assert found[0] == name
    assert len(set(found)) == len(found)
    assert not set(forms) - set(found)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("Thomas A. Edison", ["Thomas", "Edison", "A. Edison", "Thomas A."]),
        ("Gabriel José García Márquez", ["Márquez", "García", "Gabriel", "Gabriel José"]),
        ("Martin Luther King", ["Martin Luther", "Luther", "King"]),
    ],
)
def test_a_part_of_a_name_is_no_form_of_it(name: str, others: list[str]) -> None:
    assert not set(others) & set(name_forms(name))


def test_names_of_things_have_no_initials_but_lose_article_and_legal_form() -> None:
    assert name_forms("The Acme Widgets Company, Inc.", kind="organisation")[1:] == ("Acme Widgets",)
    assert name_forms("Hogwarts", kind="work") == ("Hogwarts",)


def test_an_alias_is_a_form_as_it_is() -> None:
    found = name_forms("Thomas Edison", aliases=["the Wizard of Menlo Park"])
    assert {"the Wizard of Menlo Park", "Wizard of Menlo Park"} <= set(found)
    assert "Menlo Park, the Wizard of" not in found


def test_every_form_belongs_to_one_class() -> None:
    classes = form_classes("Gabriel José García Márquez")
    forms = [form for own in classes.values() for form in own]
    assert len(forms) == len(set(forms))
    assert set(forms) == set(name_forms("Gabriel José García Márquez"))
