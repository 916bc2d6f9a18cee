#!/bin/bash
# Stops this instance when nobody uses the gateway. A systemd timer runs it every minute; nobody's laptop is needed.
#
# What is not known counts as active, but for an hour at most: a broken gateway must not cost money for ever. Limits
# count from boot, because what this remembers lies in memory. The instance stops itself by its own role.
set -Eeuo pipefail
umask 077
export LC_ALL=C AWS_PAGER=''

readonly root=${EXTRACTION_GATEWAY_ROOT:-/opt/extraction-gateway}
readonly run=${EXTRACTION_GATEWAY_RUN:-/run/extraction-gateway}
readonly project=extraction-gateway
readonly unknown_limit=3600
readonly metadata=http://169.254.169.254/latest

idle_minutes=0 max_uptime_hours=0 region=''
# shellcheck source=/dev/null
source "$root/autostop/settings"
mkdir -p "$run"
uptime=$(cut -d . -f 1 "${EXTRACTION_GATEWAY_UPTIME:-/proc/uptime}")

# note DECISION REASON SECONDS_LEFT: for `deployer status`, and for the journal.
note() {
  printf '"decision":"%s","reason":"%s","at":%s,"stops_in":%s' "$1" "$2" "$(date +%s)" "${3:-null}" >"$run/autostop.state.new"
  mv -T "$run/autostop.state.new" "$run/autostop.state"
  echo "$1: $2"
}

stop_instance() {
  local reason=$1 session instance
  note stopping "$reason" 0
  # The session token goes by stdin: an argument could be seen in the list of processes.
  if session=$(curl --silent --show-error --fail --max-time 10 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token") &&
    instance=$(curl --silent --show-error --fail --max-time 10 --header @- "$metadata/meta-data/instance-id" \
      <<<"X-aws-ec2-metadata-token: $session") &&
    aws ec2 stop-instances --region "$region" --instance-ids "$instance" >/dev/null; then
    printf '{"at":%s,"operator":"autostop","action":"stop","outcome":"done","release":null,"step":"stop"}\n' "$(date +%s)" >>"$root/audit.jsonl" || true
    exit 0
  fi
  note failed "$reason, but the instance could not stop itself; trying again in a minute" 0
  exit 1
}

# gateway_field NAME: a whole number from what the gateway says of itself, or nothing.
gateway_field() { sed -n 's/.*"'"$1"'": *\([0-9][0-9]*\).*/\1/p' <<<"$health" | head -n 1; }

# Sets idle to the seconds since the gateway last had work (0: it has now); fails where that is not known.
ask_gateway() {
  local container in_flight queued
  # A deploy may take an hour with nothing that answers. Like everything unknown it is given that hour.
  if ! flock --nonblock "$root/lock" true; then
    why="somebody is at work on the host"
    return 1
  fi
  why="the gateway does not say how busy it is"
  container=$(timeout --foreground 30 docker ps --quiet --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.service=gateway | head -n 1) || return 1
  [[ -n $container ]] || return 1
  # Its exit status says whether it is ready, which is not the question here.
  health=$(timeout --foreground 30 docker exec "$container" /gateway healthcheck --format json) || true
  in_flight=$(gateway_field in_flight) queued=$(gateway_field queued) idle=$(gateway_field idle_seconds)
  [[ -n $in_flight && -n $idle ]] || return 1
  if ((in_flight + ${queued:-0} > 0)); then idle=0; fi
}

# since_first_unknown: seconds since it was last known how busy the gateway is.
since_first_unknown() {
  local first
  first=$(cat "$run/autostop.unknown" 2>/dev/null) || first=''
  if [[ -z $first ]]; then
    first=$uptime
    printf '%s' "$first" >"$run/autostop.unknown"
  fi
  echo "$((uptime - first))"
}

if ((max_uptime_hours > 0 && uptime >= max_uptime_hours * 3600)); then
  stop_instance "up for $max_uptime_hours hours, the hard limit"
fi
health='' idle=0 why=''
if ask_gateway; then
  rm -f "$run/autostop.unknown"
  if ((idle > uptime)); then idle=$uptime; fi
  left=$((idle_minutes * 60 - idle))
  if ((left <= 0)); then stop_instance "idle for $idle_minutes minutes"; fi
  if ((idle == 0)); then note active "work is running" "$left"; else note idle "no work for $idle s" "$left"; fi
else
  unknown=$(since_first_unknown)
  if ((unknown >= unknown_limit)); then stop_instance "unknown for an hour: $why"; fi
  note unknown "$why" "$((unknown_limit - unknown))"
fi
