#!/usr/bin/env bash
# Builds the images that the tests deploy and pushes them to the registry.  stdout: lines NAME DIGEST
#
# Each image differs from a working image in one configuration entry: the same layers with another digest. In the end
# only the registry has them, so that a deploy has to pull them.
#
#   IMAGE_GATEWAY, IMAGE_VLLM    working images in the engine; the model server's is built from .ci/engine/stand-in
#   IMAGE_DEBIAN                 an image with a shell
#   REGISTRY, REGISTRY_USER, REGISTRY_PASSWORD_FILE, DOCKER_HOST, DOCKER_CONFIG    as .ci/engine/engine.sh prints them
set -Eeuo pipefail
trap 'echo "images.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY" <"$REGISTRY_PASSWORD_FILE" >/dev/null 2>&1

# push_image NAME REPOSITORY FROM LINE...: builds FROM an image with further Dockerfile lines, and pushes the result.
push_image() {
  local name=$1 tag=$REGISTRY/extraction/$2:$1 digest
  printf '%s\n' "FROM $3" "${@:4}" | docker buildx build --quiet --provenance=false -f - -t "$tag" "$context" >/dev/null
  docker push --quiet "$tag" >/dev/null
  digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$tag")
  docker image rm "$tag" >/dev/null
  echo "$name ${digest#*@}"
}

for n in 1 2 3; do
  push_image "gateway-$n" gateway "$IMAGE_GATEWAY" "LABEL test=$n"
  push_image "vllm-$n" vllm "$IMAGE_VLLM" "LABEL test=$n"
done
# Ends at once, as with a wrong setting.
push_image gateway-crash gateway "$IMAGE_GATEWAY" 'ENTRYPOINT ["/gateway", "crash"]'
# Runs but never listens.
push_image gateway-silent gateway "$IMAGE_DEBIAN" "COPY --from=$IMAGE_GATEWAY /gateway /gateway" 'ENTRYPOINT ["sh", "-c", "exec sleep 3600"]'
push_image vllm-crash vllm "$IMAGE_VLLM" 'ENV STAND_IN=crash'
push_image vllm-other-base vllm "$IMAGE_VLLM" 'ENV STAND_IN_BASE=other/base'
push_image vllm-slow vllm "$IMAGE_VLLM" 'ENV STAND_IN_DOWNLOAD=60'
