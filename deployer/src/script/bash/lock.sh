# shellcheck shell=bash disable=SC2154,SC2034
# One run at a time on this host: the kernel releases the lock when its holder ends, however it ends.

# Prints the holder as JSON, or null.
holder_json() {
  local text name='"([^"\\]|\\.)*"'
  text=$(cat "$root/lock.holder" 2>/dev/null) || text=''
  if [[ $text =~ ^\{\"operator\":$name,\"action\":\"[a-z]+\",\"since\":[0-9]+,\"run\":\"[A-Za-z0-9-]*\"\}$ ]]; then
    printf '%s,"step":%s,"progress":%s}' "${text%\}}" "$(json "$(cat "$run/step" 2>/dev/null || true)")" \
      "$(json "$(cat "$run/progress" 2>/dev/null || true)")"
  elif [[ -n $text ]]; then
    printf '{"operator":"unknown","action":"work"}'
  else
    printf null
  fi
}

# Waits only as long as a check of the lock holds it (`is_locked`, the idle stop). A working run holds it for minutes.
try_lock() {
  exec 9>>"$root/lock"
  flock --timeout "$pause" 9
}

# Refuses a plan that was made on another release than the current one: the operator approved it for another state.
expect_release() {
  local found
  found=$(current)
  if [[ -n ${EXPECT_RELEASE:-} && $EXPECT_RELEASE != "${found:-none}" ]]; then
    die "The host changed since the plan was made: its release is ${found:-none} now, not $EXPECT_RELEASE; nothing was changed. Run this again."
  fi
}

# lives FOLDER: succeeds if the run of this folder has not ended.
lives() {
  local pid=${1%/}
  pid=${pid##*.}
  [[ $pid =~ ^[0-9]+$ ]] && readlink "/proc/$pid/exe" >/dev/null
}

# runs_json: prints the current runs, except this one.
runs_json() {
  local folder name list=''
  for folder in "$run"/*.*/; do
    name=$(basename "$folder")
    if [[ $folder == "$own/" || ! $name =~ ^[a-z]+\.[0-9]+$ ]] || ! lives "$folder"; then continue; fi
    list+="${list:+,}{\"action\":\"${name%.*}\",\"pid\":${name#*.},\"run\":$(json "$(cat "$folder/run" 2>/dev/null || true)")"
    list+=",\"since\":$(stat -c %Y "$folder/run" 2>/dev/null || echo 0)}"
  done
  printf '[%s]' "$list"
}

take_lock() {
  local folder stray
  begin lock "lock: one at a time on this host"
  if ! try_lock; then
    holder=$(holder_json)
    finish locked "$(json_field operator <<<"$holder") is at work on the host ($(json_field action <<<"$holder")); nothing was changed. Wait, or check deployer status."
  fi
  locked=yes
  ln -sfn "$own" "$run/working" || true
  printf lock >"$run/step"
  # A full disk must not prevent `down`, so a failure to write the holder is ignored: it is only information.
  if ! printf '{"operator":%s,"action":"%s","since":%s,"run":"%s"}' "$(json "$OPERATOR")" "$ACTION" "$(date +%s)" "$run_id" | replace "$root/lock.holder"; then
    warnings+=("the holder of the lock could not be written to $root: is the disk full?")
  fi
  # Removes what a killed run left: its download continues without the compose that started it, and has the token.
  stray=$(timeout --foreground 30 docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=True) || stray=''
  # shellcheck disable=SC2086 # ids
  if [[ -n $stray ]] && ! timeout --foreground 60 docker rm --force $stray; then
    warnings+=("a download that a killed run had started could not be removed; it still has the token")
  fi
  rm -rf "$root/releases/.next" "$root"/*.new
  for folder in "$run"/{deploy,rollback,restart,down,unlock,autostop}.*/; do
    if [[ $folder != "$own/" ]]; then rm -rf "$folder"; fi
  done
  # These actions, or those of their subcommands that only list, take no lock. So one of them may be running, and its
  # folder stays. A zombie process does not count as running.
  for folder in "$run"/{status,verify,logs,releases,doctor,progress,keys,models,prune,diagnose}.*/; do
    if [[ -d $folder ]] && ! lives "$folder"; then rm -rf "$folder"; fi
  done
}
