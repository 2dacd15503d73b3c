#!/usr/bin/env bash
# Runs the fault experiments at full size and writes RELIABILITY.md: what was done how often, and
# what came of it. Full size is hours: SHARE=100 does a hundredth of each. SEED=7 does the same as
# the last time that it was 7. ONLY=kill does one experiment and replaces its rows.
# TMPDIR in memory halves the time of some, and shows no less: none of them pulls a real plug.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

share=${SHARE:-1}
seed=${SEED:-$((RANDOM << 15 | RANDOM))}
logs=$(mktemp -d)
release=(--configuration release -Xswiftc -enable-testing) # as fast as what is served
failed=0
names=()
made="$([ "$share" -eq 1 ] && echo "full" || echo "1/$share"), $(date -u +%F), $(
  git rev-parse --short HEAD)$(
  git diff --quiet HEAD -- Sources Tests Package.swift || echo " with changes")"

# $1 at full size, and never nothing.
sized() { echo $((($1 + share - 1) / share)); }

export LEDGER_TEST_SEED=$seed SIMULATION_SEED=$seed OPENERS=all SIMULATION_BUGS=all
export FAULT_STEP=$share SWEEP_STEP=$share
export KILL_ROUNDS POWER_LOSS_STATES ROOM_ROUNDS SIMULATION_COMMANDS
KILL_ROUNDS=$(sized 1000)
POWER_LOSS_STATES=$(sized 100000)
ROOM_ROUNDS=$(sized 200)
SIMULATION_COMMANDS=$(sized 10000000)

# Rows of the table from the lines "prove: COUNT; seed SEED; RESULT" that an experiment printed.
rows() {
  awk -F '; ' -v shows="$2" -v name="$1" -v duration="$3" -v made="$made" '/^prove: / {
    sub(/^prove: /, ""); sub(/^seed /, "", $2)
    printf "| %s | %s | %s | %s | %s | %s | %s |\n", name, shows, $1, $2, $3, duration, made
    name = shows = duration = made = ""
  }' "$logs/$1"
}

# The rows of experiment $1 from the last time.
earlier() {
  awk -v name="$1" '/^\| / && !/^\|  \|/ { isOurs = index($0, "| " name " |") == 1 }
    /^\| / && isOurs' RELIABILITY.md
}

# Runs the tests that match $4 as experiment $1, which must show $2. They print $3 results; fewer
# mean that a test was renamed or left out, which to swift test is a success.
experiment() {
  local name=$1 shows=$2 results=$3 filter=$4 began=$SECONDS result=0 duration
  names+=("$name")
  [ "${ONLY:-$name}" = "$name" ] || return 0
  echo "$name: begins at $(date +%H:%M:%S)"
  swift test "${release[@]}" --skip-build --filter "$filter" >"$logs/$name" 2>&1 || result=1
  [ "$(grep -c '^prove: ' "$logs/$name")" -ge "$results" ] || result=1
  duration=$((SECONDS - began))
  if [ "$result" -eq 0 ]; then
    echo "$name: done after $duration s"
  else
    failed=1
    echo "$name: FAILED after $duration s; what it said is in $logs/$name"
    echo "prove: FAILED; seed $seed; FAILED, repeat: SHARE=$share SEED=$seed ONLY=$name make prove" \
      >>"$logs/$name"
  fi
  rows "$name" "$shows" "$duration s" | tee "$logs/$name.rows"
}

case " ${ONLY:-kill} " in
" kill " | " exit " | " power " | " flip " | " errors " | " openers " | " simulation ") ;;
*)
  echo "ONLY=$ONLY is no experiment: kill, exit, power, flip, errors, openers or simulation" >&2
  exit 64
  ;;
esac

swift build "${release[@]}" --build-tests

experiment kill "SIGKILL at random moments under load, an outside journal of answers: none lost, \
none applied twice or by half, retries answered the same" 1 KillTests

experiment exit "The process ends at the n-th system call of a script of 50 commands, every n: all \
recover" 4 'FaultTests/.a.process.may.end'

experiment power "Power fails, and of what was not synced any sectors are there, torn, in any order: \
no answer lost, no ledger silently wrong; also where syncs lied" 2 PowerLossTests

experiment flip "One bit flipped in every byte of each file, every bit of both meta pages and \
of the records in head.log: refused, or harmless, or a crash of the child that opens first; no \
wrong balance" 7 SweepTests

experiment errors "ENOSPC and EIO at the n-th system call, once and for good; a disk of 6 MiB filled \
in a loop: refused, waited for or ended, and all recover" 9 \
  '(FaultTests/.(an.error|a.disk)|RoomTests/.a.(real.disk|disk.of))'

experiment openers "Two to twenty open one directory; a holder is stopped: one writer, always" 2 \
  'OpeningTests/.(of.many|a.holder)'

experiment simulation "Commands with crashes, clock steps and failing disks against a naive ledger, \
every invariant after each event; the same seed gives the same events; every planted bug is found" 3 \
  '(SimulationTests/.(the.engine|a.seed)|MutationTests/.a.planted)'

{
  echo "# Reliability"
  echo
  echo "Written by \`make prove\`, which does all of it again, in hours. \`ONLY=kill make prove\` does one"
  echo "experiment and replaces its rows; \`SHARE=100 make prove\` does a hundredth of each, \`SEED=42\` the"
  echo "same again. The last column says which part of the full size it was, when, and of which commit;"
  echo "the counts are what was really done."
  echo
  echo "- CPU: $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores"
  echo "- Kernel: $(uname -sr); file system: $(df --output=fstype "$logs" | tail -1)"
  echo "- Compiler: $(swift --version 2>/dev/null | head -1)"
  echo
  echo "| experiment | must show | count | seed | result | duration | size, date, commit |"
  echo "|---|---|---|--:|---|--:|---|"
  for name in "${names[@]}"; do
    if [ -f "$logs/$name.rows" ]; then cat "$logs/$name.rows"; else earlier "$name"; fi
  done
} >"$logs/RELIABILITY.md"
mv "$logs/RELIABILITY.md" RELIABILITY.md
[ "$failed" -eq 0 ] && rm -r "$logs"
exit "$failed"
