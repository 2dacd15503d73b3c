#!/usr/bin/env bash
# POST /v1/payments by wrk over CONNECTIONS keep-alive connections, beside a route of the same server
# that reads the same JSON and writes it back. In turns of SECONDS, three of each; prints medians.
# Needs wrk, and `swift build -c release --product ledgerd` here and `--product Echo` in Benchmarks.
set -euo pipefail
dir=${1:?usage: http.sh DIR [CONNECTIONS] [SECONDS]}
connections=${2:-64}
seconds=${3:-8}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
daemon=$here/../../.build/release/ledgerd
echo_server=$here/../.build/release/Echo
rm -rf "$dir"
mkdir -p "$dir"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null || true' EXIT
"$daemon" --data "$dir/data" --port 3197 >"$dir/log" 2>&1 &
pids+=($!)
"$echo_server" 3198 >"$dir/echo-log" 2>&1 &
pids+=($!)
for port in 3197 3198; do
  for _ in $(seq 100); do
    curl -sf "127.0.0.1:$port/healthz" >/dev/null && break
    sleep 0.1
  done
done

member() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }
agent() {
  curl -sf "127.0.0.1:3197/v1/agents" -H 'Content-Type: application/json' -d "{\"name\":\"$1\"}"
}
PAYEES=
for index in $(seq 20); do PAYEES+="$(agent "payee-$index" | member wallet_id) "; done
answer=$(agent payer)
KEY=$(member api_key <<<"$answer")
PAYER=$(member wallet_id <<<"$answer")
for _ in $(seq 20); do
  curl -sf "127.0.0.1:3197/v1/wallets/$PAYER/fund" -H "Authorization: Bearer $KEY" \
    -d '{"amount":10000,"source":"test_faucet"}' >/dev/null
done
export PAYEES KEY PAYER

# Requests a second that the server at port $1 answered in turn $2, and its latencies.
turn() {
  RUN="run-$2" wrk --threads 1 --connections "$connections" --duration "${seconds}s" --latency \
    --script "$here/payments.lua" "http://127.0.0.1:$1" >"$dir/$1-$2"
  ! grep -E "^status|Non-2xx|Socket errors" "$dir/$1-$2" >&2
}
for run in 0 1 2 3; do # the first warms up
  turn 3197 "$run"
  turn 3198 "$run"
done
# The median of what line $2 of wrk's report says in its word $3, over the turns at port $1.
median() {
  awk -v line="$2" -v word="$3" 'index($0, line) { print $word }' "$dir/$1"-[123] | sort -g | sed -n 2p
}
payments=$(median 3197 Requests/sec 2)
echoes=$(median 3198 Requests/sec 2)
awk -v a="$payments" -v b="$echoes" -v c="$connections" 'BEGIN {
  printf "%d connections: %.0f payments/s, echo %.0f/s, ratio %.2f\n", c, a, b, a / b }'
echo "p50 $(median 3197 50% 2) and p99 $(median 3197 99% 2); echo $(median 3198 50% 2) and" \
  "$(median 3198 99% 2)"
