"""A statement's DECIMAL arithmetic with Redshift's precision and scale: text for PostgreSQL in and out.

PostgreSQL's NUMERIC has no precision while it computes. So each operation is cast to the type that Redshift gives it:
`a * b` becomes `(a * b)::numeric(17,4)`, and more digits are an error as they are there. A quotient is cut, not
rounded, and so is a DECIMAL that is cast to another type (enable_numeric_rounding, off by default). What is a DECIMAL
and of which precision, PostgreSQL says itself (parse_tree.py, inference.py); where it stands, operands.py does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .decimals import Decimal
from .errors import NotImitated
from .inference import INTEGERS, NUMERIC, Inference, Names, Scope, branches, choices, is_null, result_type
from .lexer import OP, identifier, tokenize
from .operands import is_anchor, is_binary, operands, whole
from .parse_tree import Node
from .spans import Insertions, Item, branch_end, select_items, selects, unqualified

_TYPES = {"NUMERIC", "DECIMAL", "DEC", "INTEGER", "INT", "INT2", "INT4", "INT8", "BIGINT", "SMALLINT"}
_MIXING = {"UNION", "EXCEPT", "INTERSECT", "COALESCE", "CASE", "GREATEST", "LEAST"}
_CUTTING = {"int2", "int4", "int8"}
_EXPLICIT = 1  # of the ways to write a function: a cast
_SELECT = 1  # of the commands
_VARYING = {"VAR", "AGGREF", "WINDOWFUNC", "SUBLINK"}


def is_relevant(sql: str) -> bool:
    """Whether a statement may compute with DECIMAL at all. Most do not, and pass untouched."""
    tokens = tokenize(sql)
    for at, token in enumerate(tokens):
        if token.word in _MIXING or is_binary(tokens, at):
            return True
        if token.word in _TYPES and at > 0 and (tokens[at - 1].text == "::" or tokens[at - 1].word == "AS"):
            return True
    return False


def divides(sql: str) -> bool:
    return any(token.text == "/" and token.kind == OP for token in tokenize(sql))


def typed(sql: str, tree: Node, names: Names, outputs: bool) -> str:
    """`outputs`: the statement is a query that makes columns, which get their types too."""
    return _Arithmetic(sql, names).run(tree, outputs)


@dataclass(frozen=True)
class _Change:
    """What is put around an expression's operands, and in place of its operator."""

    before: str
    after: str
    operator: str = ""


class _Arithmetic:
    def __init__(self, sql: str, names: Names) -> None:
        self.sql = sql
        self.tokens = tokenize(sql)
        self._at = {len(sql[: t.start].encode()): i for i, t in enumerate(self.tokens)}  # PostgreSQL counts bytes
        self._inference = Inference(names, self._literal)
        self._insertions = Insertions()
        self._read: set[int] = set()  # tokens that a node of the tree was read from
        self._done: set[int] = set()  # those that are dealt with: a node may stand in the tree twice
        self._recursive: set[int] = set()  # queries whose columns have the types of their first branch
        self._selects = selects(self.tokens)
        self._known: dict[tuple[int, tuple[str, ...]], _Change] = {}  # by the SELECT and the words of the expression
        self._items = select_items(self.tokens)
        self._changed: dict[int, Item] = {}  # items of select lists with a change in them, by their first token

    def run(self, tree: Node, outputs: bool) -> str:
        for node, scope in _walk(tree, ()):
            self._read.add(self._at.get(node.number("location"), -1))
            if node.kind == "QUERY":
                self._branches(node, scope)
            elif node.kind == "OPEXPR" and node.number("opresulttype") == NUMERIC:
                self._operation(node, scope)
            elif node.kind == "FUNCEXPR":
                self._cast(node, scope)
            elif node.kind in ("CASEEXPR", "COALESCEEXPR", "MINMAXEXPR"):
                self._choice(node, scope)
        self._repeat()
        for node, _ in _walk(tree, ()):
            if node.kind == "QUERY" and node.number("commandType") == _SELECT:
                self._keep_names(node)
        text = self._insertions.apply(self.sql)
        return self._with_types(text, tree) if outputs else text

    def _literal(self, location: int) -> str:
        at = self._at.get(location)
        while at is not None and self.tokens[at].text in ("-", "("):  # -1.5 is one constant to PostgreSQL
            at += 1
        return self.tokens[at].text if at is not None else ""

    def _token(self, node: Node) -> int | None:
        """The token that a node was read from, once."""
        at = self._at.get(node.number("location"))
        if at is None or at in self._done:
            return None
        return at

    def _change(self, at: int, change: _Change) -> None:
        """`at`: the operator, the cast, or the first word of what is changed."""
        self._done.add(at)
        self._known[self._key(at)] = change
        self._apply(at, change)

    def _key(self, at: int) -> tuple[int, tuple[str, ...]]:
        first, last = whole(self.tokens, at)
        return self._selects[at], unqualified(self.tokens, first, last)

    def _apply(self, at: int, change: _Change) -> None:
        first, last = operands(self.tokens, at)
        self._insertions.around(self.tokens[first].start, self.tokens[last].end, change.before, change.after)
        if change.operator:
            self._insertions.instead(self.tokens[at].start, self.tokens[at].end, change.operator)
        for item in self._items:
            if item.first <= first and last <= item.last:
                self._changed.setdefault(item.first, item)
                break

    def _repeat(self) -> None:
        """An expression of GROUP BY or ORDER BY that stands in the select list too is one node of the tree."""
        for at in range(len(self.tokens)):
            if at not in self._read and self._known and is_anchor(self.tokens, at):
                change = self._known.get(self._key(at))
                if change is not None:
                    self._apply(at, change)

    # What is changed

    def _operation(self, node: Node, scope: Scope) -> None:
        operator, at = self._inference.operator(node), self._at.get(node.number("location"))
        if operator not in ("+", "-", "*", "/") or len(node["args"]) != 2 or at in self._done:
            return
        if at is None or self.tokens[at].text != operator:
            raise NotImitated("arithmetic with DECIMAL that PostgreSQL does not find in the statement")
        if any(is_null(argument) for argument in node["args"]):
            return
        left, right = (self._inference.decimal(a, scope) for a in node["args"])
        found = self._inference.decimal(node, scope)
        if operator == "/" and (found is None or left is None or right is None):
            raise NotImitated("a quotient of which one operand has no known precision: cast it to DECIMAL(p,s)")
        if found is None:
            return
        self._check(node, at)
        if operator == "/":
            # div() cuts exactly; `/` rounds, at a digit of its own choice.
            power = found.scale
            self._change(at, _Change("(div((", f")) * 1e-{power})::{found.sql}", f") * 1e{power}, ("))
        else:
            self._change(at, _Change("(", f")::{found.sql}"))

    def _check(self, node: Node, at: int) -> None:
        """The operands that were found in the text are those of the tree, or nothing is changed in silence."""
        first, last = operands(self.tokens, at)
        for argument, start, end in ((node["args"][0], first, at - 1), (node["args"][1], at + 1, last)):
            places = [self._at.get(n.number("location")) for n, _ in _walk(argument, ())]
            if not all(start <= place <= end for place in places if place is not None):
                raise NotImitated("arithmetic with DECIMAL that is nested in this way: put it into parentheses")

    def _cast(self, node: Node, scope: Scope) -> None:
        name, at = self._inference.function(node), self._token(node)
        if at is None or node.number("funcformat") != _EXPLICIT or self.tokens[at].word not in ("::", "CAST"):
            return
        value = node["args"][0]
        to_integer = name in _CUTTING and result_type(value) == NUMERIC
        target = self._inference.decimal(node, scope) if name == "numeric" and len(node["args"]) == 2 else None
        varies = any(n.kind in _VARYING for n, _ in _walk(value, ()))
        if not (to_integer or target) or not varies or _is_converted(value):
            return  # what is constant is rounded
        scale = target.scale if target else 0
        known = self._inference.decimal(value, scope)
        if known is None or known.scale > scale:
            self._change(at, _Change("trunc(", f", {scale})"))

    def _choice(self, node: Node, scope: Scope) -> None:
        at, found = self._token(node), self._inference.decimal(node, scope)
        if at is None or found is None or result_type(node) != NUMERIC:
            return
        if self.tokens[at].word not in ("CASE", "COALESCE", "GREATEST", "LEAST"):
            return
        if any(self._inference.decimal(choice, scope) != found for choice in choices(node)):
            self._change(at, _Change("(", f")::{found.sql}"))

    def _branches(self, query: Node, scope: Scope) -> None:
        """Every branch of a set operation gives the columns of the whole their type."""
        inner = (*scope, query)
        recursive = [cte["ctequery"] for cte in query["cteList"] or [] if cte["cterecursive"] == "true"]
        self._recursive |= {id(cte) for cte in recursive}
        if query["setOperations"] is None or id(query) in self._recursive:
            return
        kinds = [result_type(entry["expr"]) for entry in query["targetList"]]
        whole = [self._inference.output(query, i, scope) if k == NUMERIC else None for i, k in enumerate(kinds)]
        for entry in branches(query):
            own = [self._inference.column(entry, i, inner) for i in range(len(whole))]
            casts = {i: w for i, w in enumerate(whole) if w is not None and own[i] != w}
            if casts and entry["subquery"]:
                self._branch(entry["subquery"], casts)

    def _branch(self, query: Node, casts: dict[int, Decimal]) -> None:
        places = [self._at.get(n.number("location")) for t in query["targetList"] for n in _shallow(t["expr"])]
        first = min((p for p in places if p is not None), default=-1)
        item = next((i for i in self._items if i.first <= first <= i.last), None)
        if item is None:
            raise NotImitated("a set operation with DECIMAL columns of several precisions: cast them to DECIMAL(p,s)")
        items = sorted((i for i in self._items if i.select == item.select), key=lambda i: i.first)
        if len(items) == len(_columns(query)) and not any(i.is_star(self.tokens) for i in items):
            for i, target in casts.items():
                self._changed.setdefault(items[i].first, items[i])
                start, end = self.tokens[items[i].first].start, self.tokens[items[i].value_end(self.tokens)].end
                self._insertions.around(start, end, "(", f")::{target.sql}")
            return
        before, after = _retyped(query, casts, "branch")
        last = branch_end(self.tokens, item.select)
        self._insertions.around(self.tokens[item.select].start, self.tokens[last].end, before, after)

    # Names and types of columns

    def _keep_names(self, query: Node) -> None:
        """PostgreSQL names a column after its expression, as Redshift does: after the one the client wrote."""
        for target in query["targetList"] or []:
            name = target["resname"]
            places = {self._at.get(n.number("location")) for n in _shallow(target["expr"])}
            for item in list(self._changed.values()):
                if name and any(p is not None and item.first <= p <= item.last for p in places):
                    del self._changed[item.first]
                    if not item.is_named(self.tokens):
                        start, end = self.tokens[item.first].start, self.tokens[item.last].end
                        self._insertions.behind(start, end, f" as {identifier(name)}")

    def _with_types(self, text: str, query: Node) -> str:
        casts = {}
        for i, target in enumerate(_columns(query)):
            found = self._inference.output(query, i, ()) if result_type(target["expr"]) == NUMERIC else None
            if found is not None and not _is_plain(target["expr"]):
                casts[i] = found
        before, after = _retyped(query, casts, "typed") if casts else ("", "")
        return before + text + after


def _walk(value: Node, scope: Scope) -> Iterator[tuple[Node, Scope]]:
    """Every node with the queries around it, from the outside in; a query itself with those around it."""
    waiting = [(value, scope)]
    while waiting:
        node, around = waiting.pop()
        yield node, around
        inner = (*around, node) if node.kind == "QUERY" else around
        waiting += [(child, inner) for child in node.children()][::-1]


def _columns(query: Node) -> list[Node]:
    return [target for target in query["targetList"] or [] if target["resjunk"] != "true"]


def _shallow(value: Node) -> Iterator[Node]:
    """The nodes of an expression, without those of subqueries in it."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if node.kind != "QUERY":
            yield node
            waiting += node.children()


def _is_converted(value: Node) -> bool:
    """A string, a float or an integer that PostgreSQL makes a NUMERIC of before the cast."""
    return value.kind == "COERCEVIAIO" or (
        value.kind == "FUNCEXPR"
        and value.number("funcformat") != 0
        and (len(value["args"]) == 1 and result_type(value["args"][0]) in INTEGERS | {700, 701})
    )


def _is_plain(value: Node) -> bool:
    """Does PostgreSQL know the type by itself, after all the changes?"""
    if value.kind == "OPEXPR":
        return len(value["args"]) == 2
    return value.kind == "VAR" and value.number("vartypmod") >= 0


def _retyped(query: Node, casts: dict[int, Decimal], name: str) -> tuple[str, str]:
    """What makes a subquery of a query whose columns are cast: the text before and after it."""
    targets = _columns(query)
    columns = [f"c{i}" for i in range(len(targets))]
    items = [
        f"{column}{f'::{casts[i].sql}' if i in casts else ''} as {identifier(targets[i]['resname'])}"
        for i, column in enumerate(columns)
    ]
    return f"select {', '.join(items)} from (", f"\n) as {name} ({', '.join(columns)})"
