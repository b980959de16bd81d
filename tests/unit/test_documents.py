"""The rule of every format: the number before is read, any other is refused by name, and damage is said."""

from __future__ import annotations

import importlib
import json
import pkgutil

import pytest

import el
from el import __version__
from el.documents import Content, Format
from el.errors import LandingDamage, LandingError

THIS = Format(2, LandingError, LandingDamage, "Copy it again.", lambda content: content | {"b": content["a"] + 1})


def formats() -> dict[str, Format]:
    """Every format of el by its name."""
    modules = [importlib.import_module(one.name) for one in pkgutil.walk_packages(el.__path__, "el.")]
    return {name: value for module in modules for name, value in vars(module).items() if isinstance(value, Format)}


def body(number: object, **content: object) -> bytes:
    return json.dumps({"format": number, "el_version": "9.9.9", **content}).encode()


def test_what_is_written_says_its_format_and_who_wrote_it() -> None:
    content = THIS.read(THIS.body({"a": 1, "b": 2}), "s3://b/k", dict)
    assert content == {"format": 2, "el_version": __version__, "a": 1, "b": 2}


def test_the_format_before_is_read_as_this_one() -> None:
    assert THIS.read(body(1, a=1), "s3://b/k", lambda content: content["b"]) == 2


@pytest.mark.parametrize("number", [0, 3, 99, "2", None])
def test_any_other_format_is_refused_by_name_and_says_who_wrote_it(number: object) -> None:
    with pytest.raises(LandingError) as caught:
        THIS.read(body(number, a=1, b=2), "s3://b/k", dict)
    assert type(caught.value) is LandingError
    assert str(caught.value) == (
        f"s3://b/k has format {number} and this el knows formats 1 and 2. Nothing was changed. It was written by el "
        f"9.9.9, and this is el {__version__}: use the same version on every host."
    )


@pytest.mark.parametrize("name", formats())
def test_every_document_of_the_next_version_is_refused_by_name(name: str) -> None:
    known = formats()[name]
    with pytest.raises(known.refused, match=f"has format {known.number + 1} and this el knows format"):
        known.read(body(known.number + 1), "s3://b/k", dict)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"1", b"null", b'{"a": 1}', body(2), body(1, a=None), b"\xff"])
def test_what_cannot_be_read_is_damaged_and_says_what_to_do(damaged: bytes) -> None:
    def parse(content: Content) -> object:
        return content["a"] + content["b"]

    with pytest.raises(LandingDamage, match=r"^s3://b/k is damaged and cannot be read\. Nothing was changed\. Copy"):
        THIS.read(damaged, "s3://b/k", parse)


def test_a_format_that_changed_since_0_2_0_reads_the_one_before() -> None:
    """Those of 0.2.0 read no other: nobody had used el before it."""
    at_0_2_0 = dict.fromkeys(formats(), 1) | {
        "COMMIT": 3,
        "HORIZON": 3,
        "JOURNAL": 2,
        "LEDGER": 4,
    }
    assert [name for name, known in formats().items() if known.number > at_0_2_0[name] and not known.before] == []
