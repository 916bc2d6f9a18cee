# shellcheck shell=bash disable=SC2154,SC2034
# Releases on disk: releases/N with all that a release runs from, `current`, the ledger of the last ten, and the
# marker `switching` from before a switch until after its end, by which the next run knows that one was interrupted.

# current: the number of the current release, or nothing.
current() {
  local target
  target=$(readlink "$root/current" 2>/dev/null) || return 0
  if is_number "${target#releases/}" && [[ -d $root/$target ]]; then printf '%s' "${target#releases/}"; fi
}

# is_number TEXT: succeeds for a release's number. Text from a file or folder reaches arithmetic only after this check.
is_number() { [[ $1 =~ ^[1-9][0-9]{0,8}$ ]]; }

# env_of RELEASE NAME: prints a setting of a release.
env_of() {
  local line value=''
  [[ -r $root/releases/$1/.env ]] || return 0
  while read -r line; do
    if [[ $line == "$2='"*\' ]]; then value=${line#*=\'} value=${value%\'}; fi
  done <"$root/releases/$1/.env"
  printf '%s' "$value"
}

# release_field RELEASE NAME
release_field() { json_field "$2" <"$root/releases/$1/release.json" 2>/dev/null || true; }

state_of() { if [[ -e $root/releases/$1/state ]]; then printf '%s' "$(<"$root/releases/$1/state")"; fi; }

# numbers: prints the numbers of the releases on disk, newest first.
numbers() { find "$root/releases" -mindepth 1 -maxdepth 1 -regextype posix-extended -regex '.*/[1-9][0-9]{0,8}' -printf '%f\n' | sort -rn; }

# A release's state: `good` (verified), `failed` (never verified), `reverted` (verified, but rolled back from later);
# none before its first verdict.

# good_before [RELEASE]: prints the last good release before this one, or of all.
good_before() {
  local number
  for number in $(numbers); do
    if [[ -z ${1:-} || $number -lt ${1:-0} ]] && [[ $(state_of "$number") == good ]]; then
      printf '%s' "$number"
      return
    fi
  done
}

# mark_reverted RELEASE: marks the releases after it as `reverted`, because it was rolled back to. They stay on disk,
# for --to.
mark_reverted() {
  local number
  for number in $(numbers); do
    if ((number > $1)) && [[ $(state_of "$number") == good ]]; then printf reverted | replace "$root/releases/$number/state"; fi
  done
}

next_number() {
  local newest
  newest=$(numbers)
  newest=${newest%%$'\n'*}
  printf '%s' "$((${newest:-0} + 1))"
}

point_current() {
  if [[ -z $1 ]]; then
    rm -f "$root/current"
    return
  fi
  ln -sfn "releases/$1" "$root/current.new"
  mv -T "$root/current.new" "$root/current"
}

# half_done: succeeds if a switch was interrupted. Sets from, to and by: the action that made the switch.
half_done() {
  [[ -s $root/switching ]] || return 1
  read -r from to by <"$root/switching" || true
  # A damaged marker shows only that a switch was interrupted: the way back is the last good release.
  if ! is_number "$to" || [[ $from != none ]] && ! is_number "$from"; then
    to='' by='' from=$(good_before)
    from=${from:-none}
  fi
  if [[ $from == none ]]; then from=''; fi
}

# choose_from: sets from, the release to go back to after a failure, and takes_over, if this run has to repair an
# interrupted switch.
choose_from() {
  if half_done; then
    takes_over=yes
    if [[ $by == rollback ]]; then resumed=$to; fi
    # If the release that was being started had been verified earlier, a failure of this run goes back to it. A rollback
    # that resumes a rollback does not: its own target is that release, so a failure goes back to the one before.
    if [[ $(state_of "$to") == good && ($by != rollback || $ACTION != rollback || -z $from) ]]; then from=$to; fi
    say "a switch to release $to was interrupted; this run repairs it"
  else
    from=$now
  fi
}

# services_of RELEASE: prints the services of a release, the model server first.
services_of() {
  if [[ ,$(env_of "$1" COMPOSE_PROFILES), == *,tls,* ]]; then
    echo vllm gateway caddy
  elif [[ -e $root/releases/$1/config/compose.model-port.yml ]]; then
    echo vllm gateway model-port
  else
    echo vllm gateway
  fi
}

# record RELEASE OUTCOME: adds a ledger line. A release that was good once stays good: the host may be the cause now.
record() {
  local n=$1 state=$2
  if [[ $state == good || $(state_of "$n") != @(good|reverted|left) ]]; then printf '%s' "$state" | replace "$root/releases/$n/state"; fi
  printf '{"release":%s,"at":%s,"action":"%s","operator":%s,"commit":%s,"config_hash":%s,"gateway":%s,"vllm":%s,"outcome":"%s"}\n' \
    "$n" "$(date +%s)" "$ACTION" "$(json "$OPERATOR")" "$(json "$(release_field "$n" commit)")" \
    "$(json "$(release_field "$n" config_hash)")" "$(json "$(env_of "$n" GATEWAY_IMAGE)")" "$(json "$(env_of "$n" VLLM_IMAGE)")" "$state" |
    cat <(tail -n 9 "$root/releases.jsonl" 2>/dev/null) - | replace "$root/releases.jsonl"
}

# forget_old: removes folders beyond the last ten, but never the current release or the good one before it.
forget_old() {
  local number keep_current keep_before
  keep_current=$(current)
  keep_before=$(good_before "${keep_current:-0}")
  for number in $(numbers | tail -n +11); do
    if [[ $number != "$keep_current" && $number != "$keep_before" ]]; then rm -rf "${root:?}/releases/$number"; fi
  done
}
