# shellcheck shell=bash disable=SC2154
# Calls the function named like the action; each ends in `finish`. `verify` is a helper of other actions, so that action
# is `verify_now`.
case $ACTION in
  verify) verify_now ;;
  *) "$ACTION" ;;
esac
