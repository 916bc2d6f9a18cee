# shellcheck shell=bash disable=SC2154,SC2034
# Steps that take minutes. They run in the background, so that it handles a signal at once. Their progress is reported,
# and a step that makes no progress is ended.

# For tests only.
readonly stall=${EXTRACTION_GATEWAY_STALL:-300} tell_every=${EXTRACTION_GATEWAY_TELL:-15}
readonly moves=1048576 # fewer new bytes do not count as progress: an idle connection that is kept open has some, too
readonly download=$project-download-$$ # the container that has the token

worker='' # the process of the long step
next_told=$tell_every
guarded=''

# guard: a kill of this run kills all its processes at once, without a clean-up. So one process in a session of its own
# waits for the end of the run. If the run left its folder, that process removes the token, the registry's login and
# the download's container. It holds neither the lock nor the output.
guard() {
  if [[ -n $guarded ]]; then return; fi
  guarded=yes
  # shellcheck disable=SC2016 # expanded there
  setsid --fork bash -c 'tail --pid="$1" --sleep-interval=0.5 --follow /dev/null
    if [[ -d $2 ]]; then rm -rf "$2"; timeout 60 docker rm --force "$3"; fi' guard "$$" "$own" "$download" \
    </dev/null >/dev/null 2>&1 3>&- 9>&-
}

# received FILE: prints the bytes received over the network, from a file such as /proc/net/dev.
received() { sed -n 's/^ *\([^:]*\): *\([0-9]*\) .*/\1 \2/p' "$1" 2>/dev/null | awk '$1 != "lo" { sum += $2 } END { printf "%.0f", sum }'; }

# download_bytes: prints the bytes in the model's volume, and the bytes that its container received.
download_bytes() {
  local folder pid
  folder=$(docker volume inspect --format "{{.Mountpoint}}" "${project}_model-cache" 2>/dev/null) || folder=''
  if [[ ! -d $folder ]]; then return; fi
  pid=$(docker inspect --format "{{.State.Pid}}" "$download" 2>/dev/null) || pid=''
  du --summarize --block-size=1 "$folder" 2>/dev/null | cut -f 1
  if [[ $pid =~ ^[1-9][0-9]*$ ]]; then received "/proc/$pid/net/dev"; fi
}

# pull_bytes: prints by how many bytes Docker's disk filled since its check, and the bytes that this host received.
pull_bytes() {
  local free_then=$disk_free
  disk
  echo "$((disk_free < free_then ? free_then - disk_free : 0))"
  received /proc/net/dev
}

# tell_progress DONE TOTAL LEFT: writes the progress for `deployer status`, and prints it now and then: less often in a
# long run, because Systems Manager returns a limited number of characters and the report must be among them.
tell_progress() {
  if [[ -n $locked ]]; then printf '%s %s %s %s' "$step" "$1" "$2" "$3" >"$run/progress"; fi
  if ((SECONDS >= next_told)); then
    say "progress: $step $1 $2 $3"
    next_told=$((SECONDS + (SECONDS / 15 > tell_every ? SECONDS / 15 : tell_every)))
  fi
}

# watch_over TOTAL MEASURE COMMAND...: runs a command (no function), whose progress MEASURE prints: bytes done, bytes
# received. Fails as the command does.
watch_over() {
  local total=$1 measure=$2 begun=$SECONDS since=$SECONDS first='' mark=0 now='' came='' left sleeper status=0 stuck=''
  local next_look=$SECONDS
  shift 2
  "$@" 3>&- 9>&- &
  worker=$!
  while kill -0 "$worker" 2>/dev/null; do
    if ((SECONDS >= next_look)); then
      next_look=$((SECONDS + stall / 30))
      { read -r now && read -r came; } < <($measure) || true
      if [[ $now =~ ^[0-9]{1,15}$ ]]; then
        [[ $came =~ ^[0-9]{1,15}$ ]] || came=0
        first=${first:-$now} left=-
        if ((now > first && total > now && SECONDS > begun)); then left=$(((total - now) * (SECONDS - begun) / (now - first))); fi
        tell_progress "$now" "$((total > now ? total : now))" "$left"
        if ((now + came - mark >= moves || now + came < mark)); then mark=$((now + came)) since=$SECONDS; fi
      else
        since=$SECONDS # a failed measurement does not count as no progress
      fi
      if ((SECONDS - since >= stall)); then
        stuck=yes
        end_worker
        break
      fi
    fi
    sleep "$pause" 3>&- 9>&- &
    sleeper=$!
    wait -n "$worker" "$sleeper" || true
  done
  if [[ -n $stuck ]]; then die "The step $step had no new byte for $stall seconds and was ended. $(unharmed) Downloaded files are kept: check the host's network, then run this again."; fi
  wait "$worker" || status=$?
  worker=''
  return "$status"
}

# end_worker: ends the long step, and the container that would continue with the token.
end_worker() {
  if [[ -z $worker ]]; then return; fi
  kill "$worker" 2>/dev/null || true
  if [[ $step == download ]]; then timeout --foreground 60 docker rm --force "$download" || true; fi
  worker=''
}
