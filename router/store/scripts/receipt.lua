-- Promise: what a platform says of our message is kept, whenever it comes; the status only rises.
-- KEYS state, journal, events, delivery states, vendor ids, early receipts
-- ARGV offset, customer, account, vendor id, status, reason          Answers seq of the message | 0 (waits) | -1 (nothing new)
local st, jr, ev, ds, mid, early = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local customer, account, status = ARGV[2], ARGV[3], ARGV[5]
if redis.call('HEXISTS', st, 'gone') == 1 then return -1 end
local t = now(ARGV[1])
local named = account .. '/' .. ARGV[4]
local seq = redis.call('ZSCORE', mid, named)
if not seq then
  local since, waited = string.match(redis.call('HGET', early, named) or '', '^(%d+) (%a+)')
  if waited and t - tonumber(since) <= 60000 and not rises(waited, status) then return -1 end
  redis.call('HSET', early, named, t .. ' ' .. status .. ' ' .. ARGV[6])
  redis.call('PEXPIRE', early, 60000)
  return 0
end
if settle_status(st, jr, ev, ds, t, customer, string.match(account, '^[^:]+'), seq, status, ARGV[6]) == 0 then return -1 end
return tonumber(seq)
