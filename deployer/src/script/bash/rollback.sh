# shellcheck shell=bash disable=SC2154,SC2034
# Back to an earlier release: a deploy of files and images that were good before.

# The release to go to: the one asked for, the one before a cut-off switch, or the last good one.
choose_target() {
  if [[ -n $TO ]]; then
    target=$TO
  elif [[ -n $cut && -n $from ]]; then
    target=$from
  elif [[ -n $now ]]; then
    target=$(good_before "$now")
  fi
  [[ -n $target ]] || die "There is no earlier release that was verified; nothing was changed. deployer releases lists what there is."
  [[ -d $root/releases/$target ]] || die "Release $target is not on the host any more; nothing was changed. deployer releases lists what there is."
}

rollback() {
  local now target='' cut='' gateway vllm
  need docker aws flock df sha256sum timeout
  take_lock
  expect_release
  now=$(current)
  if half_done; then cut=yes phase=switched; fi
  choose_target
  if [[ -z $cut && $target == "$now" ]] && verified "$target"; then
    finish nothing_to_do "Release $target is current; it serves and was verified. Nothing to do."
  fi
  gateway=$(env_of "$target" GATEWAY_IMAGE) vllm=$(env_of "$target" VLLM_IMAGE)
  check_disk "$target" "$gateway" "$vllm"
  check_gpu
  if ! have_image "$gateway" || ! have_image "$vllm"; then log_in; fi
  begin pull "pull: what serves goes on serving"
  pull_all "$target"
  download_model "$target"
  if [[ -z $cut ]]; then from=$now; fi
  to=$target
  if [[ $from == "$to" ]]; then again=yes; fi
  switch
  finish 'done' "Release $to serves again and was verified."
}

# Mends a switch that was cut off: what was on its way is kept if it serves, else the release before it comes back.
repair() {
  need docker flock timeout
  take_lock
  if ! half_done; then finish nothing_to_do "No switch was cut off. Nothing to mend."; fi
  if [[ -d $root/releases/$to ]] && verified "$to"; then
    point_current "$to"
    record "$to" good
    rm -f "$root/switching"
    finish 'done' "The switch to release $to was cut off after its end: it serves and was verified."
  fi
  phase=switched
  die "The switch to release $to was cut off before its end."
}
