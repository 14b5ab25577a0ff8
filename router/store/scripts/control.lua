-- Promise: exactly one has control. A change raises its number and the lease number, so the turn under way commits no more,
-- ends a back-off, and is journalled.
-- KEYS state, run, mailbox, journal, events, timers
-- ARGV offset, customer, control number that was seen ('' any), new control, owner ('' none), audience, entry, channel,
--      ms until an idle conversation is closed
-- Who has never written has no conversation yet.
-- Answers {'ok', control number} | {'conflict', control number, control} | {'gone', why}
local st, run, mb, jr, ev, tmr = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local customer, seen, control, owner = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local s = redis.call('HMGET', st, 'gone', 'ctl', 'cn', 'cid', 'own', 'n', 'pv')
if s[1] or not s[2] then return {'gone', s[1] or ''} end
if seen ~= '' and seen ~= s[3] then return {'conflict', tonumber(s[3]), s[2]} end
if s[2] == control and (s[5] or '') == owner then return {'ok', tonumber(s[3])} end

local t = now(ARGV[1])
local number = redis.call('HINCRBY', st, 'cn', 1)
redis.call('HINCRBY', st, 'ln', 1)
redis.call('HSET', st, 'ctl', control, 'at', 0)
if owner == '' then redis.call('HDEL', st, 'own') else redis.call('HSET', st, 'own', owner) end
-- When a person accepted decides between two of them in a merge; a bot's words of before the change are dropped again.
if control ~= 'human' then redis.call('HDEL', st, 'ca') elseif s[2] ~= 'human' then redis.call('HSET', st, 'ca', t) end
redis.call('HDEL', st, 'why', 'cf')
local conversation = s[4] or ''
if control == 'bot' and s[4] and tonumber(ARGV[9]) > 0 then
  redis.call('HSET', st, 't:idle', s[4] .. ' ' .. number)
  redis.call('ZADD', tmr, t + tonumber(ARGV[9]), customer .. ' idle')
else
  redis.call('ZREM', tmr, customer .. ' idle')
end
local journal = journal_of(jr, t, s[6], s[7])
local seq = append(journal, ARGV[6], ARGV[7], conversation, '')
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
event(ev, 'control.' .. control, customer, conversation, number, ARGV[8])
if redis.call('LLEN', mb) > 0 then
  redis.call('ZADD', run, t, customer)
  hint('r', shard(st), 0, customer)
else
  redis.call('ZREM', run, customer)
end
hint('e', shard(st), seq)
return {'ok', number}
