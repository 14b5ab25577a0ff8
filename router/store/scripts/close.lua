-- Promise: a conversation ends as somebody decided: the bot has control again, the form that was open is over, and codes
-- made in it are dead. Not while a message of it waits for its answer.
-- KEYS state, run, journal, events, timers          ARGV offset, customer, control number that was seen ('' any), entry
-- Answers {'ok', control number} | {'conflict', control number, control} | {'busy'} | {'gone', why}
local st, run, jr, ev, tmr = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local customer = ARGV[2]
local s = redis.call('HMGET', st, 'gone', 'ctl', 'cn', 'cid', 'open', 'n', 'pv', 'cf')
if s[1] or not s[2] then return {'gone', s[1] or ''} end
if ARGV[3] ~= '' and ARGV[3] ~= s[3] then return {'conflict', tonumber(s[3]), s[2]} end
if s[5] ~= '1' and s[2] == 'bot' then return {'ok', tonumber(s[3])} end
if redis.call('ZSCORE', run, customer) then return {'busy'} end

local t = now(ARGV[1])
local number = redis.call('HINCRBY', st, 'cn', 1)
local journal = journal_of(jr, t, s[6], s[7])
local seq = append(journal, 'a', ARGV[4], s[4] or '', '')
redis.call('HSET', st, 'open', 0, 'ctl', 'bot', 'n', journal.n, 'pv', journal.pv)
redis.call('HINCRBY', st, 'lk', 1)
redis.call('HDEL', st, 'own', 'ca', 'num', 'form', 'ask', 't:idle')
-- What the bot has said already is still delivered; what it said before a person had control is not.
if s[2] == 'bot' then redis.call('HSET', st, 'cf', s[8] or s[3]) else redis.call('HDEL', st, 'cf') end
redis.call('ZREM', tmr, customer .. ' idle')
event(ev, 'conversation.closed', customer, s[4] or '', seq, '')
hint('e', shard(st), seq)
return {'ok', number}
