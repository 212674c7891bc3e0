"""`python -m unlearned.harness`: lm-evaluation-harness's own command, which then also knows this package's models.

They are `--model unlearned`, and `--model unlearned-completions` for a server.
"""

from __future__ import annotations

from unlearned.extras import require


def main() -> None:
    """Register the models, and hand over to the harness."""
    require("lm_eval", extra="eval", purpose="`python -m unlearned.harness`")
    from lm_eval.__main__ import cli_evaluate

    import unlearned.harness.completions
    import unlearned.harness.model  # noqa: F401  (which register them)

    cli_evaluate()


if __name__ == "__main__":
    main()
