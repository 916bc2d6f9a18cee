# shellcheck shell=bash disable=SC2154,SC2034
# API keys by their digests, changed under a gateway that goes on serving: without a new release, and in every release
# on disk, so that no rollback brings a revoked key back.

# The key whose change has begun and is not whole yet: what stays of it after a killed run says that one was cut off.
readonly changing=$root/keys.changing
kept_old='' # the gateway refused the changed keys and said that the old ones hold

# key_lines FILE: without comments and empty lines.
key_lines() { grep -Ev '^[[:space:]]*(#|$)' "$1" || true; }

sha_of() { sha256sum <"$1" | cut -c 1-64; }

# edited FILE: as it will be.
edited() {
  awk -v name="$KEY_NAME" '$1 != name' "$1"
  if [[ $KEYS == add ]]; then printf '%s\n' "$KEY_LINE"; fi
}

# What an operator compares: names, and a digest of the digest.
keys_json() { # FILE
  local name digest words known=()
  while read -r name digest words; do
    known+=("$name $(printf '%s' "$digest" | sha256sum | cut -c 1-12)${words:+ $words}")
  done < <(key_lines "$1")
  printf '{"sha256":"%s","config_hash":%s,"lines":%s,"changing":%s}' "$(sha_of "$1")" "$(json "$(release_field "$now" config_hash)")" \
    "$(json_list "${known[@]}")" "$(json "$(cat "$changing" 2>/dev/null || true)")"
}

# heed_keys FILE: the gateway reads its keys again and says how many; fails where it does not take them.
heed_keys() {
  local since count pid
  if ! look_at gateway || [[ $c_state != running ]]; then return 0; fi # it reads them when it starts
  count=$(key_lines "$1" | wc -l)
  since=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
  # Not by `docker kill`: docker takes every signal of its own for a stop by hand, and starts the container no more.
  pid=$(docker inspect --format "{{.State.Pid}}" "$c_id") || return 1
  [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
  env kill -HUP "$pid" || return 1
  if try 5 keys_said "$since" "$count"; then
    # No bare `return`: within a trap it means the status from before the trap.
    if [[ -n $kept_old ]]; then return 1; else return 0; fi
  fi
  # Its log may be set to say less. A start reads the file too.
  say "keys: the gateway does not say that it read them; it is started again"
  compose "$now" restart --timeout "$DRAIN" gateway || return 1
  try 30 ready
}

# keys_said SINCE COUNT: sets `kept_old` where the gateway kept the old ones.
keys_said() {
  docker logs --since "$1" "$c_id" >"$own/said.log" 2>&1 || return 1
  if grep -q 'API keys not reloaded' "$own/said.log"; then kept_old=yes; fi
  [[ -n $kept_old ]] || grep 'API keys reloaded' "$own/said.log" | grep -Eq "count\"?[:=] ?$2([^0-9]|\$)"
}

# write_keys FROM FILE: into the file that is there, which is the one that a container mounts.
write_keys() {
  cat "$1" >"$2" || true
  cmp -s "$1" "$2"
}

# mark_hash RELEASE HASH: what a later plan compares.
mark_hash() {
  printf '{"commit":"%s","config_hash":"%s"}\n' "$(release_field "$1" commit)" "$2" | replace "$root/releases/$1/release.json"
}

# keep_keys: as they are in every release, for the way back.
keep_keys() {
  local number
  for number in $(numbers); do
    if [[ ! -e $root/releases/$number/keys.txt ]]; then continue; fi
    cat "$root/releases/$number/keys.txt" >"$own/keys.$number"
    cat "$root/releases/$number/release.json" >"$own/release.$number"
  done
}

# keys_back STATUS: after a change that was cut off or failed, every release has its old keys again, and the gateway reads
# them. Called where `set -e` is off. Sets the phase to what that came to.
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
  elif [[ -z $kept ]] && ! heed_keys "$root/releases/$now/keys.txt"; then
    phase=stopping problem+=" The old keys are in the files again, but the gateway may have the changed ones. deployer restart starts it again."
  else
    phase=before problem+=" The old keys hold; nothing was changed."
    rm -f "$changing"
  fi
}

# The same in the other releases. They get all keys of this one where none of their own would be left.
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
  [[ -n $now ]] || die "There is no release on the host; nothing was changed. Run deployer up: it carries the keys."
  key_file=$root/releases/$now/keys.txt
  if [[ $KEYS == list ]]; then
    begin observe "keys"
    fact keys "$(keys_json "$key_file")"
    finish 'done' "These are the keys."
  fi
  need docker flock sha256sum awk timeout
  take_lock
  expect_release
  begin keys "keys: $KEYS $KEY_NAME"
  if [[ $KEYS == add && ${KEY_LINE%% *} != "$KEY_NAME" ]]; then die "The line is of another key than $KEY_NAME; nothing was changed."; fi
  [[ $(sha_of "$key_file") == "$KEYS_BEFORE" ]] || die "The keys on the host changed since the plan was made; nothing was changed. Run this again."
  edited "$key_file" >"$own/keys.edited"
  [[ -n $(key_lines "$own/keys.edited") ]] || die "$KEY_NAME is the last key, and the gateway takes no empty file; nothing was changed. Add another key first, or stop the service: deployer down."
  hash=${CONFIG_HASH:-$(release_field "$now" config_hash | sed 's/-g\..*/-g.keys/')}
  keep_keys
  printf '%s' "$KEY_NAME" | replace "$changing"
  phase=keys
  # First where a rollback would bring it back: what is cut off after that is a key that still opens the service.
  if [[ $KEYS == revoke ]]; then edit_others; fi
  write_keys "$own/keys.edited" "$key_file"
  heed_keys "$key_file" || die "The gateway did not take the changed keys; deployer logs --service gateway says why."
  if [[ $KEYS == add ]]; then edit_others; fi
  mark_hash "$now" "$hash"
  rm -f "$changing"
  fact keys "$(keys_json "$key_file")"
  if ! look_at gateway || [[ $c_state != running ]]; then
    finish 'done' "The key file is changed; the gateway does not run, and reads it when it starts."
  fi
  finish 'done' "$([[ $KEYS == add ]] && echo "The key $KEY_NAME opens the service" || echo "The key $KEY_NAME is refused"): the gateway read its $(key_lines "$key_file" | wc -l) keys again."
}
