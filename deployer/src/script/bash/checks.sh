# shellcheck shell=bash disable=SC2154,SC2034
# Checks before anything is changed: disk space, the GPU, the model in the cache.

# disk: sets disk_free and disk_total (bytes) of the file system that Docker uses.
disk() {
  disk_folder=${disk_folder:-$(docker info --format "{{.DockerRootDir}}")} || die "Docker does not answer on the host; nothing was changed. Check it there with systemctl status docker."
  read -r disk_free disk_total < <(df --block-size=1 --output=avail,size "$disk_folder" | tail -n 1)
  [[ $disk_free =~ ^[0-9]{1,18}$ && $disk_total =~ ^[0-9]{1,18}$ ]] || die "The host does not report the space of its disk; nothing was changed. Check it there with df."
}

# model_key RELEASE: prints the model, its revision and its volume.
model_key() {
  local volume name key
  volume=$(docker volume inspect --format "{{.CreatedAt}}" "${project}_model-cache" 2>/dev/null) || return 1
  key=$volume
  for name in VLLM_BASE_MODEL VLLM_BASE_REVISION VLLM_ADAPTER VLLM_ADAPTER_REVISION; do key+=$'\n'$(env_of "$1" "$name"); done
  # Only where there are several: the key of a release without them stays the same.
  if [[ -n $(env_of "$1" VLLM_ADAPTERS) ]]; then key+=$'\n'$(env_of "$1" VLLM_ADAPTERS); fi
  sha256sum <<<"$key" | cut -c 1-64
}

# model_cached RELEASE: succeeds if a download of exactly this model ended well, into the volume that exists now.
model_cached() {
  local key
  key=$(model_key "$1") || return 1
  [[ -e $root/models/$key ]]
}

# The versions that the release's files need: for health checks with a start_interval, and for its compose syntax.
readonly docker_least=25.0 compose_least=2.24
disk_folder=''

# too_old VERSION LEAST: succeeds if it is older than MAJOR.MINOR; an unreadable version is not.
too_old() {
  [[ $1 =~ ^v?([0-9]{1,4})\.([0-9]{1,4}) ]] || return 1
  local major=$((10#${BASH_REMATCH[1]})) minor=$((10#${BASH_REMATCH[2]}))
  ((major < ${2%.*} || (major == ${2%.*} && minor < ${2#*.})))
}

check_versions() {
  local version
  version=$(docker version --format "{{.Server.Version}}") || version=''
  if too_old "$version" "$docker_least"; then
    die "Docker $version on the host is too old: $docker_least or newer is needed; nothing was changed. Update it there, then run this again."
  fi
  version=$(docker compose version --short) || version=''
  if too_old "$version" "$compose_least"; then
    die "The compose plug-in $version on the host is too old: $compose_least or newer is needed; nothing was changed. Update it there, then run this again."
  fi
}

gib() { printf '%s GiB' "$((($1 + 1073741823) / 1073741824))"; }

# check_disk RELEASE GATEWAY VLLM: an image needs its size twice, packed and unpacked.
check_disk() {
  local need=0
  begin disk "disk: space for images and model"
  disk
  if ! have_image "$2"; then need=$((need + 2 * SIZE_GATEWAY)); fi
  if ! have_image "$3"; then need=$((need + 2 * SIZE_VLLM)); fi
  if ! model_cached "$1"; then need=$((need + SIZE_MODEL)); fi
  if ((disk_free < need)); then
    die "The host's disk has $(gib "$disk_free") free and $(gib "$need") are needed; nothing was changed. Free space or enlarge the disk, then run this again."
  fi
}

check_gpu() {
  if [[ $NEED_GPU == no ]]; then return; fi
  begin gpu "gpu: does it answer?"
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
}
