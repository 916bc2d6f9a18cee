# shellcheck shell=bash disable=SC2154
# One action, and out: every action ends in `finish`.
case $ACTION in
  verify) verify_now ;;
  *) "$ACTION" ;;
esac
