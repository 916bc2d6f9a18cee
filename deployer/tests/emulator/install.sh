#!/usr/bin/env bash
# Install moto from PyPI, pinned.  stdout: the Python interpreter to run server.py with; all else goes to stderr
#
# The folder is ${EXTRACTION_GATEWAY_CACHE:-~/.cache/extraction-gateway}/emulator/KEY, where KEY is a hash of all that
# decides its content. The first call downloads 30 MB, later ones take a moment.
# PYTHON: the interpreter to use, 3.11 or newer (the lock was made for 3.11).
set -Eeuo pipefail
trap 'echo "install.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${EXTRACTION_GATEWAY_CACHE:-$HOME/.cache/extraction-gateway}/emulator
python=${PYTHON:-python3}
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' ||
  { echo "install.sh: needs Python 3.11 or newer with venv, or PYTHON=/path/to/it" >&2; exit 1; }

inputs=$("$python" --version; cat "$here/requirements.lock")
home=$cache/$(sha256sum <<<"$inputs" | cut -c 1-16)
mkdir -p "$home"
# Two test runs may start at once: the second waits for the first one's install.
exec 9>"$cache/lock"
flock 9
if [[ ! -e $home/complete ]]; then
  echo "install.sh: installing moto into $home" >&2
  "$python" -m venv --clear "$home/venv"
  "$home/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$here/requirements.lock" >&2
  touch "$home/complete"
fi
echo "$home/venv/bin/python"
