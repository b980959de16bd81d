"""PostgreSQL's own analysis of a statement in, nodes out: every expression with its type and its place in the text.

PostgreSQL prints it on demand (debug_print_parse). It knows what a name means here and now: temporary tables, search
path, views, common table expressions, types of parameters. Why not sqlglot and the catalog: that would be a second
name resolution, and where the two differed a value would change in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import RedshiftError

_TOKEN = re.compile(r'[(){}]|"(?:[^"\\]|\\.)*"|(?:[^\s(){}\\]|\\.)+', re.DOTALL)


@dataclass
class Node:
    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """A field: a node, a list, or text; None if there is nothing in it."""
        return self.fields.get(name)

    def number(self, name: str) -> int:
        return int(self.fields.get(name, -1))

    def children(self) -> Iterator[Node]:
        for value in self.fields.values():
            yield from _nodes(value)


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def read_tree(dump: str) -> Node:
    """Without recursion: a long chain of operators is a deep tree."""
    root: list[Any] = []
    stack: list[Node | list[Any]] = [root]
    names: list[str] = []  # of the field that is being read, per open node
    awaiting = False  # is the next token the name of a field's value?
    tokens = iter(_TOKEN.findall(dump))
    for token in tokens:
        top = stack[-1]
        if token in ")}":
            stack.pop()
            if token == "}":
                names.pop()
            awaiting = False
        elif isinstance(top, Node) and token[0] == ":" and not awaiting:
            names[-1] = token[1:]
            awaiting = True
        else:
            value: Any = [] if token == "(" else Node(next(tokens)) if token == "{" else _atom(token)
            if isinstance(top, Node) and awaiting:
                top.fields[names[-1]] = value
            elif isinstance(top, Node):  # a constant: its length is followed by its bytes
                held = top.fields[names[-1]]
                top.fields[names[-1]] = [*(held if isinstance(held, list) else []), *([] if token in "[]" else [token])]
            else:
                top.append(value)
            awaiting = False
            if isinstance(value, Node):
                names.append("")
            if token in "({":
                stack.append(value)
    if len(root) != 1 or not isinstance(root[0], Node):
        raise RedshiftError("PostgreSQL's parse tree could not be read")
    return root[0]


def _atom(token: str) -> str | None:
    return None if token == "<>" else re.sub(r"\\(.)", r"\1", token, flags=re.DOTALL)
