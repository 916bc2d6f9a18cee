# shellcheck shell=bash disable=SC2154,SC2034
# How far the run is that works on the host now. Systems Manager shows what a command prints only after its end, so
# whoever waits for one asks with another.

progress() {
  local folder said=() shown
  begin observe "progress"
  folder=$(readlink "$run/working" 2>/dev/null) || folder=''
  if [[ -n $folder && -r $folder/said ]] && is_locked; then
    mapfile -t said <"$folder/said"
    shown=("${said[@]: -40}")
    if ((${#said[@]} <= 40)); then shown=("${said[@]}"); fi
    fact progress "{\"said\":${#said[@]},\"lines\":$(json_list "${shown[@]}"),\"transfer\":$(json "$(cat "$folder/progress" 2>/dev/null || true)")}"
  fi
  finish 'done' "This is how far it is."
}
