#!/bin/sh
# Builds the images of the three services and the auditor with buildah, which needs no engine, no daemon and no systemd.
#   deploy/docker/build-images.sh [further arguments of buildah build]
# BASE names another base image than python:3.11-slim; it needs python3 with venv, and useradd.
# With MAKE_BASE=1 it is made here, from Debian's packages (as root, with debootstrap), for places
# that reach no image registry.
set -eu
cd "$(dirname "$0")/../.."
BASE=${BASE:-python:3.11-slim}
DRIVER=${DRIVER:-vfs}  # works everywhere; slower than overlay

if [ "${MAKE_BASE:-}" = 1 ]; then
    BASE=localhost/dealreg-base
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
        bookworm "$root/debian" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    container=$(buildah --storage-driver "$DRIVER" from scratch)
    buildah --storage-driver "$DRIVER" add --quiet "$container" "$root/debian" /
    buildah --storage-driver "$DRIVER" commit --quiet --rm "$container" "$BASE"
fi

for service in registration coverage notifier; do
    buildah --storage-driver "$DRIVER" build --isolation chroot --network host --format docker \
        --build-arg "BASE=$BASE" --build-arg "SERVICE=$service" \
        --file deploy/docker/Dockerfile --tag "dealreg-$service" "$@" .
done
buildah --storage-driver "$DRIVER" build --isolation chroot --network host --format docker \
    --build-arg "BASE=$BASE" --file deploy/docker/Dockerfile.auditor --tag dealreg-auditor "$@" .
