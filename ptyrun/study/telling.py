"""How is a study told to people and to programs?"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ptyrun.config.study import SPLITS
from ptyrun.durations import format_duration
from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host.advice import what_next
from ptyrun.host.regular import read_text
from ptyrun.host.typed_json import parse_object
from ptyrun.study.hub import PHASE_D
from ptyrun.study.plan import Study
from ptyrun.study.session import Outcome
from ptyrun.study.state import Standing, State
from ptyrun.texts import one_line

SCHEMA = 1
MAX_BYTES = 2**20
_METRICS = {
    "metric_1_group_based_avg": "within groups",
    "metric_2_image_based_avg": "between images",
    "metric_3_group_to_group_avg": "between groups",
    "geometry_acceptance_bound": "bound",
}


def counts(standings: Mapping[str, Standing]) -> str:
    """Say how many stages are in which state."""
    found = Counter(each.state for each in standings.values())
    return ", ".join(f"{found[state]} {state}" for state in State if found[state])


def status_text(study: Study, standings: Mapping[str, Standing]) -> str:
    """Say of every stage how far it is, a line each."""
    lines = [f"study {study.options.name} in {study.hub.root}: {counts(standings)}"]
    width = max(map(len, standings), default=0)
    for key, each in standings.items():
        lines.append(f"  {key:<{width}}  {each.state}{_why(study, each)}")
    return "\n".join(lines)


def _why(study: Study, standing: Standing) -> str:
    why = standing.why.partition("\n")[0]
    if standing.state is State.FAILED and standing.attempt and standing.attempt.log:
        why += f"; log: {study.hub.path(standing.attempt.log)}"
    return f": {one_line(why)}" if why else ""


def plan_text(study: Study, standings: Mapping[str, Standing]) -> str:
    """List the stages with their commands, inputs and outputs."""
    lines = [f"study {study.options.name} in {study.hub.root}: {counts(standings)}", ""]
    for number, (key, each) in enumerate(standings.items(), 1):
        lines.append(f"{number}. {key}: {each.state}{_why(study, each)}")
        lines.append(f"   command: {command_of(study, each)}")
        lines.append(f"   reads:   {', '.join(i.name for i in each.stage.inputs) or 'nothing'}")
        lines.append(f"   writes:  {', '.join(each.stage.outputs)}")
        lines.append(f"   log:     {study.hub.log(key)}")
    return "\n".join(lines)


def command_of(study: Study, standing: Standing) -> str:
    """Give the command that makes a stage by hand."""
    if standing.stage.command:
        return shlex.join(standing.stage.command)
    return shlex.join(
        ["ptyrun", "study", "stage", standing.stage.key, "--hub", str(study.hub.root)]
    )


def status_document(study: Study, standings: Mapping[str, Standing]) -> dict[str, Any]:
    """Say the same for programs."""
    made_by = {name: key for key, each in standings.items() for name in each.stage.outputs}
    needs = {
        key: dict.fromkeys(made_by[i.name] for i in each.stage.inputs if i.name in made_by)
        for key, each in standings.items()
    }
    return {
        "schema": SCHEMA,
        "study": study.options.name,
        "hub": str(study.hub.root),
        "is_complete": all(each.state is State.DONE for each in standings.values()),
        "counts": {
            state.value: sum(each.state is state for each in standings.values()) for state in State
        },
        "stages": {
            key: {
                "state": each.state.value,
                "why": each.why,
                "changed": [
                    {"fact": fact.name, "old": fact.old, "new": fact.new} for fact in each.changed
                ],
                "waits_for": list(each.waits_for),
                "needs": list(needs[key]),
                "command": command_of(study, each),
                "inputs": [one.name for one in each.stage.inputs],
                "outputs": list(each.stage.outputs),
                "log": study.hub.log(key).as_posix(),
                "duration_s": None if each.record is None else each.record.duration_s,
            }
            for key, each in standings.items()
        },
    }


def outcome_text(
    study: Study, outcome: Outcome, *, has_set_aside: bool = False, is_part: bool = False
) -> str:
    """Say how a session ended, and what to do next; *is_part* is whether it was about --only."""
    made = len(outcome.made)
    lines = [f"{made} stage{'s' * (made != 1)} made; {counts(outcome.standings)}"]
    for each in outcome.of(State.FAILED, State.BLOCKED):
        lines.append(f"  {each.stage.key}: {each.state}{_why(study, each)}")
    if outcome.stop is ExitCode.COMPLETE:
        part = ", as far as --only asks" if is_part else ""
        lines.append(f"complete{part}: {study.hub.root}")
    elif outcome.stop is ExitCode.INCOMPLETE:
        but = ", without --clobber" if has_set_aside else ""
        lines.append(what_next("work remains", but))
    else:
        lines.append("correct what failed, then run the same command again")
    return "\n".join(lines)


def report_text(study: Study, standings: Mapping[str, Standing]) -> str:
    """Show stages, durations and overlap metrics as Markdown."""
    lines = [f"# Study {study.options.name}", "", counts(standings), ""]
    lines += ["| stage | state | duration | made (UTC) |", "| --- | --- | ---: | --- |"]
    for key, each in standings.items():
        record = each.record
        took = "" if record is None else format_duration(record.duration_s)
        made = "" if record is None else record.made_at
        lines.append(f"| {key} | {each.state} | {took} | {made} |")
    rows = [*_overlaps(study)]
    if rows:
        lines += ["", "## Overlap", "", f"| view | frames | {' | '.join(_METRICS.values())} |"]
        lines += [f"| --- | ---: |{' ---: |' * len(_METRICS)}", *rows]
    troubles = [each for each in standings.values() if each.why and each.state is not State.DONE]
    if troubles:
        lines += ["", "## To do", ""]
        lines += [f"- {each.stage.key}: {each.state}{_why(study, each)}" for each in troubles]
    return "\n".join(lines)


def _overlaps(study: Study) -> Iterator[str]:
    for dose in study.options.doses:
        for view in study.options.views:
            for split in SPLITS:
                name = f"dose_{dose:.0f}/{view}/{split}"
                path = study.hub.path(f"{PHASE_D}/{name}_metrics.json")
                try:
                    found = parse_object(read_text(path, MAX_BYTES))
                except (OSError, ValueError, PtyrunError):
                    continue
                figures = (found.get(metric) for metric in _METRICS)
                cells = (f"{x:.4f}" if isinstance(x, int | float) else "" for x in figures)
                kept = found.get("n_images_subsampled")
                yield f"| {name} | {kept} | {' | '.join(cells)} |"
