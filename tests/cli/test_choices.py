"""Names that options take are told apart before anything is imported."""

from __future__ import annotations

import pytest

from unlearned.cli.choices import check_name, one_of
from unlearned.errors import ConfigError, UnknownNameError
from unlearned.settings import Setting

KNOWN = Setting(help="", choices=("kernel", "neighbours"), noun="classifier")


def test_a_slip_of_the_pen_gets_the_nearest_name() -> None:
    check_name("classifier", "kernel", KNOWN.choices)
    for wrong, hint in (("kernal", "Did you mean 'kernel'"), ("xyz", "Known: kernel, neighbours")):
        with pytest.raises(UnknownNameError, match=hint):
            check_name("classifier", wrong, KNOWN.choices)


def test_one_name_several_or_a_number() -> None:
    one, several, number = one_of(KNOWN), one_of(KNOWN, several=True), one_of(KNOWN, number=True)
    for callback in (one, several, number):
        assert callback(None) is None
        assert callback("kernel") == "kernel"
        with pytest.raises(UnknownNameError):
            callback("none")
    assert several(" kernel , neighbours,") == " kernel , neighbours,"
    assert number("-0.5") == "-0.5"
    for callback, wrong in ((one, "kernel,neighbours"), (one, "0.5"), (several, "kernel,none")):
        with pytest.raises(UnknownNameError):
            callback(wrong)
    with pytest.raises(ConfigError):
        several(" , ")
