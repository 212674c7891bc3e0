"""What `LLM` and `AsyncLLM` answer under an artifact, as JSON; run by `test_offline.py` in a process of its own.

Usage: offline_script.py KIND MODEL ARTIFACT QUESTION ...
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from vllm_helpers import DTYPE

OPTIONS: dict[str, Any] = {"enforce_eager": True, "max_model_len": 512, "dtype": DTYPE, "max_num_seqs": 8}


def offline(model: str, artifact: str, questions: list[str]) -> dict[str, Any]:
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import BeamSearchParams

    from unlearned.errors import DetectionError
    from unlearned.vllm import enforcer as enforcing

    llm = LLM(model, additional_config={"unlearned": artifact}, **OPTIONS)
    greedy = SamplingParams(temperature=0, max_tokens=12)
    found: dict[str, Any] = {
        "generate": [done.outputs[0].text for done in llm.generate(questions, greedy, use_tqdm=False)],
        "chat": [
            llm.chat([{"role": "user", "content": question}], greedy, use_tqdm=False)[0].outputs[0].text
            for question in questions
        ],
        "beams": [
            done.sequences[0].text
            for done in llm.beam_search(
                [{"prompt": q} for q in questions], BeamSearchParams(beam_width=2, max_tokens=6)
            )
        ],
    }
    for name, prompt in (("embeds", {"prompt_embeds": "x"}), ("pieces", None)):
        try:
            if prompt is None:
                llm.encode(questions[0], use_tqdm=False)
            else:
                llm.generate(prompt, greedy, use_tqdm=False)
            found[name] = "answered"
        except Exception as error:
            found[name] = type(error).__name__

    def broken(*_: Any) -> Any:
        raise DetectionError("broken")

    processor = llm.llm_engine.input_processor
    works, enforcing.TokenReader.read = enforcing.TokenReader.read, broken
    try:
        llm.generate(questions[0], greedy, use_tqdm=False)
        found["broken"] = "answered"
    except DetectionError:
        found["broken"] = "DetectionError"
    enforcing.TokenReader.read = works
    # A front end without the plug-in, as vLLM's other ones may be: the engine refuses on its own.
    processor.unlearned = None
    try:
        [done] = llm.generate(questions[0], greedy, use_tqdm=False)
        found["guard"] = [done.outputs[0].finish_reason, done.outputs[0].text]
    except Exception as error:
        found["guard"] = [type(error).__name__, ""]
    return found


def chats(model: str, artifact: str, questions: list[str]) -> list[str]:
    from vllm import LLM, SamplingParams

    llm = LLM(model, additional_config={"unlearned": artifact}, **OPTIONS)
    conversations: list[Any] = [[{"role": "user", "content": question}] for question in questions]
    answers = llm.chat(conversations, SamplingParams(temperature=0, max_tokens=40), use_tqdm=False)
    return [answer.outputs[0].text for answer in answers]


async def asynchronous(model: str, questions: list[str]) -> list[str]:
    """With the artifact named by the environment."""
    from vllm import AsyncEngineArgs, SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

    engine = AsyncLLM.from_engine_args(AsyncEngineArgs(model=model, **OPTIONS))

    async def answer(question: str) -> str:
        text = ""
        async for output in engine.generate(question, SamplingParams(temperature=0, max_tokens=12), question):
            text = output.outputs[0].text
        return text

    try:
        return list(await asyncio.gather(*map(answer, questions)))
    finally:
        engine.shutdown()


if __name__ == "__main__":
    kind, model, artifact, *questions = sys.argv[1:]
    kinds: dict[str, Callable[[], Any]] = {
        "offline": lambda: offline(model, artifact, questions),
        "chats": lambda: chats(model, artifact, questions),
        "asynchronous": lambda: asyncio.run(asynchronous(model, questions)),
    }
    print("RESULT", json.dumps(kinds[kind]()))
