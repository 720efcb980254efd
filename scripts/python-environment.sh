#!/usr/bin/env bash
# Makes the virtual environment .venv with the pinned packages of the named lists (default: scripts/requirements.txt),
# or leaves it alone where they are all there already. Needs the network only to install.
# Usage: scripts/python-environment.sh [REQUIREMENTS...]
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- scripts/requirements.txt
[ -x .venv/bin/python ] || python3 -m venv .venv

# A list that is installed leaves its copy in the environment: equal copies mean that there is nothing to do.
for list in "$@"; do
  installed=.venv/installed-$(basename "$list")
  cmp -s "$list" "$installed" && continue
  echo "installing the packages of $list into .venv" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$list" >&2
  cp "$list" "$installed"
done
