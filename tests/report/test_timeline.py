from __future__ import annotations

from ptyrun.report.timeline import LONGEST, Event, Session, draw

LABELS, CSS = {"pinn": "PtychoPINN"}, {"pinn": "c0"}


def session(number: int, events: tuple[Event, ...], lasted_s: float = 100.0) -> Session:
    began_at = 1.7e9 + 200 * number
    return Session(f"{number:06d}", began_at, lasted_s, "the window closed", events, number)


def chunks(count: int, seconds: float, first_s: float = 5.0) -> tuple[Event, ...]:
    return tuple(
        Event("pinn", n, 8, first_s + n * seconds, first_s + (n + 1) * seconds)
        for n in range(count)
    )


def test_chunks_of_a_window_are_drawn_one_by_one_where_there_is_room() -> None:
    (window,) = draw([session(1, chunks(5, 10.0))], LABELS, CSS).windows
    assert [block.left for block in window.blocks] == [50.0, 150.0, 250.0, 350.0, 450.0]
    assert all(block.width == 100.0 for block in window.blocks)


def test_ten_thousand_chunks_become_one_block() -> None:
    (window,) = draw([session(1, chunks(10_000, 0.009))], LABELS, CSS).windows
    (block,) = window.blocks
    assert block.title.startswith("PtychoPINN, chunks 0–9999")
    assert block.width == 900.0


def test_a_failure_is_drawn_inside_the_frame_even_if_it_took_no_time() -> None:
    failed = Event("pinn", 3, 8, 100.0, 100.0, "ValueError: no")
    (window,) = draw([session(1, (*chunks(2, 10.0), failed))], LABELS, CSS).windows
    (block,) = window.failures
    assert block.left + block.width == 1000.0
    assert "ValueError: no" in block.title
    assert (window.n_chunks, window.n_failures) == (2, 1)


def test_rates_count_committed_groups_only() -> None:
    failed = Event("pinn", 9, 8, 30.0, 40.0, "ValueError: no")
    drawn = draw([session(1, (*chunks(2, 10.0), failed)), session(2, chunks(2, 10.0))], LABELS, CSS)
    (pace,) = drawn.paces
    assert (pace.n_chunks, pace.n_items, pace.n_failures) == (4, 32, 1)
    assert (pace.rate, pace.median) == ("0.8", "10 s")
    assert drawn.windows[0].rate == "0.16 groups/s"


def test_a_thousand_groups_a_second_in_milliseconds_each_are_written_in_full() -> None:
    (pace,) = draw([session(1, chunks(50, 0.00625))], LABELS, CSS).paces
    assert (pace.rate, pace.median) == ("1280", "6 ms")


def test_only_the_last_windows_are_drawn_and_the_others_are_counted() -> None:
    drawn = draw([session(n, chunks(1, 10.0)) for n in range(1, 51)], LABELS, CSS)
    assert (len(drawn.windows), drawn.n_earlier) == (LONGEST, 50 - LONGEST)
    assert drawn.windows[-1].number == 50


def test_a_run_without_sessions_has_an_empty_timeline() -> None:
    drawn = draw([], LABELS, CSS)
    assert drawn.windows == ()
    assert drawn.paces[0].rate == "–"
