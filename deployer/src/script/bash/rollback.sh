# shellcheck shell=bash disable=SC2154,SC2034
# Goes back to an earlier release: a deploy of files and images that were good before.

# back_to: prints the target of a rollback without a number, or nothing. An interrupted rollback is resumed.
back_to() {
  local from='' to='' by=''
  if half_done && [[ $by == rollback ]]; then
    printf '%s' "$to"
  elif half_done && [[ -n $from && $from != "$to" ]]; then
    printf '%s' "$from"
  else
    good_before "$(current)"
  fi
}

choose_target() {
  target=${TO:-$(back_to)}
  [[ -n $target ]] || die "There is no earlier release that was verified; nothing was changed. deployer releases lists all releases."
  [[ -d $root/releases/$target ]] || die "Release $target is not on the host any more; nothing was changed. deployer releases lists all releases."
}

rollback() {
  local now target='' takes_over='' gateway vllm left_route=''
  need docker aws flock df sha256sum timeout
  take_lock
  expect_release
  now=$(current)
  choose_from
  choose_target
  if ! may_route "$target" "$(route)"; then
    left_route=$(route)
    warnings+=("release $target does not serve $(shown "$left_route"), which answered until now; from now on the models in the settings of this release answer")
  fi
  if [[ -n $takes_over ]]; then phase=switched; fi
  if [[ -z $takes_over && ! -e $models_changing && $target == "$now" ]] && verified "$target"; then
    finish nothing_to_do "Release $target is current; it serves and was verified. Nothing to do."
  fi
  gateway=$(env_of "$target" GATEWAY_IMAGE) vllm=$(env_of "$target" VLLM_IMAGE)
  check_disk "$target" "$gateway" "$vllm"
  check_gpu
  if ! have_image "$gateway" || ! have_image "$vllm"; then log_in; fi
  begin pull "pull: running services keep serving"
  pull_all "$target"
  download_model "$target"
  to=$target
  switch
  if [[ -n $left_route ]]; then record_route release configured "$left_route"; fi
  finish 'done' "Release $to serves again and was verified."
}
