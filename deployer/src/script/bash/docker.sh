# shellcheck shell=bash disable=SC2154,SC2034
# Containers and images: reading their state, logging in, pulling, pruning.

# compose_words RELEASE ARGUMENT...: sets `words` to docker compose from a release's own files.
compose_words() {
  local folder=$root/releases/$1 more
  shift
  words=(docker compose --project-name "$project" --project-directory "$folder" --file "$folder/docker-compose.yml"
    --env-file "$folder/.env")
  # A release for a host without a GPU has a file that removes the reservation.
  if [[ -e $folder/config/compose.no-gpu.yml ]]; then words+=(--file "$folder/config/compose.no-gpu.yml"); fi
  # Several boxes: the port of a model server for the gateway of another box, or that gateway's list of such ports.
  for more in model-port other-boxes; do
    if [[ -e $folder/config/compose.$more.yml ]]; then words+=(--file "$folder/config/compose.$more.yml"); fi
  done
  words+=("$@")
}

compose() {
  local words
  compose_words "$@"
  "${words[@]}"
}

# container_of SERVICE: sets `container` to the id of its container, or to nothing.
container_of() {
  container=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False) || return 1
  container=${container%%$'\n'*}
}

# look_at SERVICE: sets c_id, c_state, c_health, c_oom, c_restarts, c_started, c_image; fails if there is no container.
look_at() {
  local template container
  c_state=absent c_health='' c_oom=false c_restarts=0 c_started='' c_image=''
  c_id=''
  container_of "$1" || return 1
  c_id=$container
  [[ -n $c_id ]] || return 1
  template="{{.State.Status}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.State.OOMKilled}}"
  template+="|{{.RestartCount}}|{{.State.StartedAt}}|{{.Config.Image}}"
  IFS='|' read -r c_state c_health c_oom c_restarts c_started c_image < <(docker inspect --format "$template" "$c_id") || return 1
  [[ $c_restarts =~ ^[0-9]+$ ]] || c_restarts=0
}

# have_image IMAGE: compares by digest, because a tag here may differ from the registry's.
have_image() { [[ $1 == *@* ]] && docker image inspect --format "{{.Id}}" "$1" >/dev/null 2>&1; }

# The login is kept in memory, for this run only. Compose and other plug-ins of this user stay available.
log_in() {
  guard
  begin login "login: $REGISTRY"
  mkdir -p "$own/docker"
  if [[ -d $HOME/.docker/cli-plugins ]]; then ln -sfn "$HOME/.docker/cli-plugins" "$own/docker/cli-plugins"; fi
  export DOCKER_CONFIG=$own/docker
  aws ecr get-login-password --region "$REGION" | docker login --username AWS --password-stdin "$REGISTRY"
}

# The messages of tools whose login has expired or is missing.
readonly login_over='expired|no basic auth|unauthorized|(^|[^0-9])401([^0-9]|$)'

readonly digest_shape='^sha256:[0-9a-f]{64}$'

# registry_has REPOSITORY KEY=VALUE: prints the digest of the registry's image with imageTag=... or imageDigest=...
registry_has() {
  aws ecr describe-images --region "$REGION" --repository-name "${1#"$REGISTRY/"}" --image-ids "$2" \
    --query 'imageDetails[0].imageDigest' --output text
}

# resolve IMAGE: sets `resolved` to repository@sha256:...; asks the registry once for the image of a tag.
resolve() {
  local repository tag digest
  resolved=$1
  if [[ $1 == *@sha256:* ]]; then return; fi
  repository=${1%:*} tag=${1##*:}
  [[ $repository == "$REGISTRY"/* ]] || die "A tag can be looked up only in $REGISTRY. $(unharmed) Give the digest: repository@sha256:..."
  digest=$(registry_has "$repository" "imageTag=$tag")
  [[ $digest =~ $digest_shape ]] || die "The registry gave no digest for the tag $tag. $(unharmed) Check the tag."
  resolved=$repository@$digest
  say "resolved: $tag is $digest"
}

# pull IMAGE SIZE: pulls by digest, unless the image exists. The login may expire while a large image is pulled.
pull() {
  if have_image "$1"; then return; fi
  say "pull: $1"
  if ! fetch_image "$@"; then
    said "$login_over" || exit 1
    log_in
    begin pull "pull: once more, with a new login"
    fetch_image "$@"
  fi
  have_image "$1" || die "The pull succeeded but the image does not exist on the host. $(unharmed) Check docker on the host."
}

fetch_image() { watch_over "$2" pull_bytes docker pull --quiet "$1"; }

# pull_all RELEASE: pulls the project's own images first, which need the login, then the others of its compose file.
pull_all() {
  pull "$vllm" "$SIZE_VLLM"
  pull "$gateway" "$SIZE_GATEWAY"
  compose "$1" pull --quiet --policy missing
}

# old_images KEEP: prints the listed lines `ID REFERENCE` of our repositories that KEEP, a list of such lines, does not
# contain. `--all`, because clients since 29.1 omit images without a tag, and ours have none.
old_images() {
  local id image repositories number
  repositories=$(for number in $(numbers); do
    env_of "$number" GATEWAY_IMAGE
    echo
    env_of "$number" VLLM_IMAGE
    echo
  done | sed 's/@.*//' | sort -u)
  while read -r id image; do
    if [[ $image != *@sha256:* || $'\n'$1$'\n' == *" $image"$'\n'* || $'\n'$1 == *$'\n'"$id "* ]]; then continue; fi
    if grep -qxF -- "${image%@*}" <<<"$repositories"; then echo "$id $image"; fi
  done <<<"$listed"
}

# list_old_images: sets `old` to the lines of images of our own repositories that neither the current release nor the
# good one before it runs; to nothing, with a warning, where Docker's list cannot be trusted.
list_old_images() {
  local n image keep='' listed
  n=$(current) old=''
  for n in "$n" "$(good_before "$n")"; do
    for image in $(env_of "$n" GATEWAY_IMAGE) $(env_of "$n" VLLM_IMAGE); do
      keep+="$(docker image inspect --format "{{.Id}}" "$image" 2>/dev/null || echo none) $image"$'\n'
    done
  done
  listed=$(docker image ls --all --digests --no-trunc --format "{{.ID}} {{.Repository}}@{{.Digest}}")
  # A list that lacks the running images is not trusted.
  if [[ $listed != *" $(env_of "$(current)" GATEWAY_IMAGE)"* ]]; then
    warnings+=("Docker does not list the image that serves now, so no old image was removed; check docker image ls --all on the host")
    return
  fi
  old=$(old_images "$keep")
}

remove_image() { docker image rm "$1" || warnings+=("the old image $1 could not be removed"); }

# Runs after a deploy. The operator's own prune command is in prune.sh.
prune_images() {
  local image old
  begin prune "prune: images older than the previous release"
  list_old_images
  while read -r _ image; do
    if [[ -n $image ]]; then remove_image "$image"; fi
  done <<<"$old"
}
