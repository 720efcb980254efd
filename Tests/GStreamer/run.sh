#!/usr/bin/env bash
# Runs the GStreamer element blanattributes in real pipelines: its description, the README's line, messages, errors, what
# lives on after a pipeline, and Tests/GStreamer/element.c under AddressSanitizer.
# Usage: Tests/GStreamer/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

modules="gstreamer-app-1.0 gstreamer-video-1.0"
# shellcheck disable=SC2086
pkg-config --exists $modules || { echo "no GStreamer headers here: apt-get install libgstreamer-plugins-base1.0-dev"; exit 77; }
plugin=$PWD/build/lib/gstreamer-1.0/libgstblan.so
[ -e "$plugin" ] || { echo "Tests/GStreamer/run.sh: no $plugin; run scripts/build.sh first" >&2; exit 1; }

scratch=$(mktemp -d /tmp/blan-gstreamer-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
# Nothing of the user's: this build's plugin, a registry of our own, and an end at the first critical message.
export GST_PLUGIN_PATH=${plugin%/*} GST_REGISTRY=$scratch/registry.bin G_DEBUG=fatal-criticals GST_DEBUG_NO_COLOR=1
. scripts/checks.sh

models="model=$PWD/models/default.safetensors detector-model=$PWD/models/mtcnn.safetensors"

every_property_is_described() {
  gst-inspect-1.0 blanattributes >"$scratch/inspected"
  local name
  for name in model detector-model interval threshold min-face max-faces threads post-messages; do
    grep -Eq "^  $name +: [A-Z].{20}" "$scratch/inspected" || { echo "no property $name with a description"; return 1; }
  done
  grep -q 'Filter/Analyzer/Video' "$scratch/inspected" && grep -q 'Default: *5 *$' "$scratch/inspected"
}

# A clip of the bundled photo: 12 frames, Motion JPEG.
clip_is_made() {
  gst-launch-1.0 -q filesrc location=examples/data/astronaut_full.jpg ! jpegdec ! imagefreeze num-buffers=12 ! videoconvert \
    ! video/x-raw,format=I420,framerate=25/1 ! jpegenc ! avimux ! filesink location="$scratch/clip.avi"
}

# The README's command as it stands, in a folder with a clip and the models.
readme_line_posts_messages() {
  ln -s "$PWD/models" "$scratch/models"
  sed -n '/^gst-launch-1.0 /,/[^\\]$/p' README.md >"$scratch/line.sh"
  [ "$(grep -c '^gst-launch-1.0' "$scratch/line.sh")" -eq 1 ]
  (cd "$scratch" && timeout 100 bash line.sh) >"$scratch/messages"
  local frame
  for frame in 0 5 10; do
    grep -a "blanattributes, frame=(guint64)$frame, " "$scratch/messages" >"$scratch/message" || { echo "none of frame $frame"; return 1; }
    grep -Eaq 'x.=.\(double.\)14[0-9]\.' "$scratch/message" && grep -aq 'No_Beard.*Smiling.*Young' "$scratch/message"
    grep -Eaq 'Smiling[^,]*=[^,]*\(double[^,]*\)0\.9' "$scratch/message"
  done
  [ "$(grep -ac 'blanattributes, frame=' "$scratch/messages")" -eq 3 ]
}

# gst-launch-1.0 fails, and says what is wrong with which property.
fails_with() {
  local text=$1 status=0
  shift
  timeout 100 gst-launch-1.0 videotestsrc ! blanattributes "$@" ! fakesink >"$scratch/errors" 2>&1 || status=$?
  [ $status -ne 0 ] && [ $status -ne 124 ] && grep -q "$text" "$scratch/errors" || { echo "status $status"; cat "$scratch/errors"; return 1; }
}

errors_end_a_pipeline() {
  fails_with 'The property model names no file'
  fails_with 'cannot open /nowhere/model' model=/nowhere/model detector-model=models/mtcnn.safetensors
  fails_with 'property detector-model: BLAN_ERROR_FORMAT' model=models/default.safetensors detector-model=README.md
}

# GStreamer's own tracer lists objects, buffers and messages that outlive the program.
nothing_lives_on() {
  # shellcheck disable=SC2086
  GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 timeout 100 gst-launch-1.0 -m filesrc location="$scratch/clip.avi" ! decodebin \
    ! videoconvert ! blanattributes $models interval=2 ! fakesink >"$scratch/printed" 2>"$scratch/traced"
  grep -aq 'blanattributes, frame=' "$scratch/printed"
  grep -q 'GST_TRACER' "$scratch/traced"
  if grep -E 'object-(alive|refings), .*type-name=\(string\)[A-Z]' "$scratch/traced"; then return 1; fi
}

program_under_sanitizers() {
  # shellcheck disable=SC2046,SC2086
  gcc -std=c11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -DGST_PLUGIN_BUILD_STATIC -Iinclude -Ibindings/gstreamer Tests/GStreamer/element.c bindings/gstreamer/*.c \
    -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" -lblan $(pkg-config --cflags --libs $modules) -lm -o "$scratch/element"
  GST_PLUGIN_PATH='' GST_REGISTRY=$scratch/registry-without.bin timeout 300 "$scratch/element"
}

check "gst-inspect-1.0" every_property_is_described
check "a clip" clip_is_made
check "the README's line" readme_line_posts_messages
check "errors" errors_end_a_pipeline
check "nothing lives on" nothing_lives_on
check "element.c under AddressSanitizer" program_under_sanitizers

counted
