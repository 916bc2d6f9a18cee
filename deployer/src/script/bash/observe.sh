# shellcheck shell=bash disable=SC2154,SC2034
# Reads the state of the host: changes nothing and needs no lock.

container_json() {
  look_at "$1" || true
  printf '{"service":"%s","state":%s,"health":%s,"image":%s,"started_at":%s,"restarts":%s,"out_of_memory":%s}' \
    "$1" "$(json "$c_state")" "$(json "$c_health")" "$(json "$c_image")" "$(json "$c_started")" "${c_restarts:-0}" \
    "$([[ $c_oom == true ]] && echo true || echo false)"
}

# containers_json: prints the containers of the current release, without the brackets.
containers_json() {
  local service
  container_json gateway
  printf ,
  container_json vllm
  if [[ -z $now ]]; then return; fi
  for service in $(services_of "$now"); do
    if [[ $service == caddy || $service == model-port ]]; then
      printf ,
      container_json "$service"
    fi
  done
}

gpu_json() {
  local name total used busy
  IFS=, read -r name total used busy < <(nvidia-smi --query-gpu=name,memory.total,memory.used,utilization.gpu \
    --format=csv,noheader,nounits) || true
  if [[ ${total// /} =~ ^[0-9]+$ && ${used// /} =~ ^[0-9]+$ ]]; then
    busy=${busy// /}
    printf '{"name":%s,"memory_total_mib":%s,"memory_used_mib":%s,"utilization":%s}' "$(json "$name")" "${total// /}" "${used// /}" \
      "$([[ $busy =~ ^[0-9]+$ ]] && echo "$busy" || echo 0)"
  else
    printf null
  fi
}

# Prints the gateway's own report as a string. The deployer parses it, so that odd output cannot break this report.
gateway_json() {
  ready || true
  json "$(head -c 4000 "$own/health.json" | tr '\n' ' ')"
}

is_locked() { ! (try_lock); }

facts_of_status() {
  local now ended
  now=$(current)
  disk_free=0 disk_total=0
  if ! (disk); then warnings+=("Docker does not answer on the host"); else disk; fi
  problem=''
  : >"$own/health.json"
  fact containers "[$(containers_json)]"
  fact gpu "$(gpu_json)"
  fact disk_free "$disk_free"
  fact disk_total "$disk_total"
  fact uptime_seconds "$(uptime_seconds)"
  fact gateway "$(gateway_json)"
  if [[ -n $now ]]; then
    fact config_hash "$(json "$(release_field "$now" config_hash)")"
    fact commit "$(json "$(release_field "$now" commit)")"
    fact model_cached "$(model_cached "$now" && echo true || echo false)"
  fi
  if is_locked; then fact holder "$(holder_json)"; fi
  fact runs "$(runs_json)"
  mapfile -t ended < <(tail -n 10 "$run/ended" 2>/dev/null)
  fact ended "$(json_list "${ended[@]}")"
  fact half_done "$([[ -s $root/switching ]] && echo true || echo false)"
  fact models_cut_off "$([[ -e $models_changing ]] && echo true || echo false)"
  fact autostop "$(autostop_json)"
}

status() {
  begin observe "status: containers, GPU, disk, gateway"
  facts_of_status
  finish 'done' "The state of the host was read."
}

verify_now() {
  local now
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host. Run deployer up."
  verify "$now" 1
  finish 'done' "Release $now serves and was verified."
}

# Prints as many of the newest lines, in order, as fit into the output that Systems Manager returns.
logs() {
  local now until left_out wanted=$LINES since=() shown=$SERVICES
  now=$(current)
  [[ -n $now ]] || die "There is no release on the host, so there are no logs. Run deployer up."
  begin observe "logs"
  # Without a service in the command, the logs of the reverse proxy in front are included too.
  if [[ $shown == *" "* && $(services_of "$now") == *caddy* ]]; then shown+=" caddy"; fi
  # All services share one cursor, so a line that is older than the newest line of another service is not lost.
  until=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
  if [[ -n $SINCE ]]; then since=(--since "$SINCE") wanted=all; fi
  # shellcheck disable=SC2086 # names of services, from a closed list
  compose "$now" logs --no-color --timestamps --tail "$wanted" "${since[@]}" $shown >"$own/lines"
  # --since repeats the line at the cursor; lines after `until` come with the next call. compose 2.26 writes terminal
  # codes into a file too.
  awk -v since="$SINCE" -v until="$until" '{ at = ""; for (i = 1; i <= 4 && at == ""; i++) if ($i ~ /^[0-9-]+T[0-9:.]+Z$/) at = $i
    if ((since == "" || at > since) && at <= until) print }' "$own/lines" | mask_tokens | sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g' | cut -c 1-1000 >"$own/new"
  mapfile -t lines < <(tail -c 15000 "$own/new")
  lines=("${lines[@]:$((${#lines[@]} - $(fitting "${lines[@]}")))}")
  left_out=$(($(wc -l <"$own/new") - ${#lines[@]}))
  # Without a cursor, the newest lines are the answer.
  if [[ -z $SINCE ]]; then left_out=0; fi
  fact cursor "$(json "$until")"
  fact left_out "$left_out"
  finish 'done' "${#lines[@]} lines."
}

# facts_of_ledger: adds the last ten entries, and the target of a rollback without a number.
facts_of_ledger() {
  local ledger=() target
  if [[ -e $root/releases.jsonl ]]; then mapfile -t ledger <"$root/releases.jsonl"; fi
  fact ledger "$(json_list "${ledger[@]}")"
  target=$(back_to)
  fact target "${target:-null}"
}

releases() {
  facts_of_ledger
  finish 'done' "The last releases were read."
}

# Reports the progress of the run on this host. Systems Manager returns a command's output only after its end, so the
# deployer asks with a second command.
progress() {
  local folder lines_said=() shown
  begin observe "progress"
  folder=$(readlink "$run/working" 2>/dev/null) || folder=''
  if [[ -n $folder && -r $folder/said ]] && is_locked; then
    mapfile -t lines_said <"$folder/said"
    shown=("${lines_said[@]: -40}")
    if ((${#lines_said[@]} <= 40)); then shown=("${lines_said[@]}"); fi
    fact progress "{\"said\":${#lines_said[@]},\"lines\":$(json_list "${shown[@]}"),\"transfer\":$(json "progress: $(cat "$run/progress" 2>/dev/null || true)")}"
  fi
  finish 'done' "The progress of the current run was read."
}
