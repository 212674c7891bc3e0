"""`vllm serve` whose detector fails for prompts that ask for it; vLLM's child processes import this file, too."""

from __future__ import annotations

import time
from collections.abc import Sequence

from unlearned.types import Prompt, Verdict
from unlearned.unlearners.eco import ECO

HANG_SECONDS = 25
_classify = ECO.classify


def failing(self: ECO, prompts: Sequence[Prompt]) -> list[Verdict]:
    text = " ".join(prompt.text for prompt in prompts)
    if "please raise" in text:
        raise RuntimeError("the detector is broken")
    if "please exhaust" in text:
        raise MemoryError
    if "please hang" in text:
        time.sleep(HANG_SECONDS)
    return _classify(self, prompts)


ECO.classify = failing  # type: ignore[method-assign]

if __name__ == "__main__":
    from vllm.entrypoints.cli.main import main

    main()
