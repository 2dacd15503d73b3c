#!/usr/bin/env bash
# Pays over HTTP by lines (NDJSON): COUNT payments to twenty wallets from each of CLIENTS agents, one
# connection each, into a fresh ledger in DIR. Prints payments/s, and the CPU of daemon and clients.
set -euo pipefail
dir=${1:?usage: lines.sh DIR [COUNT] [CLIENTS] [keys|plain]}
count=${2:-500000}
clients=${3:-1}
keys=${4:-keys}
daemon=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.build/release/ledgerd
port=${PORT:-3199}
rm -rf "$dir"
mkdir -p "$dir"
"$daemon" --data "$dir/data" --port "$port" >"$dir/log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  curl -sf "127.0.0.1:$port/healthz" >/dev/null && break
  sleep 0.1
done

# A member of a JSON object that is text.
member() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }

agent() {
  curl -sf "127.0.0.1:$port/v1/agents" -H 'Content-Type: application/json' \
    -d "{\"name\":\"agent-$1\"}"
}

payees=()
for index in $(seq 20); do payees+=("$(agent "payee-$index" | member wallet_id)"); done
for client in $(seq "$clients"); do
  answer=$(agent "payer-$client")
  key=$(member api_key <<<"$answer")
  wallet=$(member wallet_id <<<"$answer")
  echo "$key" >"$dir/key-$client"
  for _ in $(seq 20); do
    curl -sf "127.0.0.1:$port/v1/wallets/$wallet/fund" -H "Authorization: Bearer $key" \
      -d '{"amount":10000,"source":"test_faucet"}' >/dev/null
  done
  awk -v count="$count" -v wallet="$wallet" -v payees="${payees[*]}" -v keys="$keys" '
    BEGIN {
      n = split(payees, payee, " ")
      srand(1)
      for (i = 1; i <= count; i++) {
        key = keys == "keys" ? sprintf(",\"idempotency_key\":\"order-%08d-%06x\"", i, rand() * 16777216) : ""
        printf "{\"from_wallet_id\":\"%s\",\"to_wallet_id\":\"%s\",\"amount\":0.005%s}\n",
          wallet, payee[1 + int(rand() * n)], key
      }
    }' >"$dir/lines-$client"
done

ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
before=$(ticks)
began=$(date +%s%N)
running=()
for client in $(seq "$clients"); do
  curl -sf "127.0.0.1:$port/v1/payments/batch" -H "Authorization: Bearer $(cat "$dir/key-$client")" \
    -H 'Content-Type: application/x-ndjson' -H 'Expect:' -X POST -T "$dir/lines-$client" -o "$dir/answers-$client" &
  running+=($!)
done
wait "${running[@]}"
ended=$(date +%s%N)
after=$(ticks)
done=$(cat "$dir"/answers-* | grep -c '"status":"completed"')
[ "$done" -eq $((count * clients)) ] || {
  echo "only $done of $((count * clients)) were done" >&2
  exit 1
}
awk -v n="$done" -v ns=$((ended - began)) -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" \
  -v clients="$clients" -v keys="$keys" 'BEGIN {
    printf "%d payments, %d connections, %s: %d/s, %.2f us of CPU each\n", n, clients, keys,
      n / (ns / 1e9), ticks / hz / n * 1e6 }'
