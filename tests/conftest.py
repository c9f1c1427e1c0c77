"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests import leftovers

if TYPE_CHECKING:
    from tests.studies import Study

# The same examples in every run, so that a change is to blame for a failure; and no deadline, as a
# machine may be busy. HYPOTHESIS_PROFILE=default looks for new examples.
settings.register_profile(
    "same every time",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# What `make test` looks at: the first ones of these examples; `make test-slow` at all.
settings.register_profile("quick", settings.get_profile("same every time"), max_examples=40)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same every time"))

# What the shell had ignored (Ctrl-C in the background, SIGHUP under nohup), all children would
# inherit; a handler that does nothing they do not, and this process still does not hear it.
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda _number, _frame: None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())

# The terminal decides how tables are broken, and the umask who may read what is written.
for _name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)
os.umask(0o022)

# The user's key, which marks runs as the user's own: one for all tests of a process.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="ptyrun-tests-config-")
# What the user's processes remember of files: the home folder may be read-only, or none.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="ptyrun-tests-cache-")
# Which of the user's runs use which device: what else runs on this machine must not matter.
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="ptyrun-tests-runtime-")
# A framework is imported once for all tests of a process. What tests predictors (`hostile`,
# `paced`, `child`) has them in processes of their own, as users do.
os.environ.setdefault("PTYRUN_INLINE", "1")


def pytest_collection_finish() -> None:
    """Pass over what stays: each model that is closed has all garbage collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each figure become one pixel, unless the test is marked as one that looks at it.

    Layout and text of a comparison's figures take as long as its predictions and metrics.
    """
    if request.node.get_closest_marker("pictures") is not None:
        return
    import matplotlib.image
    from matplotlib.figure import Figure

    pixel, savefig = np.zeros((1, 1, 3)), Figure.savefig

    def quick(figure: Figure, to: BinaryIO, *, format: str, **how: Any) -> None:
        if format == "png":
            matplotlib.image.imsave(to, pixel, format="png")
        else:
            savefig(figure, to, format=format, **how)

    monkeypatch.setattr(Figure, "savefig", quick)


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _leaves_no_process() -> Iterator[None]:
    """Kill and name what a test leaves running: it fails, and the next one is not disturbed."""
    if not leftovers.PROC.joinpath("self/environ").exists():
        yield  # no /proc: what is left over cannot be told from what others run
        return
    before = leftovers.Before.now()
    yield
    left = before.end()
    assert not left, "the test left these processes running:\n" + "\n".join(left)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference values and measured scans beside the project."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference data: {SHARED.name}/golden is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A scan, two untrained networks and a reconstruction."""
    from tests.studies import Study  # imports torch, which most tests do not need

    return Study.write(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def complete_run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which every chunk is committed, finalized. Not to be changed."""
    from ptyrun.stages import finalize, plan, run
    from tests.studies import TRUSTED

    folder = tmp_path_factory.mktemp("complete") / "run"
    plan.plan(study.config(folder))
    run.run(folder, TRUSTED)
    finalize.finalize(folder)
    return folder


@pytest.fixture(scope="session")
def half_done(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which four chunks of the PINN are committed. Not to be changed."""
    from ptyrun.stages import plan, run
    from tests.studies import TRUSTED

    folder = tmp_path_factory.mktemp("half") / "run"
    plan.plan(study.config(folder))
    run.run(folder, replace(TRUSTED, max_chunks=4))
    return folder


@pytest.fixture
def half_run(half_done: Path, tmp_path: Path) -> Path:
    """A run of which four chunks of the PINN are committed."""
    return Path(shutil.copytree(half_done, tmp_path / "run"))


# Measured: what takes longest. Of a test with parameters, the first ones stay as a sample.
SLOW = {
    "test_trust_reaches_every_process_of_a_session",
    "test_trust_reaches_every_process_of_a_tracked_session",
    "test_a_run_planned_when_trust_was_a_fact_goes_on",
    "test_a_run_that_needs_its_programs_no_more_asks_for_no_trust",
    "test_a_comparison_and_a_driven_run_take_workers_too",
    "test_workers_share_the_number_of_chunks",
    "test_a_run_killed_at_random_and_continued_ends_as_one",
    "test_a_run_set_aside_while_others_wait_for_it_is_planned_again_once",
    "test_patches_have_the_same_bits_with_one_thread_and_with_two",
    "test_looking_while_a_writer_works_leaves_the_same_patches",
    "test_a_lost_worker_costs_its_chunk_and_one_that_joins_works_along",
    "test_no_group_ever_enters_anothers_canvas_at_any_batch_from_1_to_64",
    "test_a_signal_reaches_every_worker_once",
    "test_the_chunk_size_leaves_no_trace",
    "test_no_chunk_size_leaves_a_trace_with_these_models",
    "test_a_finalize_killed_anywhere_leaves_good_results_and_called_again_the_same",
    "test_windows_end_while_a_model_loads_and_the_run_is_completed_by_longer_ones",
    "test_kills_at_random_change_not_one_byte",
    "test_with_upstreams_kernels_the_last_place_of_one_offset_is_all_that_differs",
    "test_a_plan_is_not_replaced_under_a_session_that_waits_for_its_device",
    "test_a_run_is_not_planned_anew_while_a_session_works_on_it",
    "test_the_studys_commands_run_word_for_word",
    "test_a_plan_that_is_cut_at_each_step_stands_after_some_windows_and_does_none_twice",
    "test_what_was_kept_of_another_scan_is_not_used",
    "test_one_that_is_killed_anywhere_leaves_the_one_before_or_what_the_next_call_completes",
    "test_the_window_counts_from_the_parents_start_and_closes_all",
    "test_a_window_is_neither_longer_nor_shorter",
    "test_an_arm_that_stays_keeps_its_chunks_when_a_newer_ptyrun_plans_another_one_anew",
    "test_the_package_passes_its_own_tests",
    "test_a_window_closes_on_every_worker",
    "test_a_loop_that_says_new_at_every_call_is_told_to_leave_it_out",
    "test_large_chunks_wait_for_each_other_where_memory_is_short",
    "test_why_workers_could_not_work_is_said_also_to_who_asked_for_quiet",
    "test_a_comparison_has_children_in_a_folder_with_modules_of_its_own",
    "test_no_result_of_a_replaced_plan_is_published",
    "test_a_command_that_must_write_names_the_disk_and_leaves_results_to_be_made_again",
    "test_a_command_that_only_reads_is_not_disturbed",
    "test_paths_of_every_spelling_work",
    "test_a_signal_while_results_are_assembled_says_run_again",
    "test_predictions_that_carry_nothing_stop_the_run_until_the_model_is_replaced",
    "test_where_a_group_lies_in_its_batch_depends_on_neither_chunks_nor_windows",
    "test_a_session_or_a_line_of_a_newer_ptyrun_is_called_newer_and_left_alone",
    "test_a_full_run_takes_over_every_chunk_whose_groups_its_debug_run_has",
    "test_what_is_not_the_same_is_computed_and_said",
    "test_a_comparison_is_completed_with_closed_and_full_streams",
    "test_workers_stop_when_whoever_sent_them_stops_or_dies",
    "test_a_line_for_each_arm_fits_the_terminal",
    "test_the_window_that_is_named_does",
    "test_a_scheduler_that_dies_is_an_error_that_says_so_and_its_workers_stop",
    "test_what_is_no_file_is_named_and_not_waited_for",
    "test_many_windows_end_as_one",
    "test_compressed_chunks_are_smaller_and_hold_the_same",
    "test_who_asks_for_quiet_gets_results_only",
    "test_three_comparisons_started_at_once_on_a_fresh_folder_make_one_run",
    "test_a_session_in_the_background_takes_over_too",
    "test_a_run_with_reuse_ends_in_the_same_bytes_without_computing",
    "test_a_debug_run_that_a_content_check_stopped_blocks_the_full_run",
    "test_a_planned_run_waits_for_its_debug_run_too",
    "test_a_debug_run_may_show_more_arms_and_be_cut_otherwise",
    "test_nothing_left_is_found_by_one_worker",
    "test_workers_share_what_their_run_holds_and_others_do_not",
    "test_workers_that_all_die_in_vain_end_in_an_error",
    "test_two_processes_work_on_one_arm_each",
    "test_the_third_window_whose_workers_are_all_cut_is_an_error",
    "test_workers_of_one_window_count_as_one_without_progress",
    "test_a_window_without_any_worker_says_that_none_has_connected",
    "test_the_converged_star_ranks_above_the_unconverged_in_every_standard_metric",
    "test_counts_and_a_legacy_file_of_the_same_frames_give_the_same_patches",
    "test_two_halves_of_a_measured_scan_give_its_resolution_without_a_truth",
    "test_one_that_cannot_hold_the_next_step_is_refused_before_anything_slow",
    "test_a_note_of_refusals_that_is_none_says_nothing",
    "test_what_somebody_else_says_of_costs_refuses_no_window",
    "test_status_says_why_a_window_was_refused_until_anything_is_achieved",
    "test_a_scan_whose_frames_its_object_contradicts_is_doubted",
    "test_what_does_not_belong_is_named_before_the_work_and_after_it",
    "test_two_arms_of_one_algorithm_can_be_told_apart",
    "test_the_pinns_patches_are_upstreams",
    "test_the_pinn_gives_one_patch_per_group_at_every_batch",
    "test_a_run_without_networks_is_looked_into_as_well",
    "test_sessions_that_start_beside_a_writer_of_small_chunks_forget_nothing",
    "test_thirty_kills_at_random_set_nothing_aside",
    "test_a_run_of_which_nothing_is_computed",
    "test_a_run_that_is_not_there_is_wrong_usage",
    "test_a_reader_that_leaves_changes_no_exit_code",
    "test_a_mutant_is_judged_by_its_tests",
    "test_where_nothing_can_be_counted_windows_still_end",
    "test_a_stopped_session_can_be_stopped_for_good",
    "test_a_comparison_drives_itself_and_begins_afresh_only_once",
    "test_a_session_starts_in_a_folder_with_modules_of_its_own",
    "test_two_sessions_share_the_stages_out",
    "test_clobber_sets_all_aside_in_one_folder_and_begins_afresh",
    "test_a_study_that_ptyrun_made_is_summed_up_and_verified_at_its_end",
    "test_a_damaged_result_is_made_again",
    "test_a_reconstruction_of_something_else_is_named_loudly",
    "test_a_model_that_merges_the_groups_of_a_batch_is_found_out_and_recorded",
    "test_a_signal_that_comes_with_the_last_chunk_leaves_the_results_to_the_next",
    "test_sigterm_closes_the_window_early",
    "test_two_that_begin_afresh_at_once_leave_one_whole_plan",
    "test_sizes_left_off_on_a_repeat_mean_as_planned",
    "test_a_chunk_that_ends_its_process_is_set_aside_until_it_is_given_new_attempts",
    "test_a_complete_run_with_a_changed_chunk_is_not_called_complete",
    "test_a_batch_that_does_not_fit_is_halved_and_later_sessions_begin_with_the_one_that_did",
    "test_a_lost_manifest_is_planned_again_by_the_same_command_alone",
    "test_a_predictor_that_asks_python_to_exit_has_failed_whatever_its_code",
    "test_a_window_that_is_known_to_be_too_short_for_planning_is_refused_and_status_says_so",
    "test_it_goes_through_two_windows_and_shows_figures_and_pictures",
}

# Of these, of which each takes little and all together much, every so manieth stays.
EVERY = {
    "test_every_bit.py::test_a_flipped_bit_is_found_and_named": 4,
    "test_every_bit.py::test_what_was_flipped_is_put_right_or_refused": 4,
    "test_tf.py::test_every_format_gives_the_networks_own_patches": 5,
    "test_tf.py::test_a_model_for_other_shapes_is_refused_before_tensorflow_is_imported": 4,
    "test_exit_codes.py::test_the_first_ctrl_c": 3,
    "test_windows.py::test_a_signal_closes_the_window_and_starts_no_other": 2,
    "test_shared_device.py::test_the_wait_for_a_device_ends_with_a_signal": 3,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test` leaves to `make test-slow`."""
    seen: Counter[str] = Counter()
    for item in items:
        name = item.name.partition("[")[0]
        where = f"{item.path.name}::{name}"
        if name in SLOW and ("[" not in item.name or seen[name]):
            item.add_marker(pytest.mark.slow)
        if seen[where] % EVERY.get(where, 1):
            item.add_marker(pytest.mark.slow)
        seen.update({name, where})
