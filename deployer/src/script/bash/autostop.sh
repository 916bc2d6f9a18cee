#!/bin/bash
# Stops this instance when no client uses the gateway. A systemd timer runs it every minute; no operator's machine is
# needed.
#
# An unknown state counts as active, but only for an hour: a broken gateway must not cost money for ever. Limits count
# from boot, because this script's memory is lost at boot. The instance stops itself with its own role. At the hour of
# the schedule it stops even if it is not idle, but running work, and an operator's work on the host, ends first.
set -Eeuo pipefail
umask 077
export PATH=$PATH:/usr/local/bin:/snap/bin # folders that may contain the AWS command line
export LC_ALL=C HOME=${HOME:-/root} AWS_PAGER=''

readonly root=${EXTRACTION_GATEWAY_ROOT:-/opt/extraction-gateway}
readonly run=${EXTRACTION_GATEWAY_RUN:-/run/extraction-gateway}
readonly project=extraction-gateway
readonly unknown_limit=3600
readonly busy_limit=10800 # longer than a deploy may take, with its download and a way back
readonly metadata=http://169.254.169.254/latest

# number TEXT OTHER: prints TEXT if it is a whole number, otherwise OTHER: a damaged file must not become code.
number() { if [[ $1 =~ ^[0-9]{1,12}$ ]]; then printf '%s' "$((10#$1))"; else printf '%s' "$2"; fi; }

# setting NAME: prints a setting as plain text.
setting() { sed -n "s|^$1=\([A-Za-z0-9:,_+/-]*\)\$|\1|p" "$root/autostop/settings" 2>/dev/null | head -n 1; }

idle_minutes=0 max_uptime_hours=0 region='' stop_at='' open_at='' days='' time_zone='' drain=45
if [[ ${1:-} == check ]]; then
  region=$2
else
  # An unreadable limit counts as an hour, not as no limit.
  idle_minutes=$(number "$(setting idle_minutes)" 60) max_uptime_hours=$(number "$(setting max_uptime_hours)" 0)
  region=$(setting region)
  stop_at=$(setting stop_at) open_at=$(setting open_at) days=$(setting days) time_zone=$(setting time_zone)
  drain=$(number "$(setting drain_seconds)" 45)
  [[ $stop_at =~ ^[0-2][0-9]:[0-5][0-9]$ ]] || stop_at=''
  [[ $open_at =~ ^[0-2][0-9]:[0-5][0-9]$ ]] || open_at=''
fi
mkdir -p "$run"
# The variable is for tests only, as that of the uptime.
now=$(number "$(cat "${EXTRACTION_GATEWAY_CLOCK:-/nowhere}" 2>/dev/null || date +%s)" 0)
uptime=$(number "$(cut -d . -f 1 "${EXTRACTION_GATEWAY_UPTIME:-/proc/uptime}")" 0)

# moments TIME: prints when the schedule's zone has this time on a day of the schedule, from a week ago to a week ahead,
# in seconds since 1970. A time that a day lacks, because the clocks went forward, is left out.
moments() {
  local today day moment
  today=$(TZ=$time_zone date --date "@$now" +%F)
  printf '%s\n' "$today "{-8..8}" days $1" | TZ=$time_zone date --file - '+%s %a' 2>/dev/null | while read -r moment day; do
    if [[ ,$days, == *",$day,"* ]]; then echo "$moment"; fi
  done
}

# Sets last_stop and next_stop, and closed: true if the box should be off now, null if no opening hour is set.
look_at_hours() {
  local moment last_open=0
  last_stop=0 next_stop='' closed=null
  for moment in $(moments "$stop_at"); do
    if ((moment <= now)); then last_stop=$moment; else next_stop=${next_stop:-$moment}; fi
  done
  if [[ -z $open_at ]]; then return; fi
  for moment in $(moments "$open_at"); do
    if ((moment <= now)); then last_open=$moment; fi
  done
  if ((last_open > last_stop)); then closed=false; else closed=true; fi
}

# Prints `schedule` as JSON without its braces; nothing if there is no schedule.
if [[ ${1:-} == schedule ]]; then
  if [[ -z $stop_at ]]; then exit 0; fi
  look_at_hours
  printf '"stop_at":"%s","open_at":"%s","days":"%s","time_zone":"%s","drain_seconds":%s,"next_stop":%s,"next_stop_local":"%s","closed":%s,"due":%s' \
    "$stop_at" "$open_at" "$days" "$time_zone" "$drain" "${next_stop:-null}" \
    "${next_stop:+$(TZ=$time_zone date --date "@$next_stop" '+%a %F %H:%M %Z')}" "$closed" \
    "$([[ -e $run/autostop.due ]] && echo true || echo false)"
  exit 0
fi

# record_decision DECISION REASON SECONDS_LEFT: for `deployer status`, and for the journal.
record_decision() {
  printf '"decision":"%s","reason":"%s","at":%s,"stops_in":%s' "$1" "$2" "$(date +%s)" "${3:-null}" >"$run/autostop.state.new"
  mv -T "$run/autostop.state.new" "$run/autostop.state"
  echo "$1: $2"
}

# stop_itself ARGUMENT...: stops the instance with its own role.
stop_itself() {
  local session instance
  # The session token is passed on stdin, because arguments are visible in the list of processes.
  session=$(curl --silent --show-error --fail --max-time 10 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token") &&
    instance=$(curl --silent --show-error --fail --max-time 10 --header @- "$metadata/meta-data/instance-id" \
      <<<"X-aws-ec2-metadata-token: $session") &&
    aws ec2 stop-instances --region "$region" --instance-ids "$instance" "$@"
}

stop_instance() {
  local reason=$1
  record_decision stopping "$reason" 0
  if stop_itself >/dev/null; then
    printf '{"at":%s,"operator":"autostop","action":"stop","outcome":"done","release":null,"step":"stop"}\n' "$(date +%s)" >>"$root/audit.jsonl" || true
    exit 0
  fi
  record_decision failed "$reason, but the instance could not stop itself; trying again in a minute" 0
  exit 1
}

# gateway_field NAME: prints a whole number of the gateway's own report, or nothing.
gateway_field() { number "$(sed -n 's/.*"'"$1"'": *\([0-9][0-9]*\).*/\1/p' <<<"$health" | head -n 1)" ''; }

# The service could not be used until now, so the idle time starts now.
no_use_now() { printf '%s' "$uptime" >"$run/autostop.unusable"; }

# container_of SERVICE: prints the id of its container, if it runs.
container_of() {
  timeout --foreground 30 docker ps --quiet --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" | head -n 1
}

# may_stop_itself: succeeds if AWS would allow it, which AWS answers with an error of that name.
may_stop_itself() {
  said=$(stop_itself --dry-run 2>&1) || true
  grep -q DryRunOperation <<<"$said"
}

# At the hour, with the lock: stops as `deployer down` does, so that running work ends with its answer.
stop_by_schedule() {
  local service container seconds
  # Checked first: if the box cannot stop itself, stopping its services would only cause an outage.
  if ! may_stop_itself; then
    record_decision failed "it is past $stop_at, but the instance may not stop itself; trying again in a minute" 0
    exit 1
  fi
  printf '{"operator":"autostop","action":"stop","since":%s,"run":""}' "$now" >"$root/lock.holder" || true
  record_decision stopping "it is past $stop_at: running work ends first, at most $drain s" 0
  for service in gateway caddy vllm; do
    container=$(container_of "$service") || container=''
    seconds=30
    if [[ $service == gateway ]]; then seconds=$drain; fi
    if [[ -n $container ]]; then timeout --foreground "$((seconds + 60))" docker stop -t "$seconds" "$container" >/dev/null || true; fi
  done
  rm -f "$root/lock.holder" || true
  stop_instance "the hours of the schedule ended at $stop_at"
}

# Sets idle to the seconds since the gateway last had work (0: it has work now); fails if that is not known.
ask_gateway() {
  local container in_flight queued unusable
  why="the gateway does not report how busy it is"
  container=$(container_of gateway) || return 1
  [[ -n $container ]] || return 1
  # Its exit status only says whether the gateway is ready, which does not matter here.
  health=$(timeout --foreground 30 docker exec "$container" /gateway healthcheck --format json) || true
  in_flight=$(gateway_field in_flight) queued=$(gateway_field queued) idle=$(gateway_field idle_seconds)
  [[ -n $in_flight && -n $idle ]] || return 1
  if ((in_flight + ${queued:-0} > 0)); then
    idle=0
    return
  fi
  if ! grep -q '"ready": *true' <<<"$health"; then
    why="the gateway is not ready: a model that loads, perhaps"
    # Only the first load counts as use: a load that fails again and again must not keep the box running for ever.
    if [[ ! -e $run/autostop.was_ready ]]; then no_use_now; fi
    return 1
  fi
  : >"$run/autostop.was_ready"
  # The gateway counts its idle time from its own start, but it could not be used while the model loaded.
  unusable=$(number "$(cat "$run/autostop.unusable" 2>/dev/null)" 0)
  if ((idle > uptime - unusable)); then idle=$((uptime - unusable)); fi
}

# since NAME: prints the seconds since the first call with this name, which a file of that name records.
since() {
  local first
  first=$(number "$(cat "$run/$1" 2>/dev/null)" '')
  if [[ -z $first ]]; then
    first=$uptime
    printf '%s' "$first" >"$run/$1"
  fi
  echo "$((uptime - first))"
}

# `check REGION`: succeeds if this instance may stop itself.
if [[ ${1:-} == check ]]; then
  may_stop_itself || { printf '%s\n' "$said" >&2 && exit 1; }
  exit 0
fi

if ((max_uptime_hours > 0 && uptime >= max_uptime_hours * 3600)); then
  stop_instance "up for $max_uptime_hours hours, the hard limit"
fi
due=''
if [[ -n $stop_at ]]; then
  # Counts only since the last check or the boot: a box that is started after the hour must not be stopped for it.
  looked=$(number "$(cat "$run/autostop.looked" 2>/dev/null)" "$((now - uptime))")
  look_at_hours
  if ((last_stop > looked)); then : >"$run/autostop.due"; fi
  printf '%s' "$now" >"$run/autostop.looked"
  if [[ -e $run/autostop.due ]]; then due="; the stop at $stop_at waits for its end"; fi
fi
health='' idle=0 why=''
exec 9>>"$root/lock"
if ! flock --nonblock 9; then
  # While an operator works on the gateway, an unknown state proves nothing. Its hour begins again after the work.
  rm -f "$run"/autostop.{unknown,was_ready}
  no_use_now
  # Counted per run: a run that begins between two checks has its own three hours.
  holder=$(cat "$root/lock.holder" 2>/dev/null) || holder=''
  if [[ $holder != "$(cat "$run/autostop.holder" 2>/dev/null)" ]]; then rm -f "$run/autostop.busy"; fi
  printf '%s' "$holder" >"$run/autostop.holder"
  busy=$(since autostop.busy)
  if ((busy >= busy_limit)); then stop_instance "an operator has worked on the host for 3 hours"; fi
  record_decision active "an operator works on the host$due" "$((busy_limit - busy))"
  exit 0
fi
rm -f "$run"/autostop.{busy,holder}
if [[ -n $due ]]; then stop_by_schedule; fi
exec 9>&-
if ask_gateway; then
  rm -f "$run/autostop.unknown"
  left=$((idle_minutes * 60 - idle))
  if ((left <= 0)); then stop_instance "idle for $idle_minutes minutes"; fi
  if ((idle == 0)); then record_decision active "work is running" "$left"; else record_decision idle "no work for $idle s" "$left"; fi
else
  unknown=$(since autostop.unknown)
  if ((unknown >= unknown_limit)); then stop_instance "unknown for an hour: $why"; fi
  record_decision unknown "$why" "$((unknown_limit - unknown))"
fi
