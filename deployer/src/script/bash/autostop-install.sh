# shellcheck shell=bash disable=SC2154,SC2034
# The idle stop's installation: a script, its limits, a systemd timer.

readonly unit=extraction-gateway-autostop

uptime_seconds() { cut -d . -f 1 "${EXTRACTION_GATEWAY_UPTIME:-/proc/uptime}"; }

autostop_on() { if systemctl is-active --quiet "$unit.timer"; then echo true; else echo false; fi; }

setting() { sed -n "s/^$1=\(0\|[1-9][0-9]\{0,6\}\)\$/\1/p" "$root/autostop/settings" 2>/dev/null; }

autostop_json() {
  local saw idle_minutes max_uptime_hours hours name='"[A-Za-z0-9:,_+/-]*"'
  saw=$(cat "$run/autostop.state" 2>/dev/null) || saw=''
  # A damaged file must not break the report.
  [[ $saw =~ ^\"decision\":\"[a-z]+\",\"reason\":\"[^\"\\]*\",\"at\":[0-9]+,\"stops_in\":(null|-?[0-9]+)$ ]] || saw=''
  hours=$(autostop_script | bash -s -- schedule) || hours=''
  [[ $hours =~ ^\"stop_at\":$name,\"open_at\":$name,\"days\":$name,\"time_zone\":$name,\"drain_seconds\":[0-9]+,\"next_stop\":(null|[0-9]+),\"next_stop_local\":\"[A-Za-z0-9\ :+-]*\",\"closed\":[a-z]+,\"due\":[a-z]+$ ]] || hours=''
  idle_minutes=$(setting idle_minutes) max_uptime_hours=$(setting max_uptime_hours)
  printf '{"on":%s,"idle_minutes":%s,"max_uptime_hours":%s%s%s}' "$(autostop_on)" "${idle_minutes:-0}" "${max_uptime_hours:-0}" \
    "${hours:+,$hours}" "${saw:+,$saw}"
}

install_units() {
  replace "$units/$unit.service" <<UNIT
[Unit]
Description=Stop this instance when the extraction gateway is idle, and at its hour
After=docker.service

[Service]
Type=oneshot
ExecStart=$root/autostop/autostop.sh
TimeoutStartSec=$((DRAIN + 300))
UNIT
  replace "$units/$unit.timer" <<'UNIT'
[Unit]
Description=Look every minute whether the extraction gateway is idle

[Timer]
OnBootSec=2min
OnUnitActiveSec=1min
AccuracySec=10s

[Install]
WantedBy=timers.target
UNIT
  chmod 0644 "$units/$unit.service" "$units/$unit.timer"
}

why_no_stop() {
  if said 'UnauthorizedOperation|not authorized'; then
    echo "The instance may not stop itself, so nothing would stop the box; the idle stop was not changed. Give its role ec2:StopInstances on itself (deployer policy instance prints it)."
  else
    echo "It is not known whether the instance may stop itself; the idle stop was not changed. The last lines show why. Run it again."
  fi
}

autostop() {
  need docker systemctl flock
  begin autostop "idle stop: $AUTOSTOP"
  case $AUTOSTOP in
    on)
      need aws curl timeout
      take_lock
      # `date` uses UTC for a zone that it does not know, without an error.
      if [[ -n $STOP_AT && $TIME_ZONE != UTC && ! -f ${TZDIR:-/usr/share/zoneinfo}/$TIME_ZONE ]]; then
        die "The host does not know the time zone $TIME_ZONE; the idle stop was not changed. Correct autostop.time_zone, or install tzdata there."
      fi
      begin autostop "idle stop: after $STOP_AFTER_MINUTES minutes"
      autostop_script >"$own/autostop.sh"
      bash "$own/autostop.sh" check "$REGION" || die "$(why_no_stop)"
      mkdir -p "$root/autostop"
      autostop_script | replace "$root/autostop/autostop.sh"
      chmod 0700 "$root/autostop/autostop.sh"
      # An hour that has already passed must not stop the box.
      rm -f "$run/autostop.due"
      cat "${EXTRACTION_GATEWAY_CLOCK:-/nowhere}" 2>/dev/null >"$run/autostop.looked" || date +%s >"$run/autostop.looked"
      printf '%s=%s\n' idle_minutes "$STOP_AFTER_MINUTES" max_uptime_hours "$STOP_AFTER_HOURS" region "$REGION" drain_seconds "$DRAIN" \
        stop_at "$STOP_AT" open_at "$OPEN_AT" days "$STOP_DAYS" time_zone "$TIME_ZONE" | replace "$root/autostop/settings"
      install_units
      systemctl daemon-reload
      systemctl enable --now "$unit.timer"
      [[ $(autostop_on) == true ]] || die "The timer does not run after it was enabled, so nothing stops the box. Check systemctl status $unit.timer on the host."
      ;;
    off)
      take_lock
      begin autostop "idle stop: off"
      if [[ -e $units/$unit.timer ]]; then systemctl disable --now "$unit.timer"; fi
      rm -rf "$units/$unit.service" "$units/$unit.timer" "$root/autostop" "$run"/autostop.{state,unknown,unusable,was_ready,busy,looked,due}
      systemctl daemon-reload
      ;;
  esac
  fact autostop "$(autostop_json)"
  finish 'done' "The idle stop is $([[ $(autostop_on) == true ]] && echo on || echo off)."
}
