#!/usr/bin/env bash
# HTCondor in a folder of its own, for the tests: nothing of the system is changed, and no root is needed.
#
#   tests/examples/install_htcondor.sh FOLDER
#
# Debian 12 has no HTCondor, and Debian 13's wants newer libraries than Debian 12 has. So Debian 13's packages are unpacked
# beside each other, and its programs are told to load their libraries from there. (Where the system has HTCondor, tests take that.)
set -eu
[ $# -eq 1 ] || { echo "usage: install_htcondor.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keys" ] || { echo "install_htcondor.sh: $keys is missing: it comes with the package debian-archive-keyring" >&2; exit 1; }

# An apt that knows of no other source, and of nothing that is installed.
apt=$folder/apt
rm -rf "$folder/usr" "$apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$apt/sources.list"
own() {
  apt-get --quiet --quiet -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$apt" \
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@" >"$apt/log" </dev/null
}
own update
own install --yes --no-install-recommends --download-only condor patchelf
for package in "$apt"/archives/*.deb; do dpkg-deb --extract "$package" "$folder"; done

libraries=$(echo "$folder"/usr/lib/*-linux-gnu*)
loader=$(echo "$libraries"/ld-linux-*.so.*)
patch() { "$loader" --library-path "$libraries" "$folder/usr/bin/patchelf" "$@"; }
for program in "$folder"/usr/bin/*condor* "$folder"/usr/sbin/condor_* "$folder"/usr/libexec/condor/*; do
  if [ -f "$program" ] && [ ! -L "$program" ] && patch --print-interpreter "$program" >/dev/null 2>&1; then
    patch --set-interpreter "$loader" --force-rpath --set-rpath "$folder/usr/lib:$libraries" "$program"
  fi
done
rm -rf "$apt" "$folder/usr/share"
"$folder/usr/bin/condor_version" | head -n 1
