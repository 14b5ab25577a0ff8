-- Promise: who was frozen and taken over names who did it, and has nothing waiting any more.
-- KEYS state, mailbox, run, timers, events, lanes' run, then lane and head of each account …
-- ARGV offset, customer, merge, survivor, number of timers, then timer members, then lane members …
-- Answers 1 | 0 (not frozen by this merge)
local st, mb, run, tmr, ev, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local customer, survivor, timers = ARGV[2], ARGV[4], tonumber(ARGV[5])
local s = redis.call('HMGET', st, 'gone', 'cid', 'n', 'kin')
if s[1] == 'moved ' .. survivor then return 1 end
if s[1] ~= 'moving ' .. ARGV[3] then return 0 end
redis.call('HSET', st, 'gone', 'moved ' .. survivor, 'kin', with(s[4], survivor))
redis.call('DEL', mb)
redis.call('ZREM', run, customer)
for i = 6, 5 + timers do redis.call('ZREM', tmr, ARGV[i]) end
for i = 7, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  redis.call('ZREM', lanes, ARGV[6 + timers + (i - 7) / 2])
  -- The fence outlives the lane: a try that slept through all this is refused also after an undo.
  redis.call('HDEL', KEYS[i + 1], 'phase', 'at')
  redis.call('PEXPIRE', KEYS[i + 1], 86400000)
end
event(ev, 'customer.moved', customer, s[2] or '', s[3] or 0, '')
hint('e', shard(st), 0)
return 1
