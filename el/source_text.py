"""A source file as text: YAML with comments, for ``el init``.

In: what each table's line says, and why. Out: the text. Names come from a database and may hold anything: in YAML they
are quoted by PyYAML, and in comments nothing is left that could end one.

Why not a YAML library for the whole: none that we have writes comments.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

_WIDTH = 118


@dataclass
class Entry:
    """One table's lines. ``options`` as the file has them.

    ``left_out``: the line is a comment too. ``reviewed``: how many columns a person should look at. ``unzoned``: its
    cursor is of a clock whose zone is not known.
    """

    name: str
    options: dict[str, str | list[str]]
    comments: list[str] = field(default_factory=list)
    left_out: bool = False
    reviewed: int = 0
    unzoned: bool = False


def text(source: str, database: str, entries: Sequence[Entry]) -> str:
    """The file. The commonest cursor becomes the default."""
    taken = [entry for entry in entries if not entry.left_out]
    cursors = Counter(str(entry.options["cursor"]) for entry in taken if "cursor" in entry.options)
    usual = cursors.most_common(1)[0][0] if cursors else None
    lines = _comment(
        f"Written by `el init {source}` from the catalog of MySQL's database {word(database)}; it runs as it is. "
        "Read the comments first. review: columns that may be personal, and that are moved until this file says "
        "otherwise (hash needs EL_HASH_KEY). note: what a cursor costs or cannot see. Sizes are MySQL's estimates."
    )
    if unzoned := [word(entry.name) for entry in taken if entry.unzoned]:
        lines += _comment(
            "The cursor is DATETIME or DATE, whose time zone MySQL does not know, in: "
            f"{', '.join(unzoned)}. Where its writers use neither UTC nor the server's own zone, name theirs by "
            "cursor_zone: Europe/Berlin"
        )
    lines.append(f"source: {word(source)}")
    if usual is not None:
        lines.append(f"defaults: {{mode: merge, cursor: {word(usual)}}}")
    lines.append("tables:")
    for entry in entries:
        lines += [""] if lines[-1] != "tables:" else []
        lines += [line for comment in entry.comments for line in _comment(comment, "  ")]
        options = {key: value for key, value in entry.options.items() if (key, value) != ("cursor", usual)}
        inside = ", ".join(f"{key}: {_value(value)}" for key, value in options.items())
        lines.append(f"  {'# ' if entry.left_out else ''}{word(entry.name)}: {{{inside}}}")
    return "\n".join(lines) + "\n"


def word(name: str) -> str:
    """A name as YAML, on one line, at any place of the file: quoted where YAML would read something else."""
    style = None if name.isprintable() else '"'
    listed = yaml.safe_dump(
        [name], default_flow_style=True, default_style=style, allow_unicode=True, width=float("inf")
    )
    return listed.strip()[1:-1]


def words(names: Sequence[str]) -> str:
    """Names as a list in YAML."""
    return f"[{', '.join(map(word, names))}]"


def printable(sentence: str) -> str:
    r"""Without what could end a line: a character that is not printable as ``\u000a``."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in sentence)


def _value(value: str | list[str]) -> str:
    return word(value) if isinstance(value, str) else words(value)


def _comment(sentence: str, indent: str = "") -> list[str]:
    """Comment lines. What is there to be copied stays on one: a statement (indented), a review."""
    sentence = printable(sentence)
    if sentence.startswith((" ", "review: ")):
        return [f"{indent}# {sentence}"]
    return textwrap.wrap(
        sentence,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   " if indent else "# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
