#!/usr/bin/env bash
# Makes the images that the tests deploy and pushes them to the registry.  stdout: NAME DIGEST, one a line
#
# Each differs from a working image in a word of its configuration: the same layers under another digest. Only the
# registry has them in the end, so that a deploy has to pull.
#
#   IMAGE_GATEWAY, IMAGE_VLLM    the working ones, in the engine; the model server's is made on .ci/engine/stand-in
#   IMAGE_DEBIAN                 one with a shell
#   REGISTRY, REGISTRY_USER, REGISTRY_PASSWORD_FILE, DOCKER_HOST, DOCKER_CONFIG    as .ci/engine/engine.sh prints them
set -Eeuo pipefail
trap 'echo "images.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY" <"$REGISTRY_PASSWORD_FILE" >/dev/null 2>&1

# pushed NAME REPOSITORY FROM LINE...: an image FROM another with further lines of a Dockerfile.
pushed() {
  local name=$1 tag=$REGISTRY/extraction/$2:$1 digest
  printf '%s\n' "FROM $3" "${@:4}" | docker buildx build --quiet --provenance=false -f - -t "$tag" "$context" >/dev/null
  docker push --quiet "$tag" >/dev/null
  digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$tag")
  docker image rm "$tag" >/dev/null
  echo "$name ${digest#*@}"
}

for n in 1 2 3; do
  pushed "gateway-$n" gateway "$IMAGE_GATEWAY" "LABEL test=$n"
  pushed "vllm-$n" vllm "$IMAGE_VLLM" "LABEL test=$n"
done
# Ends at once, as for a setting that is wrong.
pushed gateway-crash gateway "$IMAGE_GATEWAY" 'ENTRYPOINT ["/gateway", "crash"]'
# Runs, and never listens.
pushed gateway-silent gateway "$IMAGE_DEBIAN" "COPY --from=$IMAGE_GATEWAY /gateway /gateway" 'ENTRYPOINT ["sh", "-c", "exec sleep 3600"]'
pushed vllm-crash vllm "$IMAGE_VLLM" 'ENV STAND_IN=crash'
pushed vllm-slow vllm "$IMAGE_VLLM" 'ENV STAND_IN_DOWNLOAD=60'
