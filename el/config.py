"""What the user writes: ``sources/<source>.yml``, as frozen pydantic models.

In: one YAML file per source. Out: ``Source`` with its ``Table``s, which remember the line they stand on, because
half of the problems (a cursor that is no column, a merge table without a primary key) are only seen beside
MySQL's catalog. All problems are reported at once: a night job that is corrected line by line costs a night a line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from el import duration, yaml_lines
from el.duration import Span
from el.errors import ConfigError, UsageError

Mode = Literal["merge", "replace"]
OnOversize = Literal["error", "null", "truncate"]
OnZeroDate = Literal["null", "error"]
Json = Literal["exact", "text"]
#: Options by which a table's line names columns, and how a message says that a column is under one of them.
COLUMN_OPTIONS = {
    "exclude": "excluded",
    "hash": "hashed",
    "boolean": "boolean",
    "on_oversize": "under on_oversize",
    "on_zero_date": "under on_zero_date",
}
#: ``distribution`` by a column, which is the group.
KEY_DISTRIBUTION = r"key\((.+)\)"
#: What a source may be called: its name is part of variables, keys on S3 and schemas.
SOURCE_NAME = r"^[a-z][a-z0-9_]*$"
#: Names that Redshift keeps for columns of its own in every table.
_SYSTEM_COLUMNS = frozenset(["oid", "tableoid", "xmin", "xmax", "cmin", "cmax", "ctid", "insertxid", "deletexid"])


def _columns_or_auto(value: Any) -> Any:
    return [] if value == "auto" else value


#: Columns of a sort key; none of them is AUTO.
_Sort = Annotated[
    list[str],
    BeforeValidator(_columns_or_auto),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"const": "auto"}]}),
]
_DISTRIBUTION = f"^({KEY_DISTRIBUTION}|even|all|auto)$"


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
    on_oversize: OnOversize = Field(
        "error",
        description="A text, JSON or binary value that is longer than Redshift takes. error: the table stops. null. "
        "truncate: text is cut behind its last whole character that fits, binary behind its last byte. JSON, geometry "
        "and primary keys are never cut: there, truncate means error. What became NULL or was cut is counted.",
    )
    on_zero_date: OnZeroDate = Field(
        "null",
        description="A date that does not exist (zero, partly zero, 30 February). null: becomes NULL, counted. "
        "error: the table stops. In a primary key always error.",
    )
    max_lag: str | None = Field(
        None,
        pattern=duration.PATTERN,
        description="Alert when Redshift is further behind, such as 90 minutes or 26 hours.",
    )
    distribution: str | None = Field(
        None,
        pattern=_DISTRIBUTION,
        description="How Redshift spreads the rows of a raw table that is made: key(column), even, all or auto. Left "
        "out: by the primary key if it is one column, else auto.",
    )
    sort: _Sort | None = Field(
        None,
        description="Sort key of a raw table that is made: a list of columns, or auto. Left out: the cursor, or auto "
        "without one.",
    )


class RetentionClass(_Model):
    """How long rows of one kind are kept, and where."""

    keep: str = Field(
        pattern=duration.SPAN_PATTERN,
        description="How long a row stays in MySQL, counted from its age column, such as 6 months. Older ones may be "
        "archived.",
    )
    archive: str = Field(
        pattern=duration.SPAN_PATTERN,
        description="How long its copy stays in the archive on S3, counted from the moment as of which it was "
        "archived, such as 7 years. That is the class's end.",
    )


class ArchivePolicy(_Model):
    """Which rows of a table el-archive moves to S3."""

    class_: str = Field(alias="class", description="Name of a class under retention.")
    age: str = Field(description="Column that says how old a row is: a DATE, DATETIME or TIMESTAMP with an index.")
    where: str | None = Field(
        None,
        pattern=r"\S",
        description="Condition in SQL that a row must meet as well, such as status = 'closed'.",
    )
    json_: Json = Field(
        "exact",
        alias="json",
        description="MySQL's own JSON holds types that JSON's text does not have: DECIMAL, DATE, TIME, DATETIME, BLOB, "
        "BIT, and UNSIGNED INTEGER where a signed one is large enough. exact: a row with such a value stays in MySQL, "
        "counted. text: it is archived as its text, and comes back with the types that this text has.",
    )


class TableConfig(_Model):
    """One table as the file has it."""

    mode: Mode | None = Field(None, description="Overrides the default mode.")
    cursor: str | None = Field(None, description="Overrides the default cursor.")
    cursor_zone: str | None = Field(None, description="Overrides the default time zone of the cursor.")
    overlap: int | None = Field(None, ge=0, description="Overrides the default overlap.")
    exclude: list[str] = Field(
        default_factory=list,
        description="Columns that never leave MySQL for the landing. The archive has every column.",
    )
    hash: list[str] = Field(
        default_factory=list, description="Columns that arrive as keyed HMAC-SHA-256 in hex; key: EL_HASH_KEY."
    )
    boolean: list[str] = Field(
        default_factory=list,
        description="TINYINT and BIT(1) columns that arrive as BOOLEAN; a value other than 0 and 1 stops the table.",
    )
    on_oversize: dict[str, OnOversize] = Field(
        default_factory=dict, description="By column: overrides the default on_oversize."
    )
    on_zero_date: dict[str, OnZeroDate] = Field(
        default_factory=dict, description="By column: overrides the default on_zero_date."
    )
    max_lag: str | None = Field(None, pattern=duration.PATTERN, description="Overrides the default max_lag.")
    distribution: str | None = Field(None, pattern=_DISTRIBUTION, description="Overrides the default distribution.")
    sort: _Sort | None = Field(None, description="Overrides the default sort key.")
    archive: ArchivePolicy | None = Field(None, description="Which old rows el-archive moves to S3. Left out: none.")


class ServerLimits(_Model):
    """How much of the server may be taken. Looked at between chunks; nothing here locks anything."""

    max_connections: int = Field(
        4,
        ge=1,
        description="Connections that read rows at once, all tables of the source together. Beside them each table at "
        "work has one or two for small questions.",
    )
    max_rows_per_second: int | None = Field(
        None, ge=100, description="Rows per second, all tables of the source together."
    )
    max_threads_running: int | None = Field(
        None,
        ge=2,
        description="Pause while MySQL's Threads_running is above it, on the server that rows are read from. El's own "
        "queries count, and the question itself is one.",
    )
    max_replica_lag: int | None = Field(
        None,
        ge=0,
        description="Pause while the replica that rows are read from is further behind its primary, in seconds. "
        "Without a replica it has no effect.",
    )
    hours: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="Read only at this time of day, such as 22:00-06:00. When it is over, the chunk is finished, what "
        "was read is committed, and the next run goes on from there. A table in mode replace is finished.",
    )
    hours_zone: str | None = Field(
        None, description="Time zone of hours, such as Europe/Berlin; that of the host that extracts, if left out."
    )


DEFAULT_LIMITS = ServerLimits.model_validate({})


class SourceConfig(_Model):
    """One source file."""

    source: str = Field(pattern=SOURCE_NAME, description="Name of the source, equal to the file's name.")
    server: ServerLimits = DEFAULT_LIMITS
    defaults: Defaults = Defaults.model_validate({})
    retention: dict[str, RetentionClass] = Field(
        default_factory=dict, description="Classes of retention by name, for the archive."
    )
    tables: dict[str, TableConfig] = Field(description="MySQL's table names, each with its options.")


@dataclass(frozen=True)
class Retention:
    """Which rows of a table may be archived, and how long they are kept: in MySQL (``keep``) and on S3 (``archive``).

    ``where`` is a condition in SQL, or None. ``json`` text: of a JSON value its text is enough.
    """

    name: str
    keep: Span
    archive: Span
    age: str
    where: str | None
    json: Json = "exact"

    def cutoff(self, as_of: datetime) -> datetime:
        """Rows whose age column is before it may be archived."""
        return self.keep.before(as_of)

    def end(self, as_of: datetime) -> datetime:
        """The class's end for what is archived as of a moment: before it, no copy may go."""
        return self.archive.after(as_of)


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
    boolean: tuple[str, ...]
    on_oversize: Mapping[str, OnOversize]
    on_zero_date: Mapping[str, OnZeroDate]
    default_on_oversize: OnOversize
    default_on_zero_date: OnZeroDate
    place: str
    lines: dict[str, int]
    server: ServerLimits = DEFAULT_LIMITS
    max_lag: int | None = None
    distribution: str | None = None
    sort: tuple[str, ...] | None = None
    retention: Retention | None = None

    @property
    def label(self) -> str:
        """``clinic.patients``: how messages and selectors name the table."""
        return f"{self.source}.{self.name}"

    def named(self, option: str) -> Sequence[str]:
        """The columns under one of ``COLUMN_OPTIONS``, in the order of the file."""
        return tuple(getattr(self, option))

    def problem(self, key: str, text: str, column: str | None = None) -> str:
        """One line for ``ConfigError``, at the line of ``key``, of the column under it, or else of the table."""
        line = self.lines.get(key, self.lines[""])
        if column is not None:
            in_a_list = key not in ("on_oversize", "on_zero_date")
            line = self.lines[f"{key}.{self.named(key).index(column) if in_a_list else column}"]
        return f'{self.place}:{line}: table "{self.name}": {text}'


@dataclass(frozen=True)
class Source:
    """One MySQL database and its tables, in the order of the file. ``classes``: how long each keeps rows in MySQL."""

    name: str
    tables: tuple[Table, ...]
    classes: Mapping[str, Span] = field(default_factory=dict)


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
    return parse_source(text, file)


def parse_source(text: str, file: Path) -> Source:
    """The source that a text describes, which is or will be in ``file``.

    Raises:
        ConfigError: with every problem of the text.
    """
    content, lines, problems = yaml_lines.parse(text, str(file), _is_policy)
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
    classes = {name: duration.span(kind.keep) for name, kind in config.retention.items()}
    return Source(config.source, tuple(_table(config, name, str(file), lines) for name in config.tables), classes)


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
                f"{shown(selector)}: no such source or table{nearest(selector, [*sources, *tables])}. "
                "Nothing was started. List what there is: el status"
            )
    if wrong:
        raise UsageError("\n".join(wrong))
    return list(chosen.values())


def shown(selector: str) -> str:
    """A selector as messages and records show it: one that can be no name is not repeated, it may be a URL."""
    return selector if re.fullmatch(r"[\w.$ -]{1,200}", selector) else "…"


def _is_policy(path: yaml_lines.Path) -> bool:
    """True where a bare ``null`` is a policy's name."""
    options = ("on_oversize", "on_zero_date")
    return path[1:] in [(option,) for option in options] or (len(path) == 4 and path[2] in options)


def _explain(detail: dict[str, Any], place: str, lines: dict[yaml_lines.Path, int]) -> str:
    path: yaml_lines.Path = tuple(part for part in detail["loc"] if part != "[key]")
    known = path
    while known not in lines:
        known = known[:-1]
    where = f"{place}:{lines[known]}:"
    if len(path) > 1 and path[0] == "tables":
        where += f' table "{path[1]}":'
    key = path[-1] if path else "the file"
    if isinstance(key, int):
        key = f"{path[-2]}, item {key + 1}"
    elif len(path) == 4:
        key = f"{path[2]}.{key}"
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return f'{where} unknown key "{key}"{nearest(str(path[-1]), _known_keys(path))}'
        case "missing":
            return f'{where} key "{key}" is missing'
        case "literal_error":
            return f'{where} "{key}" must be {context["expected"]}'
        case "string_pattern_mismatch" if key == "hours":
            return f'{where} "hours" must be two times of day, such as 22:00-06:00'
        case "string_pattern_mismatch" if key == "max_lag":
            return f'{where} "max_lag" must be a number and a unit, such as 90 minutes or 26 hours'
        case "string_pattern_mismatch" if path[0] == "retention":
            return f'{where} "{path[1]}.{key}" must be a number of days, weeks, months or years, such as 6 months'
        case "string_pattern_mismatch" if key == "archive.where":
            return f'{where} "archive.where" must be a condition in SQL; leave it out to archive every old row'
        case "string_pattern_mismatch" if key == "distribution":
            return f'{where} "distribution" must be key(column), even, all or auto'
        case "string_pattern_mismatch":
            return f'{where} "{key}" must begin with a letter and hold only a-z, 0-9 and _'
    shape = {
        "list_type": "a list of column names, such as [ssn]",
        "string_type": "a name",
        "dict_type": "a mapping" if len(path) < 3 else "columns with a policy each, such as {notes: null}",
        "model_type": "a mapping of keys to values",
        "int_type": "a whole number of seconds" if key in ("overlap", "max_replica_lag") else "a whole number",
        "greater_than_equal": f"{context.get('ge')} or more",
    }.get(kind, detail["msg"])
    return f"{where} {key if not path else repr(key).replace(chr(39), chr(34))} must be {shape}"


def _known_keys(path: yaml_lines.Path) -> list[str]:
    model: type[BaseModel] = SourceConfig
    if len(path) > 1:
        models: dict[str, type[BaseModel]] = {
            "defaults": Defaults,
            "server": ServerLimits,
            "retention": RetentionClass,
        }
        model = ArchivePolicy if path[2:3] == ("archive",) and len(path) > 3 else models.get(str(path[0]), TableConfig)
    return [field.alias or name for name, field in model.model_fields.items()]


def _own_rules(config: SourceConfig, file: Path, lines: dict[yaml_lines.Path, int]) -> list[str]:
    problems = []
    if config.source != file.stem:
        problems.append(f'{file}:{lines[("source",)]}: source "{config.source}" must be named as its file, {file.stem}')
    if not config.tables:
        problems.append(f"{file}:{lines[('tables',)]}: no table is listed")
    by_raw_name: dict[str, str] = {}
    for part, key, zone in (
        ("defaults", "cursor_zone", config.defaults.cursor_zone),
        ("server", "hours_zone", config.server.hours_zone),
    ):
        problems += _zone_rule(key, zone, f"{file}:{lines.get((part, key), 1)}:")
    key = "hours" if config.server.hours else "hours_zone"
    problems += _hours_rule(config.server, f"{file}:{lines.get(('server', key), 1)}:")
    for name in config.tables:
        table = _table(config, name, str(file), lines)
        problems += _zone_rule(
            "cursor_zone",
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
        problems += _contradictions(table)
        policy = config.tables[name].archive
        if policy and policy.class_ not in config.retention:
            problems.append(
                table.problem(
                    "archive.class",
                    f'"{policy.class_}" is no class under "retention"{nearest(policy.class_, config.retention)}',
                )
            )
        other = by_raw_name.setdefault(raw_name(name), name)
        if other != name:
            problems.append(table.problem("", f'would be the same Redshift table as "{other}": {raw_name(name)}'))
    return problems


def _hours_rule(limits: ServerLimits, where: str) -> list[str]:
    begin, _, end = (limits.hours or "-").partition("-")
    if begin == end and limits.hours:
        return [f'{where} hours "{limits.hours}" are none; leave them out to read at any time']
    if limits.hours_zone and not limits.hours:
        return [f"{where} hours_zone is for hours, and there are none"]
    return []


def _zone_rule(key: str, zone: str | None, where: str) -> list[str]:
    if zone is None or zone in (known := available_timezones()):
        return []
    return [f'{where} {key} "{zone}" is no time zone, such as Europe/Berlin{nearest(zone, known)}']


def _contradictions(table: Table) -> list[str]:
    """Columns under two options of which the first leaves nothing for the second."""
    options = list(COLUMN_OPTIONS)
    pairs = [(first, second) for first in ("exclude", "hash") for second in options[options.index(first) + 1 :]]
    return [
        table.problem(
            second, f"{column}: {COLUMN_OPTIONS[first]} and {COLUMN_OPTIONS[second]} at once; choose one", column
        )
        for first, second in pairs
        for column in table.named(second)
        if column in table.named(first)
    ]


def _table(config: SourceConfig, name: str, place: str, lines: dict[yaml_lines.Path, int]) -> Table:
    own = config.tables[name]
    mode = own.mode or config.defaults.mode
    below = {".".join(map(str, path[2:])): at for path, at in lines.items() if path[:2] == ("tables", name) != path}
    inherited = {
        key: lines[("defaults", key)]
        for key in ("mode", "cursor", "distribution", "sort")
        if ("defaults", key) in lines and key not in below
    }
    sort = config.defaults.sort if own.sort is None else own.sort
    return Table(
        source=config.source,
        name=name,
        mode=mode,
        cursor=(own.cursor or config.defaults.cursor) if mode == "merge" else None,
        cursor_zone=own.cursor_zone or config.defaults.cursor_zone,
        overlap=config.defaults.overlap if own.overlap is None else own.overlap,
        exclude=tuple(own.exclude),
        hash=tuple(own.hash),
        boolean=tuple(own.boolean),
        on_oversize=own.on_oversize,
        on_zero_date=own.on_zero_date,
        default_on_oversize=config.defaults.on_oversize,
        default_on_zero_date=config.defaults.on_zero_date,
        place=place,
        lines={"": lines[("tables", name)]} | inherited | below,
        server=config.server,
        max_lag=duration.seconds(limit) if (limit := own.max_lag or config.defaults.max_lag) else None,
        distribution=own.distribution or config.defaults.distribution,
        sort=None if sort is None else tuple(sort),
        retention=_retention(config, own.archive),
    )


def _retention(config: SourceConfig, policy: ArchivePolicy | None) -> Retention | None:
    """None also for a class that does not exist, which is a problem of its own."""
    if policy is None or policy.class_ not in config.retention:
        return None
    kind = config.retention[policy.class_]
    return Retention(
        policy.class_,
        duration.span(kind.keep),
        duration.span(kind.archive),
        policy.age,
        policy.where,
        policy.json_,
    )


def raw_name(name: str) -> str:
    """The name of a MySQL table or column in Redshift: snake_case of letters, digits and ``_``.

    ``createdAt`` → ``created_at``, ``Order Lines`` → ``order_lines``, ``xmin`` → ``_xmin``. dlt's client must leave
    the result as it is; tests/boundary holds that. A name without any such letter becomes ``_`` and a hash of it.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = re.sub(r"[^a-z0-9]+", "_", words.lower()).rstrip("_")
    if not words:
        return "_" + sha256(name.encode()).hexdigest()[:12]
    return "_" + words if words[0].isdigit() or words in _SYSTEM_COLUMNS else words


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean "…"?)`` or nothing, to put behind a word that is not known."""
    known = {each.casefold(): each for each in words}
    found = difflib.get_close_matches(word.casefold(), list(known), 1)
    return f' (did you mean "{known[found[0]]}"?)' if found else ""
