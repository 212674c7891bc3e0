"""Stage 3: what happens to the embeddings of the selected tokens?"""
