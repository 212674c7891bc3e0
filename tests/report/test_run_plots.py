"""Marks that can be told apart."""

from __future__ import annotations

import json
import re
from typing import Any

from unlearned.plots import SERIES
from unlearned.report.read import read_run
from unlearned.report.run_plots import APART, _beside, utility_against_quality


def test_marks_that_would_cover_each_other_stand_side_by_side() -> None:
    # The second lies on the first, the fourth on both; the third is elsewhere.
    assert _beside([(0.5, -3.0), (0.501, -3.01), (0.1, -80.0), (0.5, -3.0)]) == [0.0, APART, 0.0, 2 * APART]
    assert _beside([]) == []


def test_unlearners_differ_in_shape_and_the_caption_says_what_was_moved(run_folder: Any) -> None:
    folder = run_folder(unlearners=("none", "eco", "prompting"))
    plot = utility_against_quality([read_run(folder)])
    outlines = dict(re.findall(r'<path id="(\w+)" d="([^"]*)"', plot.svg))
    eco, prompting = (
        {outlines[mark] for mark, fill in re.findall(r'href="#(\w+)"[^>]*style="fill: (#\w+)', plot.svg) if fill == own}
        for own in SERIES[1:3]
    )
    assert (len(eco), len(prompting)) == (1, 1)
    assert eco != prompting
    assert "side by side" not in plot.caption
    file = folder / "results.json"
    data = json.loads(file.read_text())
    by_name = {model["name"]: model for model in data["models"]}
    by_name["prompting-seed0"]["scores"] = by_name["eco-seed0"]["scores"]
    file.write_text(json.dumps(data))
    assert "side by side" in utility_against_quality([read_run(folder)]).caption
