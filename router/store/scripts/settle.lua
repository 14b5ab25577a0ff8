-- Promise: the result of a try counts once, and only for the try that is under way; the status never goes backwards.
-- KEYS state, journal, events, lanes' run, lane, head, delivery states, vendor ids, early receipts
-- ARGV offset, customer, lane member, account, fence, result (sent, retry, failed, unknown), vendor id, reason,
--      delay of a retry, whether a retry counts as a try (1 or 0), parts that were taken all the same
-- Answers 1 | 0
local st, jr, ev, run, lane, head = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ds, mid, early = KEYS[7], KEYS[8], KEYS[9]
local customer, member, account, fence, result, vendor = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local h = redis.call('HMGET', head, 'fence', 'phase')
if h[1] ~= fence or h[2] ~= 'sending' then return 0 end
local item = redis.call('LINDEX', lane, 0)
if not item then return 0 end
local t = now(ARGV[1])
local channel = string.match(account, '^[^:]+')
local seq = string.match(item, '^(%d+)')

if result == 'retry' then
  redis.call('HDEL', head, 'phase')
  if ARGV[10] == '0' then redis.call('HINCRBY', head, 'at', -1) end
  if ARGV[11] ~= '0' then redis.call('HSET', head, 'pd', ARGV[11]) end
  redis.call('ZADD', run, t + tonumber(ARGV[9]), member)
  hint('o', shard(st), ARGV[9])
  return 1
end
redis.call('LPOP', lane)
redis.call('HDEL', head, 'phase', 'at', 'pd')
settle_status(st, jr, ev, ds, t, customer, channel, seq, result, ARGV[8])
if vendor ~= '' then
  local named = account .. '/' .. vendor
  redis.call('ZADD', mid, seq, named)
  local waited = redis.call('HGET', early, named)
  if waited then
    redis.call('HDEL', early, named)
    local at, status, why = string.match(waited, '^(%d+) (%a+) ?(.*)')
    if t - tonumber(at) <= 60000 then settle_status(st, jr, ev, ds, t, customer, channel, seq, status, why) end
  end
end
if redis.call('LLEN', lane) == 0 then
  redis.call('ZREM', run, member)
else
  redis.call('ZADD', run, t, member)
  hint('o', shard(st), 0)
end
return 1
