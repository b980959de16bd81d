"""What the user writes: ``sources/<source>.yml``, as frozen pydantic models.

In: one YAML file per source. Out: ``Source`` with its ``Table``s, which remember the line they stand on, because
half of the problems (a cursor that is no column, a merge table without a primary key) are only seen beside
MySQL's catalog. All problems are reported at once: a night job that is corrected line by line costs a night a line.

Why not ``yaml.safe_load``: it forgets lines and lets the second of two equal keys win in silence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from el.errors import ConfigError, UsageError

Mode = Literal["merge", "replace"]
Path_ = tuple[str | int, ...]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Defaults(_Model):
    """Values for every table of the source that does not say otherwise."""

    mode: Mode = Field("merge", description="merge: rows that changed, by primary key. replace: the whole table.")
    cursor: str | None = Field(
        None,
        description="Column that every write sets to the current time; in a table that only grows also an integer "
        "that MySQL counts up.",
    )
    cursor_zone: str | None = Field(
        None,
        description="Time zone of the clock that writes a DATETIME or DATE cursor, such as Europe/Berlin or UTC.",
    )
    overlap: int = Field(
        60,
        ge=0,
        description="Seconds before the safe moment that are read again at every run: a margin for the cursor.",
    )


class TableConfig(_Model):
    """One table as the file has it."""

    mode: Mode | None = Field(None, description="Overrides the default mode.")
    cursor: str | None = Field(None, description="Overrides the default cursor.")
    cursor_zone: str | None = Field(None, description="Overrides the default time zone of the cursor.")
    overlap: int | None = Field(None, ge=0, description="Overrides the default overlap.")
    exclude: list[str] = Field(default_factory=list, description="Columns that never leave MySQL.")
    hash: list[str] = Field(
        default_factory=list, description="Columns that arrive as keyed HMAC-SHA-256 in hex; key: EL_HASH_KEY."
    )


class SourceConfig(_Model):
    """One source file."""

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the source, equal to the file's name.")
    defaults: Defaults = Defaults.model_validate({})
    tables: dict[str, TableConfig] = Field(description="MySQL's table names, each with its options.")


@dataclass(frozen=True)
class Table:
    """One table to move, with the defaults filled in."""

    source: str
    name: str
    mode: Mode
    cursor: str | None
    cursor_zone: str | None
    overlap: int
    exclude: tuple[str, ...]
    hash: tuple[str, ...]
    place: str
    lines: dict[str, int]

    @property
    def label(self) -> str:
        """``clinic.patients``: how messages and selectors name the table."""
        return f"{self.source}.{self.name}"

    def problem(self, key: str, text: str) -> str:
        """One line for ``ConfigError``, at the line of ``key`` or else of the table."""
        line = self.lines.get(key, self.lines[""])
        return f'{self.place}:{line}: table "{self.name}": {text}'


@dataclass(frozen=True)
class Source:
    """One MySQL database and its tables, in the order of the file."""

    name: str
    tables: tuple[Table, ...]


def load_sources(folder: Path) -> dict[str, Source]:
    """Read every ``*.yml`` of a folder.

    Raises:
        ConfigError: with every problem of every file.
        UsageError: there is no such folder or no source file in it.
    """
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise UsageError(f"{folder}: no source file (*.yml) there. EL_SOURCES names another folder.")
    problems: list[str] = []
    sources: dict[str, Source] = {}
    for file in files:
        try:
            source = read_source(file)
            sources[source.name] = source
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return sources


def read_source(file: Path) -> Source:
    """Read one source file.

    Raises:
        ConfigError: with every problem of the file.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: cannot be read: {type(error).__name__}"]) from None
    content, lines, problems = _parse(text, str(file))
    config: SourceConfig | None = None
    try:
        if not problems:
            config = SourceConfig.model_validate(content)
    except ValidationError as error:
        problems += [_explain(dict(detail), str(file), lines) for detail in error.errors()]
    if config:
        problems += _own_rules(config, file, lines)
    if problems or config is None:
        raise ConfigError(problems)
    return Source(config.source, tuple(_table(config, name, str(file), lines) for name in config.tables))


def select(sources: dict[str, Source], selectors: Sequence[str]) -> list[Table]:
    """The tables that selectors (``clinic``, ``clinic.patients``) name; none = everything, each table once.

    Raises:
        UsageError: a selector names nothing; all such selectors at once.
    """
    tables = {table.label: table for source in sources.values() for table in source.tables}
    chosen: dict[str, Table] = {}
    wrong: list[str] = []
    for selector in selectors or list(sources):
        found = {label: t for label, t in tables.items() if selector in (label, t.source)}
        chosen |= found
        if not found:
            wrong.append(
                f"{selector}: no such source or table{nearest(selector, [*sources, *tables])}. "
                "Nothing was started. List what there is: el status"
            )
    if wrong:
        raise UsageError("\n".join(wrong))
    return list(chosen.values())


def _parse(text: str, place: str) -> tuple[Any, dict[Path_, int], list[str]]:
    lines: dict[Path_, int] = {(): 1}
    problems: list[str] = []
    loader = yaml.SafeLoader(text)

    def value(node: yaml.Node, path: Path_) -> Any:
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                # The key as it is written: YAML would read a table named `on` or `123` as another type.
                key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
                if key is None:
                    problems.append(f"{place}:{line}: a key must be a name")
                    continue
                if key in result:
                    problems.append(f'{place}:{line}: "{key}" is here twice, first on line {lines[(*path, key)]}')
                lines[(*path, key)] = line
                result[key] = value(value_node, (*path, key))
            return result
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                lines[(*path, number)] = item.start_mark.line + 1
            return [value(item, (*path, number)) for number, item in enumerate(node.value)]
        scalar = loader.construct_object(node)
        # `appointments:` with nothing behind it is a table without options.
        return {} if scalar is None and len(path) == 2 and path[0] == "tables" else scalar

    try:
        root = loader.get_single_node()
        return (None if root is None else value(root, ())), lines, problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place}:{mark.line + 1}" if mark else place
        return None, lines, [f"{where}: not YAML: {error.problem or error.context}"]
    except yaml.YAMLError:
        return None, lines, [f"{place}: not YAML: a character that YAML does not allow"]


def _explain(detail: dict[str, Any], place: str, lines: dict[Path_, int]) -> str:
    path: Path_ = tuple(part for part in detail["loc"] if part != "[key]")
    known = path
    while known not in lines:
        known = known[:-1]
    where = f"{place}:{lines[known]}:"
    if len(path) > 1 and path[0] == "tables":
        where += f' table "{path[1]}":'
    key = path[-1] if path else "the file"
    if isinstance(key, int):
        key = f"{path[-2]}, item {key + 1}"
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return f'{where} unknown key "{key}"{nearest(str(key), _known_keys(path))}'
        case "missing":
            return f'{where} key "{key}" is missing'
        case "literal_error":
            return f'{where} "{key}" must be {context["expected"]}'
        case "string_pattern_mismatch":
            return f'{where} "{key}" must begin with a letter and hold only a-z, 0-9 and _'
    shape = {
        "list_type": "a list of column names, such as [ssn]",
        "string_type": "a name",
        "dict_type": "a mapping",
        "model_type": "a mapping of keys to values",
        "int_type": "a whole number of seconds",
        "greater_than_equal": "0 or more",
    }.get(kind, detail["msg"])
    return f"{where} {key if not path else repr(key).replace(chr(39), chr(34))} must be {shape}"


def _known_keys(path: Path_) -> list[str]:
    model: type[BaseModel] = SourceConfig
    if len(path) > 1:
        model = Defaults if path[0] == "defaults" else TableConfig
    return list(model.model_fields)


def _own_rules(config: SourceConfig, file: Path, lines: dict[Path_, int]) -> list[str]:
    problems = []
    if config.source != file.stem:
        problems.append(f'{file}:{lines[("source",)]}: source "{config.source}" must be named as its file, {file.stem}')
    if not config.tables:
        problems.append(f"{file}:{lines[('tables',)]}: no table is listed")
    by_raw_name: dict[str, str] = {}
    problems += _zone_rule(config.defaults.cursor_zone, f"{file}:{lines.get(('defaults', 'cursor_zone'), 1)}:")
    for name in config.tables:
        table = _table(config, name, str(file), lines)
        problems += _zone_rule(
            config.tables[name].cursor_zone,
            f'{file}:{lines.get(("tables", name, "cursor_zone"), 1)}: table "{name}":',
        )
        if table.mode == "merge" and table.cursor is None:
            problems.append(
                table.problem(
                    "mode",
                    'mode merge needs a "cursor", here or under defaults; '
                    "a small table without one can be copied whole by mode: replace",
                )
            )
        both = sorted(set(table.exclude) & set(table.hash))
        if both:
            problems.append(table.problem("hash", f"{', '.join(both)}: excluded and hashed at once; choose one"))
        other = by_raw_name.setdefault(raw_name(name), name)
        if other != name:
            problems.append(table.problem("", f'would be the same Redshift table as "{other}": {raw_name(name)}'))
    return problems


def _zone_rule(zone: str | None, where: str) -> list[str]:
    known = available_timezones()
    if zone is None or zone in known:
        return []
    return [f'{where} cursor_zone "{zone}" is no time zone, such as Europe/Berlin{nearest(zone, known)}']


def _table(config: SourceConfig, name: str, place: str, lines: dict[Path_, int]) -> Table:
    own = config.tables[name]
    mode = own.mode or config.defaults.mode
    below = {str(path[2]): line for path, line in lines.items() if len(path) == 3 and path[:2] == ("tables", name)}
    inherited = {
        key: lines[("defaults", key)] for key in ("mode", "cursor") if ("defaults", key) in lines and key not in below
    }
    return Table(
        source=config.source,
        name=name,
        mode=mode,
        cursor=(own.cursor or config.defaults.cursor) if mode == "merge" else None,
        cursor_zone=own.cursor_zone or config.defaults.cursor_zone,
        overlap=config.defaults.overlap if own.overlap is None else own.overlap,
        exclude=tuple(own.exclude),
        hash=tuple(own.hash),
        place=place,
        lines={"": lines[("tables", name)]} | inherited | below,
    )


def raw_name(name: str) -> str:
    """The name of a MySQL table or column in Redshift: snake_case of letters, digits and ``_``.

    ``createdAt`` → ``created_at``, ``Order Lines`` → ``order_lines``. dlt's client must leave the result as it is;
    tests/boundary holds that. A name without any such letter becomes ``_`` and a hash of it.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = re.sub(r"[^a-z0-9]+", "_", words.lower()).rstrip("_")
    if not words:
        return "_" + sha256(name.encode()).hexdigest()[:12]
    return "_" + words if words[0].isdigit() else words


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean "…"?)`` or nothing, to put behind a word that is not known."""
    found = difflib.get_close_matches(word, list(words), 1)
    return f' (did you mean "{found[0]}"?)' if found else ""
