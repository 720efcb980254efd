#!/usr/bin/env bash
# Makes build/openmp/libomp.a: LLVM's OpenMP runtime from Debian's source package, changed by private.patch, to be linked
# into libblan.so. Debian has no static one, and a shared one can neither be kept apart from other runtimes in a process
# nor from the variables that are meant for them: docs/coexistence.md. Takes a minute (130 MB of source), once a machine:
# what it made is kept in ~/.cache/libblan.
# Usage: scripts/openmp/build.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

source_package=llvm-toolchain-14
made=$PWD/build/openmp
recipe=$(cat scripts/openmp/build.sh scripts/openmp/private.patch | sha256sum | cut -c1-16)
[ "$(cat "$made/recipe" 2>/dev/null)" != "$recipe" ] || exit 0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libblan/openmp-$recipe
if [ ! -e "$cache/recipe" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT

  # An apt of our own, which knows the sources of the packages that the system's knows: nothing of the system's changes.
  mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial,parts,source,openmp}
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  apt-get indextargets --format "deb-src [signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    'Created-By: Packages' 'Origin: Debian' | sort -u >"$scratch/sources.list"
  own_apt=(apt-get -qq -o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts="$scratch/parts"
    -o Dir::State="$scratch/state" -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root)
  echo "building LLVM's OpenMP runtime from Debian's $source_package" >&2
  "${own_apt[@]}" update >&2
  (cd "$scratch/source" && "${own_apt[@]}" source --download-only "$source_package" >&2)
  tar -xJf "$scratch"/source/*.orig.tar.xz -C "$scratch/openmp" --strip-components=2 --wildcards '*/openmp/*'
  patch -s -d "$scratch/openmp" -p1 <scripts/openmp/private.patch

  # Without what a hidden runtime has no use for: tools that watch it, offloading, versions of exported symbols. Compiled for
  # size: a parallel region begins and ends no slower (measured), and libblan.so is 135 kB smaller.
  cmake -S "$scratch/openmp" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_C_COMPILER=gcc \
    -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_FLAGS="-ffunction-sections -fdata-sections" -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_C_VISIBILITY_PRESET=hidden \
    -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DLIBOMP_ENABLE_SHARED=OFF -DLIBOMP_USE_VERSION_SYMBOLS=OFF \
    -DLIBOMP_OMPT_SUPPORT=OFF -DLIBOMP_OMPD_SUPPORT=OFF -DLIBOMP_USE_ITT_NOTIFY=OFF -DOPENMP_ENABLE_OMPT_TOOLS=OFF \
    -DOPENMP_ENABLE_LIBOMPTARGET=OFF >"$scratch/log" 2>&1 &&
    cmake --build "$scratch/build" --target omp >>"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log" >&2; exit 1; }

  mkdir -p "$cache"
  cp -L "$scratch/build/runtime/src/libomp.a" "$scratch/openmp/LICENSE.TXT" "$cache/"
  basename "$scratch"/source/*.dsc .dsc | cut -d_ -f2 >"$cache/version"
  echo "$recipe" >"$cache/recipe"
fi
rm -rf "$made"
mkdir -p "$made"
cp "$cache"/* "$made/"
