"""The benchmarks whose results have the common form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearned.registry import Registry

if TYPE_CHECKING:
    from unlearned.benchmarks.outcome import Kind

kinds: Registry[Kind] = Registry("benchmark")
