"""`python -m unlearned.harness`: lm-evaluation-harness's own command, which then also knows `--model unlearned`."""

from __future__ import annotations

from unlearned.extras import require


def main() -> None:
    """Register the model, and hand over to the harness."""
    require("lm_eval", extra="eval", purpose="`python -m unlearned.harness`")
    from lm_eval.__main__ import cli_evaluate

    import unlearned.harness.model  # noqa: F401  (which registers it)

    cli_evaluate()


if __name__ == "__main__":
    main()
