#!/usr/bin/env bash
# Tries libblan in one process with torch, scikit-learn, OpenCV, MKL and other OpenMP runtimes, in an environment of its own,
# build/coexistence-venv, which it makes first where it is missing (3 GB). docs/coexistence.md says what holds and why.
# Usage: scripts/coexistence.sh [--prepare | PYTEST OPTIONS...]
#   --prepare  makes the environment alone
set -euo pipefail
cd "$(dirname "$0")/.."

environment=build/coexistence-venv
list=scripts/requirements-coexistence.txt
[ -x $environment/bin/python ] || python3 -m venv $environment
if ! cmp -s $list $environment/installed.txt; then
  echo "installing the packages of $list into $environment" >&2
  $environment/bin/python -m pip install --quiet --disable-pip-version-check -r $list >&2
  cp $list $environment/installed.txt
fi
[ "${1:-}" != --prepare ] || exit 0
[ -e build/lib/libblan.so ] || scripts/build.sh >&2
# Nothing may be missing here: a peer that is not installed is a failure.
BLAN_ALL_PEERS=1 PYTHONPATH=bindings/python/src:Tests/Fixtures \
  $environment/bin/python -m pytest -q bindings/python/tests/test_coexistence.py "$@"
