#!/usr/bin/env bash
# Entry point of the model server's image (Dockerfile.vllm); its settings are the variables of config/compose.env.
#
#   vllm-entrypoint.sh serve [more `vllm serve` flags, which win]    offline, from the model cache
#   vllm-entrypoint.sh download                                      fills the model cache, once
#   vllm-entrypoint.sh cached                                        exit 0 if the cache holds all models
#
# A model is a repository on Hugging Face at a full commit hash, or a folder (an absolute path). One base model has one
# adapter (VLLM_ADAPTER), or several (VLLM_ADAPTERS), each with a name of its own for its revision. It never looks
# anything up while it serves, and never puts the token anywhere: the Hugging Face client reads its file.
set -Eeuo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=${MODEL_CACHE:-/models}
base=${VLLM_BASE_MODEL:-meta-llama/Llama-3.1-8B}
base_revision=${VLLM_BASE_REVISION:-}
adapter=${VLLM_ADAPTER:-loghoag/llama-3.1-8b-medical-ie}
adapter_revision=${VLLM_ADAPTER_REVISION:-}

die() {
  echo "model server: $*" >&2
  exit 1
}

# folder_of MODEL REVISION VARIABLE: where it lies. Each revision has a folder of its own, so a rollback finds its own.
folder_of() {
  if [[ $1 == /* ]]; then
    echo "$1"
    return
  fi
  [[ $1 =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ && $1 != *..* ]] || die "$1 is no OWNER/NAME of a model on Hugging Face"
  [[ $2 =~ ^[0-9a-f]{40}$ ]] || die "$1 has no pinned revision: set $3 to the full commit hash," \
    "40 characters, from https://huggingface.co/$1/commits/main"
  echo "$models/$1/$2"
}

# Every adapter: its name in requests, its model, its revision, its folder.
names=() adapters=() revisions=() folders=()

add_adapter() {
  local other folder
  for other in ${names[@]+"${names[@]}"}; do
    [[ $other != "$1" ]] || die "VLLM_ADAPTERS names $1 twice"
  done
  folder=$(folder_of "$2" "$3" "${4:-VLLM_ADAPTER_REVISION}")
  names+=("$1") adapters+=("$2") revisions+=("$3") folders+=("$folder")
}

# read_adapters: VLLM_ADAPTERS has words NAME@REV8=OWNER/NAME@REVISION, or NAME=/a/folder. A name says its revision, so
# it never means other weights than before: vLLM would answer from blocks that it kept for the old ones.
read_adapters() {
  local word name source revision
  for word in $VLLM_ADAPTERS; do
    name=${word%%=*} source=${word#*=}
    [[ $word == *=* && $name =~ ^[A-Za-z0-9._-]+(@[0-9a-f]{8})?$ && $name != *..* ]] ||
      die "VLLM_ADAPTERS has $word: write medical-ie@0123abcd=OWNER/NAME@REVISION, with blanks between two"
    if [[ $source == /* ]]; then
      add_adapter "$name" "$source" "" VLLM_ADAPTERS
      continue
    fi
    revision=${source##*@}
    [[ $source == *@* && $revision =~ ^[0-9a-f]{40}$ ]] ||
      die "VLLM_ADAPTERS has $word without a pinned revision: write OWNER/NAME@REVISION with the full commit hash"
    [[ $name == *@"${revision:0:8}" ]] ||
      die "VLLM_ADAPTERS calls revision $revision $name: a name ends in the first 8 characters, @${revision:0:8}"
    add_adapter "$name" "${source%@*}" "$revision" VLLM_ADAPTERS
  done
}

base_folder=$(folder_of "$base" "$base_revision" VLLM_BASE_REVISION)
if [[ -n ${VLLM_ADAPTERS:-} ]]; then
  read_adapters
else
  add_adapter "${VLLM_SERVED_NAME:-medical-ie}" "$adapter" "$adapter_revision"
fi

# A folder that somebody gave is complete; one of ours has a marker, because a download may be cut off.
is_cached() {
  [[ $1 != "$models"/* || -e $1/.complete ]]
}

fetch() {
  local model=$1 revision=$2 folder=$3
  if is_cached "$folder"; then
    echo "model server: $model at $revision is in the cache"
    return
  fi
  echo "model server: downloading $model at $revision"
  # original/ is the same weights a second time, 16 GB of them.
  HF_HUB_OFFLINE=0 hf download "$model" --revision "$revision" --local-dir "$folder" --exclude 'original/*' --quiet ||
    die "$model was not downloaded. Does the token's account have access (the base model's licence must be" \
      "accepted on its page), is the token good, and is there room? What came is kept: start it again to go on."
  touch "$folder/.complete"
  echo "model server: $model is in the cache"
}

# check_adapter NAME FOLDER: refuses an adapter that this server could not apply, before minutes of loading. The base
# model is compared only where both have a name on Hugging Face; VLLM_ADAPTER_BASES has other names of the same one.
check_adapter() {
  [[ -n ${VLLM_ADAPTERS:-} ]] || return 0
  python3 - "$1" "$2/adapter_config.json" "${VLLM_MAX_LORA_RANK:-16}" "$base" "${VLLM_ADAPTER_BASES:-}" <<'CHECK' ||
import json, sys
name, path, most, base, others = sys.argv[1:]
try:
    settings = json.load(open(path, encoding="utf-8"))
    rank = max([settings["r"], *(settings.get("rank_pattern") or {}).values()])
    own = str(settings.get("base_model_name_or_path"))
    too_high = rank > int(most)
except (OSError, ValueError, KeyError, TypeError) as error:
    sys.exit(f"model server: {path} is no adapter's settings ({type(error).__name__})")
if too_high:
    sys.exit(f"model server: {name} has rank {rank}, above VLLM_MAX_LORA_RANK={most}: raise it")
if not base.startswith("/") and own not in [base, *others.split()]:
    sys.exit(f"model server: {name} was trained on {own}, and VLLM_BASE_MODEL is {base}: serve that base, or, if it is"
             " the same model by another name, add the name to VLLM_ADAPTER_BASES")
CHECK
    exit 1
}

is_all_cached() {
  local folder
  for folder in "$base_folder" "${folders[@]}"; do
    is_cached "$folder" || return 1
  done
}

serve() {
  local folder at modules=()
  for folder in "$base_folder" "${folders[@]}"; do
    is_cached "$folder" || die "the model cache has no complete $folder: run the service \`download\` first"
  done
  for at in "${!names[@]}"; do
    check_adapter "${names[at]}" "${folders[at]}"
    modules+=("${names[at]}=${folders[at]}")
  done
  local flags=(
    --served-model-name "$base"
    --enable-lora
    --lora-modules "${modules[@]}"
    # All of them in one step: with fewer, notes for one would wait until those of another are read.
    --max-loras "${#names[@]}"
    --max-lora-rank "${VLLM_MAX_LORA_RANK:-16}"
    # Renders exactly the text that the adapter was trained on.
    --chat-template "$here/chat_template.jinja"
    --max-model-len "${VLLM_MAX_MODEL_LEN:-8192}"
    --max-num-seqs "${VLLM_MAX_NUM_SEQS:-32}"
    # Twice what the gateway has under way: its own queue is where notes wait.
    --max-num-queued-reqs "${VLLM_MAX_QUEUED_REQS:-64}"
    --gpu-memory-utilization "${VLLM_GPU_MEMORY_UTILIZATION:-0.90}"
    --structured-outputs-config '{"backend": "xgrammar"}'
    --enable-request-id-headers
    # A note is never in the log, and what the gateway asks every few seconds does not fill it.
    --no-enable-log-requests
    --disable-access-log-for-endpoints '/health,/metrics,/v1/models'
    # When it is stopped, running notes end; by default vLLM aborts them. Less than the compose file's stop_grace_period.
    --shutdown-timeout 40
    --host 0.0.0.0 --port 8000
  )
  if [[ -n ${VLLM_QUANTIZATION:-} ]]; then flags+=(--quantization "$VLLM_QUANTIZATION"); fi
  export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
  # vLLM takes what begins with VLLM_ for its own, and warns of what it does not know.
  unset VLLM_BASE_MODEL VLLM_BASE_REVISION VLLM_ADAPTER VLLM_ADAPTER_REVISION VLLM_SERVED_NAME VLLM_MAX_LORA_RANK \
    VLLM_ADAPTERS VLLM_ADAPTER_BASES \
    VLLM_MAX_MODEL_LEN VLLM_MAX_NUM_SEQS VLLM_MAX_QUEUED_REQS VLLM_GPU_MEMORY_UTILIZATION VLLM_QUANTIZATION
  exec vllm serve "$base_folder" "${flags[@]}" "$@"
}

command=${1:-serve}
[[ $# -eq 0 ]] || shift
case $command in
  serve) serve "$@" ;;
  download)
    # The server that reads the cache is another user.
    umask 022
    # Several adapters are small beside the base model, and a wrong one is found before that is downloaded.
    if [[ -z ${VLLM_ADAPTERS:-} ]]; then fetch "$base" "$base_revision" "$base_folder"; fi
    for at in "${!names[@]}"; do
      fetch "${adapters[at]}" "${revisions[at]}" "${folders[at]}"
      check_adapter "${names[at]}" "${folders[at]}"
    done
    if [[ -n ${VLLM_ADAPTERS:-} ]]; then fetch "$base" "$base_revision" "$base_folder"; fi
    ;;
  cached) is_all_cached ;;
  *) die "no command $command: serve, download or cached" ;;
esac
