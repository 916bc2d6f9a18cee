# shellcheck shell=bash
# A Docker engine for a step, and the images that the steps run on it. Includes .ci/lib.sh.
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# start_engine: starts the project's own engine and sets PATH, DOCKER_HOST, DOCKER_CONFIG, REGISTRY, REGISTRY_USER and
# REGISTRY_PASSWORD_FILE, and with DOCKER_ENGINE_NETWORK=own DOCKER_ENGINE_ENTER. The engine ends with the step, however
# the step ends, SIGKILL included.
# EXTRACTION_GATEWAY_ENGINE: the DOCKER_ENGINE_HOME of an engine that runs already; it is used, and left running.
start_engine() {
  local environment
  if [[ -n ${EXTRACTION_GATEWAY_ENGINE:-} ]]; then
    export DOCKER_ENGINE_HOME=$EXTRACTION_GATEWAY_ENGINE
    environment=$("$ci/engine/engine.sh" env)
    eval "$environment"
    return
  fi
  export DOCKER_ENGINE_HOME=$EXTRACTION_GATEWAY_CACHE/engine${DOCKER_ENGINE_NETWORK:+-${DOCKER_ENGINE_SUITE:-}}
  mkdir -p "$DOCKER_ENGINE_HOME"
  # Another run waits here. The lock is the watcher's, who ends when this step has ended and the engine has stopped: a
  # process that a killed step left does not hold it.
  exec 8>"$DOCKER_ENGINE_HOME/step.lock"
  flock --timeout 1500 8 || die "another step has used the engine of $DOCKER_ENGINE_HOME for 25 minutes"
  need ip iproute2
  # shellcheck disable=SC2016 # its own words
  setsid bash -c 'tail --pid="$0" --follow /dev/null; exec "$1" stop' $$ "$ci/engine/engine.sh" </dev/null >/dev/null 2>&1 3>&- &
  exec 8>&-
  trap '"$ci/engine/engine.sh" stop' EXIT
  "$ci/engine/engine.sh" start
  environment=$("$ci/engine/engine.sh" env)
  eval "$environment"
  # What a step that was killed left.
  docker container ls --all --quiet | xargs -r docker container rm --force --volumes >/dev/null
  docker network prune --force >/dev/null
  docker volume prune --all --force >/dev/null
}

# image NAME INPUTS COMMAND...: prints NAME:HASH, an image that `COMMAND... NAME:HASH` made, once for each content of INPUTS.
image() {
  local name=$1 inputs=$2 image
  shift 2
  image=$name:$(sha256sum <<<"$inputs" | cut -c1-16)
  if ! docker image inspect "$image" >/dev/null 2>&1; then "$@" "$image" >&2; fi
  echo "$image"
}

# build DOCKERFILE CONTEXT IMAGE with the flags in the array build_flags.
build() {
  docker buildx build --quiet --provenance=false -f "$1" -t "$3" "${build_flags[@]}" "$2"
}
build_flags=()

debian_packages=(python3 g++ libc6-dev libnuma1 libgomp1 caddy wget)
make_debian() { "$ci/engine/engine.sh" base "$1" "${debian_packages[@]}"; }

# The base of all others: Debian with what they need.
debian_image() {
  image extraction-ci/debian "${debian_packages[*]}" make_debian
}

make_slim_debian() { "$ci/engine/engine.sh" base "$1"; }

# Debian with nothing but apt, in the place of Docker Hub's `debian:12-slim`: what an image misses is not there by chance.
slim_debian_image() {
  image extraction-ci/debian-slim "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" make_slim_debian
}

# ocr_image NAME GATEWAY_IMAGE: the real gateway/Dockerfile.ocr. The layer with Debian's packages stays from build to build.
ocr_image() {
  local from build_flags
  from=$(sed -n 's/^FROM \(debian:[^ ]*\)$/\1/p' gateway/Dockerfile.ocr)
  build_flags=(--build-context "$from=docker-image://$(slim_debian_image)" --build-arg "GATEWAY_IMAGE=$2")
  build gateway/Dockerfile.ocr "$ci/engine/stand-in" "$1" >&2
}

# stand_in_base: an image with the stand-in commands `vllm` and `hf`, as vllm/vllm-openai has them.
stand_in_base() {
  local debian build_flags
  debian=$(debian_image)
  build_flags=(--build-context "debian=docker-image://$debian")
  image extraction-ci/stand-in-base "$debian; $(cat "$ci"/engine/stand-in/*)" build "$ci/engine/stand-in/Dockerfile" "$ci/engine/stand-in"
}

# cpu_vllm_base: an image with the real vLLM's command, whose packages are mounted.
cpu_vllm_base() {
  local debian build_flags
  debian=$(debian_image)
  build_flags=(--build-context "debian=docker-image://$debian")
  image extraction-ci/vllm-cpu-base "$debian; $(cat "$ci/engine/vllm-cpu.Dockerfile")" build "$ci/engine/vllm-cpu.Dockerfile" "$ci/engine/stand-in"
}

# model_server_image NAME BASE: builds the real Dockerfile.vllm as NAME on that image instead of vllm/vllm-openai.
model_server_image() {
  local from build_flags
  from=$(sed -n 's/^FROM \(vllm\/vllm-openai:[^ ]*\)$/\1/p' Dockerfile.vllm)
  build_flags=(--build-context "$from=docker-image://$2" --build-arg "REVISION=$1")
  build Dockerfile.vllm . "$1" >&2
}

# gateway_image NAME BINARY: the last stage of the real gateway/Dockerfile, with this static binary instead of its first.
gateway_image() {
  local stage=$CI_TMP/stage build_flags
  install -D --mode 0555 "$2" "$stage/image/gateway"
  install --directory "$stage/image/state/gateway"
  install -D --mode 0444 /etc/ssl/certs/ca-certificates.crt "$stage/etc/ssl/certs/ca-certificates.crt"
  build_flags=(--build-context "build=$stage" --build-arg "REVISION=$1")
  build gateway/Dockerfile . "$1" >&2
}

make_rust() {
  local version build_flags
  version=$(rustc --version | cut -d ' ' -f 2)
  build_flags=(--build-context "debian=docker-image://$(debian_image)" --build-context "toolchain=$(readlink -f "$(rustc --print sysroot)")"
    --build-context "cargo=${CARGO_HOME:-$HOME/.cargo}/bin" --build-arg "TOOLCHAIN=$version-x86_64-unknown-linux-gnu")
  build "$ci/engine/rust.Dockerfile" "$ci/engine/stand-in" "$1"
}

make_whole_gateway() {
  local from rust build_flags
  rust=$(image extraction-ci/rust "$(rustc --version) $(debian_image) $(cat "$ci/engine/rust.Dockerfile")" make_rust)
  from=$(sed -n 's/^FROM \(rust:[^ ]*\) AS build$/\1/p' gateway/Dockerfile)
  build_flags=(--build-context "$from=docker-image://$rust" --build-arg "REVISION=$1")
  build gateway/Dockerfile . "$1"
}

# whole_gateway_image: the whole gateway/Dockerfile, cargo in the image. Minutes: once for each content of what decides
# how it is built. A change of the sources alone is checked by gateway_image.
whole_gateway_image() {
  image extraction-ci/gateway "$(rustc --version; cat gateway/Dockerfile .dockerignore Cargo.lock Cargo.toml gateway/Cargo.toml)" make_whole_gateway
}

# caddy_image: Debian's Caddy, laid out like the image that the compose file names.
caddy_image() {
  local debian build_flags
  debian=$(debian_image)
  build_flags=(--build-context "debian=docker-image://$debian")
  image extraction-ci/caddy "$debian; $(cat "$ci/engine/caddy.Dockerfile")" build "$ci/engine/caddy.Dockerfile" "$ci/engine/stand-in"
}

# deployer_engine: an engine with the images of deployer/tests/engine, and their names in the environment.
deployer_engine() {
  build_static_gateway
  start_engine
  IMAGE_DEBIAN=$(debian_image)
  export IMAGE_DEBIAN IMAGE_GATEWAY=deployer-test/gateway IMAGE_VLLM=deployer-test/vllm
  gateway_image "$IMAGE_GATEWAY" "$static_gateway"
  model_server_image "$IMAGE_VLLM" "$(stand_in_base)"
  say "engine $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short): $SECONDS s"
}
