-- Promise: who was taken over is somebody of their own again, once: with their journal, their dialogue of before, and what
-- their identities had waiting.
-- KEYS state, identities, journal, mailbox, run, events, timers, merges, delivery states, lanes' run, lane of each account …
-- ARGV offset, customer, merge, survivor, record, ms until an idle conversation is closed, identity last used, then by number:
--      identities · fields that come back: field, value · what they had waiting, see carry
-- Answers {'ok'} | {'gone', why}
local st, id, mb, run, ev, tmr, mg = KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local ds, lanes = KEYS[9], KEYS[10]
local customer, merge, t = ARGV[2], ARGV[3], now(ARGV[1])
if redis.call('HEXISTS', mg, merge) == 1 then return {'ok'} end
local s = redis.call('HMGET', st, 'gone', 'cid', 'n', 'pv', 'cn', 'open')
if s[1] ~= 'moved ' .. ARGV[4] then return {'gone', s[1] or ''} end

redis.call('DEL', id)
local at = 8
local number = tonumber(ARGV[at])
for i = at + 1, at + number do redis.call('SADD', id, ARGV[i]) end
at = at + number + 1
number = tonumber(ARGV[at])
at = at + 1
for _ = 1, number do
  redis.call('HSET', st, ARGV[at], ARGV[at + 1])
  at = at + 2
end

local control = tonumber(s[5] or 0) + 1
redis.call('HSET', st, 'ctl', 'bot', 'cn', control, 'via', ARGV[7], 'at', 0, 'bl', 0, 'wu', 0)
redis.call('HINCRBY', st, 'ln', 1)
redis.call('HDEL', st, 'gone', 'own', 'ca', 'cf', 'hold', 'why', 'mga')
local journal = journal_of(KEYS[3], t, s[3], s[4])
local record = cjson.decode(ARGV[5])
record.revived = journal.n
record.returned = carry(at, journal, s[2], mb, ds, lanes, 10, control)
redis.call('HSET', mg, merge, cjson.encode(record))
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
if tonumber(ARGV[6]) > 0 and s[6] == '1' then
  redis.call('HSET', st, 't:idle', s[2] .. ' ' .. control)
  redis.call('ZADD', tmr, t + tonumber(ARGV[6]), customer .. ' idle')
end
event(ev, 'customer.revived', customer, s[2] or '', journal.n, '')
if redis.call('LLEN', mb) > 0 then
  redis.call('ZADD', run, t, customer)
  hint('b', shard(st), 0, customer)
else
  hint('e', shard(st), journal.n)
end
return {'ok'}
