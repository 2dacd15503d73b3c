-- As few indexes as payments need, no foreign keys: less than most would keep.
SET client_min_messages = warning;  -- Not that there is nothing to drop.
DROP TABLE IF EXISTS wallets, payments, entries;
CREATE TABLE wallets (id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE payments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key uuid NOT NULL UNIQUE,
  payer bigint NOT NULL,
  payee bigint NOT NULL,
  amount bigint NOT NULL,
  fee bigint NOT NULL,
  time timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE entries (
  payment bigint NOT NULL,
  wallet bigint NOT NULL,
  amount bigint NOT NULL,
  PRIMARY KEY (payment, wallet)
);

-- 40 basis points, rounded up.
CREATE OR REPLACE FUNCTION fee(amount bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
  RETURN (amount * 40 + 9999) / 10000;

CREATE OR REPLACE FUNCTION pay(from_wallet bigint, to_wallet bigint, amount bigint, key uuid)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  charged bigint := fee(amount);
  payment bigint;
BEGIN
  -- The lesser wallet first and the fee account last, so that no two payments deadlock.
  IF to_wallet < from_wallet THEN
    UPDATE wallets SET balance = balance + amount WHERE id = to_wallet;
  END IF;
  UPDATE wallets SET balance = balance - amount - charged
    WHERE id = from_wallet AND balance >= amount + charged;
  IF NOT FOUND THEN
    RAISE 'balance short';
  END IF;
  IF to_wallet > from_wallet THEN
    UPDATE wallets SET balance = balance + amount WHERE id = to_wallet;
  END IF;
  INSERT INTO payments (key, payer, payee, amount, fee)
    VALUES (key, from_wallet, to_wallet, amount, charged) RETURNING id INTO payment;
  INSERT INTO entries
    VALUES (payment, from_wallet, -amount - charged), (payment, to_wallet, amount);
  UPDATE wallets SET balance = balance + charged WHERE id = 0;
END $$;

-- Set-based: a loop over the arrays is slower. Refuses what the payer's balance, less all the payer
-- was asked for earlier in the batch, does not cover.
CREATE OR REPLACE FUNCTION pay(payers bigint[], payees bigint[], amounts bigint[], keys uuid[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- All wallets, least first, as above; the statement after it then sees their latest balances.
  PERFORM FROM wallets WHERE id = ANY (payers || payees) ORDER BY id FOR UPDATE;
  WITH asked AS (
    SELECT *, fee(amount) AS fee,
      sum(amount + fee(amount)) OVER (PARTITION BY payer ORDER BY place) AS needed
    FROM unnest(payers, payees, amounts, keys)
      WITH ORDINALITY AS asked (payer, payee, amount, key, place)
  ), paid AS (
    INSERT INTO payments (key, payer, payee, amount, fee)
    SELECT key, payer, payee, amount, fee
      FROM asked JOIN wallets ON id = payer WHERE balance >= needed ORDER BY place
    RETURNING id, payer, payee, amount, fee
  ), changes AS (
    INSERT INTO entries
    SELECT id, payer, -amount - fee FROM paid UNION ALL SELECT id, payee, amount FROM paid
    RETURNING wallet, amount
  ), totals AS (
    SELECT wallet, sum(amount)::bigint AS change
    FROM (SELECT * FROM changes UNION ALL SELECT 0, fee FROM paid) AS all_changes
    GROUP BY wallet
  )
  UPDATE wallets SET balance = balance + change FROM totals WHERE id = wallet;
END $$;
