"""SUPER's paths in a query in, calls of functions out: `t.c.a.b[0]`, and arrays in FROM: `from t, t.c as x at i`.

A dot is a step into an object if what stands before it is a column. Which names are tables is read from the FROM,
JOIN, UPDATE, INTO and USING of the whole statement; what is none of them is a column. That is why a statement goes
through here as a whole, before expressions.py looks at its parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import Refused
from .lexer import NUMBER, QUOTED, STRING, WORD, Edit, Token, apply, closing, identifier, opening, tokenize

_INTERNAL = "redshift_internal"
_ENDS_FROM = {
    "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "MINUS", "SELECT", "SET",
    "WHEN", "QUALIFY", "VALUES", "ON", "START", "CONNECT",
}  # fmt: skip
_NO_ALIAS = _ENDS_FROM | {
    "AS", "AT", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "OUTER", "USING", "FOR", "FETCH", "WITH",
    "WINDOW", "PIVOT", "UNPIVOT", "FROM", "DEFAULT", "THEN", "REMOVE", "RETURNING", "TABLESAMPLE", "BEGIN", "END",
}  # fmt: skip
FROM_IN_CALLS = {"EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION", "BTRIM"}
# Words before parentheses that are no call.
_BEFORE_PARENTHESES = {
    "SELECT", "DISTINCT", "ALL", "AND", "OR", "NOT", "WHERE", "ON", "HAVING", "BY", "CASE", "WHEN", "THEN", "ELSE",
    "IS", "BETWEEN", "LIKE", "ILIKE", "LIMIT", "RETURN", "SET",
}  # fmt: skip
_SYSTEM = {"pg_catalog", "information_schema", "pg_temp", "redshift_internal", "new", "old", "excluded"}


@dataclass
class _Path:
    """`a.b[0].c` from tokens[first] up to, not with, tokens[end]."""

    names: list[str]  # before the first bracket
    steps: list[str]  # SQL of each step behind that
    first: int
    end: int


@dataclass
class _Names:
    tables: set[str] = field(default_factory=set)  # aliases, and names of tables without one
    qualified: set[tuple[str, str]] = field(default_factory=set)  # schema and table
    arrays: set[str] = field(default_factory=set)  # aliases of elements of an array


@dataclass
class _Scope:
    """One pair of parentheses: the clause that was begun last, and whether it stands inside a select list."""

    clause: str = ""
    correlated: bool = False


def with_paths(sql: str) -> str:
    tokens = tokenize(sql)
    if not any(t.kind == "op" and t.text in ".[" for t in tokens):
        return sql
    return _Paths(sql, tokens).run()


class _Paths:
    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.sql = sql
        self.tokens = tokens
        self.names = _Names()
        self.edits: list[Edit] = []
        self.items: set[int] = set()  # tokens that begin an item of FROM: names of tables

    def run(self) -> str:
        self._read_from()
        at = 0
        while at < len(self.tokens):
            at = self._step(at)
        return apply(self.sql, self.edits)

    def _word(self, at: int) -> str:
        return self.tokens[at].word if 0 <= at < len(self.tokens) else ""

    def _is_name(self, at: int) -> bool:
        return 0 <= at < len(self.tokens) and self.tokens[at].kind in (WORD, QUOTED)

    # What the statement calls a table

    def _read_from(self) -> None:
        scopes = [_Scope()]
        later: list[int] = []  # a query inside a select list sees the tables that are named behind it
        for at, token in enumerate(self.tokens):
            word, scope = token.word, scopes[-1]
            if word == "(":
                scopes.append(_Scope(correlated=scope.correlated or scope.clause == "SELECT"))
            elif word == ")" and len(scopes) > 1:
                scopes.pop()
            elif self._begins_item(at, scope.clause == "FROM"):
                if scope.correlated:
                    later.append(at + 1)
                else:
                    self._item(at + 1)
            if word == "FROM" and not self._in_call(at):
                scope.clause = "FROM"
            elif word in _ENDS_FROM and word != "ON":
                scope.clause = word
        for at in later:
            self._item(at)

    def _begins_item(self, at: int, listing: bool) -> bool:
        word = self._word(at)
        if word == "FROM":
            return self._word(at - 1) != "DISTINCT" and not self._in_call(at)
        joins = word in ("JOIN", "UPDATE", "INTO") or (word == "USING" and self._word(at + 1) != "(")
        return joins or (word == "," and listing)

    def _in_call(self, at: int) -> bool:
        """Is this the FROM of EXTRACT (… FROM …) and its like?"""
        depth = 0
        for i in range(at - 1, 0, -1):
            depth += (self._word(i) == ")") - (self._word(i) == "(")
            if depth < 0:
                return self._word(i - 1) in FROM_IN_CALLS
        return False

    def _item(self, at: int) -> None:
        if self._word(at) in ("ONLY", "TABLE", "LATERAL"):
            at += 1
        if self._word(at) == "UNPIVOT" and self._is_name(at + 1):
            self._unpivot(at + 1)
            return
        if self._word(at) == "(":
            end = closing(self.tokens, at) + 1
            path = None
        elif self._is_name(at):
            path = self._path(at)
            end = path.end
            if self._word(end) == "(":
                end, path = closing(self.tokens, end) + 1, None
        else:
            return
        after = end + 1 if self._word(end) == "AS" else end
        alias = ""
        if self._is_name(after) and self._word(after) not in _NO_ALIAS:
            alias = self.tokens[after].name
        if path is not None and self._is_array(path):
            self._unnest(path, alias, after + 1 if alias else end)
            return
        self.items.add(at)
        if alias:
            self.names.tables.add(alias)
        elif path is not None:
            self.names.tables.add(path.names[-1])
        if path is not None and len(path.names) > 1:
            self.names.qualified.add((path.names[-2], path.names[-1]))

    def _is_array(self, path: _Path) -> bool:
        first = path.names[0]
        if path.steps or first in self.names.arrays:
            return True
        return len(path.names) > 1 and first in self.names.tables

    def _unnest(self, path: _Path, alias: str, end: int) -> None:
        alias = alias or path.names[-1]
        at = path.first - 2
        at -= self._word(at) == "OUTER"
        if self._word(path.first - 1) == "JOIN" and self._word(at) in ("RIGHT", "FULL"):
            raise Refused("SUPER in a right or full outer join")
        quoted = identifier(alias)
        source = self._expression(path) or ".".join(identifier(n) for n in path.names)
        call = f"{_INTERNAL}.items({source}) as {quoted} ({quoted})"
        if self._word(end) == "AT" and self._is_name(end + 1):
            place = identifier(self.tokens[end + 1].name)
            call = f"{_INTERNAL}.elements({source}) as {quoted} ({quoted}, {place})"
            end += 2
        self.edits.append(Edit(self.tokens[path.first].start, self.tokens[end - 1].end, call))
        self.items.add(path.first)
        self.names.arrays.add(alias)

    def _unpivot(self, at: int) -> None:
        """`UNPIVOT object AS value AT name`, tokens[at] being the object; both aliases may be left out."""
        path = self._path(at)
        source = self._expression(path) or ".".join(identifier(n) for n in path.names)
        end = path.end + (self._word(path.end) == "AS")
        value, name = "value", "name"
        if self._is_name(end) and self._word(end) not in _NO_ALIAS:
            value, end = self.tokens[end].name, end + 1
        if self._word(end) == "AT" and self._is_name(end + 1):
            name, end = self.tokens[end + 1].name, end + 2
        call = f"{_INTERNAL}.attributes({source}) as {identifier(value)} ({identifier(value)}, {identifier(name)})"
        self.edits.append(Edit(self.tokens[at - 1].start, self.tokens[end - 1].end, call))
        self.items.update(range(at, end))
        self.names.arrays.add(value)

    # Paths in expressions

    def _step(self, at: int) -> int:
        if self._word(at) == ")" and self._word(at + 1) in (".", "["):
            return self._parentheses(at)
        if not self._is_name(at) or self._word(at - 1) == ".":
            return at + 1
        path = self._path(at)
        if at in self.items or self._word(path.end) == "(" or self._word(at - 1) in ("AS", "::"):
            return path.end
        text = self._expression(path)
        if text:
            if self._is_output(path):
                text += f" as {identifier(self._last_name(path))}"
            self.edits.append(Edit(self.tokens[at].start, self.tokens[path.end - 1].end, text))
        return path.end

    def _parentheses(self, at: int) -> int:
        """`(expression)[0].a`, tokens[at] closing the parentheses. A call has no path: that is a syntax error."""
        first = opening(self.tokens, at)
        if self._is_name(first - 1) and self._word(first - 1) not in _BEFORE_PARENTHESES:
            return at + 1
        path = self._steps(_Path([], [], first, at + 1))
        if path.steps:
            start = self.tokens[first].start
            self.edits.append(Edit(start, start, f"{_INTERNAL}.step(" * len(path.steps)))
            steps = "".join(f", {s})" for s in path.steps)
            self.edits.append(Edit(self.tokens[at].end, self.tokens[path.end - 1].end, steps))
        return path.end

    def _path(self, at: int) -> _Path:
        return self._steps(_Path([self.tokens[at].name], [], at, at + 1))

    def _steps(self, path: _Path) -> _Path:
        while path.end < len(self.tokens):
            text = self.tokens[path.end].text if self.tokens[path.end].kind == "op" else ""
            if text == "." and self._is_name(path.end + 1):
                name = self.tokens[path.end + 1].name
                if path.steps or not path.names:
                    path.steps.append(_text(name))
                else:
                    path.names.append(name)
                path.end += 2
            elif text == "[" and self._word(path.end - 1) != "ARRAY":
                end = closing(self.tokens, path.end)
                if end == path.end + 1:  # int[]
                    break
                inside = self.sql[self.tokens[path.end].end : self.tokens[end].start].strip()
                if end == path.end + 2 and self.tokens[path.end + 1].kind not in (NUMBER, STRING):
                    inside = f"({inside})::integer"
                path.steps.append(inside)
                path.end = end + 1
            else:
                break
        return path

    def _expression(self, path: _Path) -> str:
        """What finds the value of the path, or '' if it is a mere column."""
        names = path.names
        if names[0] in self.names.arrays:
            known, base = 1, f"{identifier(names[0])}.{identifier(names[0])}"
        else:
            if names[0] in _SYSTEM:
                known = len(names)
            elif len(names) > 2 and (names[0], names[1]) in self.names.qualified:
                known = 3
            elif len(names) > 3 and (names[1], names[2]) in self.names.qualified:
                known = 4  # with the database before the schema
            elif names[0] in self.names.tables:
                known = 2
            else:
                known = 1 if self.names.tables or path.steps else len(names)
            base = ".".join(identifier(n) for n in names[:known])
        steps = [_text(n) for n in names[known:]] + path.steps
        if not steps:
            return ""
        for step in steps:
            base = f"{_INTERNAL}.step({base}, {step})"
        return base

    def _is_output(self, path: _Path) -> bool:
        """Is the path alone an item of a select list, without a name of its own?"""
        before, after = self._word(path.first - 1), self._word(path.end)
        if after not in (",", "FROM", "", ")", ";") or before not in ("SELECT", "DISTINCT", "ALL", ","):
            return False
        depth = 0
        for i in range(path.first - 1, -1, -1):
            word = self._word(i)
            depth += (word == ")") - (word == "(")
            if depth < 0:
                return False
            if depth == 0 and word == "SELECT":
                return True
            if depth == 0 and word in _ENDS_FROM | {"FROM", "BY"}:
                return False
        return False

    def _last_name(self, path: _Path) -> str:
        for i in range(path.end - 1, path.first - 1, -1):
            if self._is_name(i) and (i == path.first or self._word(i - 1) == "."):
                return self.tokens[i].name
        return path.names[-1]


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
