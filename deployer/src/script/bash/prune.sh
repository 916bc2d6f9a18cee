# shellcheck shell=bash disable=SC2154,SC2034
# Frees disk space: removes images, and models in the volume, that neither the current release nor the target of a
# rollback needs. Removes only what was in the list that the operator approved.

readonly model_shape='[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/[0-9a-f]{40}'

# models_of RELEASE: prints its models as folders of the volume, OWNER/NAME/REVISION; fails if they are not known: a
# model may also be a folder of any name.
models_of() {
  local word model found
  found=("$(env_of "$1" VLLM_BASE_MODEL)/$(env_of "$1" VLLM_BASE_REVISION)")
  for word in $(env_of "$1" VLLM_ADAPTERS); do
    word=${word#*=}
    found+=("${word%@*}/${word##*@}")
  done
  if ((${#found[@]} == 1)); then found+=("$(env_of "$1" VLLM_ADAPTER)/$(env_of "$1" VLLM_ADAPTER_REVISION)"); fi
  for model in "${found[@]}"; do
    [[ $model =~ ^$model_shape$ ]] || return 1
    echo "$model"
  done
}

# list_old_models: adds lines `model BYTES FOLDER` to `unneeded`, and sets `volume`.
list_old_models() {
  local n needed='' found folder
  volume=$(docker volume inspect --format "{{.Mountpoint}}" "${project}_model-cache" 2>/dev/null) || volume=''
  if [[ ! -d $volume ]]; then return; fi
  for n in "${kept[@]}"; do
    if ! found=$(models_of "$n"); then
      warnings+=("release $n has a model that is not a revision in the volume, so no model is listed")
      return
    fi
    needed+=$found$'\n'
  done
  while read -r folder; do
    if ! grep -qxF -- "$folder" <<<"$needed"; then
      unneeded+=("model $(bytes_or_zero "$(du --summarize --block-size=1 "$volume/$folder" | cut -f 1)") $folder")
    fi
  done < <(find "$volume" -mindepth 3 -maxdepth 3 -type d -regextype posix-extended -regex ".*/$model_shape" -printf '%P\n' | sort)
}

bytes_or_zero() { if [[ $1 =~ ^[0-9]{1,15}$ ]]; then echo "$1"; else echo 0; fi; }

list_unneeded() {
  local image old
  list_old_images
  while read -r _ image; do
    if [[ -n $image ]]; then unneeded+=("image $(bytes_or_zero "$(docker image inspect --format "{{.Size}}" "$image")") $image"); fi
  done < <(sort -k 2 <<<"$old")
  if [[ $PRUNE_MODELS == yes ]]; then list_old_models; fi
  # Nothing is removed that the operator did not see: items that do not fit into the list are left for the next run.
  left_out=$((${#unneeded[@]} - $(fitting "${unneeded[@]}")))
  unneeded=("${unneeded[@]:left_out}")
}

# forget_models: forgets which models are in the volume, except for releases whose models all stay. This comes before
# any removal: after an interrupted run, a model is checked once more, but no missing model counts as present.
forget_models() {
  local n marker keep=' '
  for n in "${kept[@]}"; do keep+="$(model_key "$n") "; done
  for marker in "$root"/models/*; do
    if [[ $keep != *" ${marker##*/} "* ]]; then rm -f "$marker"; fi
  done
}

remove_unneeded() {
  local line kind name
  if [[ "${unneeded[*]}" == *"model "* ]]; then forget_models; fi
  for line in "${unneeded[@]}"; do
    read -r kind _ name <<<"$line"
    say "prune: $name"
    if [[ $kind == image ]]; then
      remove_image "$name"
    else
      rm -rf -- "${volume:?}/$name" || warnings+=("the model $name could not be removed")
      (cd "$volume" && rmdir -p --ignore-fail-on-non-empty -- "${name%/*}") || true
    fi
  done
}

prune() {
  local now kept volume='' unneeded=() left_out sum
  need docker flock sha256sum find du timeout
  if [[ $PRUNE == remove ]]; then take_lock; fi
  expect_release
  begin prune "prune: what no kept release needs"
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host, so it is not known what is needed; nothing was removed. Run deployer up first."
  if half_done; then die "An interrupted switch may still need images that look unused; nothing was removed. Run deployer up first, which repairs it."; fi
  read -ra kept <<<"$now $(good_before "$now")"
  list_unneeded
  sum=$(printf '%s\n' "${unneeded[@]}" | cut -d ' ' -f 1,3 | sha256sum | cut -c 1-64)
  disk
  fact unneeded "$(json_list "${unneeded[@]}")"
  fact left_out "$left_out"
  fact list "\"$sum\""
  fact kept "[${kept[0]}${kept[1]:+,${kept[1]}}]"
  fact free_before "$disk_free"
  if [[ $PRUNE == list ]]; then finish 'done' "No kept release needs ${#unneeded[@]} of the items."; fi
  [[ $sum == "$PRUNE_LIST" ]] || die "What no kept release needs changed since the plan was made; nothing was removed. Run this again."
  remove_unneeded
  # The removal counts as done even if Docker does not answer any more.
  if (disk); then disk; fi
  fact free_after "$disk_free"
  finish 'done' "What no kept release needs was removed."
}
