#!/bin/sh
# The packages of both architectures in dist/, their sums, and a signature that `ssh-keygen -Y verify` checks
# (deploy/packaging.md). $1: the private key. Builds from a commit only, so that anybody can build the same again.
set -eu

key=${1:-}
[ -n "$key" ] || { echo "make release KEY=private-key-of-ssh (ssh-keygen -t ed25519 makes one)" >&2; exit 2; }
[ -r "$key" ] || { echo "$key cannot be read" >&2; exit 2; }
cd "$(dirname "$0")/../.."
if [ -n "$(git status --porcelain)" ]; then
    echo "there are changes that no commit has: commit them first, or nobody can build the same" >&2
    exit 2
fi
rm -f dist/face-kiosk_* dist/SHA256SUMS dist/SHA256SUMS.sig
for arch in amd64 arm64; do
    make deb ARCH="$arch" ARGS="--level 6"
done
cd dist
sha256sum face-kiosk_* >SHA256SUMS
ssh-keygen -Y sign -q -f "$key" -n face-kiosk SHA256SUMS
echo "dist/SHA256SUMS.sig signs dist/SHA256SUMS; beside it goes the public key, by another way" >&2
