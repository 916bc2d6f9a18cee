# shellcheck shell=bash disable=SC2154,SC2034
# Releases on disk: releases/N with all that a release runs from, `current`, the ledger of the last ten, and the
# note `switching` from before a switch until after its end, by which the next run knows that one was cut off.

# current: the number of the current release, or nothing.
current() {
  local target
  target=$(readlink "$root/current" 2>/dev/null) || return 0
  if [[ -d $root/$target ]]; then printf '%s' "${target#releases/}"; fi
}

# env_of RELEASE NAME: a setting of a release.
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

# numbers: of the releases on disk, newest first.
numbers() { find "$root/releases" -mindepth 1 -maxdepth 1 -name '[1-9]*' -printf '%f\n' | sort -rn; }

# good_before RELEASE: the last release before it that was verified.
good_before() {
  local number
  for number in $(numbers); do
    if ((number < $1)) && [[ $(state_of "$number") == good ]]; then
      printf '%s' "$number"
      return
    fi
  done
}

next_number() {
  local newest
  newest=$(numbers | head -n 1)
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

# half_done: was a switch cut off? Sets from and to.
half_done() {
  [[ -s $root/switching ]] || return 1
  read -r from to <"$root/switching" || true
  if [[ $from == none ]]; then from=''; fi
}

# record RELEASE STATE: into the ledger, and the switch is over.
record() {
  local n=$1 state=$2
  printf '%s' "$state" | replace "$root/releases/$n/state"
  printf '{"release":%s,"at":%s,"action":"%s","operator":%s,"commit":"%s","config_hash":"%s","gateway":"%s","vllm":"%s","outcome":"%s"}\n' \
    "$n" "$(date +%s)" "$ACTION" "$(json "$OPERATOR")" "$(release_field "$n" commit)" "$(release_field "$n" config_hash)" \
    "$(env_of "$n" GATEWAY_IMAGE)" "$(env_of "$n" VLLM_IMAGE)" "$state" |
    cat <(tail -n 9 "$root/releases.jsonl" 2>/dev/null) - | replace "$root/releases.jsonl"
}

# forget_old: folders beyond the last ten, never the current one or the one before it.
forget_old() {
  local number keep_current keep_before
  keep_current=$(current)
  keep_before=$(good_before "${keep_current:-0}")
  for number in $(numbers | tail -n +11); do
    if [[ $number != "$keep_current" && $number != "$keep_before" ]]; then rm -rf "${root:?}/releases/$number"; fi
  done
}
