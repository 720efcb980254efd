#!/usr/bin/env bash
# Runs benchmarks/inference.py, or the script that the first word names, in an environment of their own,
# build/benchmark-venv, which it makes first where it is missing.
# A package that cannot be installed is left out, and the benchmark reports its peer as skipped.
# Usage: benchmarks/run.sh [training|memory|detection|images|roofline|products] [OPTIONS...]
#        e.g. benchmarks/run.sh --threads 2 --batch 8; benchmarks/run.sh detection --parts time; benchmarks/run.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

script=inference
case ${1-} in training | memory | detection | images | roofline | products) script=$1; shift ;; esac

[ -e build/lib/libblan.so ] || scripts/build.sh >&2
environment=build/benchmark-venv
list=benchmarks/requirements.txt
[ -x $environment/bin/python ] || python3 -m venv $environment
if ! cmp -s $list $environment/installed.txt; then
  echo "installing the packages of $list into $environment" >&2
  pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check)
  "${pip[@]}" -r $list >&2 || while read -r package; do
    "${pip[@]}" "$package" >&2 || echo "cannot install $package" >&2
  done < <(grep -v '^#' $list)
  cp $list $environment/installed.txt
fi
# facenet-pytorch's bounds on the versions of its dependencies are older than what it runs with.
list=benchmarks/requirements-detection.txt
if [ $script = detection ] && ! cmp -s $list $environment/installed-detection.txt; then
  echo "installing the packages of $list into $environment" >&2
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r $list >&2
  cp $list $environment/installed-detection.txt
fi
PYTHONPATH=bindings/python/src:Tests/Fixtures exec $environment/bin/python benchmarks/$script.py "$@"
