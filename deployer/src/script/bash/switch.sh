# shellcheck shell=bash disable=SC2154,SC2034
# The switch from one release to another, and the way back.

force_vllm=no # restart vLLM even if compose sees no change
waiting='' # the process that waits for the containers
resumed='' # the target of an interrupted rollback
tried='' # this run has switched: a failure from here on marks the release as failed
never_ready='' # the service that did not become healthy in time although the model was loaded
declare -A old=() crashes=() seen=() # of each service: its container, how often that was started again, since when

# keeps_model RELEASE FROM: succeeds if compose keeps the model server running; fails if that is not known.
keeps_model() {
  local name
  [[ -n $2 && -z ${takes_over:-} && $force_vllm != yes ]] || return 1
  if [[ $1 == "$2" ]]; then return 0; fi
  for name in docker-compose.yml config/compose.no-gpu.yml; do
    if [[ -e $root/releases/$1/$name || -e $root/releases/$2/$name ]]; then
      cmp -s "$root/releases/$1/$name" "$root/releases/$2/$name" || return 1
    fi
  done
  cmp -s <(grep '^VLLM_' "$root/releases/$1/.env" | sort) <(grep '^VLLM_' "$root/releases/$2/.env" | sort)
}

# serve RELEASE FROM: starts a release. Compose restarts only what changed: a new gateway leaves vLLM running.
serve() {
  local words service
  never_ready=''
  set_route "$1" "$(route_in "$1")"
  # After an interrupted change of models, the gateway may answer with other models than its file names. It reads the
  # file when it starts.
  if [[ -e $models_changing ]] || ! keeps_model "$1" "$2"; then drain "$1"; fi
  if [[ $force_vllm == yes ]]; then compose "$1" up --detach --no-deps --force-recreate --pull never vllm; fi
  for service in $(services_of "$1"); do
    look_at "$service" || true
    # A container that is replaced must end first, which takes at most 45 s of the time.
    old[$service]=$c_id crashes[$service]=$c_restarts seen[$service]=$((SECONDS + 60))
  done
  compose_words "$1" up --detach --wait --wait-timeout "$UP_WAIT" --pull never --remove-orphans
  # Without the output and the lock, so that it blocks nothing if it outlives this run.
  "${words[@]}" 3>&- 9>&- &
  waiting=$!
  give_up_early "$1"
  wait "$waiting"
  # Compose 2.40 ends with 0 at its time limit where the machine is busy (measured: in 7 of 25 tries).
  for service in $(services_of "$1"); do
    look_at "$service"
    [[ $c_health == healthy ]]
  done
  drop_others "$1"
}

# compose leaves a service running that the release's profile no longer has: it is in the file, so it is no orphan.
drop_others() {
  local container
  if [[ " $(services_of "$1") " == *" caddy "* ]]; then return 0; fi
  container_of caddy
  if [[ -n $container ]]; then docker rm --force "$container"; fi
}

# compose waits for a crashing container until its time is over, and nothing serves during that time. Crashes of a
# container before this start, and those of its predecessor, do not count. Once the model is loaded, the wait is not as
# long as a model load either: the other services need seconds.
give_up_early() { # RELEASE
  local service loaded=''
  while kill -0 "$waiting" 2>/dev/null; do
    for service in $(services_of "$1"); do
      # Compose may replace the container between its id and its state; these messages are not for the operator.
      look_at "$service" 2>/dev/null || continue
      if [[ $c_id != "${old[$service]}" ]]; then
        old[$service]=$c_id crashes[$service]=0 seen[$service]=$SECONDS
      elif ((SECONDS < seen[$service])); then
        # The predecessor, which may crash until compose has replaced it, or a container that compose keeps.
        crashes[$service]=$c_restarts
      fi
      # The container exists and waits for its predecessor to end.
      if [[ $c_state == created ]]; then seen[$service]=$SECONDS; fi
      if [[ $c_health == healthy ]]; then
        if [[ $service == vllm ]]; then loaded=${loaded:-$SECONDS}; fi
        continue
      fi
      if [[ $service == vllm ]]; then
        loaded=''
      elif [[ -n $loaded ]] && ((SECONDS - (loaded > seen[$service] ? loaded : seen[$service]) >= READY_WAIT)); then
        never_ready=$service
      fi
      if [[ -n $never_ready ]] || ((c_restarts - crashes[$service] >= 3)); then
        kill "$waiting" 2>/dev/null || true
        return 0
      fi
    done
    sleep "$pause"
  done
}

# switch: from release $from (or none) to release $to, verified and recorded.
switch() {
  begin switch "switch: docker compose up, release $to"
  printf '%s %s %s\n' "${from:-none}" "$to" "$ACTION" | replace "$root/switching"
  phase=switched tried=yes
  point_current "$to"
  serve "$to" "$from"
  verify "$to"
  begin record "record: release $to"
  if [[ $ACTION == rollback ]]; then mark_reverted "$to"; elif [[ -n $resumed ]]; then mark_reverted "$resumed"; fi
  record "$to" good
  rm -f "$root/switching" "$models_changing"
  phase=recorded
}

# Adds the last log lines of the services, with which the operator can find the cause.
service_lines() {
  local service
  for service in $(services_of "${to:-$now}"); do
    if look_at "$service" && [[ $c_state != running || $c_health != healthy ]]; then
      mapfile -t -O "${#lines[@]}" lines < <(docker logs --tail 10 "$c_id" 2>&1 | tr '\r' '\n' |
        mask_tokens | sed "s/^/$service: /" | cut -c 1-300)
    fi
  done
}

# A Docker daemon that restarts is unavailable for seconds, and without it no rollback is possible.
await_engine() {
  local end=$((SECONDS + 90))
  until docker version >/dev/null 2>&1 || ((SECONDS >= end)); do sleep "$pause"; done
}

# go_back MESSAGE: goes back after a failure of the switch. It runs with `set -e` off, so each command is checked.
go_back() {
  local why=$1 failed=$step status
  if [[ -n $waiting ]]; then kill "$waiting" 2>/dev/null; fi
  await_engine
  service_lines
  if [[ -n $tried && $from == "$to" ]]; then
    finish needs_a_person "$why Release $to, which was good before, was started again and does not serve. Fix the cause and run this again, or go back with deployer rollback --to N (deployer releases lists all releases)."
  fi
  # A good release that was not even tried keeps its verdict.
  if [[ -n $to && -d $root/releases/$to && (-n $tried || $(state_of "$to") != @(good|reverted|left)) ]]; then
    record "$to" "$([[ -n $tried ]] && echo failed || echo interrupted)" || warnings+=("the ledger could not be written")
  fi
  if [[ -z $from ]]; then
    if [[ -n $to && -d $root/releases/$to ]]; then compose "$to" stop; fi
    point_current ''
    rm -f "$root/switching"
    step=$failed
    finish needs_a_person "$why There is no earlier release to go back to, so nothing serves. The last lines show what failed: fix that, then run deployer up again."
  fi
  say "failed: going back to release $from"
  point_current "$from"
  # shellcheck disable=SC2030
  (
    set -e
    trap - EXIT
    rm -f "$own/problem"
    force_vllm=no
    begin switch "switch: docker compose up, release $from"
    serve "$from" "$to"
    verify "$from"
  )
  status=$?
  step=$failed
  if ((status)); then
    finish needs_a_person "$why Going back to release $from failed too. $(cat "$own/problem" 2>/dev/null) Check the last lines and deployer logs."
  fi
  rm -f "$root/switching" "$models_changing"
  if [[ -n $resumed && $from == "$resumed" ]]; then mark_reverted "$resumed"; fi
  rolled_back_to=$from
  finish rolled_back "$why Release $from serves again and was verified."
}
