#!/usr/bin/env bash
# One window of one comparison of a study. Call it again until it exits with 0.
#
#   HUB=study WINDOW=170s examples/loop/window.sh test full
#   examples/loop/window.sh train debug
#
#   examples/loop/window.sh test full --workers 2
#
# What follows the first two words goes to `ptyrun compare` as it is. PTYRUN is the command to call: by default
# that of this clone's .venv, or else the ptyrun on the PATH.
# DOSE is the hub's only one, or 1000; VIEW is dense. Sizes, in groups: N_GROUPS of a full comparison (all of
# the split), CHUNK of its chunks (256), DEBUG_GROUPS of a debug one (320), DEBUG_CHUNK of its chunks (half of
# them), BATCH of one call of a network (16).
# TRUST names the arms whose models are programs (.pt2, TorchScript, SavedModel) that you let run: TRUST=pinn.
# With REQUIRE_DEBUG=1 a full comparison begins only if the debug one of its split is complete, every
# byte checked.
#
# Exit codes are those of `ptyrun compare`: 0 complete, 75 call again, anything else is an error.
set -eu

[ $# -ge 2 ] || { echo "usage: window.sh train|test debug|full [WORD ...] (debug: 320 groups)" >&2; exit 2; }
split=$1
form=$2
shift 2
: "${HUB:?the folder of the study}" "${VIEW:=dense}" "${WINDOW:=170s}" "${CHUNK:=256}"
: "${DEBUG_GROUPS:=320}" "${BATCH:=16}"
for size in "$DEBUG_GROUPS" "$CHUNK" "$BATCH" "${N_GROUPS:-1}" "${DEBUG_CHUNK:-1}"; do
  case $size in
    *[!0-9]* | 0) echo "sizes are whole numbers of groups, not '$size'" >&2; exit 2 ;;
  esac
done
: "${DEBUG_CHUNK:=$(((DEBUG_GROUPS + 1) / 2))}"
if [ -z "${DOSE:-}" ]; then
  doses=("$HUB"/data/phase_c/dose_*)
  DOSE=1000
  [ "${#doses[@]}" -gt 1 ] || [ ! -d "${doses[0]}" ] || DOSE=${doses[0]##*/dose_}
fi
ptyrun=${PTYRUN:-$(dirname "$0")/../../.venv/bin/ptyrun}
[ -n "${PTYRUN:-}" ] || [ -x "$ptyrun" ] || ptyrun=ptyrun

case $split in
  train | test) ;;
  *) echo "split must be train or test, not $split" >&2; exit 2 ;;
esac
runs=$HUB/analysis/dose_$DOSE/$VIEW
name=$split
debug=${split}_${DEBUG_NAME:-debug_v4}
gate=()
trust=()
for arm in ${TRUST:-}; do
  trust+=(--trust-model "$arm")
done
case $form in
  debug)
    name=$debug
    size=(--n-test-groups "$DEBUG_GROUPS" --pinn-chunk-size "$DEBUG_CHUNK"
      --baseline-debug-limit "$DEBUG_GROUPS" --baseline-chunk-size "$DEBUG_CHUNK") ;;
  full)
    size=(${N_GROUPS:+--n-test-groups "$N_GROUPS"} --pinn-chunk-size "$CHUNK" --baseline-chunk-size "$CHUNK")
    case ${REQUIRE_DEBUG:-0} in
      0) ;;
      1) gate=(--require-debug "$runs/$debug") ;;
      *) echo "REQUIRE_DEBUG must be 1 or 0, not $REQUIRE_DEBUG" >&2; exit 2 ;;
    esac ;;
  *) echo "form must be debug or full, not $form" >&2; exit 2 ;;
esac

data=$HUB/data
exec "$ptyrun" compare \
  --pinn_dir "$data/phase_e/dose_$DOSE/$VIEW/gs2" \
  --baseline_dir "$data/phase_e/dose_$DOSE/baseline/gs1" \
  --test_data "$data/phase_c/dose_$DOSE/patched_$split.npz" \
  --output_dir "$runs/$name" \
  "${size[@]}" ${gate[@]+"${gate[@]}"} ${trust[@]+"${trust[@]}"} \
  --pinn-predict-batch-size "$BATCH" --baseline-predict-batch-size "$BATCH" \
  --phase-align-method plane --frc-sigma 0.5 \
  --tike_recon_path "${RECON:-$data/phase_f/dose_$DOSE/$VIEW/$split/ptychi_reconstruction.npz}" \
  --register-ptychi-only \
  --window "$WINDOW" "$@"
