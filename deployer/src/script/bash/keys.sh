# shellcheck shell=bash disable=SC2154,SC2034
# Changes API keys, by their digests, while the gateway serves: without a new release, and in every release on disk, so
# that no rollback brings a revoked key back.

# The key whose change has begun and is not complete. If a run is killed, this file shows that the change was
# interrupted.
readonly changing=$root/keys.changing
kept_old='' # the gateway refused the changed keys and reported that it keeps the old ones

# key_lines FILE: prints the lines without comments and empty lines.
key_lines() { grep -Ev '^[[:space:]]*(#|$)' "$1" || true; }

sha_of() { sha256sum <"$1" | cut -c 1-64; }

# edited FILE: prints the file as it will be after the change.
edited() {
  awk -v name="$KEY_NAME" '$1 != name' "$1"
  if [[ $KEYS == add ]]; then printf '%s\n' "$KEY_LINE"; fi
}

# Prints what an operator compares: names, and a digest of each digest.
keys_json() { # FILE
  local name digest words known=()
  while read -r name digest words; do
    known+=("$name $(printf '%s' "$digest" | sha256sum | cut -c 1-12)${words:+ $words}")
  done < <(key_lines "$1")
  printf '{"sha256":"%s","config_hash":%s,"lines":%s,"changing":%s}' "$(sha_of "$1")" "$(json "$(release_field "$now" config_hash)")" \
    "$(json_list "${known[@]}")" "$(json "$(cat "$changing" 2>/dev/null || true)")"
}

# reload_keys FILE: makes the gateway read its keys again and report their number; fails if it refuses them.
reload_keys() {
  local since count pid
  if ! look_at gateway || [[ $c_state != running ]]; then return 0; fi # it reads them when it starts
  count=$(key_lines "$1" | wc -l)
  since=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
  # Not with `docker kill`: docker counts every signal of its own as a manual stop and no longer restarts the container.
  pid=$(docker inspect --format "{{.State.Pid}}" "$c_id") || return 1
  [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
  env kill -HUP "$pid" || return 1
  if try 5 keys_said "$since" "$count"; then
    # No bare `return`: in a trap it returns the status from before the trap.
    if [[ -n $kept_old ]]; then return 1; else return 0; fi
  fi
  # The gateway's log level may hide the line. A restart reads the file too.
  say "keys: the gateway does not confirm that it read them; it is restarted"
  compose "$now" restart --timeout "$DRAIN" gateway || return 1
  try 30 ready
}

# keys_said SINCE COUNT: sets `kept_old` if the gateway kept the old keys.
keys_said() {
  docker logs --since "$1" "$c_id" >"$own/said.log" 2>&1 || return 1
  if grep -q 'API keys not reloaded' "$own/said.log"; then kept_old=yes; fi
  [[ -n $kept_old ]] || grep 'API keys reloaded' "$own/said.log" | grep -Eq "count\"?[:=] ?$2([^0-9]|\$)"
}

# write_keys FROM FILE: writes into the existing file, because a container has that file mounted.
write_keys() {
  cat "$1" >"$2" || true
  cmp -s "$1" "$2"
}

# mark_hash RELEASE HASH: stores the hash that a later plan compares.
mark_hash() {
  printf '{"commit":"%s","config_hash":"%s"}\n' "$(release_field "$1" commit)" "$2" | replace "$root/releases/$1/release.json"
}

# keep_keys: saves the keys of every release, to restore them after a failure.
keep_keys() {
  local number
  for number in $(numbers); do
    if [[ ! -e $root/releases/$number/keys.txt ]]; then continue; fi
    cat "$root/releases/$number/keys.txt" >"$own/keys.$number"
    cat "$root/releases/$number/release.json" >"$own/release.$number"
  done
}

# keys_back STATUS: restores the old keys of every release after a change that was interrupted or failed, and makes the
# gateway read them. It runs with `set -e` off. Sets the phase to the result.
keys_back() {
  local number folder now kept=$kept_old failed=''
  now=$(current)
  problem=${problem:-$(explain "$1")}
  for number in $(numbers); do
    folder=$root/releases/$number
    if [[ ! -e $own/keys.$number ]]; then continue; fi
    cmp -s "$own/keys.$number" "$folder/keys.txt" || write_keys "$own/keys.$number" "$folder/keys.txt" || failed=yes
    cmp -s "$own/release.$number" "$folder/release.json" || replace "$folder/release.json" <"$own/release.$number" || failed=yes
  done
  if [[ -n $failed ]]; then
    phase=stopping problem+=" The old keys could not be put back. Run this again."
  elif [[ -z $kept ]] && ! reload_keys "$root/releases/$now/keys.txt"; then
    phase=stopping problem+=" The old keys are in the files again, but the gateway may have the changed ones. deployer restart starts it again."
  else
    phase=before problem+=" The old keys hold; nothing was changed."
    rm -f "$changing"
  fi
}

# Changes the other releases. A release that would have no key left gets all keys of this one.
edit_others() {
  local number other
  for number in $(numbers); do
    other=$root/releases/$number/keys.txt
    if [[ $number == "$now" || ! -e $other ]]; then continue; fi
    edited "$other" >"$own/keys.new"
    if [[ -z $(key_lines "$own/keys.new") ]]; then cat "$own/keys.edited" >"$own/keys.new"; fi
    if cmp -s "$own/keys.new" "$other"; then continue; fi
    if ! write_keys "$own/keys.new" "$other"; then
      warnings+=("release $number could not be given the changed keys: do not roll back to it")
      continue
    fi
    mark_hash "$number" "$(release_field "$number" config_hash | sed 's/-g\..*/-g.keys/')"
  done
}

keys() {
  local now key_file hash
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host; nothing was changed. Run deployer up: it copies the keys."
  key_file=$root/releases/$now/keys.txt
  if [[ $KEYS == list ]]; then
    begin observe "keys"
    fact keys "$(keys_json "$key_file")"
    finish 'done' "The keys were read."
  fi
  need docker flock sha256sum awk timeout
  take_lock
  expect_release
  begin keys "keys: $KEYS $KEY_NAME"
  if [[ -e $models_changing ]]; then
    warnings+=("an earlier change of models was interrupted: the gateway reads its models again with its keys, and may answer with $(shown "$(<"$models_changing")") from now on. deployer up returns to what answered before; deployer model list shows it")
  fi
  if [[ $KEYS == add && ${KEY_LINE%% *} != "$KEY_NAME" ]]; then die "The line is for another key than $KEY_NAME; nothing was changed."; fi
  [[ $(sha_of "$key_file") == "$KEYS_BEFORE" ]] || die "The keys on the host changed since the plan was made; nothing was changed. Run this again."
  edited "$key_file" >"$own/keys.edited"
  [[ -n $(key_lines "$own/keys.edited") ]] || die "$KEY_NAME is the last key, and the gateway does not accept an empty file; nothing was changed. Add another key first, or stop the service: deployer down."
  hash=${CONFIG_HASH:-$(release_field "$now" config_hash | sed 's/-g\..*/-g.keys/')}
  keep_keys
  printf '%s' "$KEY_NAME" | replace "$changing"
  phase=keys
  # The other releases first, so that no rollback brings the key back. A change that is interrupted after that leaves
  # a key that still opens the service.
  if [[ $KEYS == revoke ]]; then edit_others; fi
  write_keys "$own/keys.edited" "$key_file"
  reload_keys "$key_file" || die "The gateway did not accept the changed keys; deployer logs --service gateway shows why."
  if [[ $KEYS == add ]]; then edit_others; fi
  mark_hash "$now" "$hash"
  rm -f "$changing"
  fact keys "$(keys_json "$key_file")"
  if ! look_at gateway || [[ $c_state != running ]]; then
    finish 'done' "The key file is changed; the gateway does not run, and reads it when it starts."
  fi
  finish 'done' "$([[ $KEYS == add ]] && echo "The key $KEY_NAME opens the service" || echo "The key $KEY_NAME is refused"): the gateway read its $(key_lines "$key_file" | wc -l) keys again."
}
