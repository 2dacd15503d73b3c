-- wrk's requests: payments from one agent's wallet to others in turn, each with a key of its own.
local number = 0
local threads = 0
local payees = {}
for payee in string.gmatch(os.getenv("PAYEES"), "%S+") do payees[#payees + 1] = payee end
local payer = os.getenv("PAYER")
local headers = {
  ["Content-Type"] = "application/json",
  ["Authorization"] = "Bearer " .. os.getenv("KEY"),
}

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init()
  -- Each run has keys of its own, so that none is a replay.
  prefix = os.getenv("RUN") .. "-" .. id .. "-"
end

function request()
  number = number + 1
  local body = string.format(
    '{"from_wallet_id":"%s","to_wallet_id":"%s","amount":0.001,"idempotency_key":"%s%08d"}',
    payer, payees[number % #payees + 1], prefix, number)
  return wrk.format("POST", "/v1/payments", headers, body)
end

local refused = 0
function response(status)
  if status ~= 200 and status ~= 201 then
    refused = refused + 1
    if refused == 1 then print("status " .. status) end
  end
end
