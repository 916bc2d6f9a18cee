# shellcheck shell=bash disable=SC2154,SC2034
# Stops the services in order, and restarts one.

# stop SERVICE SECONDS
stop() {
  compose "$now" stop --timeout "$2" "$1"
  if look_at "$1" && [[ $c_state == running ]]; then die "$1 still runs after the stop. Check docker on the host."; fi
  if [[ $DRAIN_FIRST == yes ]]; then warn_if_killed "$1" "$2"; fi
}

# warn_if_killed SERVICE SECONDS: exit code 137 means that its work had not ended in time.
warn_if_killed() {
  if [[ -n $c_id && $(docker inspect --format "{{.State.ExitCode}}" "$c_id") == 137 ]]; then
    warnings+=("$1 did not end within $2 s and was killed: work that ran then was lost")
  fi
}

# drain RELEASE: the gateway takes no new work and ends its running work, for which it needs the model server. Compose
# alone does not ensure that: it stops both at once, or the model server first.
drain() {
  if ! look_at gateway || [[ $c_state != running ]]; then return 0; fi
  say "drain: running work ends first, at most $DRAIN s"
  compose "$1" stop --timeout "$DRAIN" gateway
  if look_at gateway; then warn_if_killed gateway "$DRAIN"; fi
}

down() {
  local now service
  need docker flock
  take_lock
  now=$(current)
  if [[ -z $now ]]; then finish nothing_to_do "There is no release on the host. Nothing to stop."; fi
  phase=stopping
  # The gateway first: it refuses new work and ends its running work, for which it needs the model server.
  if [[ $DRAIN_FIRST == yes ]]; then
    begin stop "stop: running work ends first, at most $DRAIN s"
    stop gateway "$DRAIN"
    if [[ " $(services_of "$now") " == *" caddy "* ]]; then stop caddy 10; fi
    stop vllm 30
  else
    begin stop "stop: at once"
    for service in gateway caddy vllm; do
      if [[ " $(services_of "$now") " == *" $service "* ]]; then stop "$service" 1; fi
    done
  fi
  finish 'done' "The services are stopped."
}

restart() {
  local now
  need docker flock timeout
  take_lock
  expect_release
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host; nothing was changed. Run deployer up first."
  if half_done; then
    die "An earlier switch was interrupted; nothing was changed. Run deployer up or deployer rollback first."
  fi
  from=$now to=$now tried=yes phase=switched
  begin stop "restart: $SERVICES"
  drain "$now"
  if [[ " $SERVICES " == *" vllm "* ]]; then compose "$now" restart --timeout 30 vllm; fi
  begin switch "switch: docker compose up, release $now"
  serve "$now" "$now"
  verify "$now"
  rm -f "$models_changing"
  finish 'done' "Restarted; release $now serves and was verified."
}

# Clears what a killed run left. A run that still works keeps its lock.
unlock() {
  need docker flock
  take_lock
  if half_done; then
    finish 'done' "No run is at work on the host. An earlier switch was interrupted: run deployer up or deployer rollback to repair it."
  fi
  finish 'done' "No run is at work on the host."
}
