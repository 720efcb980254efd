#!/usr/bin/env bash
# Makes the wheel and the Debian packages and tries them where nothing else is: Debian systems of Python alone and of a C
# compiler, in folders of their own (chroot), without Swift or any library of libblan's. The folders are kept in build/bare
# and copied for each run. Needs root; exits with 77 ("skipped") without.
# Usage: scripts/test-packages.sh [--prepare]
#   --prepare  makes the bare systems alone
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "scripts/test-packages.sh: chroot needs root"; exit 77; }
scripts/install-packages.sh mmdebstrap >&2
. scripts/checks.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

declare -A contents=(
  [python]=python3,python3-venv,ca-certificates
  [plain]=ca-certificates
  [compiler]=ca-certificates,gcc,libc6-dev,pkg-config
)

# The folder of a Debian of its packages and what they need; made once.
make_bare() {
  local name=$1
  if [ ! -e "build/bare/$name.done" ]; then
    rm -rf "build/bare/$name"
    mkdir -p build/bare
    mmdebstrap --quiet --mode=root --variant=apt --include="${contents[$name]}" bookworm "build/bare/$name" >&2
    touch "build/bare/$name.done"
  fi
}

# A copy of it to work in.
bare() {
  local name=$1
  make_bare "$name"
  cp -a "build/bare/$name" "$scratch/$name"
  cp /etc/resolv.conf "$scratch/$name/etc/"
}

if [ "${1:-}" = --prepare ]; then
  for name in "${!contents[@]}"; do make_bare "$name"; done
  exit 0
fi

inside() {
  local root=$scratch/$1
  shift
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# Neither a compiler nor a library that libblan needs is in the system.
has_nothing() {
  local found
  found=$(inside "$1" sh -c 'command -v gcc; command -v swift; cd /usr/lib/x86_64-linux-gnu && ls -d libopenblas* libturbojpeg* libspng* libomp* 2>/dev/null' || true)
  [ -z "$found" ] || { echo "the bare system is not bare: $found"; return 1; }
}

the_wheel_is_made() {
  rm -rf build/wheel
  scripts/wheel.sh
  [ "$(stat -c %s build/wheel/*.whl)" -le 26214400 ] || { echo "the wheel is larger than 25 MB"; return 1; }
}

the_wheel_says_what_it_carries() {
  .venv/bin/python - build/wheel/*.whl <<'PYTHON'
import json, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
names = wheel.namelist()
information = next(name.split("/")[0] for name in names if ".dist-info/" in name)
bill = json.loads(wheel.read(f"{information}/sboms/libblan.cdx.json"))
parts = {part["name"]: part for part in bill["components"]}
assert all(part["version"] and part["licenses"] for part in parts.values())
for library in (name.split("/")[1].split("-")[0] for name in names if name.startswith("blan.libs/") and ".so" in name):
    assert any(part.startswith(library) for part in parts), f"{library} is carried, but not in the bill of materials"
for part in ("swift-stdlib", "swift-foundation", "llvm-openmp", "libopenblas0-serial", "libturbojpeg0"):
    assert part in parts, part
    assert f"{information}/licenses/{part}.txt" in names, part
assert {f"{information}/licenses/LICENSE", f"{information}/licenses/NOTICE"} <= set(names)
assert any(name.startswith("blan.libs/libopenblas") for name in names), "OpenBLAS is not carried"
assert not any("libomp" in name for name in names), "OpenMP is linked statically"
PYTHON
}

the_wheel_works_beside_python_alone() {
  bare python
  has_nothing python
  mkdir -p "$scratch/python/wheels"
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --only-binary :all: -d "$scratch/python/wheels" build/wheel/*.whl
  cp examples/data/astronaut_full.jpg "$scratch/python/root/"
  inside python python3 -m venv /root/environment
  inside python /root/environment/bin/pip install --quiet --no-index --find-links /wheels blan
  inside python /root/environment/bin/blan predict /root/astronaut_full.jpg --csv /root/faces.csv --quiet
  [ "$(wc -l <"$scratch/python/root/faces.csv")" -eq 2 ] && head -1 "$scratch/python/root/faces.csv" | grep -q Smiling
  inside python /root/environment/bin/python -c '
import blan
system = blan.system()
assert system.library.startswith("/root/environment/"), system
assert system.openmp_runtime == "LLVM OpenMP (libomp, private)", system
faces = blan.load().predict("/root/astronaut_full.jpg")
assert faces and faces[0]["Smiling"] > 0.5
trainer = blan.Trainer  # its OpenBLAS is carried
'
}

the_debian_packages_are_made() { rm -rf build/deb && scripts/deb.sh; }

the_debian_packages_depend_on_what_they_need() {
  local depends
  depends=$(dpkg-deb -f build/deb/libblan0_*.deb Depends)
  echo "$depends"
  for package in libc6 libopenblas0-serial libspng0 libturbojpeg0 zlib1g; do
    [[ $depends == *$package* ]] || { echo "no $package"; return 1; }
  done
  [[ $depends != *libomp* ]] || { echo "libomp is linked statically"; return 1; }
  [[ $(dpkg-deb -f build/deb/libblan-dev_*.deb Depends) == "libblan0 (= "*")" ]]
}

# The library without a compiler: the program is built outside.
the_debian_library_works_alone() {
  bare plain
  cp build/deb/libblan0_*.deb examples/data/astronaut_full.jpg "$scratch/plain/root/"
  gcc -std=c11 -O1 -Iinclude examples/c/predict.c -o "$scratch/plain/root/predict" -Lbuild/lib -lblan
  has_nothing plain
  inside plain sh -c 'apt-get -qq update && apt-get -qq install --no-install-recommends /root/libblan0_*.deb'
  inside plain sh -c 'cd /usr/share/libblan0/models && /root/predict default.safetensors mtcnn.safetensors /root/astronaut_full.jpg' | tee "$scratch/printed"
  grep -q Smiling "$scratch/printed"
  dpkg-deb -c build/deb/libblan0_*.deb | awk '{print $6}' | grep -v '^\./usr/' | grep -v '^\./$' && { echo "files outside /usr"; return 1; }
  inside plain sh -c 'test -s /usr/share/doc/libblan0/copyright && test -s /usr/share/doc/libblan0/sboms/libblan.cdx.json && test -s /usr/share/doc/libblan0/licenses/llvm-openmp.txt'
  inside plain dpkg --remove libblan0
  [ ! -e "$scratch/plain/usr/lib/x86_64-linux-gnu/libblan.so.0" ]
}

the_debian_packages_are_linked_by_gcc() {
  bare compiler
  cp build/deb/*.deb examples/data/astronaut_full.jpg "$scratch/compiler/root/"
  inside compiler sh -c 'apt-get -qq update && apt-get -qq install --no-install-recommends /root/*.deb'
  inside compiler sh -c 'cd /root && gcc -std=c11 -Wall -Werror /usr/share/doc/libblan-dev/examples/c/predict.c $(pkg-config --cflags --libs blan) -o predict'
  inside compiler sh -c 'cd /usr/share/libblan0/models && /root/predict default.safetensors mtcnn.safetensors /root/astronaut_full.jpg' | tee "$scratch/printed"
  grep -q Smiling "$scratch/printed"
}

check "the wheel is made" the_wheel_is_made
check "the wheel says what it carries" the_wheel_says_what_it_carries
check "the wheel beside Python alone" the_wheel_works_beside_python_alone
check "the Debian packages are made" the_debian_packages_are_made
check "the Debian packages' dependencies" the_debian_packages_depend_on_what_they_need
check "libblan0 alone" the_debian_library_works_alone
check "libblan-dev and gcc" the_debian_packages_are_linked_by_gcc

counted
