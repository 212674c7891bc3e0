"""The templates of this folder, filled in."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from unlearned.extras import require


def rendered(template: str, **values: Any) -> str:
    """One page with its style; a value that a template needs and does not get is an error."""
    jinja2 = require("jinja2", extra="report", purpose="The report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unlearned", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style = files("unlearned").joinpath("report/page.css").read_text(encoding="utf-8")
    page: str = environment.get_template(template).render(css=style, **values)
    return page
