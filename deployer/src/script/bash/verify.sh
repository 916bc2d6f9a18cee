# shellcheck shell=bash disable=SC2154,SC2034
# The gate: what runs is what was asked for, healthy, ready, and one note is answered by the model.

# try TIMES COMMAND...: again after a pause, so many times.
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

# answer NAME JSON: does the test note's answer say so? What the model wrote stands in it too, with its quotes escaped.
answer() { grep -Eq "(^|[{,]) *\"$1\": *$2 *(,|}|\$)" "$own/selftest.json"; }

# literal TEXT: as a pattern that fits the text alone.
literal() { printf '%s' "$1" | sed 's/[][\.*^$+?(){}|]/\\&/g'; }

# Answered by the model of this name, with nothing held back.
selftest() {
  gateway_says "$own/selftest.json" selftest && answer engine '"vllm"' && answer degraded false && answer model "\"$(literal "$1")\""
}

check_containers() {
  local service image
  for service in $(services_of "$1"); do
    look_at "$service" || die "There is no container for $service."
    # Caddy's image stands in the compose file.
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
    *) echo "The gateway does not say that it is ready." ;;
  esac
}

why_no_answer() {
  if answer engine '"rules"' || answer degraded true; then
    echo "The test note was answered by the rules engine, not by the model: this is no working deployment."
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
  try 2 selftest "$(env_of "$1" VLLM_SERVED_NAME)" || die "$(why_no_answer)"
}

# verified RELEASE: the same as a question, asked once. `verify` leaves nothing to `set -e`, which a question turns off.
verified() {
  (
    trap - EXIT
    verify "$1" 1
  )
}
