#!/usr/bin/env bash
# Installs the library to a prefix by CMake and uses it from there as a stranger would: examples/c through pkg-config,
# a CMake consumer through find_package, a moved prefix, and an environment that knows nothing of Swift.
# Usage: Tests/C/install.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d /tmp/blan-install-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
. scripts/checks.sh

# build/ is CMake's folder already (scripts/build.sh); where it is not, this configures it.
install_to_prefix() {
  [ -f build/CMakeCache.txt ] || cmake -S . -B build -G Ninja
  cmake --build build && cmake --install build --prefix "$prefix"
}

files_are_in_place() {
  local version name
  version=$(sed -n 's/^#define BLAN_VERSION "\(.*\)"/\1/p' include/blan.h)
  for name in include/blan.h lib/libblan.so "lib/libblan.so.${version%%.*}" "lib/libblan.so.$version" \
    lib/pkgconfig/blan.pc lib/cmake/blan/blan-config.cmake lib/cmake/blan/blan-config-version.cmake; do
    [ -e "$prefix/$name" ] || { echo "$name is missing"; return 1; }
  done
  readelf -d "$prefix/lib/libblan.so" | grep SONAME | grep -qF "[libblan.so.${version%%.*}]" || { echo "wrong SONAME"; return 1; }
}

only_blan_is_exported() {
  local others
  others=$(nm -D --defined-only "$prefix/lib/libblan.so" | awk '{print $3}' | grep -v '^blan_' || true)
  [ -z "$others" ] || { echo "exported besides blan_*: $others"; return 1; }
}

# Neither linked to a Swift library nor told where one might lie.
no_swift_is_linked() {
  ldd "$prefix/lib/libblan.so" >"$scratch/ldd"
  if grep -iE 'swift|foundation|not found' "$scratch/ldd"; then return 1; fi
  if readelf -d "$prefix/lib/libblan.so" | grep -E 'R(UN)?PATH' | grep -i swift; then return 1; fi
}

# A program in an environment of its own: the few system folders, no variable that leads to a toolchain.
without_swift() { env -i PATH=/usr/bin:/bin "$@"; }

photo=examples/data/astronaut_full.jpg
model=models/default.safetensors
detector=models/mtcnn.safetensors

prints_forty_attributes() {
  without_swift LD_LIBRARY_PATH="$1/lib" "$2" "$model" "$detector" "$photo" >"$scratch/printed"
  grep -q Smiling "$scratch/printed"
  [ "$(wc -l <"$scratch/printed")" -eq 41 ] || { echo "expected a path and 40 attributes:"; cat "$scratch/printed"; return 1; }
}

example_through_pkg_config() {
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  [ "$(pkg-config --modversion blan)" = "$(sed -n 's/^#define BLAN_VERSION "\(.*\)"/\1/p' include/blan.h)" ]
  # shellcheck disable=SC2046
  gcc -std=c11 -Wall -Wextra -Werror -pedantic examples/c/predict.c $(pkg-config --cflags --libs blan) -o "$scratch/predict"
  prints_forty_attributes "$prefix" "$scratch/predict"
}

# The files name no absolute path: a prefix may be moved.
moved_prefix() {
  cp -a "$prefix" "$scratch/moved"
  local flags
  flags=$(PKG_CONFIG_PATH=$scratch/moved/lib/pkgconfig pkg-config --cflags --libs blan)
  [[ $flags == *"$scratch/moved/"* && $flags != *"$prefix"* ]] || { echo "pkg-config gives $flags"; return 1; }
  prints_forty_attributes "$scratch/moved" "$scratch/predict"
}

# The plugin finds libblan.so beside it, wherever the prefix went.
gstreamer_plugin_in_a_moved_prefix() {
  [ -e build/lib/gstreamer-1.0/libgstblan.so ] || { echo "not built here"; return 0; }
  GST_PLUGIN_PATH=$scratch/moved/lib/gstreamer-1.0 GST_REGISTRY=$scratch/registry.bin gst-inspect-1.0 blanattributes >"$scratch/printed"
  grep -q "$scratch/moved/lib/gstreamer-1.0/libgstblan.so" "$scratch/printed"
}

consumer_through_find_package() {
  mkdir -p "$scratch/consumer"
  cp examples/c/predict.c "$scratch/consumer/"
  cat >"$scratch/consumer/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(consumer C)
find_package(blan 0.1 REQUIRED)
add_executable(predict predict.c)
target_link_libraries(predict PRIVATE blan::blan)
CMAKE
  cmake -S "$scratch/consumer" -B "$scratch/consumer/build" -DCMAKE_PREFIX_PATH="$prefix"
  cmake --build "$scratch/consumer/build"
  # CMake writes the library's folder into what it builds; LD_LIBRARY_PATH points elsewhere.
  prints_forty_attributes /nowhere "$scratch/consumer/build/predict"
}

wrong_version_is_refused() {
  sed 's/blan 0.1/blan 9.0/' "$scratch/consumer/CMakeLists.txt" >"$scratch/CMakeLists.txt"
  cp examples/c/predict.c "$scratch/"
  ! cmake -S "$scratch" -B "$scratch/refused" -DCMAKE_PREFIX_PATH="$prefix"
}

a_bad_photo_is_reported() {
  local status=0
  without_swift LD_LIBRARY_PATH="$prefix/lib" "$scratch/predict" "$model" "$detector" /nowhere/face.jpg "$photo" \
    >"$scratch/printed" 2>"$scratch/errors" || status=$?
  [ $status -eq 1 ] && grep -q '/nowhere/face.jpg' "$scratch/errors" && [ "$(wc -l <"$scratch/printed")" -eq 41 ]
}

check "cmake --install" install_to_prefix
check "files in place" files_are_in_place
check "exports" only_blan_is_exported
check "no Swift library" no_swift_is_linked
check "examples/c/predict.c through pkg-config" example_through_pkg_config
check "a bad photo" a_bad_photo_is_reported
check "a moved prefix" moved_prefix
check "GStreamer plugin in a moved prefix" gstreamer_plugin_in_a_moved_prefix
check "find_package(blan)" consumer_through_find_package
check "another major version" wrong_version_is_refused

counted
