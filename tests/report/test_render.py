"""A template is filled in with its style, escapes what it gets, and misses nothing in silence."""

from __future__ import annotations

import pytest

jinja2 = pytest.importorskip("jinja2")

from unlearned.report.render import rendered  # noqa: E402


def test_a_value_that_a_template_needs_is_an_error_where_it_is_missing() -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendered("page.html")


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        rendered("none.html")
