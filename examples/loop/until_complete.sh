#!/usr/bin/env bash
# Repeat a command for as long as it says "the window closed, work remains" (exit code 75).
#
#   examples/loop/until_complete.sh ptyrun compare ... --window 170s
#
# Ends with the first other exit code: 0 when all is complete, else the error as it is.
set -u

while true; do
  "$@"
  code=$?
  [ "$code" -eq 75 ] || exit "$code"
done
