"""The summary of rows that were read, by Arrow's own functions: no row is ever touched by Python.

In: Arrow tables in the form of the files. Out: ``summary.Summary``, whose page says what is summed and why.
``redshift/recount.py`` is the same in SQL; ``tests/property/test_summaries.py`` holds the two against each other.

Numbers need not be reduced to 0 … P-1 here, only be the same modulo ``P`` and small enough: a number below 2^33 times
a weight of 16 bits, 2^14 times, stays below 2^63. So rows go through in slices of 2^14, which stay in the processor's
cache as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from el.summary import WEIGHT_BITS, ColumnSum, P, Salt, Summary, identity

_SLICE = 2**14
_EVEN = pa.array(range(0, 2 * _SLICE, 2), pa.int32())
_ODD = pa.array(range(1, 2 * _SLICE, 2), pa.int32())
# Of the arrays' own types: Arrow would take an array of unsigned numbers for signed ones.
_P = {kind: pa.scalar(P, kind) for kind in (pa.int64(), pa.uint64())}
_BITS = {kind: pa.scalar(31, kind) for kind in (pa.int64(), pa.uint64())}
#: Where the characters of a key's text are taken from: counted from its beginning or, below 0, from its end.
_KEY_CHARACTERS = ((-1, -2), (-3, -4), (0, 1))


class Summarizer:
    """Adds tables up. Not safe to use from several threads."""

    def __init__(self, columns: Sequence[tuple[str, bool]], salt: Salt) -> None:
        """``columns``: names in the order of the tables, and whether they are part of the primary key."""
        self._names = [name for name, _ in columns]
        self._identity = [self._names.index(name) for name in identity(columns)]
        self._salt = salt
        self._keys = 0
        self._nulls = [0] * len(columns)
        self._sums = [0] * len(columns)

    @property
    def summary(self) -> Summary:
        """Of everything that was added."""
        found = zip(self._names, self._nulls, self._sums, strict=True)
        return Summary(self._salt, self._keys % P, {name: ColumnSum(nulls, one % P) for name, nulls, one in found})

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        for batch in table.to_batches():
            for start in range(0, len(batch), _SLICE):
                self._add(batch.slice(start, _SLICE).columns)

    def _add(self, columns: list[pa.Array]) -> None:
        keys = self._chained([columns[number] for number in self._identity])
        weights_less_one = pc.shift_right(_modulo(pc.multiply(keys, self._salt.weight)), 31 - WEIGHT_BITS)
        weights = pc.add(weights_less_one, 1)
        self._keys += _total(keys, weights)
        for number, values in enumerate(columns):
            self._nulls[number] += values.null_count
            if values.null_count < len(values):
                self._sums[number] += _total(_number(values, weights_less_one), weights)

    def _chained(self, columns: list[pa.Array]) -> pa.Array:
        keys: pa.Array | None = None
        for part in (part for values in columns for part in _key_parts(values)):
            part = pc.fill_null(part, 0) if part.null_count else part
            keys = _modulo(part if keys is None else pc.add(pc.multiply(keys, self._salt.chain), part))
        return keys


def _total(numbers: pa.Array, weights: pa.Array) -> int:
    return int(pc.sum(pc.multiply(numbers, weights)).as_py() or 0)


def _reduced(numbers: pa.Array) -> pa.Array:
    """The same modulo P, of less than 2^33: 2^31 is 1."""
    return pc.add(pc.bit_wise_and(numbers, _P[numbers.type]), pc.shift_right(numbers, _BITS[numbers.type]))


def _modulo(numbers: pa.Array) -> pa.Array:
    """The remainder itself, from 0 to P - 1."""
    few = _reduced(_reduced(numbers))  # from -2 to 2^31 + 1
    few = pc.if_else(pc.less(few, 0), pc.add(few, P), few)
    return pc.if_else(pc.greater_equal(few, P), pc.subtract(few, P), few)


def _number(values: pa.Array, weights_less_one: pa.Array) -> pa.Array:
    """n(x) as 64 bits, modulo P, of less than 2^33; NULL of NULL."""
    kind = values.type
    if pa.types.is_int64(kind):
        return _reduced(values)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(values, pa.int64())
    if pa.types.is_timestamp(kind):
        return _reduced(values.view(pa.int64()))
    if pa.types.is_date32(kind):
        return pc.cast(values.view(pa.int32()), pa.int64())
    if pa.types.is_decimal128(kind):
        return _digits(values)
    if pa.types.is_floating(kind):
        return _reduced(_float(values))
    if pa.types.is_binary(kind):
        return _tail(values)
    if pa.types.is_string(kind):
        text = _Text(values)
        anywhere = pc.shift_right(pc.multiply(weights_less_one, text.characters), WEIGHT_BITS)
        last = pc.subtract(text.characters, 1)
        return _reduced(_packed([text.bytes, text.at(anywhere), text.at(last)]))
    raise NotImplementedError(f"no summary of {kind}")


def _key_parts(values: pa.Array) -> list[pa.Array]:
    if not pa.types.is_string(values.type):
        return [_number(values, values)]
    text = _Text(values)
    found = [
        [text.at(pc.add(text.characters, n) if n < 0 else pa.repeat(pa.scalar(n, pa.int64()), len(values))) for n in at]
        for at in _KEY_CHARACTERS
    ]
    return [_reduced(_packed(part)) for part in ([text.bytes, *found[0]], *found[1:])]


def _packed(parts: list[pa.Array]) -> pa.Array:
    """Characters of 21 bits beside each other; the first may be larger."""
    packed = parts[0]
    for part in parts[1:]:
        packed = pc.add(pc.multiply(packed, 2**21), part)
    return packed


def _digits(values: pa.Array) -> pa.Array:
    """A decimal's digits: it is 128 bits in two words, the lower one first."""

    def word(kind: pa.DataType, which: pa.Array) -> pa.Array:
        words = pa.Array.from_buffers(kind, 2 * len(values), [None, values.buffers()[1]], offset=2 * values.offset)
        return pc.take(words, which.slice(0, len(values)))

    if values.type.precision <= 18:
        return _as_null(values, _reduced(word(pa.int64(), _EVEN)))
    low, high = word(pa.uint64(), _EVEN), word(pa.uint64(), _ODD)
    # 2^64 is 4 modulo P, and a negative number stands there as one that is larger by 2^128, which is 16.
    negative = pc.cast(pc.shift_right(high, pa.scalar(63, pa.uint64())), pa.int64())
    low, more = (pc.cast(_reduced(word), pa.int64()) for word in (low, high))
    found = pc.subtract(pc.add(low, pc.multiply(more, 4)), pc.multiply(negative, 16))
    return _as_null(values, _reduced(found))


def _float(values: pa.Array) -> pa.Array:
    wide = pc.cast(values, pa.float64())
    size = pc.abs(wide)
    scaled = pc.if_else(pc.less(size, 2.0**32), pc.multiply(wide, 2.0**30), wide)
    return pc.cast(
        pc.trunc(pc.if_else(pc.less(size, 2.0**62), scaled, pc.cast(pc.sign(wide), pa.float64()))), pa.int64()
    )


def _tail(values: pa.Array) -> pa.Array:
    """Of bytes: the last seven as a number, and how many there are."""
    content = _Bytes(values)
    number: pa.Array = pa.repeat(pa.scalar(0, pa.int64()), len(values))
    for back in range(7, 0, -1):
        position = pc.subtract(content.lengths, back)
        number = pc.add(pc.multiply(number, 256), content.at(position))
    packed = pc.add(pc.multiply(_reduced(number), 2**16), content.lengths)
    return _as_null(values, _reduced(packed))


def _as_null(values: pa.Array, numbers: pa.Array) -> pa.Array:
    if not values.null_count:
        return numbers
    return pc.if_else(pc.is_valid(values), numbers, pa.scalar(None, pa.int64()))


class _Bytes:
    """The bytes of text or binary values. What stands for NULL is anything."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values
        _, offsets, content = values.buffers()
        places = pa.Array.from_buffers(pa.int32(), len(values) + 1, [None, offsets], offset=values.offset)
        places = pc.cast(places, pa.int64())
        self.starts, self.ends = places.slice(0, len(values)), places.slice(1)
        self.lengths = pc.subtract(self.ends, self.starts)
        size = content.size if content else 0
        self.content = pa.Array.from_buffers(pa.uint8(), size, [None, content]) if size else pa.array([0], pa.uint8())

    def at(self, positions: pa.Array) -> pa.Array:
        """The byte at a position in each value, counted from 0; 0 outside of it."""
        inside = pc.and_(pc.greater_equal(positions, 0), pc.less(positions, self.lengths))
        return pc.if_else(inside, self.anywhere(pc.add(self.starts, positions)), 0)

    def anywhere(self, places: pa.Array) -> pa.Array:
        """The bytes at places in the content; of places outside of it, some byte."""
        places = pc.max_element_wise(pc.min_element_wise(places, len(self.content) - 1), 0)
        return pc.cast(pc.take(self.content, places), pa.int64())

    @property
    def is_ascii(self) -> bool:
        first, last = self.starts[0].as_py(), self.ends[-1].as_py()
        content = self.values.buffers()[2]
        return bool(last == first or content.slice(first, last - first).to_pybytes().isascii())


class _Text:
    """The characters of text values, as Unicode's numbers; NULL of NULL.

    In a text of ASCII characters are bytes. Of the others, which are filtered out first, the places of all characters
    are found: those of the bytes that do not continue one.
    """

    def __init__(self, values: pa.Array) -> None:
        self._bytes = _Bytes(values)
        self._values = values
        self.bytes = _as_null(values, self._bytes.lengths)
        self.characters = self.bytes
        self._others: pa.Array | None = None
        if not self._bytes.is_ascii:
            self.characters = pc.cast(pc.utf8_length(values), pa.int64())
            self._others = pc.fill_null(pc.not_equal(self.bytes, self.characters), False)

    def at(self, positions: pa.Array) -> pa.Array:
        """The character at a position in each value, counted from 0; 0 outside of it."""
        found = _as_null(self._values, self._bytes.at(positions))
        if self._others is None:
            return found
        wide = _wide(self._values.filter(self._others), positions.filter(self._others))
        return pc.replace_with_mask(found, self._others, wide)


def _wide(values: pa.Array, positions: pa.Array) -> pa.Array:
    """Characters of texts that are not ASCII."""
    content = _Bytes(values)
    characters = pc.cast(pc.utf8_length(values), pa.int64())
    begins = pc.indices_nonzero(pc.not_equal(pc.bit_wise_and(content.content, 0xC0), 0x80))
    before = pc.subtract(pc.cumulative_sum(characters), characters)
    inside = pc.and_(pc.greater_equal(positions, 0), pc.less(positions, characters))
    places = pc.cast(begins.take(pc.if_else(inside, pc.add(before, positions), 0)), pa.int64())
    first, *more = (content.anywhere(pc.add(places, n)) for n in range(4))
    more = [pc.bit_wise_and(byte, 0x3F) for byte in more]

    def character(mask: int, follow: int) -> pa.Array:
        found = pc.bit_wise_and(first, mask)
        for byte in more[:follow]:
            found = pc.add(pc.multiply(found, 64), byte)
        return found

    found = character(0x07, 3)
    for limit, mask, follow in ((0xF0, 0x0F, 2), (0xE0, 0x1F, 1), (0x80, 0x7F, 0)):
        found = pc.if_else(pc.less(first, limit), character(mask, follow), found)
    return pc.if_else(inside, found, 0)
