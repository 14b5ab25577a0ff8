-- Promise: a timer fires once, and into nothing when its conversation or control has moved; during a turn it waits a minute.
-- KEYS state, journal, events, timers, run          ARGV offset, customer, kind, entry
-- Answers 1 (fired) | 0 (not due, moved, or still busy)
local st, jr, ev, tmr, run = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local customer, kind = ARGV[2], ARGV[3]
local member = customer .. ' ' .. kind
local due = redis.call('ZSCORE', tmr, member)
local t = now(ARGV[1])
if not due or tonumber(due) > t then return 0 end
local s = redis.call('HMGET', st, 'gone', 'cid', 'cn', 't:' .. kind, 'open', 'n', 'pv')
local moved = s[1] or s[5] ~= '1' or s[4] ~= s[2] .. ' ' .. s[3]
if not moved and redis.call('ZSCORE', run, customer) then
  redis.call('ZADD', tmr, t + 60000, member)
  return 0
end
redis.call('ZREM', tmr, member)
redis.call('HDEL', st, 't:' .. kind)
if moved then return 0 end
local journal = journal_of(jr, t, s[6], s[7])
local seq = append(journal, 'a', ARGV[4], s[2], '')
redis.call('HSET', st, 'open', 0, 'ctl', 'bot', 'n', journal.n, 'pv', journal.pv)
redis.call('HDEL', st, 'own', 'ca', 'num')
event(ev, 'conversation.closed', customer, s[2], seq, '')
hint('e', shard(st), seq)
return 1
