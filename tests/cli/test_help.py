"""What the command line says of itself."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main as bench
from ptyrun.cli.commands import COMMANDS, cli
from ptyrun.cli.examples import EXAMPLES
from ptyrun.cli.study import COMMANDS as STUDY_COMMANDS


def commands() -> dict[str, click.Command]:
    found = {name: cli.get_command(click.Context(cli), name) for name in COMMANDS}
    return {"bench": bench, **{name: command for name, command in found.items() if command}}


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name: str) -> None:
    command = commands()[name]
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert not [option.opts for option in options if not option.help]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_printed_for_every_command(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_of_a_command_stand_in_its_help_and_are_understood(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("RUN", "FOLDER"):
        Path(folder).mkdir()
    shown = CliRunner().invoke(cli, [*path.split(), "--help"]).stdout
    examples = EXAMPLES[path]
    assert len(set(examples)) == 2
    for example in examples:
        assert "".join(example.split()) in "".join(shown.replace(" \\\n", "").split())
        words = shlex.split(re.sub(r"^.*?ptyrun |[\")]+$| > .*", "", example))
        context: click.Context = cli.make_context("ptyrun", list(words))
        command: click.Command = cli
        while isinstance(command, click.Group):
            name, found, rest = command.resolve_command(
                context, context._protected_args + context.args
            )
            assert found is not None
            context = found.make_context(name, rest, parent=context)
            command = found
        assert context.command_path == f"ptyrun {path}"


def test_help_fits_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for path in ("", "study", *EXAMPLES):
        shown = CliRunner().invoke(cli, [*path.split(), "--help"]).stdout
        assert not [line for line in shown.splitlines() if len(line) > 80], path


def test_every_command_has_examples() -> None:
    study = [f"study {name}" for name in STUDY_COMMANDS]
    assert sorted(EXAMPLES) == sorted([*COMMANDS.keys() - {"study"}, *study])


def test_help_shows_options_with_dashes_and_both_spellings_are_taken() -> None:
    for path in EXAMPLES:
        shown = CliRunner().invoke(cli, [*path.split(), "--help"]).stdout
        assert not re.findall(r"--[a-z]\w*_\w+", shown.replace("--pinn_dir", ""))
    for name in ("test-data", "test_data", "output-dir", "output_dir"):
        command = commands()["compare"]
        assert any(f"--{name}" in option.opts for option in command.params)


def test_arm_describes_an_arm_and_only_arm_picks_one_in_every_command() -> None:
    for path in EXAMPLES:
        shown = CliRunner().invoke(cli, [*path.split(), "--help"]).stdout
        for said in re.findall(r"--arm (\S+)", shown.partition("Examples:")[0]):
            assert said == "KEY=VALUE,..."
        for said in re.findall(r"--only-arm (\S+)", shown):
            assert said == "ARM"
    assert "--only-arm" in CliRunner().invoke(cli, ["run", "--help"]).stdout


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = CliRunner().invoke(cli, ["completion", shell])
        assert done.exit_code == 0
        assert "_PTYRUN_COMPLETE" in done.stdout
    program = tmp_path / "ptyrun"
    program.write_text(f"#!{sys.executable} -P\nfrom ptyrun.cli.main import main\nmain()\n")
    program.chmod(0o755)
    ask = 'eval "$(ptyrun completion bash)"; COMP_WORDS=(ptyrun "$1"); COMP_CWORD=1; '
    ask += '_ptyrun_completion ptyrun "$1"; echo "${COMPREPLY[@]}"'
    said = subprocess.run(
        ["bash", "-c", ask, "bash", "fin"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert said.stdout.split() == ["finalize"], said.stderr


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("--pinn-d", ["--pinn-dir", "--pinn-debug-limit"]),
        ("--pinn_d", ["--pinn_dir", "--pinn_debug_limit"]),
    ],
)
def test_a_shell_is_offered_one_spelling(begun: str, offered: list[str]) -> None:
    command = cli.get_command(click.Context(cli), "compare")
    assert command is not None
    found = command.shell_complete(click.Context(command), begun)
    assert [item.value for item in found] == offered


def test_the_default_that_help_tells_is_the_one_that_counts() -> None:
    groups = {**commands(), **{f"study {name}": each for name, each in _of_study().items()}}
    wrong = []
    for name, command in groups.items():
        for option in command.params:
            value = getattr(option.default, "value", option.default)
            if not isinstance(option, click.Option) or isinstance(value, bool):
                continue
            told = re.search(r"\(default: ([^),]+)", option.help or "")
            if (
                told
                and isinstance(value, str | int | float)
                and f"{value}".removesuffix(".0") != told[1]
            ):
                wrong.append(f"{name} {option.opts[-1]}: {told[1]}, not {value}")
    assert not wrong


def _of_study() -> dict[str, click.Command]:
    study = commands()["study"]
    assert isinstance(study, click.Group)
    found = {name: study.get_command(click.Context(study), name) for name in STUDY_COMMANDS}
    return {name: command for name, command in found.items() if command}


@pytest.mark.parametrize(
    ("words", "word", "meant"),
    [
        (("compare",), "--n-test-imagse", "--n-test-groups"),
        (("compare",), "--test_dat", "--test-data"),
        (("study", "run"), "--probe_diameter", "--probe-diameter-px"),
        (("status",), "--jsn", "--json"),
    ],
)
def test_a_mistyped_option_is_answered_with_what_help_shows(
    words: tuple[str, ...], word: str, meant: str
) -> None:
    refused = CliRunner().invoke(cli, [*words, word])
    shown = CliRunner().invoke(cli, [*words, "--help"]).stdout
    offered = re.findall(r"'(--[^']+)'", refused.stderr.partition("did you mean")[2])
    assert meant in offered
    assert not [each for each in offered if not re.search(rf"{each}\b", shown)]
