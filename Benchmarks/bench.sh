#!/usr/bin/env bash
# Measures and writes Benchmarks/Results.md and chart.svg: microbenchmarks, allocations, `ledgerctl
# bench`, and what SQLite and PostgreSQL do with the same payments.
# What Results.md says from "What binds" on is written by hand and kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

out=.build/results
scratch=.build/scratch
testable=(-Xswiftc -enable-testing)
mkdir -p "$out"

swift build --package-path .. --configuration release --product ledgerctl
swift build --configuration release "${testable[@]}" --product Loop
bash Allocations/check.sh | tee "$out/allocations"
swift package "${testable[@]}" benchmark --target Micro --format markdown --no-progress |
  tee "$out/micro"

bash Comparison/compare.sh .build/comparison >"$out/comparison"

# Three runs of `ledgerctl bench` with these arguments, a file of JSON each.
runs=("8190 2 2000000 0" "8190 1 2000000 0" "8190 2 2000000 0.99" "1000 2 1000000 0"
  "1000 1 1000000 0" "100 2 200000 0" "1 1 10000 0")
for run in "${runs[@]}"; do
  read -r batch flight payments hot <<<"$run"
  for turn in 1 2 3; do
    rm -rf "$scratch"
    name=$batch-$flight-$hot-$turn
    ../.build/release/ledgerctl bench --data "$scratch" --batch "$batch" --in-flight "$flight" \
      --payments "$payments" --hot "$hot" --json >"$out/$name.json"
    echo "batch $batch, $flight in flight, hot $hot, run $turn of 3: ratio $(
      awk -F '[:,]' '/"ratio"/ { print $2 }' "$out/$name.json")"
  done
done

# The other ways in, measured in turn within one run, and the rate while the log grows.
rm -rf "$scratch"
../.build/release/ledgerctl bench --data "$scratch" --entrances --json >"$out/entrances.json"
rm -rf "$scratch"
../.build/release/ledgerctl bench --data "$scratch" --payments 100000 --growth-events 100000000 \
  --json >"$out/growth.json"

# The median over the three runs of the field $2 of run $1, with $3 decimals.
median() {
  cat "$out/$1"-[123].json | awk -F '[:,]' -v name="\"$2\"" 'index($1, name) { print $2 }' |
    sort -g | awk -v decimals="${3:-0}" 'NR == 2 { printf "%.*f", decimals, $1 }'
}

# Least and greatest of the three.
range() {
  cat "$out/$1"-[123].json | awk -F '[:,]' -v name="\"$2\"" 'index($1, name) { print $2 }' |
    sort -g | awk 'NR == 1 { least = $1 } END { printf "%.2f to %.2f", least, $1 }'
}

# "2000000 at batch 8190, …"
payments() {
  printf '%s\n' "${runs[@]}" |
    awk '!seen[$1]++ { printf "%s%s at batch %s", comma, $3, $1; comma = ", " }'
}

microbenchmarks() {
  echo "| operation | median | least | p90 |"
  echo "|---|--:|--:|--:|"
  awk -F '|' '/^### / { name = substr($0, 5) }
    /^\| *Time \(wall clock\)/ {
      for (i = 3; i <= 9; i++) gsub(/ /, "", $i)
      printf "| %s | %s | %s | %s |\n", name, $5, $3, $7
    }' "$out/micro"
}

engine() {
  echo "| batch | in flight | hot | payments/s | plain file | ratio | range | preallocated" \
    "| p50 µs | p99 µs | CPU µs | bytes |"
  echo "|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|"
  for run in "${runs[@]}"; do
    read -r batch flight _ hot <<<"$run"
    name=$batch-$flight-$hot
    echo "| $batch | $flight | $hot | $(median "$name" payments_per_second)" \
      "| $(median "$name" raw_payments_per_second) | $(median "$name" ratio 2)" \
      "| $(range "$name" ratio) | $(median "$name" ratio_preallocated 2)" \
      "| $(median "$name" p50_us) | $(median "$name" p99_us)" \
      "| $(median "$name" cpu_us_per_payment 2) | $(median "$name" bytes_per_payment) |"
  done
  echo
  echo "CPU and bytes are per payment. A wallet takes $(median 8190-2-0 memory_bytes_per_wallet)" \
    "bytes of memory. Opening without a snapshot folds" \
    "$(median 8190-2-0 fold_events_per_second) events/s, every key into memory."
}

# A line of Markdown for each object in the JSON $1 that has the field $2: the fields $3, "name" as
# it is and a number with as many decimals as "name:decimals" says.
rows() {
  awk -v only="$2" -v fields="$3" '
    /[{]$/ { split("", seen) }
    /^ *"/ {
      value = $0; sub(/^[^:]*: /, "", value); sub(/,$/, "", value); gsub(/"/, "", value)
      name = $0; sub(/^ *"/, "", name); sub(/".*/, "", name)
      seen[name] = value
    }
    /^ *}/ && only in seen {
      line = "|"
      for (i = 1; i <= split(fields, wanted, " "); i++) {
        split(wanted[i], field, ":")
        value = seen[field[1]]
        line = line " " (field[2] == "" ? value : sprintf("%.*f", field[2], value)) " |"
      }
      print line
      split("", seen)
    }' "$1"
}

# The one number $2 in the JSON $1.
number() { awk -F '[:,]' -v name="\"$2\"" 'index($1, name) { printf "%.0f", $2 }' "$1"; }

entrances() {
  local json=$out/entrances.json
  echo "| way in | payments/s | least | most | p50 µs | p99 µs | p99.9 µs | CPU µs | bytes" \
    "| bytes written | refused |"
  echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
  rows "$json" p999_us "name payments_per_second:0 payments_per_second_min:0 \
    payments_per_second_max:0 p50_us:0 p99_us:0 p999_us:0 cpu_us_per_payment:2 \
    bytes_per_payment:0 bytes_written_per_payment:0 refused"
  echo
  rows "$json" p999_us "name explanation" | awk -F ' *[|] *' '{ print "- " $2 ": " $3 }'
  echo
  echo "| projections | payments/s | lag p50 ms | p99 | greatest | cores | events missing |"
  echo "|---|--:|--:|--:|--:|--:|--:|"
  rows "$json" lag_p50_ms "name payments_per_second:0 lag_p50_ms:1 lag_p99_ms:1 lag_max_ms:1 \
    core_share:2 missing"
  echo
  echo "Built anew at $(number "$json" rebuild_events_per_second) events/s, with" \
    "$(number "$json" rebuild_differences) rows different from those that followed."
  echo
  echo "| events in the log | payments/s up to there |"
  echo "|--:|--:|"
  rows "$out/growth.json" payments_per_second "events payments_per_second:0" | head -n -1
}

binds=$(awk '/^## What binds/ { found = 1 } found' Results.md 2>/dev/null || true)
{
  echo "# Results"
  echo
  echo "Written by \`make bench\`. Read ratios: the machine is virtual and not ours alone."
  echo
  echo "- Date: $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD)"
  echo "- CPU: $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores;" \
    "load over the last minute when done: $(cut -d ' ' -f 1 /proc/loadavg)"
  echo "- Kernel: $(uname -sr); file system: $(df --output=fstype . | tail -1)"
  echo "- Compiler: $(swift --version 2>/dev/null | head -1)"
  echo
  echo "## One operation, nanoseconds"
  echo
  echo "\`swift package -Xswiftc -enable-testing benchmark --target Micro\` in \`Benchmarks/\`:"
  echo "loops of a million (preparing: a thousand), up to 15 times (preparing: 500)."
  echo
  microbenchmarks
  echo
  echo "## Allocations"
  echo
  echo "\`bash Benchmarks/Allocations/check.sh\`: $(cat "$out/allocations")."
  echo
  echo "## The whole engine, durable"
  echo
  echo "\`ledgerctl bench --data scratch --batch B --in-flight F --payments P --hot H --json\`," \
    "a million" \
    "wallets, three runs each, medians. P is $(payments)."
  echo
  engine
  echo
  echo "![Payments a second, durable](chart.svg)"
  echo
  echo "## Every way in"
  echo
  echo "\`ledgerctl bench --data scratch --entrances\`: a million wallets, random keys; rows take" \
    "turns, three turns, medians. CPU is the process's, callers included, and CPU and bytes are" \
    "per payment; bytes written are the kernel's count of what goes to the device. The last table" \
    "is \`--payments 100000 --growth-events 100000000\`, one run."
  echo
  entrances
  echo
  echo "## What a user would pick instead"
  echo
  echo "\`bash Benchmarks/Comparison/compare.sh DIR\`: a million wallets, a random key, a fee and" \
    "two entries each, on the same disk, ten seconds a run, three runs. The fee account's row is" \
    "what many clients of PostgreSQL wait for: without it 8 and 64 reach two to five times as much."
  echo
  cat "$out/comparison"
  echo
  if [ -n "$binds" ]; then echo "$binds"; else echo "## What binds"; fi
} >"$out/Results.md"
mv "$out/Results.md" Results.md
{
  for batch in 1 1000 8190; do
    case $batch in 1) name=1-1-0 ;; *) name=$batch-2-0 ;; esac
    echo "this ledger, $batch a commit	$(median "$name" payments_per_second)"
  done
  grep '^| [SP]' "$out/comparison" | awk -F '|' '{
    gsub(/^ +| +$/, "", $2); gsub(/ /, "", $3); gsub(/ /, "", $4); gsub(/ /, "", $5)
    printf "%s, %s a commit, %s client%s\t%s\n", $2, $3, $4, $4 == 1 ? "" : "s", $5
  }'
} | awk -f chart.awk >chart.svg
rm -rf "$scratch"
