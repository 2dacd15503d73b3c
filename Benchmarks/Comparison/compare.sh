#!/usr/bin/env bash
# Measures what one would otherwise pick: the same payments, as durable, in SQLite and PostgreSQL.
#
#     compare.sh [--json FILE] DIR [SECONDS]
#
# Works in a temporary directory under DIR, on whose device it all depends; as root, the user
# postgres must be able to reach it. Each measurement runs three times for SECONDS (10). Bytes on
# disk are growth, so leave out a WAL that is used anew; bytes written are all that the device saw,
# so nothing else should write to it meanwhile.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

json=
arguments=()
while (($#)); do
  case $1 in
    --json) json=$(realpath "${2:?--json FILE}") && shift ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
dir=${arguments[0]:?usage: compare.sh [--json FILE] DIR [SECONDS]}
seconds=${arguments[1]:-10}

wallets=1000000
funds=1000000000000 # Each, in units of 1e-9: no payment is refused, and the sum fits in 64 bits.

say() { echo "$*" >&2; }

as_root=()
((EUID == 0)) || as_root=(sudo)
if ! dpkg -s libsqlite3-dev sqlite3 >/dev/null 2>&1; then
  "${as_root[@]}" apt-get install -y libsqlite3-dev sqlite3 >&2
fi
if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  "${as_root[@]}" apt-get install -y postgresql >&2
  # Installing starts a cluster, which would disturb what is measured.
  while read -r version name _; do
    "${as_root[@]}" pg_ctlcluster "$version" "$name" stop || true
  done < <(pg_lsclusters --no-header)
fi
PATH=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1):$PATH

mkdir -p "$dir"
scratch=$(mktemp -d "$(realpath "$dir")/comparison.XXXXXX")
cluster=$scratch/cluster
as_owner=() # PostgreSQL refuses to run as root.
if ((EUID == 0)); then
  as_owner=(runuser -u postgres --)
  chown postgres "$scratch"
fi
cleanup() {
  if [[ -e $cluster/postmaster.pid ]]; then
    "${as_owner[@]}" pg_ctl stop --pgdata "$cluster" --mode immediate >/dev/null || true
  fi
  rm -rf "$scratch"
}
trap cleanup EXIT
cd "$scratch" # One that the owner may be in.

# Both understand these.
fund="INSERT INTO wallets VALUES (0, 0); -- Takes the fees
  INSERT INTO wallets WITH RECURSIVE ids (id) AS
    (VALUES (1) UNION ALL SELECT id + 1 FROM ids WHERE id < $wallets) SELECT id, $funds FROM ids;"
totals="SELECT (SELECT sum(balance) FROM wallets),
  (SELECT sum(amount) FROM entries) + (SELECT sum(fee) FROM payments),
  (SELECT count(*) FROM payments);"

# Fails unless the money there is ($1) is the money there was, entries and fees sum to zero, and
# every payment counted is there.
verify() {
  local expected
  expected="$((wallets * funds))|0|$(awk '{ sum += $1 } END { printf "%d", sum }' runs)"
  [[ $1 == "$expected" ]] || { say "not conserved: $1, expected $expected" && exit 1; }
}

# What the device has written, once all that is dirty is. Not write_bytes of /proc/PID/io, which
# counts the whole folio of a page that is dirtied: up to a mebibyte for 8 KiB.
device=/sys/dev/block/$(findmnt --noheadings --output MAJ:MIN --target "$scratch" | tr -d ' ')/stat
written() {
  sync --file-system "$scratch"
  if [[ -e $device ]]; then awk '{ printf "%.0f", $7 * 512 }' "$device"; else echo null; fi
}

# Runs a command that prints what sqlite.c prints, and appends that to `runs` with the bytes written
# per payment.
run() {
  local before line after
  before=$(written)
  line=$("$@")
  after=$(written)
  awk -v before="$before" -v after="$after" '
    { print $0, after == "null" ? after : int((after - before) / $1) }' <<<"$line" >>runs
  say "$system, batch $batch, clients $clients: $(cut -d ' ' -f 2 <<<"$line") payments/s"
}

# Appends the medians over `runs` to the results.
row() {
  local field medians=() least greatest
  for field in 2 3 4 5 6 7 8; do
    medians+=("$(cut -d ' ' -f "$field" runs | sort -g | sed -n 2p)")
  done
  read -r least greatest < <(cut -d ' ' -f 2 runs | sort -g | sed -n '1p;3p' | paste -sd ' ')
  printf '| %s %s | %d | %d | %.0f | %.0f to %.0f | %s | %s | %s | %s | %s | %s |\n' \
    "$system" "$version" "$batch" "$clients" "${medians[0]}" "$least" "$greatest" \
    "${medians[@]:1}" >>table
  printf '{"system": "%s", "version": "%s", "batch": %d, "clients": %d, ' \
    "$system" "$version" "$batch" "$clients" >>objects
  printf '"payments_per_second": %s, "range": [%s, %s], "p50_ms": %s, "p99_ms": %s, ' \
    "${medians[0]}" "$least" "$greatest" "${medians[@]:1:2}" >>objects
  printf '"cpu_us_per_payment": %s, "bytes_per_payment": %s, "data_bytes_per_payment": %s, ' \
    "${medians[@]:3:3}" >>objects
  printf '"written_bytes_per_payment": %s}\n' "${medians[6]}" >>objects
}

measure_sqlite() {
  local system=SQLite version batch=$1 clients=1
  version=$(sqlite3 --version | cut -d ' ' -f 1)
  : >runs
  { cat "$here/sqlite.sql" && echo "$fund"; } | sqlite3 -bail ledger.sqlite >/dev/null
  for _ in 1 2 3; do
    run ./sqlite ledger.sqlite "$wallets" "$seconds" "$batch"
  done
  verify "$(sqlite3 ledger.sqlite "$totals")"
  row
  rm -f ledger.sqlite*
}

# What the cluster has used so far: CPU in ticks, bytes on disk, of which data. A backend that has
# ended is counted in the postmaster, its parent.
used() {
  local postmaster ids id
  postmaster=$(head -1 "$cluster/postmaster.pid")
  mapfile -t ids < <(echo "$postmaster" && pgrep -P "$postmaster")
  for id in "${ids[@]}"; do
    sed 's/.*) //' "/proc/$id/stat" 2>/dev/null || true # It may have just ended.
  done | awk '{ cpu += $12 + $13 + $14 + $15 } END { printf "%.0f ", cpu }'
  echo "$(du -sb "$cluster" | cut -f 1) $(du -sb "$cluster/base" | cut -f 1)"
}

# One run, which prints what sqlite.c prints.
run_postgres() {
  local before after
  rm -f log.*
  before=$(used)
  pgbench --no-vacuum --protocol prepared --time "$seconds" --client "$clients" \
    --jobs $((clients == 1 ? 1 : 2)) --log --log-prefix log --define wallets="$wallets" \
    --file "batch-$batch.pgbench" >report 2>&1 || { cat report >&2 && exit 1; }
  after=$(used)
  awk '{ print $3 }' log.* | sort -n | awk -v batch="$batch" -v before="$before" \
    -v after="$after" -v ticks="$(getconf CLK_TCK)" -v rate="$(awk '/^tps/ { print $3 }' report)" '
    { latency[NR - 1] = $1 / 1000 }
    END {
      split(before, b)
      split(after, a)
      n = NR * batch
      printf "%d %.1f %.3f %.3f %.2f %.0f %.0f\n", n, rate * batch, latency[int(NR / 2)],
        latency[int(NR * 0.99)], (a[1] - b[1]) / ticks * 1e6 / n, (a[2] - b[2]) / n,
        (a[3] - b[3]) / n
    }'
}

measure_postgres() {
  local system=PostgreSQL version batch=$1 clients=$2
  version=$(postgres --version | awk '{ print $3 }')
  : >runs
  { cat "$here/postgres.sql" && echo "$fund VACUUM ANALYZE; CHECKPOINT;"; } | "${psql[@]}"
  for _ in 1 2 3; do
    run run_postgres
  done
  verify "$("${psql[@]}" --command "$totals")"
  row
}

cc -O2 -Wall -Wextra -Werror -o sqlite "$here/sqlite.c" -lsqlite3
measure_sqlite 1
measure_sqlite 1000

# Defaults but for where it listens: fsync and synchronous_commit are on.
"${as_owner[@]}" initdb --pgdata "$cluster" --username postgres --auth trust --no-locale \
  --encoding UTF8 >/dev/null
cat >>"$cluster/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$scratch'
END
"${as_owner[@]}" pg_ctl start --pgdata "$cluster" --log "$scratch/server.log" >/dev/null ||
  { cat server.log >&2 && exit 1; }
export PGHOST=$scratch PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
psql=(psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1)

cat >batch-1.pgbench <<'END'
\set payer random(1, :wallets)
\set payee (:payer + random(0, :wallets - 2)) % :wallets + 1
\set amount random(1, 1000000000)
SELECT pay(:payer, :payee, :amount, gen_random_uuid());
END
# pgbench has no arrays: the server makes them.
cat >batch-1000.pgbench <<'END'
SELECT pay(array_agg(payer), array_agg((payer + step) % :wallets + 1), array_agg(amount),
    array_agg(gen_random_uuid()))
  FROM (SELECT 1 + floor(random() * :wallets)::bigint AS payer,
      floor(random() * (:wallets - 1))::bigint AS step,
      1 + floor(random() * 1000000000)::bigint AS amount
    FROM generate_series(1, 1000)) AS payments;
END
measure_postgres 1 1
measure_postgres 1 8
measure_postgres 1 64
measure_postgres 1000 1

# CPU and bytes are per payment.
cat <<END
| system | payments a transaction | clients | payments/s | range | p50 ms | p99 ms | CPU µs | bytes on disk | of which data | bytes written |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
$(cat table)
END
if [[ $json ]]; then
  { echo "[" && sed '$!s/$/,/; s/^/  /' objects && echo "]"; } >"$json"
fi
