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
