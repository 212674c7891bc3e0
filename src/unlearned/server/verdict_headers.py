"""What the header of an answer tells about the check of its prompt."""

from __future__ import annotations

from urllib.parse import quote

from unlearned.server.keys import Access
from unlearned.server.record import RequestRecord


def verdict_headers(record: RequestRecord, access: Access) -> dict[str, str]:
    """Only an administrator sees what was decided."""
    headers = {"x-unlearned": "checked"}
    if access is Access.ADMIN and record.verdicts is not None:
        scopes = sorted({verdict.scope for verdict in record.verdicts if verdict.scope})
        headers["x-unlearned-verdict"] = "flagged" if scopes else "clean"
        headers["x-unlearned-scores"] = ",".join(f"{verdict.score:.4f}" for verdict in record.verdicts)
        if scopes:  # percent-encoded: a scope's name may be in any script
            headers["x-unlearned-scopes"] = ",".join(quote(scope) for scope in scopes)
    return headers
