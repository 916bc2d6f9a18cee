# shellcheck shell=bash disable=SC2154,SC2034
# Verifies a release: the wanted images run, are healthy and ready, and the model answers one note.

# try TIMES COMMAND...: repeats the command after pauses, at most TIMES times.
try() {
  local times=$1
  shift
  until "$@"; do
    times=$((times - 1))
    if ((times <= 0)); then return 1; fi
    sleep "$pause"
  done
}

# gateway_says FILE ARGUMENT...: runs the gateway's own command in its container.
gateway_says() {
  local file=$1
  shift
  look_at gateway || return 1
  timeout --foreground 120 docker exec "$c_id" /gateway "$@" >"$file"
}

ready() { gateway_says "$own/health.json" healthcheck --format json; }

# answer NAME JSON: succeeds if the test note's answer has this field. The model's text in it has escaped quotes.
answer() { grep -Eq "(^|[{,]) *\"$1\": *$2 *(,|}|\$)" "$own/selftest.json"; }

# literal TEXT: prints a pattern that matches only this text.
literal() { printf '%s' "$1" | sed 's/[][\.*^$+?(){}|]/\\&/g'; }

# Checks that the model of this name answered, and that nothing was held back.
selftest() {
  gateway_says "$own/selftest.json" selftest && answer engine '"vllm"' && answer degraded false && answer model "\"$(literal "$1")\""
}

check_containers() {
  local service image
  for service in $(services_of "$1"); do
    look_at "$service" || die "There is no container for $service."
    # Caddy's image is set in the compose file.
    image=$(env_of "$1" "${service^^}_IMAGE")
    [[ -z $image || $c_image == "$image" ]] || die "$service runs another image than this release's."
    [[ $c_state == running && $c_health == healthy ]] || die "$service is not healthy (state $c_state, health ${c_health:-none})."
  done
}

why_not_ready() {
  case $(json_field reason <"$own/health.json") in
    model_missing) echo "The model server runs but does not serve the configured model: check the adapter and VLLM_SERVED_NAME." ;;
    loading) echo "The model server is still loading the model." ;;
    unreachable) echo "The gateway cannot reach the model server." ;;
    *) echo "The gateway does not report that it is ready." ;;
  esac
}

why_no_answer() { # RELEASE
  if [[ $(route_in "$1") == rules ]]; then
    echo "The rules did not answer the test note, although deployer model rules selected them."
  elif answer engine '"rules"' || answer degraded true; then
    echo "The test note was answered by the rules engine, not by the model: this deployment does not work."
  else
    echo "The test note was not answered by the model of this release."
  fi
}

# verify RELEASE [TRIES]
verify() {
  begin verify "verify: healthy, ready, one note answered by the model"
  : >"$own/health.json"
  : >"$own/selftest.json"
  check_containers "$1"
  try "${2:-30}" ready || die "$(why_not_ready)"
  try 2 reads_note "$1" "$(route_in "$1")" || die "$(why_no_answer "$1")"
}

# verified RELEASE: verifies once, as a condition. `verify` does not depend on `set -e`, which a condition turns off.
verified() {
  (
    trap - EXIT
    verify "$1" 1
  )
}
