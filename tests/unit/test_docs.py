"""The documentation says what is there: its links lead somewhere, its tests exist, no setting is left out."""

from __future__ import annotations

import re
from pathlib import Path

from el import settings
from tests.conftest import REPOSITORY

PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their text."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_to_a_page_and_a_heading_that_exist() -> None:
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(REPOSITORY)}: {link}")
    assert len(PAGES) > 15
    assert not broken


def test_every_test_that_a_guarantee_names_exists() -> None:
    text = (REPOSITORY / "docs" / "explanation" / "guarantees.md").read_text()
    names = set(re.findall(r"\btest_\w+(?!\.py)\b(?!\.py)", text))
    tests = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    missing = {name for name in names if f"def {name}(" not in tests and not list(REPOSITORY.rglob(f"{name}.py"))}
    assert len(names) > 30
    assert not missing


def test_every_variable_that_el_reads_is_in_the_one_list() -> None:
    text = "\n".join(path.read_text() for path in (REPOSITORY / "el").rglob("*.py"))
    read = set(re.findall(r'(?:environ\.get\(|_need\(|environ\[)(?:prefix \+ )?"([A-Z_]+)"', text))
    known = {variable.name for variable in settings.VARIABLES}
    missing = {
        name for name in read if name not in known and f"DESTINATION__REDSHIFT__CREDENTIALS__{name}" not in known
    }
    assert len(read) > 8
    assert missing == {"AWS_DEFAULT_REGION"}  # boto3's own, read where AWS_REGION is not set
