"""Redshift's expressions and query syntax in, PostgreSQL's out, by replacing only what differs.

Most of Redshift's functions exist in the database under their own names (sql/functions.sql), so most calls are left
alone. Here is what has no such way: bare date parts, special forms (NVL2, DECODE, LISTAGG …), default precisions
in casts, TOP and MINUS, names that fold to lower case, and the refusals.
"""

from __future__ import annotations

from collections.abc import Callable

from . import forms
from .derived import with_aliases
from .errors import NotImitated, RedshiftError, Refused
from .lexer import (
    NUMBER,
    PARAM,
    QUOTED,
    STRING,
    WORD,
    Edit,
    Token,
    apply,
    closing,
    identifier,
    opening,
    string_value,
    tokenize,
)
from .paths import with_paths
from .qualify import without_qualify
from .refusals import NOT_IMITATED_FUNCTIONS, check_syntax, is_postgres_function
from .types import read_type

# Catalog names that answer through views and functions of ours (sql/tables.sql, sql/catalog.sql).
_REDIRECTED_FUNCTIONS = {"format_type", "pg_get_constraintdef", "pg_get_viewdef"}
_REDIRECTED = _REDIRECTED_FUNCTIONS | {
    "pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_description", "pg_index",
}  # fmt: skip
_INTERNAL = "redshift_internal"

_DATE_PART_FIRST = {"DATEADD", "DATE_ADD", "DATEDIFF", "DATE_DIFF", "DATE_PART", "PGDATE_PART", "DATE_TRUNC"}
_QUERY_START = {"SELECT", "WITH", "(", "VALUES"}
_SET_WORDS = {"UNION", "INTERSECT", "EXCEPT", "MINUS"}


def rewrite(sql: str) -> str:
    """A query, a DML statement or an expression of any length."""
    return _rewrite(with_paths(with_aliases(sql)))


def _rewrite(sql: str) -> str:
    tokens = tokenize(sql)
    if any(t.word == "QUALIFY" for t in tokens):
        sql = without_qualify(sql)
        tokens = tokenize(sql)
    return _Rewriter(sql, tokens).run()


class _Rewriter:
    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.sql = sql
        self.tokens = tokens
        self.edits: list[Edit] = []
        self.casts: list[bool] = []  # per open parenthesis: does it belong to a CAST?

    def run(self) -> str:
        at = 0
        while at < len(self.tokens):
            at = self._step(at)
        return apply(self.sql, self.edits)

    def _step(self, at: int) -> int:
        """Looks at one token, notes what to replace, and returns the index of the next one to look at."""
        token = self.tokens[at]
        if token.kind == QUOTED:
            if token.name in _REDIRECTED and self._word(at + 1) != ".":
                return self._redirect(at)
            if token.name != token.text[1:-1].replace('""', '"'):
                self._replace(at, at, identifier(token.name))
        elif token.kind == WORD:
            return self._word_at(at)
        elif token.text == "(":
            self.casts.append(self._word(at - 1) in ("CAST", "TRY_CAST"))
        elif token.text == ")" and self.casts:
            self.casts.pop()
        elif token.text == "::":
            return self._cast_type(at + 1)
        elif token.text == "~" and self._word(at + 1) == "*" and self.tokens[at + 1].start == token.end:
            raise Refused("the operator ~*", "use ~ with LOWER, or REGEXP_INSTR with the option i")
        elif token.kind == STRING and token.text[0] in "bBxX":
            raise Refused("a literal of bits")
        elif token.kind == NUMBER and self._kind(at + 1) == WORD and self.tokens[at + 1].start == token.end:
            self._insert(at + 1, " ")  # redshift_connector writes THEN 4WHEN; PostgreSQL wants a blank since 15
        elif token.text == "-" and self._word(at + 1) == ">" and self.tokens[at + 1].start == token.end:
            raise Refused("the operator ->", "use JSON_EXTRACT_PATH_TEXT or SUPER navigation")
        return at + 1

    def _word_at(self, at: int) -> int:
        word, following, before = self.tokens[at].word, self._word(at + 1), self._word(at - 1)
        if before == "." and word.lower() not in _REDIRECTED:
            return at + 1  # a column or a table's name, whatever it reads like
        check_syntax(self.tokens, at, following, before)
        if word.lower() in _REDIRECTED and following != ".":
            return self._redirect(at)
        if following == "(":
            if is_postgres_function(word.lower()):
                raise Refused(f"the function {word.lower()}")
            if word.lower().startswith(NOT_IMITATED_FUNCTIONS):
                raise NotImitated(f"the function {word.lower()}")
            if word in _DATE_PART_FIRST:
                self._date_part(at, word)
            elif word in _FORMS:
                end = closing(self.tokens, at + 1)
                return _FORMS[word](self, at, end)
        elif word == "AS" and self.casts and self.casts[-1]:
            return self._cast_type(at + 1)
        elif word in ("IGNORE", "RESPECT") and following == "NULLS":
            return self._nulls(at, word)
        elif word == "SYSDATE" and before != "AS":
            self._replace(at, at, "sysdate()")
        elif word == "APPROXIMATE" and following in ("COUNT", "PERCENTILE_DISC"):
            self._replace(at, at, "")
        elif word == "TOP" and before in ("SELECT", "DISTINCT", "ALL") and self._kind(at + 1) in (NUMBER, PARAM):
            self._top(at)
        if word == "MINUS" and following in _QUERY_START and (self._kind(at - 1) != "op" or before == ")"):
            self._replace(at, at, "except")
        return at + 1

    # Small helpers

    def _word(self, at: int) -> str:
        return self.tokens[at].word if 0 <= at < len(self.tokens) else ""

    def _kind(self, at: int) -> str:
        return self.tokens[at].kind if 0 <= at < len(self.tokens) else ""

    def _replace(self, first: int, last: int, text: str) -> None:
        self.edits.append(Edit(self.tokens[first].start, self.tokens[last].end, text))

    def _insert(self, before: int, text: str) -> None:
        self.edits.append(Edit(self.tokens[before].start, self.tokens[before].start, text))

    def _arguments(self, opening: int, end: int) -> list[str]:
        """The rewritten text of each argument between two parentheses."""
        texts, depth, start = [], 0, self.tokens[opening].end
        for token in self.tokens[opening + 1 : end + 1]:
            if token.kind == "op" and token.text in "([":
                depth += 1
            elif token is self.tokens[end] or (token.text == "," and token.kind == "op" and depth == 0):
                texts.append(_rewrite(self.sql[start : token.start]).strip())
                start = token.end
            elif token.kind == "op" and token.text in ")]":
                depth -= 1
        return texts if texts != [""] else []

    def _cast_type(self, at: int) -> int:
        found = read_type(self.tokens, at, column=False)
        if found is None:
            return at
        after = self.tokens[found.end].text if found.end < len(self.tokens) else ""
        if after == "[" and self._word(found.end + 1) == "]":
            raise Refused("an array type")
        written = self.sql[self.tokens[at].start : self.tokens[found.end - 1].end]
        if written.lower().replace(" ", "") != found.sql.replace(" ", ""):
            self._replace(at, found.end - 1, found.sql)
        return found.end

    def _redirect(self, at: int) -> int:
        first = at - 2 if self._word(at - 1) == "." and self.tokens[at - 2].name == "pg_catalog" else at
        if first == at and self._word(at - 1) in (".", "AS"):
            return at + 1
        if self.tokens[at].name in _REDIRECTED_FUNCTIONS and self._word(at + 1) != "(":
            return at + 1
        self._replace(first, at, f"{_INTERNAL}.{self.tokens[at].name}")
        return at + 1

    # Forms

    def _date_part(self, at: int, word: str) -> None:
        """The first argument names a part, and need not be quoted, but in DATE_TRUNC; the last one is a moment."""
        part = self.tokens[at + 2] if at + 2 < len(self.tokens) else None
        if part is not None and self._word(at + 3) == "," and (part.kind == STRING or word != "DATE_TRUNC"):
            if word in ("DATE_PART", "PGDATE_PART") and forms.part_name(part) == "decade":
                self._replace(at, at + 3, f"{_INTERNAL}.decade(")
            elif part.kind in (WORD, QUOTED, STRING):
                name = (
                    forms.part_name(part) if word in ("DATE_PART", "PGDATE_PART") else part.name or string_value(part)
                )
                if name.isalpha() and part.text != f"'{name}'":
                    self._replace(at + 2, at + 2, f"'{name}'")
        if word not in ("DATEDIFF", "DATE_DIFF"):
            # A bare string is a timestamp here; PostgreSQL would take the type it prefers, the one with a zone.
            last = closing(self.tokens, at + 1) - 1
            if self._kind(last) == STRING and self._word(last - 1) == ",":
                self.edits.append(Edit(self.tokens[last].end, self.tokens[last].end, "::timestamp"))

    def _top(self, at: int) -> None:
        """LIMIT at the end of its SELECT; in parentheses if that is one side of a set operation."""
        start = at - 1 if self._word(at - 1) == "SELECT" else at - 2
        in_set = self._word(start - 1) in _SET_WORDS or self._word(start - 2) in _SET_WORDS
        depth, end, order = 0, len(self.tokens), 0
        for i in range(at, len(self.tokens)):
            word = self.tokens[i].word
            if depth == 0 and (word == ")" or word in _SET_WORDS):
                end, in_set = i, in_set or word != ")"
                break
            depth += (word == "(") - (word == ")")
            if depth == 0 and word == "LIMIT":
                raise NotImitated("TOP together with LIMIT")
            if depth == 0 and word == "ORDER":
                order = i
        if in_set and order:
            end = order  # it sorts the whole
        self._replace(at, at + 1, "")
        where = self.tokens[end - 1].end
        self.edits.append(Edit(where, where, f" limit {self.tokens[at + 1].text}{')' if in_set else ''}"))
        if in_set:
            self.edits.append(Edit(self.tokens[start].start, self.tokens[start].start, "("))

    def _call(self, at: int, end: int, text: str) -> int:
        self._replace(at, end, text)
        return end + 1

    def _counted(self, at: int, end: int, *counts: int) -> list[str]:
        arguments = self._arguments(at + 1, end)
        if len(arguments) not in counts:
            name = self.tokens[at].text.lower()
            raise RedshiftError(f"function {name} does not take {len(arguments)} arguments", "42883")
        return arguments

    def _simple(self, at: int, end: int) -> int:
        return self._call(at, end, forms.SIMPLE[self._word(at)](self._arguments(at + 1, end)))

    def _convert(self, at: int, end: int) -> int:
        """CONVERT(type, value) is a cast."""
        found = read_type(self.tokens, at + 2, column=False)
        if found is None or self._word(found.end) != ",":
            raise RedshiftError("function convert needs a type and an expression", "42601")
        value = _rewrite(self.sql[self.tokens[found.end].end : self.tokens[end].start])
        return self._call(at, end, f"cast({value} as {found.sql})")

    def _try_cast(self, at: int, end: int) -> int:
        as_ = next((i for i in range(end - 1, at, -1) if self._word(i) == "AS"), at)
        found = read_type(self.tokens, as_ + 1, column=False)
        if found is None or as_ == at:
            raise RedshiftError("TRY_CAST needs an expression AS a type", "42601")
        value = _rewrite(self.sql[self.tokens[at + 1].end : self.tokens[as_].start])
        call = f"{_INTERNAL}.try_cast(({value})::varchar, null::{found.sql})"
        return self._call(at, end, f"({call})::{found.sql}")

    def _ratio_to_report(self, at: int, end: int) -> int:
        (value,) = self._counted(at, end, 1)
        if self._word(end + 1) != "OVER" or self._word(end + 2) != "(":
            raise RedshiftError("RATIO_TO_REPORT needs OVER (…)", "42601")
        if problem := forms.window_problem(self.tokens, end + 1):
            raise Refused(problem)
        last = closing(self.tokens, end + 2)
        window = _rewrite(self.sql[self.tokens[end + 2].start : self.tokens[last].end])
        value = f"({value})::double precision"
        return self._call(at, last, f"({value} / nullif(sum({value}) over {window}, 0))")

    def _percentile(self, at: int, end: int) -> int:
        """PostgreSQL's own does for PERCENTILE_DISC without OVER; it has none with it."""
        (fraction,) = self._counted(at, end, 1)
        if fraction[:5].lower() == "array":
            raise Refused("several percentiles in one call")
        if [self._word(end + 1), self._word(end + 2), self._word(end + 3)] != ["WITHIN", "GROUP", "("]:
            raise RedshiftError("syntax error: WITHIN GROUP (ORDER BY …) is missing", "42601")
        last = closing(self.tokens, end + 3)
        over = self._word(last + 1) == "OVER"
        if not over and self._word(at) == "PERCENTILE_DISC":
            return at + 1
        order = _rewrite(self.sql[self.tokens[end + 3].end : self.tokens[last].start]).strip()
        if not over:
            return self._call(at, last, forms.percentile_cont(fraction, order))
        return self._call(at, last, forms.percentile_over(self._word(at).lower(), fraction, order))

    def _nulls(self, at: int, word: str) -> int:
        """Window functions that skip NULLs are aggregates of ours; LAG and LEAD look at one side of the row."""
        call = opening(self.tokens, at - 1 if self._word(at - 1) == ")" else at) - 1
        name, end = self._word(call), closing(self.tokens, call + 1)
        if word == "IGNORE":
            if name not in forms.IGNORING:
                raise NotImitated(f"{name or 'an expression'} … IGNORE NULLS")
            self._replace(call, call, f"{_INTERNAL}.{name.lower()}")
            over = end + 1 if at < end else at + 2
            if forms.IGNORING[name] and self._word(over) == "OVER":
                if len(self._arguments(call + 1, at if at < end else end)) == 1:
                    self._insert(at if at < end else end, ", 1")
                self._insert(closing(self.tokens, over + 1), f" rows between {forms.IGNORING[name]}")
        self._replace(at, at + 1, "")
        return at + 2

    def _median(self, at: int, end: int) -> int:
        (value,) = self._counted(at, end, 1)
        if self._word(end + 1) == "OVER":
            return self._call(at, end, forms.percentile_over("percentile_cont", "0.5", f"order by {value}"))
        return self._call(at, end, forms.percentile_cont("0.5", f"order by {value}"))

    def _avg(self, at: int, end: int) -> int:
        """Of integers it is an integer: an aggregate of the same name that does so (sql/functions.sql)."""
        self._replace(at, at, f"{_INTERNAL}.avg")
        return at + 1

    def _extract(self, at: int, end: int) -> int:
        part = self.tokens[at + 2]
        if self._word(at + 3) != "FROM":
            raise RedshiftError("EXTRACT needs a date part FROM an expression", "42601")
        source = _rewrite(self.sql[self.tokens[at + 3].end : self.tokens[end].start])
        if self._kind(at + 4) == STRING and at + 5 == end:
            source += "::timestamp"
        return self._call(at, end, forms.extract(forms.part_name(part), source))

    def _listagg(self, at: int, end: int) -> int:
        first = self._word(at + 2)
        distinct = first in ("DISTINCT", "ALL")
        if distinct:
            start = self.tokens[at + 2].end
            inner = "(" + self.sql[start : self.tokens[end].end]
            nested = _Rewriter(inner, tokenize(inner))
            arguments = nested._arguments(0, len(nested.tokens) - 1)
        else:
            arguments = self._counted(at, end, 1, 2)
        value = f"{_INTERNAL}.filled(({arguments[0]})::varchar)"
        delimiter = arguments[1] if len(arguments) > 1 else "''"
        order = ""
        if self._word(end + 1) == "WITHIN":
            opening = end + 3
            last = closing(self.tokens, opening)
            order = " " + _rewrite(self.sql[self.tokens[opening].end : self.tokens[last].start])
            if first == "DISTINCT" and self._word(last + 1) != "OVER":
                order = forms.distinct_order(order, arguments[0], value)
            end = last
        if self._word(end + 1) == "OVER":
            return self._call(at, end, forms.listagg_over(value, delimiter, order.strip(), first == "DISTINCT"))
        prefix = "distinct " if first == "DISTINCT" else ""
        return self._call(at, end, f"{_INTERNAL}.listagg(string_agg({prefix}{value}, {delimiter}{order}))")


_FORMS: dict[str, Callable[[_Rewriter, int, int], int]] = {
    **dict.fromkeys(forms.SIMPLE, _Rewriter._simple),
    "AVG": _Rewriter._avg,
    "CONVERT": _Rewriter._convert,
    "EXTRACT": _Rewriter._extract,
    "LISTAGG": _Rewriter._listagg,
    "MEDIAN": _Rewriter._median,
    "PERCENTILE_CONT": _Rewriter._percentile,
    "PERCENTILE_DISC": _Rewriter._percentile,
    "RATIO_TO_REPORT": _Rewriter._ratio_to_report,
    "TRY_CAST": _Rewriter._try_cast,
}
