#!/bin/bash
# Makes docker.io/library/python:3.13-slim and localhost/pause:dev in buildah's store from Debian packages, for a machine
# that reaches these but no image registry. Needs root, debootstrap, buildah, gcc. About two minutes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"   # away from a .dockerignore
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$work/debian" "$mirror" > "$work/log" ||
  { tail "$work/log"; exit 1; }
rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/* "$work"/debian/usr/share/{doc,man,locale}
rm -f "$work"/debian/usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf /usr/bin/python3 "$work/debian/usr/local/bin/python"
container=$(buildah from scratch)
buildah copy -q "$container" "$work/debian" / > /dev/null
# Debian's own pip, from the wheel that python3-venv brings
buildah run "$container" -- sh -euc 'wheel=$(echo /usr/share/python-wheels/pip-*.whl)
  python3 "$wheel/pip" install -q --root-user-action ignore --no-index --find-links /usr/share/python-wheels pip
  ln -sf pip3 /usr/local/bin/pip'
buildah config --cmd python3 --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit -q --rm "$container" docker.io/library/python:3.13-slim > /dev/null

cat > "$work/pause.c" << 'C'
#include <signal.h>
#include <unistd.h>
static void stop(int number) { _exit(0); }
int main() { signal(SIGINT, stop); signal(SIGTERM, stop); for (;;) pause(); }
C
gcc -static -O2 -o "$work/pause" "$work/pause.c"
container=$(buildah from scratch)
buildah copy -q "$container" "$work/pause" /pause > /dev/null
buildah config --entrypoint '["/pause"]' "$container"
buildah commit -q --rm "$container" localhost/pause:dev > /dev/null
