#!/usr/bin/env bash
# One window every few minutes from cron, never two at once, and silent when there is nothing to do.
#
#   */5 * * * *  HUB=/data/study /data/ptyrun/examples/loop/cron.sh test full
#
# cron mails what a job prints: this prints only an error, with the end of its log.
set -u

[ $# -ge 2 ] || { echo "usage: HUB=FOLDER cron.sh SPLIT RUN, such as: test full" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
: "${HUB:?the folder of the study}"
log=$HUB/cron_${1}_${2}.log

# The kernel drops this lock when the job dies, however it dies.
exec 9>"$log.lock"
flock --nonblock 9 || exit 0

WINDOW=${WINDOW:-4m} "$here/window.sh" "$@" >>"$log" 2>&1
code=$?
case $code in
  0 | 75) exit 0 ;;
esac
echo "ptyrun ended with exit code $code:"
tail -n 20 "$log"
exit "$code"
