-- Promise: what a platform says of our message is kept, whenever it comes; the status only rises. A customer who was
-- merged keeps the states of what was sent to them before.
-- KEYS state, journal, events, delivery states, vendor ids, early receipts
-- ARGV offset, customer, account, vendor id, status, reason, whether it may wait here when it is early (1 or 0)
-- Answers {seq of the message | 0 (waits) | -1 (nothing new) | -2 (not known here), why the customer is gone, kin}
local st, jr, ev, ds, mid, early = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local customer, account, status = ARGV[2], ARGV[3], ARGV[5]
local s = redis.call('HMGET', st, 'gone', 'kin')
local gone, kin = s[1] or '', s[2] or ''
if s[1] and not elsewhere(s[1]) then return {-1, gone, kin} end
local t = now(ARGV[1])
local named = account .. '/' .. ARGV[4]
local seq = redis.call('ZSCORE', mid, named)
if not seq then
  if s[1] or ARGV[7] == '0' then return {-2, gone, kin} end
  local since, waited = string.match(redis.call('HGET', early, named) or '', '^(%d+) (%a+)')
  if waited and t - tonumber(since) <= 60000 and not rises(waited, status) then return {-1, gone, kin} end
  redis.call('HSET', early, named, t .. ' ' .. status .. ' ' .. ARGV[6])
  redis.call('PEXPIRE', early, 60000)
  return {0, gone, kin}
end
local channel = string.match(account, '^[^:]+')
if settle_status(st, jr, ev, ds, t, customer, channel, seq, status, ARGV[6]) == 0 then return {-1, gone, kin} end
return {tonumber(seq), gone, kin}
