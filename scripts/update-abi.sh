#!/usr/bin/env bash
# Makes the interface of today's include/blan.h the baseline that scripts/test.sh compares with: Tests/ABI/libblan.abi and a
# copy of the header. For a release, and while a version is not released; docs/abi.md says when.
# Usage: scripts/update-abi.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-packages.sh abigail-tools
exec python3 Tests/ABI/abi.py update
