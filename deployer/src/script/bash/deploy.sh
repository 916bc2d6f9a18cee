# shellcheck shell=bash disable=SC2154,SC2034
# A new release: everything that can fail without harm comes before the switch.

readonly next=.next

# Writes the files and settings of the release into a folder that nothing uses yet.
stage() {
  local name mode path content target key
  mkdir -m 0755 "$root/releases/$next"
  # Names, modes and paths: values.sh.
  for name in "${!FILE_@}"; do
    read -r mode path content <<<"${!name}"
    target=$root/releases/$next/$path
    if [[ ! -d ${target%/*} ]]; then (umask 022 && mkdir -p "${target%/*}"); fi
    unpack "$content" >"$target"
    chmod "$mode" "$target"
  done
  unpack "$SETTINGS" >"$root/releases/$next/.env"
  # Compose does not interpret text between single quotes. The settings contain none that the host writes itself, and
  # none that would change how compose or docker work.
  if grep -aEqvx "[A-Z_][A-Z0-9_]*='[^'\\[:cntrl:]]*'" "$root/releases/$next/.env" ||
    grep -aE '^(GATEWAY_IMAGE|VLLM_IMAGE|HF_TOKEN_FILE|COMPOSE_|DOCKER_)' "$root/releases/$next/.env" | grep -qv '^COMPOSE_PROFILES='; then
    die "The settings contain a line that is not a setting of a release; nothing was changed. Correct the configuration, then run this again."
  fi
  # The deployer does not send the key between boxes: an operator put it on each host. Compose finds it from the
  # release's folder.
  key=$(env_of "$next" MODEL_SERVER_KEY_FILE)
  if [[ -n $key && ! -s $root/releases/$next/$key ]]; then
    die "The host has no file $root/${key##*/}, which contains the key between the boxes; nothing was changed. Put it there (config/README.md, several boxes), then run this again."
  fi
}

unpack() { base64 -d <<<"$1" | gzip -d; }

# same_as RELEASE: succeeds if it has the wanted images and configuration.
same_as() {
  [[ -n $1 && $(env_of "$1" GATEWAY_IMAGE) == "$gateway" && $(env_of "$1" VLLM_IMAGE) == "$vllm" &&
    $(release_field "$1" config_hash) == "$CONFIG_HASH" ]]
}

resolve_both() {
  begin resolve "resolve: the wanted images"
  resolve "$WANT_GATEWAY"
  gateway=$resolved
  resolve "$WANT_VLLM"
  vllm=$resolved
  printf "GATEWAY_IMAGE='%s'\nVLLM_IMAGE='%s'\nCOMPOSE_PROJECT_NAME='%s'\n" "$gateway" "$vllm" "$project" >>"$root/releases/$next/.env"
  printf '{"commit":"%s","config_hash":"%s"}\n' "$COMMIT" "$CONFIG_HASH" >"$root/releases/$next/release.json"
}

# Ends the run if the current release is the wanted one and serves. After an interrupted change of models it never
# ends it: the verification reads the files in a process of its own, and the running gateway may answer with other
# models.
nothing_to_do() {
  if [[ $RESTART_VLLM == no && ! -e $models_changing && $(state_of "$now") == good ]] && verified "$now"; then
    rm -rf "$root/releases/${next:?}"
    finish nothing_to_do "Release $now is the wanted release; it serves and was verified. Nothing to do."
  fi
}

# Moves the files to a folder of a new number, completely or not at all.
place_files() {
  begin files "files: compose file, settings and keys"
  compose "$next" config --quiet
  to=$(next_number)
  mv -T "$root/releases/$next" "$root/releases/$to"
}

deploy() {
  local now gateway vllm resolved takes_over=''
  need docker aws flock gzip base64 df sha256sum timeout
  check_versions
  take_lock
  expect_release
  begin files "files: unpacking"
  stage
  may_route "$next" "$(route)" || die "$(shown "$(route)") answers for the public name (deployer model list), and the new release does not serve it; nothing was changed. Keep it in model.adapters, or let another one answer first: deployer model use, or deployer model rollback."
  now=$(current)
  if [[ $DOWNLOAD_ONLY == yes ]] && half_done; then die "An earlier switch was interrupted; nothing was changed. Run deployer up or deployer rollback first."; fi
  choose_from
  if [[ -n $takes_over ]]; then phase=switched; fi
  # Before the check of the disk: the image of a tag may be on the host already and need no space.
  resolve_both
  check_disk "$next" "$gateway" "$vllm"
  check_gpu
  if [[ -z $takes_over && $DOWNLOAD_ONLY == no ]] && same_as "$now"; then nothing_to_do; fi
  if ! have_image "$gateway" || ! have_image "$vllm"; then log_in; fi
  begin pull "pull: running services keep serving"
  pull_all "$next"
  download_model "$next"
  if [[ $DOWNLOAD_ONLY == yes ]]; then
    rm -rf "$root/releases/${next:?}"
    finish 'done' "The images and models of this configuration are on the host. What served before still serves."
  fi
  if same_as "$now"; then
    to=$now
    rm -rf "$root/releases/${next:?}"
  else
    place_files
  fi
  force_vllm=$RESTART_VLLM
  switch
  prune_images
  forget_old
  finish 'done' "Release $to serves and was verified."
}
