"""The plots that all pages share, and the demo's page, which shares them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from unlearned.plots import COLOURS, score_distribution, strength_trace, strength_traces

SCORES = np.array([0.9, 0.95, 0.7], dtype=np.float32), np.array([0.1, 0.02], dtype=np.float32)


def test_a_plot_is_one_labelled_element_without_addresses_or_sizes() -> None:
    svg = score_distribution(*SCORES, 0.5, title='of <a> & "b"')
    head = svg[: svg.index(">")]
    assert svg.startswith("<svg ")
    assert 'role="img" aria-label="of &lt;a&gt; &amp; &quot;b&quot;"' in head
    assert "viewBox" in head
    assert not re.search(r' (?:width|height|xmlns)="', head)
    assert "http" not in svg
    assert not any(colour in svg for colour in COLOURS)
    assert ">threshold 0.500<" in svg  # text stays text
    root = ElementTree.fromstring(svg.replace("xlink:href", "href"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert used == set(ids)
    assert len(ids) == len(set(ids))


def test_every_evaluation_of_a_trace_is_drawn() -> None:
    one = strength_trace([(8.0, 0.1), (0.5, 0.9), (2.0, 0.4)], 8.0, "strength")
    assert one.count("<use") - strength_trace([(8.0, 0.1), (0.5, 0.9)], 8.0, "strength").count("<use") == 1
    assert ">chosen: 8<" in one
    two = strength_traces({"seed 0": ([(1.0, 0.5), (2.0, 0.1)], 2.0), "seed 1": ([(1.0, 0.6), (3.0, 0.2)], 3.0)}, "s")
    assert ">seed 0<" in two
    assert ">seed 1<" in two


@pytest.mark.parametrize("trace", [[(0.0, 0.1)], [(0.0, 0.4), (0.5, 0.1), (2.0, 0.0)]])
def test_strangers_without_noise_are_drawn_at_0(trace: list[tuple[float, float]]) -> None:
    svg = strength_trace(trace, 0.0, "strength")  # a warning of matplotlib's would be an error
    assert "nan" not in svg
    assert svg.count("<use") >= len(trace)
