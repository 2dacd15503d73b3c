-- As few indexes as payments need, no foreign keys: less than most would keep.
PRAGMA journal_mode = WAL;
CREATE TABLE wallets (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT;
CREATE TABLE payments (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  payer INTEGER NOT NULL,
  payee INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  fee INTEGER NOT NULL,
  time INTEGER NOT NULL  -- Microseconds since 1970
) STRICT;
CREATE TABLE entries (
  payment INTEGER NOT NULL,
  wallet INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (payment, wallet)
) STRICT, WITHOUT ROWID;
