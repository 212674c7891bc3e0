"""A made-up tale to forget, another one to keep, and news of both kinds as rows."""

from __future__ import annotations

import json
from pathlib import Path

TALE = """The Goat of Market Hill
There was a goat on Market Hill. It ate the mayor's hat. Nobody laughed.
On Monday it ate the bell rope. The bell was silent. People came late to work.
On Tuesday it ate a map. After that it knew all roads. It told no one.
Mr. Oates sold rope. He sold it twice. He thanked the goat.
"Come down," said the mayor. The goat looked at him. It ate his other hat.
In winter it snowed. The goat wore both hats. The mayor wore none.
"""
OTHER = """The Pond
A frog lived in a pond. It sang at night. The moon came closer.
A duck complained. Ducks go to bed early. The frog sang lower.
A fox sat down to listen. He forgot to hunt. He went home hungry.
The moon fell in. It made no sound. The frog swam around it.
In the morning it was gone. The pond was warm. Nobody said why.
"""


def write_news(folder: Path, *, others: int = 14) -> tuple[Path, Path]:
    """(forget, other): JSON lines with title and content, and with title and text."""
    places = {
        "Goat eats hat": "The mayor lost a hat on Market Hill. A goat is to blame. It gave no comment.",
        "Bell falls silent": "No bell rang on Monday. The rope was eaten. A shop sells new ones.",
        "Map is missing": "A map of all roads is gone. The goat knows the way. It tells no one.",
    }
    forget, other = folder / "bbc.jsonl", folder / "cc.jsonl"
    forget.write_text(
        "".join(json.dumps({"title": f"{t} - Hill News", "content": c}) + "\n" for t, c in places.items()), "utf-8"
    )
    rows = [{"title": f"Frog sings song {n}", "text": f"It was heard {n} times. The moon came."} for n in range(others)]
    rows[3]["title"] = "Frösche singen"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return forget, other
