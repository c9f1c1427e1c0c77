#!/usr/bin/env bash
# One window of one comparison of a study. Call it again until it exits with 0.
#
#   HUB=study WINDOW=170s examples/loop/window.sh test full
#   examples/loop/window.sh train debug
#
# Exit codes are those of `ptyrun compare`: 0 complete, 75 call again, anything else is an error.
set -eu

split=${1:?which split: train or test}
form=${2:?which form: debug (320 groups) or full}
: "${HUB:?the folder of the study}" "${DOSE:=1000}" "${VIEW:=dense}" "${WINDOW:=170s}"
ptyrun=${PTYRUN:-$(dirname "$0")/../../.venv/bin/ptyrun}

case $split in
  train | test) ;;
  *) echo "split must be train or test, not $split" >&2; exit 2 ;;
esac
name=$split
case $form in
  debug)
    name=${split}_${DEBUG_NAME:-debug_v4}
    size=(--n-test-groups 320 --pinn-chunk-size 160 --baseline-debug-limit 320 --baseline-chunk-size 160) ;;
  full) size=(--pinn-chunk-size 256 --baseline-chunk-size 256) ;;
  *) echo "form must be debug or full, not $form" >&2; exit 2 ;;
esac

data=$HUB/data
exec "$ptyrun" compare \
  --pinn_dir "$data/phase_e/dose_$DOSE/$VIEW/gs2" \
  --baseline_dir "$data/phase_e/dose_$DOSE/baseline/gs1" \
  --test_data "$data/phase_c/dose_$DOSE/patched_$split.npz" \
  --output_dir "$HUB/analysis/dose_$DOSE/$VIEW/$name" \
  "${size[@]}" \
  --pinn-predict-batch-size 16 --baseline-predict-batch-size 16 \
  --phase-align-method plane --frc-sigma 0.5 \
  --tike_recon_path "${RECON:-$data/phase_f/dose_$DOSE/$VIEW/$split/ptychi_reconstruction.npz}" \
  --register-ptychi-only \
  --window "$WINDOW"
