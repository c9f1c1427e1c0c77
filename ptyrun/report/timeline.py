"""When was what computed, how fast, and what went wrong?"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ptyrun.durations import format_duration

LONGEST = 40
_GROUPS_PER_S = " groups/s"
_MERGED_GAP = 0.002  # of the longest window: closer chunks are drawn as one


@dataclass(frozen=True, slots=True)  # there may be a million
class Event:
    """One attempt at a chunk, in seconds since its session began; committed if without error."""

    arm: str
    chunk: int
    n_items: int
    start_s: float
    end_s: float
    error: str | None = None


@dataclass(frozen=True)
class Session:
    """When it began (seconds since the epoch), how long it lived, what it did, in which window."""

    name: str
    began_at: float
    lasted_s: float
    stop: str
    events: tuple[Event, ...]
    window: int


@dataclass(frozen=True)
class Block:
    """Chunks of one arm, one after the other; offsets in thousandths of the longest window."""

    css: str
    left: float
    width: float
    title: str


@dataclass(frozen=True)
class Window:
    """One session, ready to be drawn; *number* is its window's, which workers share."""

    number: int
    began: str
    lasted: str
    stop: str
    rate: str
    n_chunks: int
    n_failures: int
    alive: float
    blocks: tuple[Block, ...]
    failures: tuple[Block, ...]


@dataclass(frozen=True)
class Pace:
    """How fast one arm went."""

    label: str
    css: str
    n_chunks: int
    n_items: int
    n_failures: int
    median: str
    rate: str


@dataclass(frozen=True)
class Timeline:
    """All sessions; at most the last 40 are drawn."""

    windows: tuple[Window, ...]
    n_earlier: int
    paces: tuple[Pace, ...]
    longest: str


def draw(sessions: Sequence[Session], labels: dict[str, str], css: dict[str, str]) -> Timeline:
    """Lay out the sessions.

    Parameters
    ----------
    sessions : sequence of Session
        In the order in which they began.
    labels, css : dict
        What each arm is called, and its style.
    """
    span_s = max((session.lasted_s for session in sessions), default=0.0) or 1.0
    drawn = sessions[-LONGEST:]
    return Timeline(
        windows=tuple(_window(session, span_s, labels, css) for session in drawn),
        n_earlier=max(len(sessions) - LONGEST, 0),
        paces=tuple(_pace(arm, sessions, labels[arm], css[arm]) for arm in labels),
        longest=format_duration(span_s),
    )


def _window(session: Session, span_s: float, labels: dict[str, str], css: dict[str, str]) -> Window:
    done = [event for event in session.events if event.error is None]
    failed = [event for event in session.events if event.error is not None]
    began = datetime.datetime.fromtimestamp(session.began_at, datetime.UTC)
    return Window(
        number=session.window,
        began=f"{began:%Y-%m-%d %H:%M:%S}",
        lasted=format_duration(session.lasted_s),
        stop=session.stop,
        rate=_rate(sum(event.n_items for event in done), session.lasted_s),
        n_chunks=len(done),
        n_failures=len(failed),
        alive=1000 * session.lasted_s / span_s,
        blocks=tuple(_blocks(done, span_s, labels, css)),
        failures=tuple(
            _block(event, event, span_s, labels, css, f": {event.error}", narrowest=5.0)
            for event in failed
        ),
    )


def _blocks(
    events: Iterable[Event], span_s: float, labels: dict[str, str], css: dict[str, str]
) -> Iterator[Block]:
    first: Event | None = None
    last: Event | None = None
    for event in sorted(events, key=lambda event: event.start_s):
        narrow = event.end_s - event.start_s < 4 * _MERGED_GAP * span_s
        near = last is not None and event.start_s - last.end_s < _MERGED_GAP * span_s
        if first and last and not (narrow and near and event.arm == last.arm):
            yield _block(first, last, span_s, labels, css)
            first = None
        first, last = first or event, event
    if first and last:
        yield _block(first, last, span_s, labels, css)


def _block(
    first: Event,
    last: Event,
    span_s: float,
    labels: dict[str, str],
    css: dict[str, str],
    remark: str = "",
    narrowest: float = 1.0,
) -> Block:
    chunks = f"chunk {first.chunk}" if first is last else f"chunks {first.chunk}–{last.chunk}"
    took = format_duration(last.end_s - first.start_s)
    width = max(1000 * (last.end_s - first.start_s) / span_s, narrowest)
    return Block(
        css=css[first.arm],
        left=round(min(1000 * first.start_s / span_s, 1000 - width), 2),
        width=round(width, 2),
        title=f"{labels[first.arm]}, {chunks}, {took}{remark}",
    )


def _pace(arm: str, sessions: Sequence[Session], label: str, css: str) -> Pace:
    events = [event for session in sessions for event in session.events if event.arm == arm]
    done = [event for event in events if event.error is None]
    seconds = [event.end_s - event.start_s for event in done]
    n_items = sum(event.n_items for event in done)
    return Pace(
        label=label,
        css=css,
        n_chunks=len(done),
        n_items=n_items,
        n_failures=len(events) - len(done),
        median=format_duration(statistics.median(seconds)) if seconds else "–",
        rate=_rate(n_items, sum(seconds)).removesuffix(_GROUPS_PER_S),
    )


def _rate(n_items: int, seconds: float) -> str:
    if not n_items or seconds <= 0:
        return "–"
    rate = n_items / seconds
    return (f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}") + _GROUPS_PER_S
