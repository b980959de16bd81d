"""The summary of rows that were read, by Arrow's own functions: no row is ever touched by Python.

In: Arrow tables in the form of the files. Out: ``summary.Summary``, whose page says what is summed and why.
``redshift/recount.py`` is the same in SQL; ``tests/property/test_summaries.py`` holds the two against each other.

Every pass over a column costs, so there are as few as can be. Numbers need not be reduced to 0 … P-1 here, only be the
same modulo ``P`` and small enough: one below 2^33 times a weight of 16 bits, 2^14 times, stays below 2^63. So rows go
through in slices of 2^14, which stay in the processor's cache as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from el.summary import BYTES, FIRST, WEIGHT_BITS, ColumnSum, P, Salt, Summary, identity

_SLICE = 2**14
_EVEN = pa.array(range(0, 2 * _SLICE, 2), pa.int32())
_ODD = pa.array(range(1, 2 * _SLICE, 2), pa.int32())
# Of the arrays' own types: Arrow would take an array of unsigned numbers for signed ones.
_P = {kind: pa.scalar(P, kind) for kind in (pa.int64(), pa.uint64())}
_BITS = {kind: pa.scalar(31, kind) for kind in (pa.int64(), pa.uint64())}
_U32 = pa.uint32()
_BYTES, _FIRST, _ONE, _SHIFT = (pa.scalar(n, _U32) for n in (BYTES, FIRST, 1, WEIGHT_BITS))
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
        less_one = pc.shift_right(_modulo(pc.multiply(keys, self._salt.weight)), 31 - WEIGHT_BITS)
        weights = pc.add(less_one, 1)
        less_one = pc.cast(less_one, _U32)
        self._keys += _total(keys, weights)
        for number, values in enumerate(columns):
            self._nulls[number] += values.null_count
            if values.null_count < len(values):
                self._sums[number] += _total(_number(values, less_one), weights)

    def _chained(self, columns: list[pa.Array]) -> pa.Array:
        keys: pa.Array | None = None
        for part in (part for values in columns for part in _key_parts(values)):
            part = pc.fill_null(part, 0) if part.null_count else part
            part = pc.add(pc.cast(part, pa.int64()), 8 * P)  # above 0, and the same modulo P
            keys = _modulo(part if keys is None else pc.add(pc.multiply(keys, self._salt.chain), part))
        return keys


def _total(numbers: pa.Array, weights: pa.Array) -> int:
    return int(pc.sum(pc.multiply(numbers, weights)).as_py() or 0)


def _reduced(numbers: pa.Array) -> pa.Array:
    """The same modulo P, of less than 2^33: 2^31 is 1."""
    return pc.add(pc.bit_wise_and(numbers, _P[numbers.type]), pc.shift_right(numbers, _BITS[numbers.type]))


def _modulo(numbers: pa.Array) -> pa.Array:
    """The remainder itself, of numbers from 0 on."""
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, P), P))


def _number(values: pa.Array, less_one: pa.Array) -> pa.Array:
    """n(x) modulo P, of less than 2^33, as integers of some type; NULL of NULL. ``less_one``: the rows' weights."""
    kind = values.type
    if pa.types.is_int64(kind):
        return _reduced(values)
    if pa.types.is_integer(kind):
        return values
    if pa.types.is_boolean(kind):
        return pc.cast(values, pa.int64())
    if pa.types.is_timestamp(kind):
        return _reduced(values.view(pa.int64()))
    if pa.types.is_date32(kind):
        return values.view(pa.int32())
    if pa.types.is_decimal128(kind):
        return _digits(values)
    if pa.types.is_floating(kind):
        return _reduced(_float(values))
    if pa.types.is_binary(kind):
        return _tail(values)
    if pa.types.is_string(kind):
        return _text(values, less_one)
    raise NotImplementedError(f"no summary of {kind}")


def _key_parts(values: pa.Array) -> list[pa.Array]:
    if not pa.types.is_string(values.type):
        return [_number(values, values)]
    text, size = _Characters(values), len(values)
    found = [
        [text.at(pc.add(text.many, n) if n < 0 else pa.repeat(pa.scalar(n, pa.int64()), size)) for n in pair]
        for pair in _KEY_CHARACTERS
    ]
    parts = [pc.add(pc.multiply(first, FIRST), second) for first, second in found]
    parts[0] = pc.add(pc.multiply(_Bytes(values).lengths, BYTES), parts[0])
    return [_as_null(values, part) for part in parts]


def _digits(values: pa.Array) -> pa.Array:
    """A decimal's digits: it is 128 bits in two words, the lower one first."""

    def word(kind: pa.DataType, which: pa.Array) -> pa.Array:
        words = pa.Array.from_buffers(kind, 2 * len(values), [None, values.buffers()[1]], offset=2 * values.offset)
        return pc.take(words, which.slice(0, len(values)), boundscheck=False)

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
    scaled = pc.multiply(wide, 2.0**30)
    if pc.max(size).as_py() >= 2.0**32:
        wide = pc.if_else(pc.less(size, 2.0**62), wide, pc.sign(wide))
        scaled = pc.if_else(pc.less(size, 2.0**32), scaled, wide)
    return pc.cast(scaled, pa.int64(), safe=False)  # towards 0


def _tail(values: pa.Array) -> pa.Array:
    """Of bytes: the last seven as a number, and how many there are."""
    content = _Bytes(values)
    number: pa.Array = pa.repeat(pa.scalar(0, pa.int64()), len(values))
    for back in range(7, 0, -1):
        number = pc.add(pc.multiply(number, 256), content.at(pc.subtract(content.lengths, back)))
    return _as_null(values, _reduced(pc.add(pc.multiply(_reduced(number), 2**16), content.lengths)))


def _text(values: pa.Array, less_one: pa.Array) -> pa.Array:
    """Bytes, a character at a place that follows from the row's weight, and the last one.

    Where a character may be several bytes the first stands for the one at a place.
    """
    content = _Bytes(values)
    # In 32 bits without a sign, which nothing here exceeds: half the work of 64.
    starts, ends = (one.view(_U32) for one in (content.starts, content.ends))
    lengths = pc.subtract(ends, starts)
    first = pc.add(starts, pc.shift_right(pc.multiply(less_one, lengths), _SHIFT))
    last = pc.subtract(ends, _ONE)
    filled = None
    if pc.min(lengths).as_py() == 0:
        filled = pc.not_equal(lengths, 0)
        first, last = (pc.if_else(filled, places, pa.scalar(0, _U32)) for places in (first, last))
    first, last = (pc.cast(pc.take(content.content, one, boundscheck=False), _U32) for one in (first, last))
    number = pc.add(pc.multiply(first, _FIRST), last)
    if filled:
        number = pc.if_else(filled, number, pa.scalar(0, _U32))
    if not content.is_ascii:
        others = pc.fill_null(pc.not_equal(pc.cast(pc.utf8_length(values), _U32), lengths), False)
        if pc.any(others).as_py():
            number = pc.replace_with_mask(number, others, _first_and_last(content, others))
    return _as_null(values, pc.add(pc.multiply(lengths, _BYTES), number))


def _first_and_last(content: _Bytes, others: pa.Array) -> pa.Array:
    """The first and the last character of those texts that have one of several bytes.

    To find the n-th would be to look at every byte, which costs more than all the rest.
    """
    first = pc.cast(content.starts.filter(others), pa.int64())
    last = pc.subtract(pc.cast(content.ends.filter(others), pa.int64()), 1)
    for _ in range(3):  # back to the byte that begins it
        follows = pc.equal(pc.bit_wise_and(content.anywhere(last), 0xC0), 0x80)
        last = pc.subtract(last, pc.cast(follows, pa.int64()))
    found = pc.add(pc.multiply(content.character(first), FIRST), content.character(last))
    return pc.cast(found, _U32)


def _as_null(values: pa.Array, numbers: pa.Array) -> pa.Array:
    if not values.null_count:
        return numbers
    return pc.if_else(pc.is_valid(values), numbers, pa.scalar(None, numbers.type))


class _Bytes:
    """The bytes of text or binary values. What stands for NULL is anything."""

    def __init__(self, values: pa.Array) -> None:
        _, offsets, content = values.buffers()
        places = pa.Array.from_buffers(pa.int32(), len(values) + 1, [None, offsets], offset=values.offset)
        self.starts, self.ends = places.slice(0, len(values)), places.slice(1)
        self._buffer = content
        size = content.size if content else 0
        self.content = pa.Array.from_buffers(pa.uint8(), size, [None, content]) if size else pa.array([0], pa.uint8())

    @property
    def lengths(self) -> pa.Array:
        return pc.cast(pc.subtract(self.ends, self.starts), pa.int64())

    @property
    def is_ascii(self) -> bool:
        first, last = self.starts[0].as_py(), self.ends[-1].as_py()
        return bool(last == first or self._buffer.slice(first, last - first).to_pybytes().isascii())

    def at(self, positions: pa.Array) -> pa.Array:
        """The byte at a position in each value, counted from 0; 0 outside of it."""
        inside = pc.and_(pc.greater_equal(positions, 0), pc.less(positions, self.lengths))
        return pc.if_else(inside, self.anywhere(pc.add(self.starts, positions)), 0)

    def anywhere(self, places: pa.Array) -> pa.Array:
        """The bytes at places in the content; of places outside of it, some byte."""
        places = pc.max_element_wise(pc.min_element_wise(places, len(self.content) - 1), 0)
        return pc.cast(pc.take(self.content, places), pa.int64())

    def character(self, places: pa.Array) -> pa.Array:
        """The characters that begin at places in the content, as Unicode's numbers."""
        first = self.anywhere(places)
        found, largest = first, pc.max(first).as_py() or 0
        for limit, mask, follow in ((0xC0, 0x1F, 1), (0xE0, 0x0F, 2), (0xF0, 0x07, 3)):
            if largest >= limit:
                character = pc.bit_wise_and(first, mask)
                for n in range(1, follow + 1):
                    byte = pc.bit_wise_and(self.anywhere(pc.add(places, n)), 0x3F)
                    character = pc.add(pc.multiply(character, 64), byte)
                found = pc.if_else(pc.greater_equal(first, limit), character, found)
        return found


class _Characters:
    """The characters of any text, as Unicode's numbers, for keys alone. What stands for NULL is anything.

    Where the characters begin is found for all at once: at the bytes that do not continue one.
    """

    def __init__(self, values: pa.Array) -> None:
        self._content = _Bytes(values)
        first, last = self._content.starts[0].as_py(), self._content.ends[-1].as_py()
        content = pc.bit_wise_and(self._content.content.slice(first, last - first), pa.scalar(0xC0, pa.uint8()))
        begins = pc.indices_nonzero(pc.not_equal(content, pa.scalar(0x80, pa.uint8())))
        self._begins = pc.add(pc.cast(begins, pa.int64()), first) if len(begins) else pa.array([0], pa.int64())
        # Those of NULL too: whatever bytes stand there are among the ones that were looked at.
        _, offsets, buffer = values.buffers()
        all_ = pa.StringArray.from_buffers(len(values), offsets, buffer, offset=values.offset)
        #: How many each text has.
        self.many = pc.cast(pc.utf8_length(all_), pa.int64())
        self._before = pc.subtract(pc.cumulative_sum(self.many), self.many)

    def at(self, positions: pa.Array) -> pa.Array:
        """The character at a position in each text, counted from 0; 0 outside of it."""
        inside = pc.and_(pc.greater_equal(positions, 0), pc.less(positions, self.many))
        places = self._begins.take(pc.if_else(inside, pc.add(self._before, positions), 0))
        return pc.if_else(inside, self._content.character(places), 0)
