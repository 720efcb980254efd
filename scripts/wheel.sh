#!/usr/bin/env bash
# Makes build/wheel/blan-VERSION-py3-none-manylinux_2_36_x86_64.whl: the Python package with libblan.so, the models, the
# libraries that they need, a bill of materials and the licences. It needs a system as old as Debian 12 and Python alone.
# Usage: scripts/wheel.sh
set -euo pipefail
cd "$(dirname "$0")/.."

platform=manylinux_2_36_x86_64
scripts/python-environment.sh scripts/requirements.txt scripts/requirements-packages.txt
scripts/build.sh >&2
export PATH=$PWD/.venv/bin:$PATH

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation ./bindings/python -w "$scratch/plain"
auditwheel repair --plat $platform -w "$scratch/repaired" "$scratch"/plain/*.whl >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
python -m wheel unpack --dest "$scratch/unpacked" "$scratch"/repaired/*.whl >&2
information=("$scratch"/unpacked/*/*.dist-info)
python scripts/carried.py "${information[0]}" --libraries "${information[0]}/sboms/auditwheel.cdx.json"
rm -rf build/wheel
mkdir -p build/wheel
python -m wheel pack --dest-dir build/wheel "$scratch"/unpacked/* >&2
ls build/wheel/blan-*-py3-none-$platform.whl
