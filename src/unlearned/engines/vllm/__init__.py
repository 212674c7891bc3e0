"""What vLLM is given: prompts read from its token ids, and rows of its model's embeddings.

The plug-in that puts this in force is `unlearned.server.vllm`; nothing here imports vLLM.
"""
