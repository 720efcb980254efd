#!/usr/bin/env bash
# Checks everything: style, a build without warnings, the Swift tests, the C programs, the Python tests.
# Installs what it needs. Each check runs even after another failed; the exit status is 1 if any did.
#
# Usage: scripts/test.sh [--quick] [--with-torch] [--sanitize]
#   --quick       leaves out the slow checks: hostile calls, fuzzing, mixed load, the installed package, the packages in bare
#                 systems, torch, MKL and others in one process, the quickstart, tests that pytest marks as slow
#   --with-torch  also compares full-width networks with PyTorch, which it installs
#   --sanitize    also runs the Swift tests under AddressSanitizer and ThreadSanitizer, and what shares models between
#                 threads under ThreadSanitizer
set -euo pipefail
cd "$(dirname "$0")/.."

quick=0 with_torch=0 sanitize=0
for argument in "$@"; do
  case $argument in
    --quick) quick=1 ;;
    --with-torch) with_torch=1 ;;
    --sanitize) sanitize=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "scripts/test.sh: unknown option $argument; see --help" >&2; exit 2 ;;
  esac
done

passed=0 failed=0 skipped=0 report=()
declare -A begun=()

# Runs one check under a heading and notes how it ended. Exit status 77 means "skipped", as in automake.
check() {
  local name=$1 started=$SECONDS status=0
  shift
  printf '\n=== %s\n' "$name"
  "$@" || status=$?
  case $status in
    0) passed=$((passed + 1)) verdict=passed ;;
    77) skipped=$((skipped + 1)) verdict=skipped ;;
    *) failed=$((failed + 1)) verdict=FAILED ;;
  esac
  report+=("$(printf '%-8s %5d s  %s' "$verdict" $((SECONDS - started)) "$name")")
}

# Begins what needs one core, or waits for the network, beside the checks that follow: KEY COMMAND... A process group of its
# own, which an interrupted run takes with it.
begin() {
  local key=$1
  shift
  mkdir -p build
  set -m
  "$@" >"build/$key.log" 2>&1 </dev/null &
  begun[$key]=$!
  set +m
}
trap 'for process in "${begun[@]}"; do kill -- "-$process" 2>/dev/null || true; done' EXIT

# Waits for what was begun, prints what it said, and ends as it did.
ended() {
  local status=0
  wait "${begun[$1]}" || status=$?
  unset "begun[$1]"
  cat "build/$1.log"
  return $status
}

# The scratch folders are separate from .build: flags differ, and a developer's build stays as it is.
debug_build=(--scratch-path build/debug -Xswiftc -warnings-as-errors)
sanitized_build=(--scratch-path build/sanitized --sanitize=address)
# ThreadSanitizer sees through POSIX threads and locks alone: see docs/reliability.md.
threads_build=(--scratch-path build/thread --sanitize=thread -Xcc -DBLAN_PTHREADS -Xswiftc -DBLAN_PTHREADS)

swift_style() { swift format lint --strict --recursive Package.swift Sources Tests; }

python_style() {
  local folders=()
  for folder in bindings/python examples benchmarks scripts Tests; do
    [ -z "$(find "$folder" -name '*.py' -print -quit 2>/dev/null)" ] || folders+=("$folder")
  done
  [ ${#folders[@]} -gt 0 ] || { echo "no Python files yet"; return 77; }
  .venv/bin/ruff check "${folders[@]}" && .venv/bin/ruff format --check "${folders[@]}"
}

swift_build() { scripts/openmp/build.sh && swift build --build-tests "${debug_build[@]}"; }
swift_tests() { swift test --skip-build --disable-xctest "${debug_build[@]}"; }

sanitized_tests() {
  swift build --build-tests "${sanitized_build[@]}" &&
    LSAN_OPTIONS="suppressions=$PWD/Tests/leaks.supp:print_suppressions=0" \
      swift test --skip-build --disable-xctest "${sanitized_build[@]}"
}

thread_tests() {
  swift build --build-tests "${threads_build[@]}" && swift test --skip-build --disable-xctest "${threads_build[@]}"
}

hostile_calls_sanitized() { Tests/C/run.sh --sanitize address hostile; }
threads_sanitized() { Tests/C/run.sh --sanitize thread concurrency races models; }

c_programs() {
  [ -x Tests/C/run.sh ] || { echo "no Tests/C/run.sh yet"; return 77; }
  Tests/C/run.sh
}

gstreamer_element() { Tests/GStreamer/run.sh; }

installed_package() {
  [ -x Tests/C/install.sh ] || { echo "no Tests/C/install.sh yet"; return 77; }
  Tests/C/install.sh
}

python_package() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --force-reinstall ./bindings/python
}

python_tests() {
  local marks=""
  [ $quick -eq 0 ] || marks="not slow"
  [ $with_torch -eq 1 ] || marks="${marks:+$marks and }not torch"
  .venv/bin/python -m pytest -q -m "$marks" bindings/python
}

binary_interface() { python3 Tests/ABI/abi.py check && Tests/ABI/run.sh; }

# What two of the last checks fetch, environments and systems of gigabytes. Should that fail, they try again themselves.
fetch() { scripts/coexistence.sh --prepare; scripts/test-packages.sh --prepare; }

quickstart() {
  rm -f build/quickstart.html
  scripts/quickstart.sh >build/quickstart.txt && grep -q Smiling build/quickstart.txt && [ -s build/quickstart.html ]
}

# A browser; several processes; bare systems.
check "Debian packages" scripts/install-packages.sh chromium openmpi-bin libopenmpi-dev mmdebstrap
gstreamer=(libgstreamer-plugins-base1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good)
check "Debian packages" scripts/install-packages.sh "${gstreamer[@]}"
requirements=(scripts/requirements.txt)
[ $quick -eq 1 ] || requirements+=(scripts/requirements-ray.txt)
[ $with_torch -eq 0 ] || requirements+=(scripts/requirements-torch.txt)
begin environment scripts/python-environment.sh "${requirements[@]}"
[ $quick -eq 1 ] || begin fetched fetch
check "Swift style (swift format)" swift_style
check "Build without warnings" swift_build
check "Python environment" ended environment
check "Python style (ruff)" python_style
check "Swift tests" swift_tests
[ $sanitize -eq 0 ] || check "Swift tests under AddressSanitizer" sanitized_tests
[ $sanitize -eq 0 ] || check "Swift tests under ThreadSanitizer" thread_tests
[ $quick -eq 1 ] || begin sanitized-library scripts/sanitized-library.sh address
check "libblan.so" scripts/build.sh
if [ $quick -eq 0 ]; then
  ended fetched || true
  begin packages scripts/test-packages.sh
fi
check "C programs" c_programs
check "GStreamer element" gstreamer_element
check "Binary interface" binary_interface
if [ $quick -eq 0 ]; then
  check "Library for AddressSanitizer" ended sanitized-library
  check "Hostile calls under AddressSanitizer" hostile_calls_sanitized
  check "Damaged files: a minute of fuzzing" scripts/fuzz.sh
  check "Mixed load: half a minute" scripts/soak.sh
fi
[ $sanitize -eq 0 ] || check "Threads under ThreadSanitizer" threads_sanitized
[ $quick -eq 1 ] || check "Installed package" installed_package
check "Python package" python_package
check "Python tests" python_tests
if [ $quick -eq 0 ]; then
  check "Packages in bare systems" ended packages
  check "Beside other libraries in one process" scripts/coexistence.sh
  check "Quickstart" quickstart
fi

printf '\n=== Summary (%d min %02d s)\n' $((SECONDS / 60)) $((SECONDS % 60))
printf '%s\n' "${report[@]}"
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
