# shellcheck shell=bash disable=SC2154,SC2034
# The switch from one release to another, and the way back.

force_vllm=no # start vLLM anew even where compose sees no change
waiting='' # the process that waits for the containers
resumed='' # the release that a cut-off rollback was on its way to
tried='' # this run has switched: what fails now is the release's own
never_ready='' # the service that was given up, because it did not become healthy beside a model that is loaded
declare -A old=() crashes=() seen=() # of each service: its container, how often that was started again, since when

# keeps_model FROM RELEASE: does compose leave the model server as it is? Where that is not known, no.
keeps_model() {
  local name
  [[ -n $1 && -z ${cut:-} && $force_vllm != yes ]] || return 1
  if [[ $1 == "$2" ]]; then return 0; fi
  for name in docker-compose.yml config/compose.no-gpu.yml; do
    if [[ -e $root/releases/$1/$name || -e $root/releases/$2/$name ]]; then
      cmp -s "$root/releases/$1/$name" "$root/releases/$2/$name" || return 1
    fi
  done
  cmp -s <(grep '^VLLM_' "$root/releases/$1/.env" | sort) <(grep '^VLLM_' "$root/releases/$2/.env" | sort)
}

# serve RELEASE FROM: compose starts anew only what changed: a new gateway leaves vLLM running.
serve() {
  local words service
  never_ready=''
  if ! keeps_model "$2" "$1"; then drain "$1"; fi
  if [[ $force_vllm == yes ]]; then compose "$1" up --detach --no-deps --force-recreate --pull never vllm; fi
  for service in $(services_of "$1"); do
    look_at "$service" || true
    # Of one that is to be replaced its end comes first, at most 45 s of it.
    old[$service]=$c_id crashes[$service]=$c_restarts seen[$service]=$((SECONDS + 60))
  done
  compose_words "$1" up --detach --wait --wait-timeout "$UP_WAIT" --pull never --remove-orphans
  # Without the output and the lock, so that it holds up nothing should it outlive this run.
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

# compose lets a service run that the release's profile no longer has: it is in the file, and so no orphan.
drop_others() {
  local id
  if [[ " $(services_of "$1") " == *" caddy "* ]]; then return 0; fi
  id=$(container_of caddy)
  if [[ -n $id ]]; then docker rm --force "$id"; fi
}

# compose waits for a container that crashes again and again until its time is over; every minute of that is one in
# which nothing serves. What a container did before this start, or the one before it, does not count. Nor is a load of
# the model waited for where the model is there: what else there is needs seconds.
give_up_early() { # RELEASE
  local service loaded=''
  while kill -0 "$waiting" 2>/dev/null; do
    for service in $(services_of "$1"); do
      look_at "$service" || continue
      if [[ $c_id != "${old[$service]}" ]]; then old[$service]=$c_id crashes[$service]=0 seen[$service]=$SECONDS; fi
      # Made, and waiting for the one before it to end.
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
  if [[ $ACTION == rollback ]]; then leave "$to"; elif [[ -n $resumed ]]; then leave "$resumed"; fi
  record "$to" good
  rm -f "$root/switching"
  phase=recorded
}

# What the services said last, for the person who has to find out why.
service_lines() {
  local service
  for service in $(services_of "${to:-$now}"); do
    if look_at "$service" && [[ $c_state != running || $c_health != healthy ]]; then
      mapfile -t -O "${#lines[@]}" lines < <(docker logs --tail 10 "$c_id" 2>&1 | tr '\r' '\n' |
        sed -E "s/hf_[A-Za-z0-9]+/hf_***/g; s/^/$service: /" | cut -c 1-300)
    fi
  done
}

# An engine that is restarted is away for seconds; without it nobody can go back.
await_engine() {
  local end=$((SECONDS + 90))
  until docker version >/dev/null 2>&1 || ((SECONDS >= end)); do sleep "$pause"; done
}

# go_back MESSAGE: after a failure past the switch. Called where `set -e` is off, so each command is asked.
go_back() {
  local why=$1 failed=$step status
  if [[ -n $waiting ]]; then kill "$waiting" 2>/dev/null; fi
  await_engine
  service_lines
  if [[ -n $tried && $from == "$to" ]]; then
    finish needs_a_person "$why Release $to, which was good before, was started again and does not serve. Mend the cause and run this again, or go back with deployer rollback --to N (deployer releases lists what there is)."
  fi
  # What was good and not even tried has no new verdict.
  if [[ -n $to && -d $root/releases/$to && (-n $tried || $(state_of "$to") != @(good|left)) ]]; then
    record "$to" "$([[ -n $tried ]] && echo failed || echo interrupted)" || warnings+=("the ledger could not be written")
  fi
  if [[ -z $from ]]; then
    if [[ -n $to && -d $root/releases/$to ]]; then compose "$to" stop; fi
    point_current ''
    rm -f "$root/switching"
    step=$failed
    finish needs_a_person "$why There is no earlier release to go back to, so nothing serves. The last lines say what failed: mend that, then run deployer up again."
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
    finish needs_a_person "$why Going back to release $from failed too. $(cat "$own/problem" 2>/dev/null) Look at the last lines and at deployer logs."
  fi
  rm -f "$root/switching"
  if [[ -n $resumed && $from == "$resumed" ]]; then leave "$resumed"; fi
  rolled_back_to=$from
  finish rolled_back "$why Release $from serves again and was verified."
}
