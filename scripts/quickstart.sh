#!/usr/bin/env bash
# From a fresh clone to the attributes of a face: installs what is missing, builds libblan.so, installs the Python package
# into .venv, prints the attributes of a photo and writes an HTML page with bars and attention maps.
# May be run again at any time: what is there already is left alone.
#
# Usage: scripts/quickstart.sh [PHOTO...]
#   PHOTO  JPEG or PNG files; without any, the bundled examples/data/astronaut_full.jpg
set -euo pipefail

case ${1-} in
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  -*) echo "scripts/quickstart.sh: unknown option $1; see --help" >&2; exit 2 ;;
esac

# Photos are named relative to where the user is, everything else relative to the repository.
photos=()
for photo in "$@"; do
  [ -f "$photo" ] || { echo "scripts/quickstart.sh: no file $photo" >&2; exit 1; }
  photos+=("$(realpath "$photo")")
done
cd "$(dirname "$0")/.."
[ ${#photos[@]} -gt 0 ] || photos=(examples/data/astronaut_full.jpg)

log=build/quickstart.log
page=build/quickstart.html
steps=4
current=0

step() {
  local name=$1 started=$SECONDS
  shift
  current=$((current + 1))
  printf '[%d/%d] %-30s ' $current $steps "$name"
  if "$@" >"$log" 2>&1; then
    printf 'done (%d s)\n' $((SECONDS - started))
  else
    printf 'FAILED\n\n'
    tail -n 25 "$log"
    printf '\nscripts/quickstart.sh: this step failed: %s. All it printed is in %s\n' "$name" "$PWD/$log"
    exit 1
  fi
}

# Swift is the one thing that is not installed here: Debian has no package of it.
swift_is_there() {
  command -v swift >/dev/null || { echo "no swift on the PATH" >&2; return 1; }
  local printed version
  printed=$(swift --version 2>&1) || { printf '%s does not run:\n%s\n' "$(command -v swift)" "$printed" >&2; return 1; }
  version=$(sed -n 's/.*Swift version \([0-9]*\).*/\1/p' <<<"$printed" | head -n 1)
  [ "${version:-0}" -ge 6 ] || { printf '%s is too old:\n%s\n' "$(command -v swift)" "$printed" >&2; return 1; }
}
swift_is_there || {
  echo "scripts/quickstart.sh: Swift 6 or later is needed: https://www.swift.org/install/linux (Debian 12)," >&2
  echo "then put its usr/bin on the PATH: export PATH=/path/to/swift/usr/bin:\$PATH" >&2
  exit 1
}

install_package() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall \
    ./bindings/python
}

mkdir -p build
exec 3>&1 1>&2 # progress goes to stderr; the table alone goes to stdout
step "Debian packages" scripts/install-packages.sh
step "Python environment .venv" scripts/python-environment.sh
step "libblan.so (minutes at first)" scripts/build.sh
step "Python package blan into .venv" install_package
echo
.venv/bin/blan predict "${photos[@]}" --table --html "$page" --quiet >&3

cat <<END
The page with bars and attention maps: file://$PWD/$page
Next: .venv/bin/blan predict your-photo.jpg     .venv/bin/blan --help     README.md
END
