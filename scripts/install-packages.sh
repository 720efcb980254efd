#!/usr/bin/env bash
# Installs the Debian packages that libblan is built with, where any is missing. Needs root (or sudo) only then.
set -euo pipefail

packages=(
  build-essential cmake ninja-build pkg-config python3 python3-venv
  abigail-tools locales
  libomp-14-dev libopenblas-serial-dev libturbojpeg0-dev libspng-dev zlib1g-dev
)
missing=()
for package in "${packages[@]}" "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing ${missing[*]}" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
for tool in apt-get "${as_root[@]}"; do
  command -v "$tool" >/dev/null || { echo "no $tool here: install by other means: ${missing[*]}" >&2; exit 1; }
done
"${as_root[@]}" apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
