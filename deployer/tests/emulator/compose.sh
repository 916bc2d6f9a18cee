# shellcheck shell=bash disable=SC2154
# The compose plug-in for the docker shim: services start anew only where their definition or image changed.

folder='' file='' env_file='' compose_arguments=''

# env NAME: a setting from the release's .env.
env() {
  local line value=''
  while read -r line; do
    if [[ $line == "$1='"* ]]; then value=${line#*=\'} value=${value%\'}; fi
  done <"$env_file"
  echo "$value"
}

# hash_of SERVICE: of what compose would start it from.
hash_of() {
  {
    sed -n "/^  $1:/,/^  [a-z]/p" "$file"
    if [[ $1 == vllm ]]; then
      grep '^VLLM_' "$env_file" | sort
    else
      grep -v '^VLLM_' "$env_file" | sort
      # Its mounts lie in the release's folder.
      echo "$folder"
    fi
  } | sha256sum | cut -c 1-64
}

image_of() {
  case $1 in
    vllm) env VLLM_IMAGE ;;
    gateway) env GATEWAY_IMAGE ;;
    # It stands in the compose file.
    *) echo "$1" ;;
  esac
}

# services: those of the profile.
services() {
  if [[ $(env COMPOSE_PROFILES) == tls ]]; then
    echo vllm gateway caddy
  # Of the files that are named, and not of those that lie there.
  elif [[ $compose_arguments == *"--file $folder/config/compose.model-port.yml "* ]]; then
    echo vllm gateway model-port
  else
    echo vllm gateway
  fi
}

model_of() { echo "$(env VLLM_BASE_MODEL)@$(env VLLM_BASE_REVISION) $(env VLLM_ADAPTER)@$(env VLLM_ADAPTER_REVISION)$(env VLLM_ADAPTERS)"; }

put() { printf '%s' "$3" >"$state/containers/$1/$2"; }

# A clock that ticks with every start: a test sees whether a container was started anew.
tick() {
  local count=$(($(number starts 0) + 1))
  echo "$count" >"$state/starts"
  printf '2026-11-21T10:%02d:%02d.000000000Z' "$((count / 60 % 60))" "$((count % 60))"
}

started() {
  local service=$1 image health=healthy state_now=running oom=false restarts=0 never=''
  image=$(image_of "$service")
  # As the gateway does, which does not start without a key.
  if [[ $service == gateway && -e $folder/keys.txt ]] && ! grep -Eqv '^ *(#|$)' "$folder/keys.txt"; then health=unhealthy; fi
  case $(behaviour_of "$image") in
    unhealthy) health=unhealthy ;;
    slow | unseen) health=starting ;;
    # Within its start period for ever, though the model is loaded.
    never) health=starting never=yes ;;
    # A crash loop between two restarts: Docker calls it running, and compose ends at once or not.
    flips) health=starting restarts=5 ;;
    # The two loops flip with every look (`inspect` in the docker shim); compose ends at the first, and waits on at the other.
    crash | loop) health=unhealthy state_now=restarting restarts=3 ;;
    oom) health=unhealthy state_now=restarting oom=true restarts=1 ;;
  esac
  # Offline: it starts only from what is in the volume.
  if [[ $service == vllm ]] && ! grep -qxF "$(model_of)" "$state/volumes/extraction-gateway_model-cache/models" 2>/dev/null; then
    health=unhealthy
  fi
  if [[ -s $state/faults/start.$service ]]; then health=unhealthy && rm "$state/faults/start.$service"; fi
  put "$service" never "$never"
  put "$service" state "$state_now"
  put "$service" health "$health"
  put "$service" oom "$oom"
  put "$service" restarts "$restarts"
  put "$service" started "$(tick)"
  event start "$service"
  # What its container mounts, and what it has read of that.
  if [[ $service == gateway ]]; then
    put gateway folder "$folder"
    cp "$folder/keys.txt" "$state/containers/gateway/keys" 2>/dev/null || true
    put gateway models "$(routed "$folder")"
    put gateway engine "$(env GATEWAY_ENGINE)"
    if [[ $compose_arguments == *"--file $folder/config/compose.other-boxes.yml "* ]]; then
      put gateway others "$(env OTHER_MODEL_SERVERS)"
    else
      put gateway others ''
    fi
  fi
  # A real one lists its base model, with a permission that has an id too, and then the adapters.
  if [[ $service == vllm && -n $(env VLLM_ADAPTERS) ]]; then
    mkdir -p "$state/http/8000/v1"
    {
      printf '{"object":"list","data":[{"id":"%s","permission":[{"id":"modelperm-1"}]}' "$(env VLLM_BASE_MODEL)"
      for word in $(env VLLM_ADAPTERS); do
        if [[ ${word%%=*} != "$(number unlisted '')" ]]; then printf ',{"id":"%s","object":"model"}' "${word%%=*}"; fi
      done
      printf ']}\n'
    } >"$state/http/8000/v1/models"
  fi
}

# routed FOLDER: the line with the models that answer, as the gateway reads it from its settings.
routed() { grep ' # deployer model use$' "$1/config/gateway.toml" 2>/dev/null || true; }

# event die|start SERVICE: what `docker events` tells of the containers.
event() { echo "$(date +%s.%N) $*" >>"$state/events"; }

# ends SERVICE: its container, in good order or not. The engine calls what does not run unhealthy.
ends() {
  put "$1" state exited
  put "$1" health unhealthy
  put "$1" exit "$(number "exit_$1" 0)"
  event die "$1"
}

runs() { load "$state/containers/$1/state" && [[ $REPLY == running ]]; }

# crashes_on SERVICE: a container that crashes does so until it is replaced, which a busy machine gets to late.
crashes_on() {
  local restarts
  restarts=$(number replaced_after_restarts 0)
  while [[ -e $state/containers/$1/restarts ]] && (($(get "$1" restarts) > 0 && $(get "$1" restarts) < restarts)); do
    sleep 0.05
  done
}

# replaced SERVICE HASH: its container in place of the one before. At once, as an engine does it: nobody reads half of it.
replaced() {
  local service=$1 id
  (
    flock 8
    if runs "$service"; then ends "$service"; fi
    mkdir -p "$state/containers/$service"
    put "$service" hash "$2"
    put "$service" image "$(image_of "$service")"
    id=$(tick | sha256sum | cut -c 1-64)
    put "$service" exit 0
    started "$service"
    # Last, so that the state of the container before is never read under the new id.
    put "$service" id "$id"
  ) 8>>"$state/containers.lock"
}

bring_up() {
  local service=$1 force=$2 hash
  hash=$(hash_of "$service")
  [[ $service == @(caddy|model-port) ]] || has_image "$(image_of "$service")" || tell "Error response from daemon: No such image: $(image_of "$service")"
  if [[ ! -e $state/containers/$service/hash || $(get "$service" hash) != "$hash" || $force == yes ]]; then
    # The gateway depends on it with `restart: true`: it ends first, and starts after it.
    if [[ $service == vllm ]] && runs gateway; then ends gateway; fi
    crashes_on "$service"
    replaced "$service" "$hash"
  elif [[ -e $state/loads && $(get "$service" health) == starting ]]; then
    # It is loading its model.
    return
  elif [[ $(get "$service" state) != running || $(get "$service" health) != healthy ]]; then
    started "$service"
  fi
}

compose_up() {
  local service force=no services
  read -ra services < <(services)
  if [[ $* == *--force-recreate* ]]; then force=yes; fi
  if [[ ${*: -1} == vllm || ${*: -1} == gateway ]]; then services=("${*: -1}"); fi
  for service in "${services[@]}"; do bring_up "$service" "$force"; done
  if [[ $* != *--wait* ]]; then return; fi
  for service in "${services[@]}"; do
    # Compose ends when it happens to see a restart, and else waits on, though nothing will come of it. Here it never sees one.
    if [[ $(behaviour_of "$(image_of "$service")") == loop ]]; then sleep 40; fi
    # At its time limit it has been seen to end as if all were well, on a busy machine.
    if [[ $(behaviour_of "$(image_of "$service")") == unseen ]]; then continue; fi
    case $(get "$service" state)/$(get "$service" health) in
      running/healthy) ;;
      restarting/*) tell "container extraction-gateway-$service-1 is unhealthy" ;;
      running/starting)
        if [[ -e $state/loads ]]; then
          # It needs a moment more, and is waited for.
          sleep 0.3
          put "$service" health healthy
          continue
        fi
        if [[ -n $(get "$service" never) ]]; then sleep 40; fi
        tell "application not healthy after $(option --wait-timeout "$@")s"
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
  # It lives until it is removed, whatever becomes of the compose that started it.
  id=oneoff$RANDOM$RANDOM
  mkdir -p "$state/oneoff"
  option --name "$@" >"$state/oneoff/$id"
  [[ -e $volume/created ]] || echo "2026-11-21T09:00:0$((RANDOM % 10))Z" >"$volume/created"
  # No byte comes any more.
  if [[ -e $state/download_hangs ]]; then sleep 60; fi
  model_of >>"$volume/models"
  if [[ -z $after ]]; then rm "$state/oneoff/$id"; fi
}

compose_stop() {
  local service services
  read -ra services < <(services)
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
  since=$(option --since "$@") last=$(option --tail "$@")
  for service in gateway vllm caddy; do
    if [[ " $* " != *" $service "* ]]; then continue; fi
    awk -v since="$since" -v name="$service-1" '$1 >= since { print name "  | " $0 }' "$state/logs/$service" 2>/dev/null |
      tail -n "${last/all/+1}" || true
  done
}

compose() {
  local verb=''
  compose_arguments="$* "
  if [[ $1 == version ]]; then
    called docker.compose-version "$@"
    cat "$state/compose_version" 2>/dev/null || echo 2.40.3
    return
  fi
  folder=$(option --project-directory "$@") file=$(option --file "$@") env_file=$(option --env-file "$@")
  [[ $(option --project-name "$@") == extraction-gateway && -e $file && -e $env_file ]] || tell "shim: compose without its files"
  for verb in "$@"; do if [[ $verb =~ ^(up|run|stop|restart|logs|config|pull)$ ]]; then break; fi; done
  called "docker.compose-$verb" "$@"
  case $verb in
    config) [[ -n $(env GATEWAY_IMAGE) && -n $(env VLLM_IMAGE) ]] || tell "required variable GATEWAY_IMAGE is missing a value" ;;
    # What is there is not pulled again; ours always are by now.
    pull) has_image "$(image_of gateway)" && has_image "$(image_of vllm)" ;;
    up) compose_up "$@" ;;
    run) compose_run "$@" ;;
    stop) compose_stop "$@" ;;
    restart) compose_restart "$@" ;;
    logs) compose_logs "$@" ;;
    *) tell "shim: docker compose $verb is not known" ;;
  esac
}
