#!/usr/bin/env bash
# Makes build/deb/libblan0_VERSION-1_amd64.deb (libblan.so, the models, a bill of materials, the licences) and
# build/deb/libblan-dev_VERSION-1_amd64.deb (blan.h, pkg-config, CMake, examples) by CPack.
# Usage: scripts/deb.sh
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/python-environment.sh scripts/requirements.txt scripts/requirements-packages.txt
scripts/install-packages.sh dpkg-dev file
scripts/build.sh >&2
rm -rf build/deb
mkdir -p build/deb
.venv/bin/python scripts/carried.py build/deb/carried
log=build/deb/log
{
  cmake -S . -B build/deb/tree -G Ninja -DBLAN_DEBIAN=ON -DBLAN_GSTREAMER=OFF -DBLAN_CARRIED="$PWD/build/deb/carried" \
    -DBLAN_SWIFT_SCRATCH="$PWD/build/swift" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib/x86_64-linux-gnu &&
    cmake --build build/deb/tree && cpack --config build/deb/tree/CPackConfig.cmake -B build/deb
} >$log 2>&1 || { cat $log >&2; exit 1; }
rm -rf build/deb/_CPack_Packages
ls build/deb/*.deb
