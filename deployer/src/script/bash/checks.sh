# shellcheck shell=bash disable=SC2154,SC2034
# Before anything is touched: is there room, is there a GPU, is the model in the cache?

# disk: sets disk_free and disk_total (bytes) of the file system that Docker uses.
disk() {
  local folder
  folder=$(docker info --format "{{.DockerRootDir}}") || die "Docker does not answer on the host; nothing was changed. Look there with systemctl status docker."
  read -r disk_free disk_total < <(df --block-size=1 --output=avail,size "$folder" | tail -n 1)
}

# model_key RELEASE: which model, at which revision, in which volume.
model_key() {
  local volume name key
  volume=$(docker volume inspect --format "{{.CreatedAt}}" "${project}_model-cache" 2>/dev/null) || return 1
  key=$volume
  for name in VLLM_BASE_MODEL VLLM_BASE_REVISION VLLM_ADAPTER VLLM_ADAPTER_REVISION; do key+=$'\n'$(env_of "$1" "$name"); done
  sha256sum <<<"$key" | cut -c 1-64
}

# model_cached RELEASE: did a download of exactly this model end well, into the volume that is there now?
model_cached() {
  local key
  key=$(model_key "$1") || return 1
  [[ -e $root/models/$key ]]
}

gib() { printf '%s GiB' "$((($1 + 1073741823) / 1073741824))"; }

# check_disk RELEASE GATEWAY VLLM: an image needs its size twice, packed and unpacked.
check_disk() {
  local need=0
  begin disk "disk: room for images and model"
  disk
  if ! have_image "$2"; then need=$((need + 2 * SIZE_GATEWAY)); fi
  if ! have_image "$3"; then need=$((need + 2 * SIZE_VLLM)); fi
  if ! model_cached "$1"; then need=$((need + SIZE_MODEL)); fi
  if ((disk_free < need)); then
    die "The host's disk has $(gib "$disk_free") free and $(gib "$need") are needed; nothing was changed. Make room or a larger disk, then run this again."
  fi
}

check_gpu() {
  if [[ $NEED_GPU == no ]]; then return; fi
  begin gpu "gpu: does it answer?"
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
}
