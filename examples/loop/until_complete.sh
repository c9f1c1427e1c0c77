#!/usr/bin/env bash
# Repeat a command for as long as it says "the window closed, work remains" (exit code 75).
#
#   examples/loop/until_complete.sh ptyrun compare ... --window 170s
#
# Ends with the first other exit code: 0 when all is complete, else the error as it is. Ctrl-C and
# SIGTERM close the window at hand and end the loop with 75.
set -u

[ $# -gt 0 ] || { echo "usage: until_complete.sh COMMAND [WORD ...]" >&2; exit 2; }

caught=
signal=
window=
trap 'caught=yes; signal=yes; [ -z "$window" ] || kill -TERM "$window"' INT TERM HUP USR1

while [ -z "$caught" ]; do
  # In the background: a shell hears no signal while it runs a command in the foreground.
  "$@" &
  window=$!

  # A signal ends `wait` early, without the window's exit code: wait again.
  while true; do
    signal=
    wait "$window"
    code=$?
    [ -n "$signal" ] || break
  done
  window=
  [ "$code" -eq 75 ] || exit "$code"
done
exit 75
