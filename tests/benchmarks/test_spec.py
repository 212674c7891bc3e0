"""Every benchmark says what it measures, and its main sets and limits."""

from __future__ import annotations

from unlearned.benchmarks.spec import specs


def test_every_registered_benchmark_is_whole() -> None:
    for name in specs.names():
        spec = specs.get(name)
        assert spec.name == name
        assert spec.version >= 1
        assert spec.title, name
        assert spec.measures, name
        assert spec.main, name
        assert spec.limits, name
        for measure in spec.measures.values():
            assert measure.title, name
            assert measure.definition.endswith("."), (name, measure.title)
