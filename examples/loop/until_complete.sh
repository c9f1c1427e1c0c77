#!/usr/bin/env bash
# Repeat a command for as long as it says "the window closed, work remains" (exit code 75).
#
#   examples/loop/until_complete.sh ptyrun compare ... --window 170s
#   WINDOW=170s examples/loop/until_complete.sh examples/loop/window.sh test full
#
# Ends with the first other exit code: 0 when all is complete, else the error as it is. It believes the
# exit code of what it is given; `ptyrun run RUN --until-complete` looks whether RUN is complete. Ctrl-C and
# SIGTERM close the window at hand and end the loop with 75. A window that was killed (137: SIGKILL,
# mostly because memory ran out) is followed by another one, as long as no more than 8 in a row achieve
# nothing. A window that was too short for any progress says which one would do: the loop takes that.
set -u

[ $# -gt 0 ] || { echo "usage: until_complete.sh COMMAND [WORD ...]" >&2; exit 2; }

# Where a window leaves how many seconds would do, or 0 once it has achieved something.
PTYRUN_ADVICE=$(mktemp) || exit
export PTYRUN_ADVICE
trap 'rm -f "$PTYRUN_ADVICE"' EXIT
most=8
deaths=0
grown=0
longest=0

caught=
signal=
window=
early=
trap 'caught=yes; signal=yes; if [ -n "$window" ]; then kill -TERM "$window"; else early=yes; fi' \
  INT TERM HUP USR1 USR2 XCPU

# Whether the window said that a longer one would do, which the next one then is.
takes_longer() {
  case $said in
    '' | *[!0-9]*) return 1 ;;
  esac
  [ "$said" -gt "$longest" ] && [ "$grown" -lt "$most" ] || return 1
  longest=$said
  grown=$((grown + 1))
  echo "until_complete.sh: the window was too short for any progress: the next one takes $said s" >&2
}

while [ -z "$caught" ]; do
  : >"$PTYRUN_ADVICE"
  # In the background: a shell hears no signal while it runs a command in the foreground.
  if [ "$longest" -eq 0 ]; then
    "$@" &
  elif [ -n "${WINDOW:-}" ]; then
    WINDOW=${longest}s "$@" &
  else
    "$@" --window "${longest}s" &
  fi
  window=$!
  [ -z "$early" ] || kill -TERM "$window"

  # A signal ends `wait` early, without the window's exit code: wait again.
  while true; do
    signal=
    wait "$window"
    code=$?
    [ -n "$signal" ] || break
  done
  window=
  said=$(head -n 1 "$PTYRUN_ADVICE")
  if [ "$said" = 0 ]; then
    deaths=0
    grown=0
  fi
  if [ "$code" -gt 128 ] && [ -n "$caught" ]; then
    exit 75 # it was asked to end before it listened
  elif [ "$code" -gt 128 ]; then
    deaths=$((deaths + 1))
    echo "until_complete.sh: the window was killed by SIG$(kill -l "$code"); what it committed is kept" >&2
    if [ "$deaths" -ge "$most" ]; then
      echo "until_complete.sh: $deaths windows in a row were killed without progress: free memory, or" \
        "plan with smaller batches and chunks; \`ptyrun status\` says more" >&2
      exit 1
    fi
  elif [ "$code" -eq 75 ]; then
    takes_longer || true
  elif ! { [ "$code" -eq 1 ] && takes_longer; }; then
    exit "$code"
  fi
done
exit 75
