"""The demo's page has the shared plots and style."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_run import strength

from unlearned.api import Unlearned
from unlearned.corrupt.corruption import Corruption
from unlearned.demo.concepts import Concept
from unlearned.demo.page import demo_page
from unlearned.demo.run import Comparison, DemoResult


@pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")  # the artifact is of another tiny model
def test_the_demo_s_page_has_the_shared_plots_and_style(
    tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, make_scope: Any, make_artifact: Any
) -> None:
    concept = Concept("harry-potter")
    artifact = make_artifact(make_scope(corruption=Corruption(strength=8.0, embedding_std=0.02)))
    artifact = replace(artifact, strengths={"harry-potter": strength()})
    prompts = ["Who is Harry Potter?", "How do I bake bread?"]
    before = Unlearned(tiny_model, tiny_tokenizer).generate(prompts, max_new_tokens=3, do_sample=False)
    after = Unlearned(tiny_model, tiny_tokenizer, artifact).generate(prompts, max_new_tokens=3, do_sample=False)
    rows = [
        Comparison("held-out forget", concept.name, prompts[0], before[0], after[0], concept.held_out[0]),
        Comparison("general", None, prompts[1], before[1], after[1]),
    ]
    page = demo_page(DemoResult("tiny", [concept], [artifact], rows, [tmp_path], {"fit": 1.0}))
    assert page.count("<svg") == 2
    assert set(re.findall(r"var\((--\w+)\)", page)) <= set(re.findall(r"(--\w+):", page))
    assert "http" not in page.replace("http-equiv", "")
