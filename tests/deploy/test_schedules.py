"""What is in ``deploy/`` is what a scheduler takes, and it starts commands that ``el`` has."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from base64 import b64decode
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from el import cli, settings
from el.archive import cli as archive_cli
from tests.conftest import REPOSITORY, Source
from tests.crash.test_kill import CURSOR
from tests.deploy.guarded_s3 import policy

DEPLOY = REPOSITORY / "deploy"
COMMANDS = {"el": set(cli.main.commands), "el-archive": set(archive_cli.main.commands)}
MODULES = {"el": "el.cli", "el-archive": "el.archive.cli"}
#: What starts without a person; the rest is for people.
SCHEDULED = {"el": {"extract", "load", "run", "clean"}, "el-archive": {"run", "verify", "drill", "expire"}}


def lines(file: Path) -> list[str]:
    """The lines of a file that are no comments, with those that a backslash continues made one."""
    text = re.sub(r"\\\n\s*", " ", file.read_text())
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def assert_accepted(program: str, arguments: list[str]) -> None:
    """It knows the command and its options; it ends before anything is done, because help was asked for."""
    assert arguments[0] in SCHEDULED[program]
    command = [sys.executable, "-m", MODULES[program], *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# systemd and cron


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they would lie on a host on which el is this one."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the units are not verified")
    programs = Path(sys.executable).parent
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/srv/el/.venv/bin/", f"{programs}/")
        (tmp_path / unit.name).write_text(text)
        if unit.name == "el@.service":
            (tmp_path / "el-archive@.service").write_text(text)  # as docs/how-to/deploy.md says
    return tmp_path


def test_systemd_takes_the_units(units: Path) -> None:
    timers = sorted(units.glob("*.timer"))
    started = [re.search(r"^Unit=(([\w-]+)@(\w+)\.service)$", timer.read_text(), re.MULTILINE) for timer in timers]
    assert len(timers) == 6
    for service in started:
        assert service
        assert service[3] in SCHEDULED[service[2]] <= COMMANDS[service[2]]
    names = [str(timer) for timer in timers] + [str(units / service[1]) for service in started if service]
    done = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(units) not in done.stderr, done.stderr
    for timer in timers:
        when = re.search(r"^OnCalendar=(.+)$", timer.read_text(), re.MULTILINE)
        assert when
        subprocess.run(["systemd-analyze", "calendar", when[1]], capture_output=True, check=True)


def test_each_program_has_a_user_a_home_and_variables_of_its_own() -> None:
    """Whoever may delete from MySQL is nobody that extracts or loads."""
    text = (DEPLOY / "systemd" / "el@.service").read_text()
    for line in ("User=%p", "EnvironmentFile=/etc/%p/%i.env", "StateDirectory=%p", "ExecStart=/srv/el/.venv/bin/%p %i"):
        assert f"\n{line}" in text
    of_archive = [line for line in lines(DEPLOY / "cron" / "el") if " el-archive " in line]
    assert len(of_archive) == 3
    assert all(line.split()[5] == "el-archive" and "/etc/el/" not in line for line in of_archive)


def test_the_service_is_closed_to_all_that_el_does_not_need(units: Path) -> None:
    """By systemd's own count of what is left open: 10 is everything, below 2 is little."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(units / "el@.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cron_starts_commands_that_el_has_as_a_user_who_is_not_root() -> None:
    started = []
    for line in lines(DEPLOY / "cron" / "el"):
        if re.match(r"^\w+=", line):
            continue
        when, user, command = re.match(r"^((?:\S+\s+){5})(\S+)\s+(.+)$", line).groups()  # type: ignore[union-attr]
        assert re.fullmatch(r"[\d*/,\- ]+", when)
        assert user in MODULES
        last = shlex.split(command.partition(">")[0])
        arguments = last[last.index(user) + 1 :]
        assert f"/etc/{user}/{arguments[0]}.env" in command
        assert_accepted(user, arguments)
        started.append(f"{user} {arguments[0]}")
    assert started == [
        "el extract", "el load", "el clean", "el-archive run", "el-archive verify", "el-archive drill",
    ]  # fmt: skip


# The image


def dockerfile() -> list[tuple[str, str]]:
    """Instruction and rest of each line."""
    found = [line.partition(" ") for line in lines(DEPLOY / "Dockerfile")]
    return [(instruction, rest.strip()) for instruction, _, rest in found]


def test_what_the_image_copies_is_there_and_it_starts_el_as_a_user_who_is_not_root() -> None:
    steps = dockerfile()
    arguments = dict(rest.split("=") for instruction, rest in steps if instruction == "ARG")
    copied = [shlex.split(rest) for instruction, rest in steps if instruction == "COPY"]
    for source, _ in [words for words in copied if not words[0].startswith("--from")]:
        for name, value in arguments.items():
            source = source.replace("${" + name + "}", value)
        assert (REPOSITORY / source).exists(), source
    user = [rest for instruction, rest in steps if instruction == "USER"]
    assert user == ["10001:10001"]
    program = json.loads(next(rest for instruction, rest in steps if instruction == "ENTRYPOINT"))
    assert program == ["python", "-m", "el.cli"]
    environment = dict(
        pair.split("=", 1) for instruction, rest in steps if instruction == "ENV" for pair in shlex.split(rest)
    )
    known = {variable.name for variable in settings.VARIABLES}
    assert {name for name in environment if name.startswith("EL_")} <= known
    done = subprocess.run([sys.executable, *program[1:], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(command in done.stdout for command in SCHEDULED["el"])


def test_the_image_is_made_of_the_lock_by_hash_and_its_last_stage_installs_nothing() -> None:
    steps = dockerfile()
    stages = [number for number, (instruction, _) in enumerate(steps) if instruction == "FROM"]
    assert len(stages) == 2
    installs = [
        (number, rest) for number, (_, rest) in enumerate(steps) if re.search(r"\b(install|apt-get|apk)\b", rest)
    ]
    assert [number > stages[1] for number, _ in installs] == [False]
    assert "--require-hashes" in installs[0][1]
    assert "--only-binary :all:" in installs[0][1]
    # A registry of one's own is named where the image is built, not here.
    assert all("/" not in steps[number][1].split()[0] for number in stages)


def locked(file: Path) -> dict[str, str]:
    """Versions by name; a package may have several, one for each kind of machine."""
    found: dict[str, str] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", file.read_text(), re.MULTILINE):
        found[name] = f"{found.get(name, '')} {version}".strip()
    return found


def test_the_images_lock_is_the_part_of_the_lock_that_el_needs() -> None:
    whole, image = locked(REPOSITORY / "requirements.lock"), locked(DEPLOY / "requirements.lock")
    assert {name: whole.get(name) for name in image} == image
    assert not {"moto", "pytest", "ruff", "mypy", "uv", "sqlfluff"} & image.keys()
    providers = packages_distributions()
    imported = set()
    for file in (REPOSITORY / "el").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"el"}
    assert len(foreign) > 8
    for module in foreign:
        assert {name.lower().replace("_", "-") for name in providers[module]} & image.keys(), module


# Terraform


def terraform(*arguments: str, folder: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def needs_terraform() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: deploy/terraform is not checked")


def value_of(expression: str, folder: Path, **variables: Any) -> Any:
    """What Terraform makes of an expression over the variables and locals, which need no provider."""
    (folder / "terraform").mkdir()
    for name in ("variables.tf", "rules.tf", "policies.tf", "commands.tf"):
        shutil.copy(DEPLOY / "terraform" / name, folder / "terraform")
    shutil.copytree(DEPLOY / "iam", folder / "iam")
    shutil.copy(DEPLOY / "terraform" / "terraform.tfvars.example", folder / "terraform" / "terraform.tfvars")
    (folder / "terraform" / "own.auto.tfvars.json").write_text(json.dumps(variables))
    done = terraform("console", folder=folder / "terraform", text=f"base64encode(jsonencode({expression}))\n")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(b64decode(done.stdout.strip().splitlines()[-1].strip('"')))


@pytest.mark.usefixtures("needs_terraform")
def test_terraform_is_formatted() -> None:
    done = terraform("fmt", "-check", "-diff", "-recursive", folder=DEPLOY / "terraform")
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("needs_terraform")
def test_terraform_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "terraform"
    shutil.copytree(DEPLOY, tmp_path, dirs_exist_ok=True)
    made = terraform("init", "-backend=false", "-input=false", "-no-color", folder=folder)
    if made.returncode != 0 and re.search(r"could not connect|no such host|Failed to query", made.stderr + made.stdout):
        pytest.skip("terraform cannot fetch the provider for AWS here: its resources are not validated")
    assert made.returncode == 0, made.stderr
    done = terraform("validate", "-no-color", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("needs_terraform")
def test_terraform_gives_each_command_the_policies_of_deploy_iam_and_its_own_secrets(tmp_path: Path) -> None:
    found = value_of(
        "{p = local.policies, a = local.attached, s = local.secrets, c = var.commands, r = local.run, "
        "k = var.archive.kms_key_arn}",
        tmp_path,
    )
    for role in (
        "extract", "load", "load-archived", "copy", "copy-archived", "janitor", "archive", "archive-restore",
        "archive-expire",
    ):  # fmt: skip
        names = {"bucket": "example-landing", "archive_bucket": "example-archive"}
        names["archive_kms_key_arn"] = found["k"]
        assert json.loads(found["p"][role]) == policy(role, **names)
    assert sorted(map(tuple, found["a"].values())) == [
        ("archive-drill", "archive-restore"),
        ("archive-run", "archive"),
        ("archive-verify", "archive-restore"),
        ("clean", "janitor"),
        ("extract", "extract"),
        ("load", "load"),
        ("load", "load-archived"),
    ]
    owners = {arn.rpartition("/")[2].rpartition("-")[0]: command for command, arn in found["s"].values()}
    assert owners == {
        "clinic": "extract", "hash-key": "extract", "redshift": "load", "archiver": "archive-run",
        "restorer": "archive-drill",
    }  # fmt: skip
    known = {variable.name.replace("<SOURCE>", "CLINIC") for variable in settings.VARIABLES}
    programs = {module: program for program, module in MODULES.items()}
    for command, one in found["c"].items():
        run = found["r"][command]
        assert run["program"][:2] == ["python", "-m"]
        program = programs[run["program"][2]]
        assert f"{program} {run['arguments'][0]}" == f"el {command}".replace("el archive-", "el-archive ")
        assert_accepted(program, run["arguments"])
        assert {*run["environment"], *one["secrets"]} <= known
        assert run["environment"]["EL_ALERTS_SNS_TOPIC"].endswith(":el-alerts")
        of_archive = {name for name in run["environment"] if name.startswith("ARCHIVE_")}
        told = {"ARCHIVE_URL"} if command == "load" else set()
        assert of_archive == ({"ARCHIVE_URL", "ARCHIVE_KMS_KEY", "ARCHIVE_OBJECT_LOCK"} if "-" in command else told)
    assert found["r"]["archive-run"]["environment"]["ARCHIVE_URL"] == "s3://example-archive/archive"
    assert found["r"]["archive-run"]["arguments"][:2] == ["run", "--execute"]


def test_the_archives_bucket_is_locked_and_kept_and_no_lifecycle_is_for_it() -> None:
    """As text: what a resource becomes is for an account to show."""
    text = {path.name: path.read_text() for path in (DEPLOY / "terraform").glob("*.tf")}
    assert "object_lock_enabled = true" in text["archive.tf"]
    assert re.search(r'status = "Enabled"', text["archive.tf"])
    assert 'sse_algorithm     = "aws:kms"' in text["archive.tf"]
    assert "iam/archive-bucket.json" in text["archive.tf"]
    assert "prevent_destroy = true" in text["archive.tf"]
    lifecycles = re.findall(
        r'"aws_s3_bucket_lifecycle_configuration" "\w+" {\s+bucket = (\S+)', "\n".join(text.values())
    )
    assert lifecycles == ["aws_s3_bucket.landing.id"]


@pytest.mark.usefixtures("needs_terraform")
def test_what_expires_are_files_and_nothing_else(source: Source, tmp_path: Path) -> None:
    """The rules on the keys of a real landing: commits, dlt's schemas and the horizon stay, whatever their age."""
    source.mysql(f"create table t (id int primary key, v int, {CURSOR})", "insert into t (id, v) values (1, 1)")
    source.configure({"t": {}})
    source.el("run")
    base = f"{urlsplit(source.env['LANDING_URL']).path.strip('/')}/{source.name}/"
    rules = value_of("local.lifecycle_rules", tmp_path, tables={source.name: ["t"]}, retention_days=90)
    expiring = [rule for rule in rules if rule["days"]]
    gone = {key for key in source.objects() if any((base + key).startswith(rule["prefix"]) for rule in expiring)}
    assert gone == {key for key in source.objects() if key.endswith(".parquet")} != set()
    assert {rule["id"] for rule in rules} == {"versions", "uploads", "records", f"files of {source.name}.t"}
    assert source.commits("t") == [1]


@pytest.mark.usefixtures("needs_terraform")
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"prefix": ""}, "must not be empty"),
        ({"prefix": "landing/"}, "no slash at either end"),
        ({"retention_days": 3}, "would expire"),
        ({"tables": {"clinic": ["_commits"]}}, "must not expire"),
        ({"archive": {"bucket": "b", "kms_key_arn": "k", "prefix": ""}}, "must not be empty"),
        ({"archive": {"bucket": "b", "kms_key_arn": "k", "object_lock": "never"}}, "none, governance or compliance"),
        ({"commands": {"archive": {"schedule": "", "subnets": [], "security_groups": []}}}, "A command is"),
    ],
)
def test_values_that_would_open_or_empty_the_landing_are_refused(
    tmp_path: Path, variables: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        value_of("[local.lifecycle_rules, local.run]", tmp_path, **variables)


def test_nothing_here_names_a_registry_or_this_machine() -> None:
    for file in [path for path in DEPLOY.rglob("*") if path.is_file()]:
        text = file.read_text()
        assert not re.search(r"registry\.|docker\.io|pypi|ghcr|quay\.io|https?://", text), file
        assert str(REPOSITORY) not in text, file
        assert os.path.expanduser("~") + "/" not in text, file


@pytest.fixture(autouse=True)
def _no_tool_asks_its_maker_for_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")
