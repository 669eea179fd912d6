#!/usr/bin/env bash
# ./dev refuses what it does not know, with the nearest name and status 2, and does nothing before it refuses.
set -u
dev=$1
wrong=0

expect() {  # expect STATUS TEXT ARGS...: the exit status, and a text in the output
  local status=$1 text=$2 got output
  shift 2
  output=$("$dev" "$@" 2>&1)
  got=$?
  if [ $got -ne "$status" ] || [[ "$output" != *"$text"* ]]; then
    printf 'dev %s: wanted status %s and "%s", got status %s and:\n%s\n' "$*" "$status" "$text" $got "$output"
    wrong=1
  fi
}

expect 0 "Usage: ./dev COMMAND" help
expect 0 "Usage: ./dev COMMAND" --help
expect 0 "Usage: ./dev COMMAND"
expect 2 "did you mean build?" buidl
expect 2 "did you mean test?" tset
expect 2 "known: demo test build bench format clean help" something
expect 2 "clean knows only --all, got --al" clean --al
exit $wrong
