#!/usr/bin/env bash
# Makes the images that the tests deploy and pushes them to the registry.  stdout: NAME DIGEST, one a line
#
# The gateway is the built one; the model server is the real Dockerfile.vllm with its real entry point, on a stand-in
# for the commands `vllm` and `hf` (images/). The others differ from these in one word of their configuration: the same
# layers under another digest. Only the registry has them in the end: a deploy has to pull.
#
#   GATEWAY        the gateway's binary
#   BASE           an image with Debian, Python and bash, in the engine
#   REGISTRY, REGISTRY_USER, REGISTRY_PASSWORD_FILE, DOCKER_HOST, DOCKER_CONFIG: the engine's
set -Eeuo pipefail
trap 'echo "images.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../../.." && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
prefix=$REGISTRY/extraction

docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY" <"$REGISTRY_PASSWORD_FILE" >&2

# image NAME FROM LINE...: an image FROM another, with further lines of a Dockerfile.
image() {
  local name=$1 from=$2
  shift 2
  printf '%s\n' "FROM $from" "$@" | docker buildx build --quiet --provenance=false -f - -t "$name" "$context" >&2
}

# pushed NAME TAG FROM LINE...
pushed() {
  local name=$1 tag=$prefix/$2 digest
  image "$tag" "${@:3}"
  docker push --quiet "$tag" >&2
  digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$tag")
  docker image rm "$tag" >/dev/null
  echo "$name ${digest#*@}"
}

install --strip "$GATEWAY" "$context/gateway"
cp "$here"/images/{vllm,hf} "$context/"
image engine-test/gateway "$BASE" 'COPY gateway /gateway' 'USER 65532:65532' 'ENTRYPOINT ["/gateway"]' 'CMD ["serve"]'
image engine-test/vllm-base "$BASE" 'COPY --chmod=0755 vllm hf /usr/local/bin/'
base=$(sed -n 's/^FROM \(vllm\/[^ ]*\)$/\1/p' "$repository/Dockerfile.vllm")
sed '/^# syntax=/d' "$repository/Dockerfile.vllm" |
  docker buildx build --quiet --provenance=false --build-context "$base=docker-image://engine-test/vllm-base" \
    -f - -t engine-test/vllm "$repository" >&2

for n in 1 2 3; do
  pushed "gateway-$n" "gateway:$n" engine-test/gateway "LABEL test=$n"
  pushed "vllm-$n" "vllm:$n" engine-test/vllm "LABEL test=$n"
done
# Ends at once, with the words of a wrong command.
pushed gateway-crash gateway:crash engine-test/gateway 'ENTRYPOINT ["/gateway", "crash"]'
# Runs, and never listens.
pushed gateway-silent gateway:silent engine-test/gateway 'ENTRYPOINT ["/bin/sleep", "3600", "--"]'
pushed vllm-crash vllm:crash engine-test/vllm 'ENV STAND_IN=crash'
pushed vllm-slow vllm:slow engine-test/vllm 'ENV STAND_IN_DOWNLOAD=60'
