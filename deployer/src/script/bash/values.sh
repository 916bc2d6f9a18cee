# shellcheck shell=bash disable=SC2154,SC2034
# Checks first that the program knows each value and that each value has its shape. Before that, no value reaches a
# path, arithmetic, a pattern or a tool.
export LC_ALL=C # shapes are of bytes

# refuse NAME WHY: ends the run before it touches anything. Never prints the value itself.
refuse() {
  printf 'EXTRACTION-GATEWAY-REPORT {"outcome":"failed_unchanged","action":"none","failed_step":"tools","message":"The value %s %s; nothing was changed. Correct the setting that it comes from, then run this again."}\n' "$1" "$2"
  exit 1
}

# shape_of NAME: the table. Sets `shape` to an extended regular expression for the whole value and `most` to the
# greatest length; fails for a name that is not in it.
shape_of() {
  local routed='[A-Za-z0-9._-]{1,64}@[0-9a-f]{8}=[1-9][0-9]{0,2}' day='(Mon|Tue|Wed|Thu|Fri|Sat|Sun)' number='0|[1-9][0-9]{0,14}' word='[A-Za-z0-9._:-]*' part='[a-z0-9][a-z0-9._-]*' image packed='[A-Za-z0-9+/=]+'
  image="($part(:[0-9]{1,5})?/)?$part(/$part)*(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})"
  most=1000
  case $1 in
    ACTION) shape='deploy|rollback|down|status|verify|logs|restart|releases|doctor|autostop|unlock|keys|models|progress|prune|diagnose' ;;
    RUN) shape='[A-Za-z0-9-]{8,64}' ;;
    OPERATOR) shape='[^[:cntrl:]]+' ;;
    REGION) shape='[a-z]+(-[a-z]+){1,2}-[0-9]' ;;
    REGISTRY) shape="$part(:[0-9]{1,5})?(/$part)*" ;;
    SECRET_ID) shape='(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@][A-Za-z0-9/_+=.@!-]*' ;;
    NEED_GPU | RESTART_VLLM | DOWNLOAD_ONLY | DRAIN_FIRST | PRUNE_MODELS) shape='yes|no' ;;
    SIZE_GATEWAY | SIZE_VLLM | SIZE_MODEL) shape=$number ;;
    UP_WAIT | READY_WAIT | DRAIN | LINES | STOP_AFTER_MINUTES | STOP_AFTER_HOURS) shape='0|[1-9][0-9]{0,6}' ;;
    TO) shape='|[1-9][0-9]{0,8}' ;;
    EXPECT_RELEASE) shape='|none|[1-9][0-9]{0,8}' ;;
    SERVICES) shape='(gateway|vllm|caddy)( (gateway|vllm|caddy))*' ;;
    SINCE) shape='|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z' ;;
    DIAGNOSTIC) shape='nvidia-smi|docker-(ps|stats|disk)|disk|memory|processes|gateway-(health|metrics)|vllm-(models|metrics)|journal-(docker|kernel)' ;;
    ONE_SERVICE) shape='|gateway|vllm' ;;
    KEYS) shape='list|add|revoke' ;;
    KEY_NAME) shape='[A-Za-z0-9._-]{1,64}' ;;
    KEY_LINE) shape='|[A-Za-z0-9._-]{1,64} [0-9a-f]{64}( path)?( rate=[0-9]{1,6}/s)?( scopes=(extract|metrics|usage|admin)(,(extract|metrics|usage|admin)){0,3})?' ;;
    MODELS) shape='list|use|rules|rollback' ;;
    ROUTE | ROUTE_BEFORE) shape="configured|rules|$routed( $routed){0,15}" most=1300 ;;
    SCORES) shape='|[A-Za-z0-9@._-]{1,73}=[01]\.[0-9]{1,4} [A-Za-z0-9@._-]{1,73}=[01]\.[0-9]{1,4} difference=-?[01]\.[0-9]{1,4} low=-?[01]\.[0-9]{1,4} high=-?[01]\.[0-9]{1,4} notes=[1-9][0-9]{0,8}' ;;
    KEYS_BEFORE | PRUNE_LIST) shape='[0-9a-f]{64}' ;;
    PRUNE) shape='list|remove' ;;
    AUTOSTOP) shape='on|off|status' ;;
    STOP_AT | OPEN_AT) shape='|([01][0-9]|2[0-3]):[0-5][0-9]' ;;
    STOP_DAYS) shape="$day(,$day){0,6}" ;;
    TIME_ZONE) shape='[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*' most=64 ;;
    WANT_GATEWAY | WANT_VLLM) shape=$image ;;
    WANT_IMAGES) shape="|$image( $image)*" ;;
    COMMIT | CONFIG_HASH) shape=$word ;;
    SETTINGS) shape=$packed most=65536 ;;
    FILE_*)
      [[ $1 =~ ^FILE_[0-9]{1,4}$ ]] || return 1
      shape="0[0-7]{3} [A-Za-z0-9._/-]+ $packed" most=65536
      ;;
    *) return 1 ;;
  esac
}

# path_fits PATH: succeeds if the file stays in the release's folder and is not one of the program's own files there.
path_fits() {
  case /$1/ in
    *//* | */./* | */../*) return 1 ;;
    /.env/* | /.env.new/* | /release.json/* | /state/* | /state.new/*) return 1 ;;
  esac
}

check_values() {
  local name line value shape most own=' BASHOPTS BASH_VERSINFO EUID PPID SHELLOPTS UID '
  while read -r _ _ line; do
    name=${line%%=*}
    if [[ $own == *" $name "* ]]; then continue; fi
    value=${!name}
    shape_of "$name" || refuse "$name" "is none that this program takes"
    [[ ${#value} -le $most && $value =~ ^($shape)$ ]] || refuse "$name" "does not have the required format"
    if [[ $name == FILE_* ]]; then
      read -r _ line _ <<<"$value"
      path_fits "$line" || refuse "$name" "names a path outside of the release, or one that is not its own"
    fi
  done < <(declare -pr)
  [[ -n ${ACTION:-} ]] || refuse ACTION "is missing"
}
check_values
