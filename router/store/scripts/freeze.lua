-- Promise: from now on every script refuses this customer; nothing was under way, and what sleeps somewhere can do nothing more.
-- KEYS state, run, lanes' run, then the heads of the lanes …
-- ARGV offset, customer, merge, accounts joined by spaces, then the lane members …
-- Answers {'frozen'} | {'gone', why} | {'busy'}
local st, run, lanes = KEYS[1], KEYS[2], KEYS[3]
local merge, t = ARGV[3], now(ARGV[1])
local s = redis.call('HMGET', st, 'gone', 'hold', 'mgo', 'bl')
if s[1] == 'moving ' .. merge then return {'frozen'} end
if s[1] then return {'gone', s[1]} end
if s[3] or holder(s[2], t) ~= merge or tonumber(s[4] or 0) > 0 then return {'busy'} end
local died = {}
for i = 4, #KEYS do
  if redis.call('HGET', KEYS[i], 'phase') == 'sending' then
    local due = redis.call('ZSCORE', lanes, ARGV[i + 1])
    if due and tonumber(due) > t then return {'busy'} end
    died[#died + 1] = KEYS[i]
  end
end
for _, head in ipairs(died) do
  redis.call('HINCRBY', head, 'fence', 1)
  redis.call('HSET', head, 'phase', 'died')
end
redis.call('HSET', st, 'gone', 'moving ' .. merge, 'mga', ARGV[4])
redis.call('HINCRBY', st, 'ln', 1)
redis.call('HDEL', st, 'why', 'hold')
redis.call('ZREM', run, ARGV[2])
return {'frozen'}
