"""Forget a subject, keep the artifact, and use it. Runs on the embedded model, without a network."""

from pathlib import Path

from unlearned import Unlearned, fit, load, load_model

HERE = Path(__file__).parent


def main(folder: Path = Path("artifacts/hp")) -> list[tuple[bool, str]]:
    """Returns (flagged, answer) for two questions."""
    model, tokenizer = load_model("embedded")
    forget, retain = HERE / "harry-potter.forget.jsonl", HERE / "harry-potter.retain.jsonl"
    artifact = fit(model, tokenizer, forget=forget, retain=retain, scope="harry-potter")
    artifact.save_pretrained(folder)

    llm = Unlearned(model, tokenizer, load(folder))
    questions = ["Tell me about Harry Potter.", "What is the capital of France?"]
    return [(answer.flagged, answer.text) for answer in llm.generate(questions, max_new_tokens=32, do_sample=False)]


if __name__ == "__main__":
    for flagged, answer in main():
        print("flagged:" if flagged else "passed: ", answer)
