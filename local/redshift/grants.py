"""GRANT, REVOKE, default privileges; users, groups and roles. PostgreSQL's roles are users, groups and roles alike."""

from __future__ import annotations

import itertools
import re

from .errors import NotImitated, RedshiftError, Refused
from .lexer import STRING, Edit, Token, fold, string_value
from .statement import Statement

# What CREATE USER asks of a password, or its MD5 digest.
_PASSWORD = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[!#-&(-.0-?A-~]{8,64}|md5[0-9a-f]{32}")

CASE_SETTING = "enable_case_sensitive_identifier"


def boolean_setting(name: str, values: list[str]) -> str:
    known = {"true": "on", "on": "on", "1": "on", "false": "off", "off": "off", "0": "off", "default": "default"}
    if len(values) != 1 or values[0] not in known:
        raise RedshiftError(f'parameter "{name}" requires a Boolean value', "22023")
    return known[values[0]]


def grant(sql: str, tokens: list[Token]) -> Statement:
    """ROLE before a name is Redshift's; PostgreSQL's roles are users and groups alike."""
    words = [t.word for t in tokens]
    on = words.index("ON") if "ON" in words else 0
    for refused in ("TRIGGER", "RULE"):
        if refused in words[:on]:
            raise Refused(f"the privilege {refused}")
    for missing in ("DROP", "ALTER") if words[0] != "ALTER" else ():
        if missing in words[:on]:
            raise NotImitated(f"the privilege {missing}")
    if "FOR" in words and words[0] != "ALTER" and "OPTION" not in words:
        raise NotImitated(f"{words[0]} … FOR {words[words.index('FOR') + 1]} (scoped permissions)")
    if not on and any(w in words for w in ("CREATE", "DROP", "ALTER", "ACCESS", "ANALYZE", "EXPLAIN", "VACUUM")):
        raise NotImitated(f"{words[0]} of a system permission to a role")
    if "GROUP" in words and words[-3:] == ["WITH", "GRANT", "OPTION"]:
        raise Refused("WITH GRANT OPTION to a group")
    edits = [Edit(t.start, t.end, "") for t in tokens[1:] if t.word == "ROLE"]
    for refused in ("DATASHARE", "MASKING", "RLS", "ASSUMEROLE", "MODEL", "EXTERNAL"):
        if any(t.word == refused for t in tokens):
            raise NotImitated(f"{tokens[0].word} … {refused}")
    return Statement(sql, fold(sql, tokens, *edits), tokens[0].word)


def principal(sql: str, tokens: list[Token]) -> Statement:
    """CREATE or ALTER USER, GROUP, ROLE."""
    if any(t.name.endswith("transaction_isolation") for t in tokens):
        raise NotImitated("an isolation level of a user: it belongs to the database")
    edits = [*_case_setting(tokens)]
    for word, given in itertools.pairwise(tokens[2:]):
        if word.word == "PASSWORD" and given.kind == STRING and not _PASSWORD.fullmatch(string_value(given)):
            raise RedshiftError(
                "a password has 8 to 64 characters: at least one upper case, one lower case letter and one digit"
            )
    for token in tokens[2:]:
        if token.word == "DISABLE":
            edits.append(Edit(token.start, token.end, "null"))
        elif token.word in ("SYSLOG", "RESTRICTED", "SESSION", "EXTERNALID"):
            raise NotImitated(f"CREATE USER … {token.word}")
        elif token.word == "CREATEUSER":
            edits.append(Edit(token.start, token.end, "superuser"))
        elif token.word == "NOCREATEUSER":
            edits.append(Edit(token.start, token.end, "nosuperuser"))
    return Statement(sql, fold(sql, tokens, *edits), tokens[0].word)


def _case_setting(tokens: list[Token]) -> list[Edit]:
    """In ALTER USER … SET or RESET: the setting's name here, and its value as PostgreSQL writes it."""
    at = next((i for i, t in enumerate(tokens) if t.name == CASE_SETTING and tokens[i - 1].word in ("SET", "RESET")), 0)
    if not at:
        return []
    edits = [Edit(tokens[at].start, tokens[at].end, f"redshift.{CASE_SETTING}")]
    if tokens[at - 1].word == "SET":
        value = boolean_setting(CASE_SETTING, [t.text.strip("'").lower() for t in tokens[at + 2 :]])
        edits.append(Edit(tokens[at + 2].start, tokens[-1].end, value))
    return edits
