# shellcheck shell=bash disable=SC2154,SC2034
# Which models answer for the public name, while the gateway serves. The weights are in one line of the release's
# config/gateway.toml, which the gateway reads again after SIGHUP. The last line of models.jsonl holds for every
# release, so no deploy and no rollback moves notes to another model by itself.

readonly models_record=$root/models.jsonl
# The route whose change has begun and is not complete.
readonly models_changing=$root/models.changing
readonly route_words='[A-Za-z0-9._-]{1,64}@[0-9a-f]{8}=[1-9][0-9]{0,2}( [A-Za-z0-9._-]{1,64}@[0-9a-f]{8}=[1-9][0-9]{0,2}){0,15}'
# The end of the line that holds the weights.
readonly route_mark='# deployer model use'
answered='' # the route before this run
was_up='' # the gateway ran before this run
kept_models='' # the gateway refused the changed models and reported that it keeps the old ones
was_changing='' # an earlier change was interrupted, so it is not known which models the gateway answers with

# A route names what answers: NAME=WEIGHT words; `configured`, the release's own settings; `rules`, no model.
is_route() { [[ $1 =~ ^(configured|rules|$route_words)$ ]]; }

# route: prints the route that was chosen last.
route() {
  local chosen
  chosen=$(tail -n 1 "$models_record" 2>/dev/null | json_field route) || chosen=''
  if is_route "$chosen"; then printf '%s' "$chosen"; else printf configured; fi
}

# former_route: prints the route that `model rollback` returns to: what answered before the present one was chosen. An
# interrupted change chose nothing yet, so it returns to the present one.
former_route() {
  local line former='' chosen
  if [[ -s $models_changing ]]; then
    route
    return
  fi
  chosen=$(route)
  while read -r line; do
    if [[ $(json_field action <<<"$line") == @(use|rules) && $(json_field route <<<"$line") == "$chosen" ]]; then
      former=$(json_field from <<<"$line")
    fi
  done < <(cat "$models_record" 2>/dev/null)
  if is_route "$former"; then printf '%s' "$former"; fi
}

# adapters_of RELEASE: prints the names under which its model server offers adapters, one a line.
adapters_of() { env_of "$1" VLLM_ADAPTERS | tr ' ' '\n' | sed -n 's/=.*//p'; }

# may_route RELEASE ROUTE: succeeds if the release has all of the route's models, and the line for their weights.
may_route() {
  local word names
  if [[ $2 == @(configured|rules) ]]; then return 0; fi
  grep -q " $route_mark\$" "$root/releases/$1/config/gateway.toml" 2>/dev/null || return 1
  names=$(adapters_of "$1")
  for word in $2; do grep -qxF -- "${word%=*}" <<<"$names" || return 1; done
}

# words_of RELEASE ROUTE: prints the route's models with their weights; nothing if the public name is itself a model.
words_of() { if [[ $2 == @(configured|rules) ]]; then env_of "$1" ROUTING_MODELS; else printf '%s' "$2"; fi; }

# first_of RELEASE ROUTE: prints what must answer the gateway's test note: `rules`, or the first model.
first_of() {
  local words
  if [[ $2 == rules ]]; then
    printf rules
    return
  fi
  words=$(words_of "$1" "$2")
  if [[ -n $words ]]; then
    words=${words%% *}
    printf '%s' "${words%=*}"
  else
    env_of "$1" VLLM_SERVED_NAME
  fi
}

# route_in RELEASE: prints the route that holds in this release. One that lacks a chosen model has its own settings.
route_in() {
  local chosen
  chosen=$(route)
  if may_route "$1" "$chosen"; then printf '%s' "$chosen"; else printf configured; fi
}

# set_route RELEASE ROUTE: writes the route into the release's files. The settings file is mounted in a container, so
# its content is replaced and not the file.
set_route() {
  local folder=$root/releases/$1 words listed='' word engine=''
  words=$(words_of "$1" "$2")
  if [[ $words =~ ^$route_words$ ]] && grep -q " $route_mark\$" "$folder/config/gateway.toml" 2>/dev/null; then
    for word in $words; do listed+="${listed:+, }\"$word\""; done
    sed -E "s|^([A-Za-z. ]*= *)\[[^]]*\] $route_mark\$|\1[$listed] $route_mark|" "$folder/config/gateway.toml" >"$own/gateway.toml" || return 1
    cmp -s "$own/gateway.toml" "$folder/config/gateway.toml" || write_keys "$own/gateway.toml" "$folder/config/gateway.toml" || return 1
  fi
  if [[ $2 == rules ]]; then engine="GATEWAY_ENGINE='rules'"; fi
  if [[ -n $engine || $(env_of "$1" GATEWAY_ENGINE) == rules ]]; then
    sed '/^GATEWAY_ENGINE=/d' "$folder/.env" >"$own/env" || return 1
    if [[ -n $engine ]]; then printf '%s\n' "$engine" >>"$own/env" || return 1; fi
    replace "$folder/.env" <"$own/env" || return 1
  fi
}

# reload_models: makes the gateway read its settings again; fails if it refuses them.
reload_models() {
  local since pid
  since=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
  # As for keys: not with `docker kill`, which counts as a manual stop.
  pid=$(docker inspect --format "{{.State.Pid}}" "$c_id") || return 1
  [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
  env kill -HUP "$pid" || return 1
  if try 5 models_said "$since"; then
    if [[ -n $kept_models ]]; then return 1; else return 0; fi
  fi
  # The gateway's log level may hide the line. A restart reads the file too.
  say "models: the gateway does not confirm that it read them; it is restarted"
  compose "$now" restart --timeout "$DRAIN" gateway || return 1
}

# models_said SINCE: sets `kept_models` if the gateway kept the old models.
models_said() {
  docker logs --since "$1" "$c_id" >"$own/said.log" 2>&1 || return 1
  if grep 'models behind the public name stay as they are' "$own/said.log" >"$own/kept"; then
    kept_models=yes
    return 0
  fi
  grep -Eq 'other models answer for the public name|models behind the public name are as before' "$own/said.log"
}

# put_route ROUTE: writes the route for the current release, and makes the gateway follow it. Sets `asleep` where it
# does not run and reads its files when it starts. A gateway that ran before (`was_up`) and does not run now is started.
put_route() {
  local container
  asleep=''
  set_route "$now" "$1" || return 1
  look_at gateway || true
  container=$c_id
  # The rules engine needs no model server, so the gateway is started for it even if it did not run before.
  if [[ $1 != rules && $c_state != running && -z $was_up ]]; then
    asleep=yes
    return 0
  fi
  # Where the engine changes, compose replaces the container, which ends its notes first. Otherwise compose finds
  # nothing to do. The model server is not restarted.
  compose "$now" up --detach --no-deps --wait --wait-timeout "$READY_WAIT" --pull never gateway || return 1
  look_at gateway || return 1
  if [[ $c_id == "$container" ]]; then reload_models || return 1; fi
  try 30 ready || return 1
  try 2 reads_note "$now" "$1"
}

# reads_note RELEASE ROUTE: succeeds if the engine or model of the route answered the test note.
reads_note() {
  local first
  first=$(first_of "$1" "$2")
  if [[ $first == rules ]]; then
    gateway_says "$own/selftest.json" selftest && answer engine '"rules"' && answer degraded false
  else
    selftest "$first"
  fi
}

# models_back STATUS: returns to what answered before, after a change that was interrupted or failed. It runs with
# `set -e` off. Sets the phase to the result.
models_back() {
  local now
  now=$(current)
  problem=${problem:-$(explain "$1")}
  if [[ -s $own/kept ]]; then mapfile -t lines < <(tail -n 1 "$own/kept" | cut -c 1-300); fi
  if [[ -n $kept_models && -z $was_changing ]]; then
    if ! set_route "$now" "$answered"; then
      phase=stopping problem+=" The gateway still answers as before ($(shown "$answered")), but its file could not be restored. Run this again."
      return
    fi
  else
    kept_models=''
    if ! put_route "$answered"; then
      phase=stopping problem+=" What answered before ($(shown "$answered")) was put back into the files, but the gateway does not answer with it. deployer model rules answers without a model; deployer logs says why."
      return
    fi
  fi
  phase=before problem+=" What answered before still answers: $(shown "$answered")."
  rm -f "$models_changing"
}

# shown ROUTE: prints the route for a person.
shown() {
  case $1 in
    rules) printf 'the rules' ;;
    configured) printf 'what the configuration says' ;;
    *) printf '%s' "${1//=100/}" ;;
  esac
}

# served_models: prints the names that the model server lists, one a line; fails if it does not answer.
served_models() {
  (
    trap - EXIT
    ask_over_http vllm 8000 /v1/models
    timeout --foreground 15 "${tool[@]}"
  ) >"$own/served.json" 2>/dev/null || return 1
  tr -d ' \n' <"$own/served.json" | grep -o '"id":"[^"]*"' | cut -d '"' -f 4
}

# facts_of_models: the models of the current release, what answers, and the record.
facts_of_models() {
  local served word is list=() history=()
  served=$(served_models) || served=unknown
  for word in $(env_of "$now" VLLM_ADAPTERS); do
    if [[ $served == unknown ]]; then is=unknown; elif grep -qxF -- "${word%%=*}" <<<"$served"; then is=yes; else is=no; fi
    list+=("${word%%=*} ${word#*=} $is")
  done
  mapfile -t history < <(tail -n 10 "$models_record" 2>/dev/null)
  fact models "{\"route\":$(json "$(route_in "$now")"),\"chosen\":$(json "$(route)"),\"words\":$(json "$(words_of "$now" "$(route_in "$now")")"),\"former\":$(json "$(former_route)"),\"changing\":$(json "$(cat "$models_changing" 2>/dev/null || true)"),\"served_name\":$(json "$(env_of "$now" VLLM_SERVED_NAME)"),\"movable\":$(grep -q " $route_mark\$" "$root/releases/$now/config/gateway.toml" 2>/dev/null && echo true || echo false),\"adapters\":$(json_list "${list[@]}"),\"history\":$(json_list "${history[@]}")}"
}

# record_route ACTION ROUTE FROM [SCORES]
record_route() {
  printf '{"at":%s,"action":"%s","route":"%s","from":"%s","scores":"%s","operator":%s}\n' \
    "$(date +%s)" "$1" "$2" "$3" "${4:-}" "$(json "$OPERATOR")" | cat <(tail -n 49 "$models_record" 2>/dev/null) - | replace "$models_record"
}

# check_route: refuses a route before anything is changed.
check_route() {
  local word served sum=0 names=' ' words
  if [[ $ROUTE == rules ]]; then return 0; fi
  if [[ $ROUTE != configured ]]; then
    for word in $ROUTE; do
      sum=$((sum + ${word##*=}))
      [[ $names != *" ${word%=*} "* ]] || die "${word%=*} is named twice; nothing was changed. Name each model once, with its share in percent."
      names+="${word%=*} "
    done
    ((sum == 100)) || die "The shares sum to $sum, not to 100; nothing was changed. Each is the share of notes in percent."
    may_route "$now" "$ROUTE" || die "Release $now does not serve all of $(shown "$ROUTE"); nothing was changed. Put the model into model.adapters and run deployer up first; deployer model list shows what is served."
  fi
  words=$(words_of "$now" "$ROUTE")
  if [[ ! $words =~ ^$route_words$ ]]; then return 0; fi
  served=$(served_models) || die "The model server does not answer, so it is not known which models it serves; nothing was changed. Check deployer status."
  for word in $words; do
    grep -qxF -- "${word%=*}" <<<"$served" || die "The model server does not list ${word%=*}; nothing was changed. deployer logs --service vllm shows why."
  done
}

models() {
  local now asleep=''
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host; nothing was changed. Run deployer up first."
  if [[ $MODELS == list ]]; then
    begin observe "models"
    facts_of_models
    finish 'done' "The models were read."
  fi
  need docker flock timeout sed nsenter curl
  take_lock
  expect_release
  begin models "models: $MODELS"
  if half_done; then die "An earlier switch was interrupted; nothing was changed. Run deployer up or deployer rollback first."; fi
  answered=$(route)
  if [[ $answered != "$ROUTE_BEFORE" || ($MODELS == rollback && $ROUTE != "$(former_route)") ]]; then
    die "Other models answer than when the plan was made; nothing was changed. Run this again."
  fi
  check_route
  if look_at gateway && [[ $c_state == running ]]; then was_up=yes; fi
  if [[ -e $models_changing ]]; then was_changing=yes; fi
  printf '%s' "$ROUTE" | replace "$models_changing"
  phase=models
  put_route "$ROUTE" || die "$(why_not_routed)"
  record_route "$MODELS" "$ROUTE" "$answered" "$SCORES"
  phase=before
  rm -f "$models_changing"
  facts_of_models
  if [[ -n $asleep ]]; then finish 'done' "The files say that $(shown "$ROUTE") answers; the gateway does not run, and reads them when it starts."; fi
  finish 'done' "Now answers: $(shown "$ROUTE"). One note was read to see it."
}

why_not_routed() {
  if [[ -n $kept_models ]]; then
    echo "The gateway refused the change; its line below shows why."
  elif [[ $ROUTE == rules ]]; then
    echo "The gateway did not start with the rules."
  else
    echo "The gateway does not answer with $(shown "$ROUTE"): it refused the settings, or the model did not read the test note."
  fi
}
