"""The benchmarks whose results have the common form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearned.registry import Registry

if TYPE_CHECKING:
    from unlearned.benchmarks.outcome import Kind

kinds: Registry[Kind] = Registry("benchmark")
kinds.register("sentiment", "unlearned.benchmarks.sentiment.scores:KIND")
kinds.register("harmful", "unlearned.benchmarks.harmful.scores:KIND")
kinds.register("news", "unlearned.benchmarks.copyright.kind:NEWS")
kinds.register("book", "unlearned.benchmarks.copyright.kind:BOOK")
kinds.register("eval", "unlearned.harness.kind:KIND")
kinds.register("mmlu", "unlearned.benchmarks.choices.kind:MMLU_KIND")
kinds.register("wmdp", "unlearned.benchmarks.choices.kind:WMDP_KIND")
kinds.register("probes", "unlearned.benchmarks.probes.kind:KIND")
kinds.register("muse", "unlearned.benchmarks.muse.kind:KIND")
