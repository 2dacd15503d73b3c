#!/usr/bin/env bash
# Deciding, evolving and framing payments without a note asks for no memory: two runs of different
# length must ask equally often. Fails, with the difference, where they do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shorter=100000 longer=1100000

if [ "$(uname)" != Linux ]; then
  echo "skipped: counting allocations needs the C library of Linux"
  exit 0
fi
cc -O2 -Wall -Wextra -Werror -shared -fPIC -o .build/count.so Allocations/count.c

allocations() {
  LD_PRELOAD="$PWD/.build/count.so" .build/release/Loop "$1" 2>&1 >/dev/null |
    awk '/^allocations/ { print $2 }'
}

few=$(allocations $shorter) many=$(allocations $longer)
echo "$few allocations in a run of $shorter payments, $many in one of $longer"
if [ -z "$few" ] || [ "$few" -eq 0 ] || [ "$few" -ne "$many" ]; then
  echo "the loop of a payment allocates: $((many - few)) in $((longer - shorter)) payments" >&2
  exit 1
fi
