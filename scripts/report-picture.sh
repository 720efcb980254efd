#!/usr/bin/env bash
# Renews docs/report.png, the picture in the README: the page about the bundled photo as Chromium shows it.
# Needs chromium (apt-get install chromium) and what scripts/quickstart.sh installs.
# Usage: scripts/report-picture.sh
set -euo pipefail
cd "$(dirname "$0")/.."

command -v chromium >/dev/null || { echo "scripts/report-picture.sh: no chromium: apt-get install chromium" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

.venv/bin/blan predict examples/data/astronaut_full.jpg --html "$scratch/page.html" --quiet
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1240,1400 \
  --screenshot="$scratch/page.png" "file://$scratch/page.html" >/dev/null 2>&1

# Empty rows below the page are cut off, and few colours make the file small.
.venv/bin/python - "$scratch/page.png" docs/report.png <<'PYTHON'
import sys

import numpy as np
from PIL import Image

page = Image.open(sys.argv[1]).convert("RGB")
pixels = np.asarray(page)
drawn = np.flatnonzero((pixels != pixels[-1, 0]).any(axis=(1, 2)))
page = page.crop((0, 0, page.width, int(drawn[-1]) + 32))
page.quantize(colors=256, method=Image.Quantize.FASTOCTREE).save(sys.argv[2], optimize=True)
PYTHON
