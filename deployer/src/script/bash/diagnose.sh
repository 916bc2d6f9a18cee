# shellcheck shell=bash disable=SC2154,SC2034
# Diagnostics that an operator runs by name. Each has fixed arguments, which no value changes. None changes anything,
# and the output is cut.

readonly diagnose_seconds=30 diagnose_lines=150

# container_to_look_at SERVICE
container_to_look_at() {
  if ! look_at "$1" || [[ $c_state != running ]]; then die "The container of $1 is $c_state; no command was sent to it. deployer status shows more."; fi
}

# ask_over_http SERVICE PORT PATH: sets `tool` to a request from inside the service's network, where the port is on
# loopback: the gateway serves its metrics there without a key (GATEWAY_METRICS__LISTEN in docker-compose.yml), and the
# model server can be reached from nowhere else.
ask_over_http() {
  local pid
  need nsenter curl
  container_to_look_at "$1"
  pid=$(docker inspect --format "{{.State.Pid}}" "$c_id")
  [[ $pid =~ ^[1-9][0-9]*$ ]] || die "Docker names no process of $1; no command was sent to it. deployer status shows more."
  tool=(nsenter --target "$pid" --net curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$2$3")
}

# tool_of DIAGNOSTIC: sets `tool` to its command, and `last` if the end of its output matters most.
tool_of() {
  local columns=pid,user,pcpu,pmem,etime,comm journal=(journalctl --no-pager --output short-iso --lines 100)
  case $1 in
    nvidia-smi) tool=(nvidia-smi) ;;
    docker-ps) tool=(docker ps --all --no-trunc --format "table {{.Names}}\t{{.Status}}\t{{.Image}}") ;;
    docker-stats) tool=(docker stats --no-stream) ;;
    docker-disk) tool=(docker system df) ;;
    disk) tool=(df --human-readable --exclude-type tmpfs --exclude-type overlay --exclude-type squashfs) ;;
    memory) tool=(free --mebi) ;;
    # Only the names of programs: arguments may contain anything.
    processes)
      tool=(ps -eo "$columns" --sort -pcpu)
      if [[ -n $ONE_SERVICE ]]; then
        container_to_look_at "$ONE_SERVICE"
        tool=(docker top "$c_id" -eo "$columns")
      fi
      ;;
    gateway-health)
      container_to_look_at gateway
      tool=(docker exec "$c_id" /gateway healthcheck --format json)
      ;;
    gateway-metrics) ask_over_http gateway 9464 /metrics ;;
    vllm-models) ask_over_http vllm 8000 /v1/models ;;
    vllm-metrics) ask_over_http vllm 8000 /metrics ;;
    journal-docker) last=yes tool=("${journal[@]}" --unit docker.service) ;;
    journal-kernel) last=yes tool=("${journal[@]}" --dmesg) ;;
  esac
}

diagnose() {
  local tool last='' status=0 all
  begin observe "diagnose: $DIAGNOSTIC"
  tool_of "$DIAGNOSTIC"
  need timeout "${tool[0]}"
  timeout --foreground --kill-after 5 "$diagnose_seconds" "${tool[@]}" 2>&1 3>&- 9>&- | head -c 1000000 >"$own/output" || status=${PIPESTATUS[0]}
  # Removes comments, histogram buckets, and series with labels that are 0, of which the gateway has hundreds, from
  # metrics: they are of no use to a reader.
  if [[ $DIAGNOSTIC == *-metrics ]]; then sed -i -E '/^#|_bucket\{|_created(\{| )|\} 0$/d' "$own/output"; fi
  mask_tokens <"$own/output" | cut -c 1-300 >"$own/shown"
  all=$(wc -l <"$own/shown")
  if [[ -n $last ]]; then
    mapfile -t lines < <(tail -n "$diagnose_lines" "$own/shown")
    lines=("${lines[@]:${#lines[@]}-$(fitting "${lines[@]}")}")
  else
    mapfile -t lines < <(head -n "$diagnose_lines" "$own/shown")
    while (($(fitting "${lines[@]}") < ${#lines[@]})); do lines=("${lines[@]:0:$(fitting "${lines[@]}")}"); done
  fi
  fact exit "$status"
  fact left_out "$((all > ${#lines[@]} ? all - ${#lines[@]} : 0))"
  if [[ $status == @(124|137) ]]; then finish 'done' "$DIAGNOSTIC was ended after $diagnose_seconds s."; fi
  finish 'done' "$DIAGNOSTIC ended with $status."
}
