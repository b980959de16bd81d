"""Random expressions of DECIMAL columns, literals and integers: value and scale are those of the documented rules.

What is expected is computed here while an expression is drawn, on Python's integers and by the formulas of
"Computations with numeric values", and uses nothing of the local Redshift.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.local.conftest import Db

_WIDE = Context(prec=200)
_SUM, _PRODUCT, _ATOM = 1, 2, 3  # how tightly an expression binds


@dataclass(frozen=True, repr=False)
class Expression:
    text: str
    binds: int
    precision: int
    scale: int
    value: Decimal
    varies: bool = True  # a column is in it: a cast of constants rounds
    is_integer: bool = False

    def __repr__(self) -> str:
        return self.text

    def within(self, binds: int) -> str:
        return self.text if self.binds >= binds else f"({self.text})"


_COLUMNS = [
    Expression("a", _ATOM, 8, 2, Decimal("12.34")),
    Expression("t.b", _ATOM, 5, 4, Decimal("1.2345")),
    Expression('"c"', _ATOM, 12, 0, Decimal(99)),
    Expression("i", _ATOM, 10, 0, Decimal(7), is_integer=True),
    Expression("2.25", _ATOM, 3, 2, Decimal("2.25"), varies=False),
]


def _cut(value: Decimal, scale: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_DOWN, _WIDE)


def _made(text: str, binds: int, precision: int, scale: int, value: Decimal, varies: bool) -> Expression:
    assume(scale <= 37 and abs(value) < Decimal(10) ** (min(precision, 38) - scale))
    return Expression(text, binds, min(precision, 38), scale, value, varies)


def _operation(left: Expression, operator: str, right: Expression, blank: str) -> Expression:
    binds = _SUM if operator in "+-" else _PRODUCT
    text = f"{left.within(binds)}{blank}{operator}{blank}{right.within(binds + 1)}"
    (p1, s1), (p2, s2) = (left.precision, left.scale), (right.precision, right.scale)
    assume(not (left.is_integer and right.is_integer))  # that stays an integer
    varies = left.varies or right.varies
    if operator in "+-":
        value = _WIDE.add(left.value, right.value if operator == "+" else -right.value)
        return _made(text, binds, max(p1 - s1, p2 - s2) + 1 + max(s1, s2), max(s1, s2), value, varies)
    if operator == "*":
        return _made(text, binds, p1 + p2 + 1, s1 + s2, _WIDE.multiply(left.value, right.value), varies)
    assume(right.value != 0)
    scale = max(4, s1 + p2 - s2 + 1)
    precision = p1 - s1 + s2 + scale
    if precision > 38:
        precision, scale = 38, max(38 + scale - precision, 4)
    return _made(text, binds, precision, scale, _cut(_WIDE.divide(left.value, right.value), scale), varies)


def _choice(form: str, left: Expression, right: Expression) -> Expression:
    text = form.format(left.text, right.text)
    if (left.precision, left.scale) == (right.precision, right.scale):
        return Expression(text, _ATOM, left.precision, left.scale, left.value, left.varies or right.varies)
    scale, limit = max(left.scale, right.scale), 19 if max(left.precision, right.precision) <= 19 else 38
    digits = max(left.precision - left.scale, right.precision - right.scale)
    assume(min(digits + scale, limit) >= scale)
    return _made(text, _ATOM, min(digits + scale, limit), scale, left.value, left.varies or right.varies)


def _cast(form: str, inner: Expression) -> Expression:
    assume(inner.varies)
    text = form.format(inner.text if form.startswith("cast") else inner.within(_ATOM))
    return _made(text, _ATOM, 12, 1, _cut(inner.value, 1), True)


_forms = st.sampled_from(["coalesce({}, {})", "nvl({},{})", "case when true then {} else {} end"])
_decimals = st.sampled_from([c for c in _COLUMNS if not c.is_integer])
_expressions = st.recursive(
    st.sampled_from(_COLUMNS),
    lambda inner: (
        st.builds(_operation, inner, st.sampled_from("+-*/"), inner, st.sampled_from(["", " ", " /* - */ "]))
        | st.builds(_operation, _decimals, st.sampled_from("+-*/"), inner, st.just(" "))
        | st.builds(_choice, _forms, inner, _decimals)
        | st.builds(_cast, st.sampled_from(["cast({} as decimal(12,1))", "{}::decimal(12,1)"]), inner)
    ),
    max_leaves=8,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(expression=_expressions.filter(lambda e: not e.is_integer))
def test_an_expression_has_the_value_and_the_scale_that_are_documented(db: Db, expression: Expression) -> None:
    db.run("create table if not exists t (a decimal(8,2), b decimal(5,4), c decimal(12,0), i int)")
    db.run("truncate t")
    db.run("insert into t values (12.34, 1.2345, 99, 7)")
    for query in ("select {} from t", "select x from (select {} as x from t) y where x is not null"):
        found = db.value(query.format(expression.text))
        assert (found, -found.as_tuple().exponent) == (expression.value, expression.scale), expression.text
