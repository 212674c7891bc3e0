"""The vLLM plug-in: vLLM's own engine and server, with every prompt checked.

Its files, in reading order:

settings.py     what is to be enforced, and how each process of vLLM learns it
flags.py        `vllm serve MODEL --unlearned ARTIFACT`
chat.py         whose words are where in a conversation that vLLM rendered
table.py        the embeddings of vLLM's model, from its checkpoint
combinations.py what of vLLM cannot be combined with which artifacts
front.py        where every request passes, in the process that takes it
enforcer.py     prompt -> verdict -> what the engine reads in its place
lengthening.py  soft prompts and instructions: the engine reads a longer prompt than the client sent
constraints.py  words that a request makes the model say
outputs.py      where the engine's tokens become the answer
answering.py    one answer: what may not be said is taken back, strangers become the user's words
banning.py      tokens that must not come next, in the workers
core.py         the engine's side: accepts embeddings, and only requests that were checked
middleware.py   checks, artifacts at run time, keys, metrics and the log, around vLLM's own routes
"""

from __future__ import annotations


def register() -> None:
    """Entry point of `vllm.general_plugins`, called once in each process of vLLM.

    vLLM only logs what fails while a plug-in is imported: everything is imported here, where an error ends the start.
    """
    from unlearned.vllm.plugin import install

    install()
