# shellcheck shell=bash disable=SC2154
# The compose plug-in for the docker shim: services restart only where their definition or image changed.

folder='' file='' env_file='' compose_arguments=''

# Like those of shim.sh, the functions set REPLY to what they find.

# env NAME: a setting from the release's .env, or nothing.
env() {
  local line
  REPLY=''
  while read -r line; do
    if [[ $line == "$1='"* ]]; then REPLY=${line#*=\'} REPLY=${REPLY%\'}; fi
  done <"$env_file"
}

# hash_of SERVICE: what compose would start it from.
hash_of() {
  local line hash='' mine=''
  while IFS= read -r line; do
    if [[ $line == "  $1:"* ]]; then mine=yes; elif [[ $line == "  "[a-z]* ]]; then mine=''; fi
    if [[ -n $mine ]]; then hash+=$line$'\n'; fi
  done <"$file"
  while IFS= read -r line; do
    mine=''
    if [[ $line == VLLM_* ]]; then mine=yes; fi
    if [[ $1 == vllm && -n $mine || $1 != vllm && -z $mine ]]; then hash+=$line$'\n'; fi
  done < <(sort "$env_file")
  # The mounts of all others are in the release's folder.
  if [[ $1 == vllm ]]; then REPLY=${hash%$'\n'}; else REPLY=$hash$folder; fi
}

image_of() {
  case $1 in
    vllm) env VLLM_IMAGE ;;
    gateway) env GATEWAY_IMAGE ;;
    # It is in the compose file.
    *) REPLY=$1 ;;
  esac
}

# services: those of the profile; sets `services`.
services() {
  services=(vllm gateway)
  env COMPOSE_PROFILES
  if [[ $REPLY == tls ]]; then
    services+=(caddy)
  # Of the named files, and not of all files in the folder.
  elif [[ $compose_arguments == *"--file $folder/config/compose.model-port.yml "* ]]; then
    services+=(model-port)
  fi
}

# model_of: the line of the model and its adapters in the volume's list.
model_of() {
  local name model='' separator
  for name in VLLM_BASE_MODEL@ VLLM_BASE_REVISION' ' VLLM_ADAPTER@ VLLM_ADAPTER_REVISION VLLM_ADAPTERS; do
    separator=${name##*[A-Z]}
    env "${name%"$separator"}"
    model+=$REPLY$separator
  done
  REPLY=$model
}

# tick: a clock that ticks with every start: a test sees whether a container was restarted.
tick() {
  number starts 0
  local count=$((REPLY + 1))
  echo "$count" >"$state/starts"
  printf -v REPLY '2026-11-21T10:%02d:%02d.000000000Z' "$((count / 60 % 60))" "$((count % 60))"
}

started() {
  local service=$1 image health=healthy state_now=running oom=false restarts=0 never=''
  image_of "$service"
  image=$REPLY
  # As the gateway does, which does not start without a key.
  if [[ $service == gateway && -e $folder/keys.txt ]] && ! grep -Eqv '^ *(#|$)' "$folder/keys.txt"; then health=unhealthy; fi
  behaviour_of "$image"
  case $REPLY in
    unhealthy) health=unhealthy ;;
    slow | unseen) health=starting ;;
    # Within its start period for ever, though the model is loaded.
    never) health=starting never=yes ;;
    # A crash loop between two restarts: Docker calls it running, and compose ends at once or not.
    flips) health=starting restarts=5 ;;
    # The two loops alternate with every inspection (`inspect` in the docker shim); compose ends at the first, and keeps
    # waiting at the other.
    crash | loop) health=unhealthy state_now=restarting restarts=3 ;;
    oom) health=unhealthy state_now=restarting oom=true restarts=1 ;;
  esac
  # Offline: it starts only from what is in the volume.
  if [[ $service == vllm ]]; then
    model_of
    grep -qxF "$REPLY" "$state/volumes/extraction-gateway_model-cache/models" 2>/dev/null || health=unhealthy
  fi
  if [[ -s $state/faults/start.$service ]]; then health=unhealthy && rm "$state/faults/start.$service"; fi
  put "$service" never "$never"
  put "$service" state "$state_now"
  put "$service" health "$health"
  put "$service" oom "$oom"
  put "$service" restarts "$restarts"
  tick
  put "$service" started "$REPLY"
  event start "$service"
  # What its container mounts, and what it has read of that.
  if [[ $service == gateway ]]; then
    put gateway folder "$folder"
    cp "$folder/keys.txt" "$state/containers/gateway/keys" 2>/dev/null || true
    routed "$folder"
    put gateway models "$REPLY"
    env GATEWAY_ENGINE
    put gateway engine "$REPLY"
    env OTHER_MODEL_SERVERS
    if [[ $compose_arguments != *"--file $folder/config/compose.other-boxes.yml "* ]]; then REPLY=''; fi
    put gateway others "$REPLY"
  fi
  env VLLM_ADAPTERS
  if [[ $service == vllm && -n $REPLY ]]; then list_models "$REPLY"; fi
}

# list_models ADAPTERS: a real server lists its base model, with a permission that has an id too, and then the adapters.
list_models() {
  local list word
  env VLLM_BASE_MODEL
  list='{"object":"list","data":[{"id":"'$REPLY'","permission":[{"id":"modelperm-1"}]}'
  number unlisted ''
  for word in $1; do
    if [[ ${word%%=*} != "$REPLY" ]]; then list+=',{"id":"'${word%%=*}'","object":"model"}'; fi
  done
  mkdir -p "$state/http/8000/v1"
  echo "$list]}" >"$state/http/8000/v1/models"
}

# crashes_on SERVICE: a container that crashes does so until it is replaced, which a busy machine gets to late.
crashes_on() {
  local restarts
  number replaced_after_restarts 0
  restarts=$REPLY
  while get "$1" restarts && ((REPLY > 0 && REPLY < restarts)); do sleep 0.05; done
}

# replaced SERVICE HASH: its container replaces the previous one. Atomically, as in an engine: no reader sees a partial
# state.
replaced() {
  local service=$1 id
  (
    flock 8
    if runs "$service"; then ends "$service"; fi
    mkdir -p "$state/containers/$service"
    put "$service" hash "$2"
    image_of "$service"
    put "$service" image "$REPLY"
    tick
    number starts 0
    printf -v id '%08x' "$REPLY" "$REPLY" "$REPLY" "$REPLY" "$REPLY" "$REPLY" "$REPLY" "$REPLY"
    put "$service" exit 0
    started "$service"
    # Last, so that the state of the container before is never read under the new id.
    put "$service" id "$id"
  ) 8>>"$state/containers.lock"
}

bring_up() {
  local service=$1 force=$2 hash image health
  image_of "$service"
  image=$REPLY
  [[ $service == @(caddy|model-port) ]] || has_image "$image" || tell "Error response from daemon: No such image: $image"
  hash_of "$service"
  hash=$REPLY
  get "$service" hash
  if [[ $REPLY != "$hash" || $force == yes ]]; then
    # The gateway depends on it with `restart: true`: it ends first, and starts after it.
    if [[ $service == vllm ]] && runs gateway; then ends gateway; fi
    crashes_on "$service"
    replaced "$service" "$hash"
    return
  fi
  get "$service" health
  health=$REPLY
  if [[ -e $state/loads && $health == starting ]]; then
    # It is loading its model.
    return
  fi
  if ! runs "$service" || [[ $health != healthy ]]; then started "$service"; fi
}

compose_up() {
  local service force=no services behaviour outcome
  services
  if [[ $* == *--force-recreate* ]]; then force=yes; fi
  if [[ ${*: -1} == vllm || ${*: -1} == gateway ]]; then services=("${*: -1}"); fi
  for service in "${services[@]}"; do bring_up "$service" "$force"; done
  if [[ $* != *--wait* ]]; then return; fi
  for service in "${services[@]}"; do
    image_of "$service"
    behaviour_of "$REPLY"
    behaviour=$REPLY
    # Compose ends when it happens to see a restart, and otherwise keeps waiting without effect. Here it never sees one.
    if [[ $behaviour == loop ]]; then sleep 40; fi
    # Here it does, whatever state the inspections of others have left by now.
    if [[ $behaviour == crash ]]; then tell "container extraction-gateway-$service-1 is unhealthy"; fi
    # At its time limit it has been seen to end as if all were well, on a busy machine.
    if [[ $behaviour == unseen ]]; then continue; fi
    get "$service" state
    outcome=$REPLY
    get "$service" health
    case $outcome/$REPLY in
      running/healthy) ;;
      restarting/*) tell "container extraction-gateway-$service-1 is unhealthy" ;;
      running/starting)
        if [[ -e $state/loads ]]; then
          # It needs a moment more, and is waited for.
          sleep 0.3
          put "$service" health healthy
          continue
        fi
        get "$service" never
        if [[ -n $REPLY ]]; then sleep 40; fi
        option --wait-timeout "$@"
        tell "application not healthy after ${REPLY}s"
        ;;
      running/*) tell "container extraction-gateway-$service-1 is unhealthy" ;;
      *) tell "container extraction-gateway-$service-1 exited (1)" ;;
    esac
  done
}

# The one-shot download: reads the token from the file that it is given, as its container would.
compose_run() {
  local id volume=$state/volumes/extraction-gateway_model-cache
  [[ $* == *--profile\ download* ]] || tell "no such service: download"
  [[ $(stat -c %a "$HF_TOKEN_FILE") == 600 ]] || tell "shim: the token's file may be read by others"
  cmp -s "$HF_TOKEN_FILE" "$(ls "$state"/secrets/*)" || tell "401 Client Error: Unauthorized for url: https://huggingface.co"
  mkdir -p "$volume"
  # It lives until it is removed, even if the compose that started it ends.
  id=oneoff$RANDOM$RANDOM
  mkdir -p "$state/oneoff"
  option --name "$@"
  echo "$REPLY" >"$state/oneoff/$id"
  [[ -e $volume/created ]] || echo "2026-11-21T09:00:0$((RANDOM % 10))Z" >"$volume/created"
  # No byte comes any more.
  if [[ -e $state/download_hangs ]]; then sleep 60; fi
  model_of
  echo "$REPLY" >>"$volume/models"
  if [[ -z $after ]]; then rm "$state/oneoff/$id"; fi
}

compose_stop() {
  local service services
  services
  if [[ " ${services[*]} " == *" ${*: -1} "* ]]; then services=("${*: -1}"); fi
  # What depends on another ends before it.
  for service in caddy gateway vllm; do
    if [[ " ${services[*]} " == *" $service "* ]] && runs "$service"; then ends "$service"; fi
  done
}

# All that are named end at once; with vllm the gateway too, which depends on it with `restart: true`.
compose_restart() {
  local service services=()
  for service in vllm gateway; do
    if [[ " $* " == *" $service "* ]] || [[ $service == gateway && " $* " == *" vllm "* ]]; then services+=("$service"); fi
  done
  for service in "${services[@]}"; do if runs "$service"; then ends "$service"; fi; done
  for service in "${services[@]}"; do started "$service"; done
}

compose_logs() {
  local service since last
  option --since "$@"
  since=$REPLY
  option --tail "$@"
  last=$REPLY
  for service in gateway vllm caddy; do
    if [[ " $* " != *" $service "* ]]; then continue; fi
    awk -v since="$since" -v name="$service-1" '$1 >= since { print name "  | " $0 }' "$state/logs/$service" 2>/dev/null |
      tail -n "${last/all/+1}" || true
  done
}

compose() {
  local verb='' service
  compose_arguments="$* "
  if [[ $1 == version ]]; then
    called docker.compose-version "$@"
    cat "$state/compose_version" 2>/dev/null || echo 2.40.3
    return
  fi
  option --project-directory "$@"
  folder=$REPLY
  option --file "$@"
  file=$REPLY
  option --env-file "$@"
  env_file=$REPLY
  option --project-name "$@"
  [[ $REPLY == extraction-gateway && -e $file && -e $env_file ]] || tell "shim: compose without its files"
  for verb in "$@"; do if [[ $verb =~ ^(up|run|stop|restart|logs|config|pull)$ ]]; then break; fi; done
  called "docker.compose-$verb" "$@"
  case $verb in
    config)
      for service in gateway vllm; do
        image_of "$service"
        [[ -n $REPLY ]] || tell "required variable ${service^^}_IMAGE is missing a value"
      done
      ;;
    # Existing images are not pulled again; ours always exist by now.
    pull)
      for service in gateway vllm; do
        image_of "$service"
        has_image "$REPLY"
      done
      ;;
    up) compose_up "$@" ;;
    run) compose_run "$@" ;;
    stop) compose_stop "$@" ;;
    restart) compose_restart "$@" ;;
    logs) compose_logs "$@" ;;
    *) tell "shim: docker compose $verb is not known" ;;
  esac
}
