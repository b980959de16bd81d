"""The type that an expression has on Redshift: a node of PostgreSQL's parse tree in, DECIMAL(p,s) out.

PostgreSQL knows the precision of columns and casts, and forgets it at every operator, function and aggregate. Here it
is carried on by Redshift's rules (decimals.py). None means that it is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .decimals import (
    OF_INTEGERS,
    Decimal,
    aggregated,
    common,
    of_literal,
    of_modifier,
    product_of,
    quotient_of,
    sum_of,
    with_scale,
)
from .parse_tree import Node

NUMERIC = 1700
INTEGERS = set(OF_INTEGERS)
_BETWEEN = {"+": sum_of, "-": sum_of, "*": product_of, "/": quotient_of}
_SAME = {"abs", "max", "min", "any_value", "lag", "lead", "first_value", "last_value", "nth_value"}
_DEPTH = 200  # of subqueries within subqueries; a recursive query has no end

Scope = tuple[Node, ...]  # the queries around an expression, the innermost last

# Of range table entries
_SUBQUERY, _JOIN, _VALUES, _CTE, _GROUP = 1, 2, 5, 6, 9


@dataclass
class Names:
    """What PostgreSQL's numbers of functions and operators stand for."""

    functions: dict[int, str] = field(default_factory=dict)
    operators: dict[int, str] = field(default_factory=dict)


class Inference:
    def __init__(self, names: Names, literal_at: Callable[[int], str]) -> None:
        self._names = names
        self._literal_at = literal_at  # the number that stands at a place of the statement
        self._depth = 0
        self._found: dict[int, Decimal | None] = {}  # by the node's identity

    def decimal(self, node: Node | None, scope: Scope) -> Decimal | None:
        """Of an expression that PostgreSQL holds for a NUMERIC."""
        if node is None or self._depth > _DEPTH:
            return None
        if id(node) not in self._found:
            rule = getattr(self, f"_{node.kind.lower()}", None)
            self._depth += 1
            self._found[id(node)] = rule(node, scope) if rule else None
            self._depth -= 1
        return self._found[id(node)]

    def operator(self, node: Node) -> str:
        return self._names.operators.get(node.number("opno"), "")

    def function(self, node: Node) -> str:
        return self._names.functions.get(node.number("funcid"), "")

    def together(self, nodes: list[Node], scope: Scope) -> Decimal | None:
        """The type that all of them get in a CASE or a COALESCE; NULL has none."""
        found = [self.decimal(n, scope) for n in nodes if not is_null(n)]
        known = [f for f in found if f is not None]
        return common(known) if known and len(known) == len(found) else None

    # One rule for each kind of node

    def _var(self, node: Node, scope: Scope) -> Decimal | None:
        if node.number("vartype") != NUMERIC:
            return None
        if known := of_modifier(node.number("vartypmod")):
            return known
        up = node.number("varlevelsup")
        inner = scope[: len(scope) - up]
        column = node.number("varattno") - 1
        if not inner or node.number("varno") > len(inner[-1]["rtable"]) or column < 0:
            return None
        return self.column(inner[-1]["rtable"][node.number("varno") - 1], column, inner)

    def column(self, entry: Node, column: int, scope: Scope) -> Decimal | None:
        """Of a column of a FROM item."""
        kind = entry.number("rtekind")
        if kind == _SUBQUERY:
            return self.output(entry["subquery"], column, scope)
        if kind in (_JOIN, _GROUP):
            return self.decimal(entry["joinaliasvars" if kind == _JOIN else "groupexprs"][column], scope)
        if kind == _VALUES:
            return self.together([row[column] for row in entry["values_lists"]], scope)
        if kind == _CTE:
            outer = scope[: len(scope) - entry.number("ctelevelsup")]
            for cte in outer[-1]["cteList"] or []:
                query = cte["ctequery"]
                if cte["ctename"] == entry["ctename"] and cte["cterecursive"] == "true":
                    return self.column(branches(query)[0], column, (*outer, query))
                if cte["ctename"] == entry["ctename"]:
                    return self.output(query, column, outer)
        return None

    def output(self, query: Node, column: int, scope: Scope) -> Decimal | None:
        """Of a column of a query; of all branches together if it is a set operation."""
        inner = (*scope, query)
        if query["setOperations"] is None:
            expression = query["targetList"][column]["expr"]
            return OF_INTEGERS.get(result_type(expression)) or self.decimal(expression, inner)
        found = [self.column(entry, column, inner) for entry in branches(query) if not _gives_null(entry, column)]
        known = [f for f in found if f is not None]
        return common(known) if known and len(known) == len(found) else None

    def _const(self, node: Node, scope: Scope) -> Decimal | None:
        if known := of_modifier(node.number("consttypmod")):
            return known
        return of_literal(self._literal_at(node.number("location")))

    def _opexpr(self, node: Node, scope: Scope) -> Decimal | None:
        operator, arguments = self.operator(node), node["args"]
        if len(arguments) == 1:
            return self.decimal(arguments[0], scope) if operator in ("-", "+", "@") else None
        left, right = (self.decimal(a, scope) for a in arguments)
        rule = _BETWEEN.get(operator)
        return rule(left, right) if rule and left and right else None

    def _funcexpr(self, node: Node, scope: Scope) -> Decimal | None:
        name, arguments = self.function(node), node["args"] or []
        if name == "super_to_numeric" or (name == "numeric" and len(arguments) == 2):
            return of_modifier(_integer(arguments[1]))
        if name == "numeric" and node.number("funcformat") != 0:
            return OF_INTEGERS.get(result_type(arguments[0]))
        if name in ("round", "trunc"):
            value = self.decimal(arguments[0], scope)
            if len(arguments) == 1:
                return with_scale(value, 0) if value else None
            known = value is not None and arguments[1].kind == "CONST" and not is_null(arguments[1])
            return with_scale(value, _integer(arguments[1])) if value and known else None
        return self.decimal(arguments[0], scope) if name in _SAME else None

    def _aggref(self, node: Node, scope: Scope) -> Decimal | None:
        name = self._names.functions.get(node.number("aggfnoid"), "")
        value = self.decimal(node["args"][0]["expr"], scope) if node["args"] else None
        if name in ("sum", "avg"):
            return aggregated(value) if value else None
        return value if name in _SAME else None

    def _windowfunc(self, node: Node, scope: Scope) -> Decimal | None:
        name = self._names.functions.get(node.number("winfnoid"), "")
        value = self.decimal(node["args"][0], scope) if node["args"] else None
        if name in ("sum", "avg"):
            return aggregated(value) if value else None
        return value if name in _SAME else None

    def _relabeltype(self, node: Node, scope: Scope) -> Decimal | None:
        return of_modifier(node.number("resulttypmod")) or self.decimal(node["arg"], scope)

    def _caseexpr(self, node: Node, scope: Scope) -> Decimal | None:
        return self.together(choices(node), scope)

    _coalesceexpr = _minmaxexpr = _caseexpr

    def _nullifexpr(self, node: Node, scope: Scope) -> Decimal | None:
        return self.decimal(node["args"][0], scope)

    def _sublink(self, node: Node, scope: Scope) -> Decimal | None:
        is_value = node.number("subLinkType") == 4
        return self.output(node["subselect"], 0, scope) if is_value else None


def choices(node: Node) -> list[Node]:
    """What a CASE, COALESCE, GREATEST or LEAST may give."""
    if node.kind != "CASEEXPR":
        return list(node["args"])
    results = [when["result"] for when in node["args"]]
    return [*results, node["defresult"]] if node["defresult"] else results


def branches(query: Node) -> list[Node]:
    """The FROM items that the branches of a set operation are."""
    return [query["rtable"][n.number("rtindex") - 1] for n in _leaves(query["setOperations"])]


def _gives_null(branch: Node, column: int) -> bool:
    query = branch["subquery"]
    return query is not None and is_null(query["targetList"][column]["expr"])


def _leaves(node: Node) -> Iterator[Node]:
    if node.kind == "RANGETBLREF":
        yield node
    else:
        yield from _leaves(node["larg"])
        yield from _leaves(node["rarg"])


_RESULTS = {
    "VAR": "vartype", "CONST": "consttype", "PARAM": "paramtype", "OPEXPR": "opresulttype", "AGGREF": "aggtype",
    "FUNCEXPR": "funcresulttype", "WINDOWFUNC": "wintype", "CASEEXPR": "casetype", "RELABELTYPE": "resulttype",
    "COALESCEEXPR": "coalescetype", "MINMAXEXPR": "minmaxtype", "NULLIFEXPR": "opresulttype",
    "COERCEVIAIO": "resulttype",
}  # fmt: skip


def result_type(node: Node) -> int:
    """PostgreSQL's number of an expression's type; -1 for kinds that are never asked about."""
    if node.kind == "SUBLINK" and node.number("subLinkType") == 4:
        return result_type(node["subselect"]["targetList"][0]["expr"])
    return node.number(_RESULTS.get(node.kind, ""))


def is_null(node: Node) -> bool:
    if node.kind in ("FUNCEXPR", "RELABELTYPE", "COERCEVIAIO"):
        inner = node["args"][0] if node.kind == "FUNCEXPR" and node["args"] else node["arg"]
        return inner is not None and is_null(inner)
    return node.kind == "CONST" and bool(node["constisnull"] == "true")


def _integer(node: Node) -> int:
    """The value of an integer constant, whose bytes PostgreSQL prints."""
    octets = bytes(int(octet) & 0xFF for octet in node["constvalue"][:4])
    return int.from_bytes(octets, "little", signed=True)
