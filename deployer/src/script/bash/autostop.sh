#!/bin/bash
# Stops this instance when nobody uses the gateway. A systemd timer runs it every minute; nobody's laptop is needed.
#
# What is not known counts as active, but for an hour at most: a broken gateway must not cost money for ever. Limits
# count from boot, because what this remembers lies in memory. The instance stops itself by its own role.
set -Eeuo pipefail
umask 077
export PATH=$PATH:/usr/local/bin:/snap/bin # where the AWS command line may be
export LC_ALL=C HOME=${HOME:-/root} AWS_PAGER=''

readonly root=${EXTRACTION_GATEWAY_ROOT:-/opt/extraction-gateway}
readonly run=${EXTRACTION_GATEWAY_RUN:-/run/extraction-gateway}
readonly project=extraction-gateway
readonly unknown_limit=3600
readonly busy_limit=10800 # longer than a deploy may take, with its download and a way back
readonly metadata=http://169.254.169.254/latest

# number TEXT OTHER: a whole number, or the other where it is none: a file that is damaged is no arithmetic and no code.
number() { if [[ $1 =~ ^[0-9]{1,12}$ ]]; then printf '%s' "$((10#$1))"; else printf '%s' "$2"; fi; }

# setting NAME: its plain text.
setting() { sed -n "s/^$1=\([A-Za-z0-9-]*\)\$/\1/p" "$root/autostop/settings" | head -n 1; }

idle_minutes=0 max_uptime_hours=0 region=''
if [[ ${1:-} == check ]]; then
  region=$2
else
  # A limit that cannot be read is an hour, not none.
  idle_minutes=$(number "$(setting idle_minutes)" 60) max_uptime_hours=$(number "$(setting max_uptime_hours)" 0)
  region=$(setting region)
fi
mkdir -p "$run"
uptime=$(number "$(cut -d . -f 1 "${EXTRACTION_GATEWAY_UPTIME:-/proc/uptime}")" 0)

# note DECISION REASON SECONDS_LEFT: for `deployer status`, and for the journal.
note() {
  printf '"decision":"%s","reason":"%s","at":%s,"stops_in":%s' "$1" "$2" "$(date +%s)" "${3:-null}" >"$run/autostop.state.new"
  mv -T "$run/autostop.state.new" "$run/autostop.state"
  echo "$1: $2"
}

# stop_itself ARGUMENT...: by the instance's own role.
stop_itself() {
  local session instance
  # The session token goes by stdin: an argument could be seen in the list of processes.
  session=$(curl --silent --show-error --fail --max-time 10 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token") &&
    instance=$(curl --silent --show-error --fail --max-time 10 --header @- "$metadata/meta-data/instance-id" \
      <<<"X-aws-ec2-metadata-token: $session") &&
    aws ec2 stop-instances --region "$region" --instance-ids "$instance" "$@"
}

stop_instance() {
  local reason=$1
  note stopping "$reason" 0
  if stop_itself >/dev/null; then
    printf '{"at":%s,"operator":"autostop","action":"stop","outcome":"done","release":null,"step":"stop"}\n' "$(date +%s)" >>"$root/audit.jsonl" || true
    exit 0
  fi
  note failed "$reason, but the instance could not stop itself; trying again in a minute" 0
  exit 1
}

# gateway_field NAME: a whole number from what the gateway says of itself, or nothing.
gateway_field() { number "$(sed -n 's/.*"'"$1"'": *\([0-9][0-9]*\).*/\1/p' <<<"$health" | head -n 1)" ''; }

# Until now nobody could have used the service, so nobody can be blamed for not having done so.
no_use_now() { printf '%s' "$uptime" >"$run/autostop.unusable"; }

# Sets idle to the seconds since the gateway last had work (0: it has now); fails where that is not known.
ask_gateway() {
  local container in_flight queued unusable
  why="the gateway does not say how busy it is"
  container=$(timeout --foreground 30 docker ps --quiet --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.service=gateway | head -n 1) || return 1
  [[ -n $container ]] || return 1
  # Its exit status says whether it is ready, which is not the question here.
  health=$(timeout --foreground 30 docker exec "$container" /gateway healthcheck --format json) || true
  in_flight=$(gateway_field in_flight) queued=$(gateway_field queued) idle=$(gateway_field idle_seconds)
  [[ -n $in_flight && -n $idle ]] || return 1
  if ((in_flight + ${queued:-0} > 0)); then
    idle=0
    return
  fi
  if ! grep -q '"ready": *true' <<<"$health"; then
    why="the gateway is not ready: a model that loads, perhaps"
    # Only the first load: one that fails again and again must not pass for use for ever.
    if [[ ! -e $run/autostop.was_ready ]]; then no_use_now; fi
    return 1
  fi
  : >"$run/autostop.was_ready"
  # It counts its idle time from its start, but nobody could use it while the model loaded.
  unusable=$(number "$(cat "$run/autostop.unusable" 2>/dev/null)" 0)
  if ((idle > uptime - unusable)); then idle=$((uptime - unusable)); fi
}

# since NAME: seconds since this was first asked; the file of that name remembers.
since() {
  local first
  first=$(number "$(cat "$run/$1" 2>/dev/null)" '')
  if [[ -z $first ]]; then
    first=$uptime
    printf '%s' "$first" >"$run/$1"
  fi
  echo "$((uptime - first))"
}

# `check REGION`: may this instance stop itself? AWS says so by an error of that name.
if [[ ${1:-} == check ]]; then
  said=$(stop_itself --dry-run 2>&1) || true
  grep -q DryRunOperation <<<"$said" || { printf '%s\n' "$said" >&2 && exit 1; }
  exit 0
fi

if ((max_uptime_hours > 0 && uptime >= max_uptime_hours * 3600)); then
  stop_instance "up for $max_uptime_hours hours, the hard limit"
fi
health='' idle=0 why=''
if ! flock --nonblock "$root/lock" true; then
  # What is not known of the gateway while somebody works on it says nothing; the hour begins anew after that.
  rm -f "$run"/autostop.{unknown,was_ready}
  no_use_now
  busy=$(since autostop.busy)
  if ((busy >= busy_limit)); then stop_instance "somebody has been at work on the host for 3 hours"; fi
  note active "somebody is at work on the host" "$((busy_limit - busy))"
  exit 0
fi
rm -f "$run/autostop.busy"
if ask_gateway; then
  rm -f "$run/autostop.unknown"
  left=$((idle_minutes * 60 - idle))
  if ((left <= 0)); then stop_instance "idle for $idle_minutes minutes"; fi
  if ((idle == 0)); then note active "work is running" "$left"; else note idle "no work for $idle s" "$left"; fi
else
  unknown=$(since autostop.unknown)
  if ((unknown >= unknown_limit)); then stop_instance "unknown for an hour: $why"; fi
  note unknown "$why" "$((unknown_limit - unknown))"
fi
