# Sourced by scripts that check things one after the other: a line for each, all of them whatever fails, a count at the end.
passed=0 failed=0

# Notes how a check ended: NAME STATUS.
verdict() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); echo "passed  $1"; else failed=$((failed + 1)); echo "FAILED  $1"; fi
}

# Runs a check, which fails with the first of its commands that does, and shows what it printed if so: NAME COMMAND...
# It goes to a file in the caller's $scratch.
check() {
  local name=$1 status
  shift
  set +e # not "||" behind it: bash would then go on after a command that failed
  (set -e; "$@") >"$scratch/output" 2>&1
  status=$?
  set -e
  verdict "$name" $status
  [ $status -eq 0 ] || cat "$scratch/output" >&2
}

# The last line of a script and its exit status.
counted() {
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}
